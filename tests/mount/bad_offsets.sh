#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Offsets near 2^63, sizes of nothing and sizes of too much: an errno, nothing half done.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=16m
python3 - "$M" <<'PY'
import ctypes, errno, mmap, os, sys
from pages import *

os.chdir(sys.argv[1])
TOP = 2**63 - 1
refusals = (errno.EFBIG, errno.EINVAL, errno.ENOSPC, errno.EOVERFLOW)

def refused(call, *args):
    try:
        r = call(*args)
    except OSError as e:
        assert e.errno in refusals, (args, e)
        return
    raise AssertionError(f"{call.__name__}{args} gave {r!r}")

fd = os.open("f", os.O_CREAT | os.O_RDWR)
os.write(fd, b"kept")
for at in (TOP, TOP - 1, TOP - 4095, TOP - 4096, TOP - (1 << 20)):
    refused(os.pwrite, fd, b"12345678", at)
    refused(os.posix_fallocate, fd, at, 4096)
    try:
        same(os.pread(fd, 100, at), b"", "read beyond everything")
    except OSError as e:
        assert e.errno in refusals, e
refused(os.ftruncate, fd, TOP)
refused(os.ftruncate, fd, -1)
refused(os.posix_fallocate, fd, 0, 0)
refused(os.posix_fallocate, fd, -1, 1)
refused(os.posix_fallocate, fd, 0, 1 << 40)
refused(os.pwrite, fd, b"x", -1)
same(os.pwrite(fd, b"", 0), 0, "nothing written")
same(os.pread(fd, 0, 0), b"", "nothing read")
same(os.pwrite(fd, b"", 1 << 50), 0, "nothing written far away")
same(os.fstat(fd).st_size, 4, "size")
same(open("f", "rb").read(), b"kept", "content")
try:
    mmap.mmap(fd, 0)
    mmap.mmap(fd, 1 << 62)
    raise AssertionError("mapped 2^62 bytes")
except (OSError, ValueError):
    pass

# A big sparse file is fine, and costs nothing where nothing is.
os.ftruncate(fd, 1 << 43)
same(os.fstat(fd).st_blocks, 8, "blocks of a sparse file")
same(os.pread(fd, 10, (1 << 43) - 10), bytes(10), "its end")
same(os.pwrite(fd, b"end", (1 << 43) - 3), 3, "a write at its end")
same(os.pread(fd, 10, (1 << 43) - 3), b"end", "read back")
same(os.lseek(fd, 4, os.SEEK_HOLE), 4096, "SEEK_HOLE")
same(os.lseek(fd, 4096, os.SEEK_DATA), (1 << 43) - 4096, "SEEK_DATA")
fails(errno.ENXIO, os.lseek, fd, 1 << 43, os.SEEK_DATA)
fails(errno.ENXIO, os.lseek, fd, TOP, os.SEEK_HOLE)
os.ftruncate(fd, 4)
same(os.fstat(fd).st_blocks, 8, "blocks")
os.unlink("f")
os.close(fd)
PY
expect_empty
