# SPDX-License-Identifier: GPL-2.0-or-later
"""Mount the directory argv[1] at argv[2] once more, where root's files belong to the user and the group argv[3]."""
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
MOUNT_ATTR_IDMAP = 0x00100000


def system(call, *args):
    r = libc.syscall(call, *args)
    if r < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(call))
    return r


def user_namespace(user):
    """One in which 0 is `user`."""
    ready, told = os.pipe()
    ended, hold = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(hold)
        libc.unshare(0x10000000)
        os.write(told, b".")
        os.read(ended, 1)
        os._exit(0)
    os.read(ready, 1)
    for kind in "uid", "gid":
        with open(f"/proc/{pid}/{kind}_map", "w") as f:
            f.write(f"0 {user} 1")
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    os.close(hold)
    os.waitpid(pid, 0)
    return fd


class Attr(ctypes.Structure):
    _fields_ = [("attr_set", ctypes.c_uint64), ("attr_clr", ctypes.c_uint64), ("propagation", ctypes.c_uint64),
                ("userns_fd", ctypes.c_uint64)]


tree = system(OPEN_TREE, AT_FDCWD, sys.argv[1].encode(), OPEN_TREE_CLONE | os.O_CLOEXEC)
attr = Attr(attr_set=MOUNT_ATTR_IDMAP, userns_fd=user_namespace(int(sys.argv[3])))
system(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, ctypes.byref(attr), ctypes.c_size_t(ctypes.sizeof(attr)))
system(MOVE_MOUNT, tree, b"", AT_FDCWD, sys.argv[2].encode(), MOVE_MOUNT_F_EMPTY_PATH)
