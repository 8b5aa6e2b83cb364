# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls that Python has no words for, and how to tell what a call did: for tests that must
say the same on a tmpfs and on a ksmfs (as_tmpfs in lib.sh)."""
import ctypes
import errno
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)

AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = -100, 0x1000, 0x400
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4


def checked(r):
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def renameat2(old, new, flags):
    checked(libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags))


def linkat(fd, path, new, flags):
    checked(libc.linkat(fd, os.fsencode(path), AT_FDCWD, os.fsencode(new), flags))


def statx(path, mask=0xFFF, flags=0x100):
    """(stx_mask, stx_attributes, stx_attributes_mask, birth time in ns), by a path or a descriptor."""
    buf = ctypes.create_string_buffer(256)
    if isinstance(path, int):
        checked(libc.statx(path, b"", AT_EMPTY_PATH | flags, mask, buf))
    else:
        checked(libc.statx(AT_FDCWD, os.fsencode(path), flags, mask, buf))
    got, _, attributes = struct.unpack_from("=IIQ", buf, 0)
    (known,) = struct.unpack_from("=Q", buf, 56)
    sec, nsec = struct.unpack_from("=qI", buf, 80)
    return got, attributes, known, sec * 10**9 + nsec


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
