# SPDX-License-Identifier: GPL-2.0-or-later
"""Advice and figures of files, as ksmfs/xattr.h and ksmfs/ioctl.h have them."""
import fcntl
import os
import struct

MERGEABLE = "user.ksmfs.mergeable"
STAT = "user.ksmfs.stat"

# _IOW('k', 0x40, 16 bytes) and its like
IOC_MERGEABLE = 1 << 30 | 16 << 16 | ord("k") << 8 | 0x40
IOC_UNMERGEABLE = 1 << 30 | 16 << 16 | ord("k") << 8 | 0x41
IOC_STAT = 3 << 30 | 128 << 16 | ord("k") << 8 | 0x42
FIELDS = ("slots", "merged", "unshared", "zero", "volatile", "untracked", "left_out", "saved_bytes",
          "proportional_bytes", "profit_bytes")


def advise(path, what):
    os.setxattr(path, MERGEABLE, what.encode())


def advice(path):
    return os.getxattr(path, MERGEABLE).decode()


def stat(path):
    """The figures of a file or directory."""
    lines = os.getxattr(path, STAT).decode().splitlines()
    assert [line.split()[0] for line in lines] == list(FIELDS), lines
    return {name: int(value) for name, value in (line.split() for line in lines)}


def advise_range(fd, command, offset, length):
    fcntl.ioctl(fd, command, struct.pack("=QQ", offset, length))


def stat_range(fd, offset, length, reserved=0):
    """The figures of a range of an open file."""
    out = fcntl.ioctl(fd, IOC_STAT, struct.pack("=12Q4Q", offset, length, *[0] * 10, *[reserved] * 4))
    words = struct.unpack("=11Qq4Q", out)
    assert words[:2] == (offset, length) and words[12:] == (0,) * 4, words
    return dict(zip(FIELDS, words[2:12]))
