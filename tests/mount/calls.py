# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls that Python has no words for, and how to tell what a call did: for tests that must
say the same on a tmpfs and on a ksmfs (as_tmpfs in lib.sh)."""
import ctypes
import errno
import fcntl
import os
import re
import struct

libc = ctypes.CDLL(None, use_errno=True)

AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = -100, 0x1000, 0x400
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1 - (1 << 63), (1 << 30) - 2 - (1 << 63)
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE = 1, 2
IMMUTABLE, APPEND, NODUMP, NOATIME = 0x10, 0x20, 0x40, 0x80
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4

# rwx for the owner, r-x for user 5 and the group, by a mask of r-x, and nothing for others.
ACL = struct.pack("=I" + "HHI" * 5, 2, 1, 7, 2**32 - 1, 2, 5, 5, 4, 5, 2**32 - 1, 16, 5, 2**32 - 1, 32, 0, 2**32 - 1)


def linux(major, minor):
    """Is the kernel as new as that?"""
    return tuple(int(re.match("[0-9]*", n)[0] or 0) for n in os.uname().release.split(".")[:2]) >= (major, minor)


def checked(r):
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def renameat2(old, new, flags):
    checked(libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags))


def linkat(fd, path, new, flags):
    checked(libc.linkat(fd, os.fsencode(path), AT_FDCWD, os.fsencode(new), flags))


def statx_raw(path, mask, flags):
    buf = ctypes.create_string_buffer(256)
    if isinstance(path, int):
        checked(libc.statx(path, b"", AT_EMPTY_PATH | flags, mask, buf))
    else:
        checked(libc.statx(AT_FDCWD, os.fsencode(path), flags, mask, buf))
    return buf


def statx_times(path, flags=0x100):
    """Access and modification, as (seconds, nanoseconds): also those that nanoseconds in 64 bits do not reach."""
    buf = statx_raw(path, 0xFFF, flags)
    return struct.unpack_from("=qI", buf, 64), struct.unpack_from("=qI", buf, 112)


def statx(path, mask=0xFFF, flags=0x100):
    """(stx_mask, stx_attributes, stx_attributes_mask, birth time in ns), by a path or a descriptor."""
    buf = statx_raw(path, mask, flags)
    got, _, attributes = struct.unpack_from("=IIQ", buf, 0)
    (known,) = struct.unpack_from("=Q", buf, 56)
    sec, nsec = struct.unpack_from("=qI", buf, 80)
    return got, attributes, known, sec * 10**9 + nsec


def handle_of(path):
    buf = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0), 136)
    mount = ctypes.c_int()
    checked(libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), buf, ctypes.byref(mount), 0))
    return bytes(buf[:8 + struct.unpack_from("=I", buf)[0]])


def open_handle(mount_fd, handle, flags):
    return checked(libc.open_by_handle_at(mount_fd, handle, flags))


def utimensat(path, atime, mtime):
    """Nanoseconds; UTIME_NOW and UTIME_OMIT are below all that a file can have."""
    times = b"".join(struct.pack("=qq", 0, t + (1 << 63)) if t <= UTIME_NOW else struct.pack("=qq", *divmod(t, 10**9))
                     for t in (atime, mtime))
    checked(libc.utimensat(AT_FDCWD, os.fsencode(path), times, 0))


def fallocate(fd, mode, offset, length):
    checked(libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)))


def ioctl(path, cmd, data, flags=os.O_RDONLY):
    fd = os.open(path, flags)
    try:
        return fcntl.ioctl(fd, cmd, data)
    finally:
        os.close(fd)


def get_flags(path, flags=os.O_RDONLY):
    return struct.unpack("=Q", ioctl(path, 0x80086601, bytes(8), flags))[0]


def set_flags(path, flags):
    ioctl(path, 0x40086602, struct.pack("=Q", flags))


def get_xflags(path):
    return struct.unpack_from("=I", ioctl(path, 0x801C581F, bytes(28)))[0]


def set_xflags(path, xflags, project=0, extent=0):
    ioctl(path, 0x401C5820, struct.pack("=IIIII8x", xflags, extent, 0, project, 0))


def tell(what, call, *args, **kw):
    """One line of what came of a call; its result, or None."""
    try:
        r = call(*args, **kw)
    except OSError as e:
        print(f"{what}: {errno.errorcode[e.errno]}")
        return None
    print(f"{what}: {'done' if r is None or isinstance(r, (int, os.DirEntry)) else r}")
    return r


def tell_stat(path, *more):
    """What stat says, less what differs from run to run; `path` may be a descriptor."""
    try:
        s = os.stat(path, follow_symlinks=isinstance(path, int))
    except OSError as e:
        print(f"stat {path}: {errno.errorcode[e.errno]}")
        return
    print(f"stat {path if isinstance(path, str) else 'fd'}: {s.st_mode:o} links {s.st_nlink} owner {s.st_uid}:{s.st_gid} "
          f"rdev {s.st_rdev} size {s.st_size} blocks {s.st_blocks}", *more)
