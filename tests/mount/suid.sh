#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever takes suid and sgid away on a tmpfs does so here: for each way to change a file, each mode, and each kind of user.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
as_tmpfs <<'PY'
import ctypes, mmap, os, stat, struct, sys
from calls import *

CAP_FSETID = 4
SIZE = 8192
page = mmap.mmap(-1, 4096)


def direct(fd, p):
    d = os.open(p, os.O_RDWR | os.O_DIRECT)
    os.pwritev(d, [page], 0)
    os.close(d)


def stored(fd, p):
    with mmap.mmap(fd, SIZE) as m:
        m[0] = 7
        m.flush()


WAYS = {
    "write": lambda fd, p: os.pwrite(fd, b"x", 0),
    "write beyond": lambda fd, p: os.pwrite(fd, b"x", SIZE * 2),
    "write nothing": lambda fd, p: os.pwrite(fd, b"", 0),
    "append": lambda fd, p: os.write(os.open(p, os.O_WRONLY | os.O_APPEND), b"x"),
    "direct write": direct,
    "store": stored,
    "ftruncate": lambda fd, p: os.ftruncate(fd, 100),
    "ftruncate to the same": lambda fd, p: os.ftruncate(fd, SIZE),
    "truncate": lambda fd, p: os.truncate(p, 100),
    "open and cut": lambda fd, p: os.close(os.open(p, os.O_WRONLY | os.O_TRUNC)),
    "fallocate": lambda fd, p: fallocate(fd, 0, 0, SIZE * 2),
    "keep size": lambda fd, p: fallocate(fd, FALLOC_KEEP_SIZE, 0, SIZE * 2),
    "punch": lambda fd, p: fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 0, 4096),
    "chown to himself": lambda fd, p: os.chown(p, os.geteuid(), -1),
    "chgrp": lambda fd, p: os.chown(p, -1, 1001),
    "chown to nobody": lambda fd, p: os.chown(p, -1, -1),
    "chmod": lambda fd, p: os.chmod(p, 0o7777),
    "link": lambda fd, p: os.link(p, p + ".l"),
    "utime": lambda fd, p: os.utime(p),
    "read": lambda fd, p: os.pread(fd, 10, 0),
    "sendfile": lambda fd, p: os.sendfile(fd, os.open("source", os.O_RDONLY), 0, 100),
}
if not linux(6, 6):
    del WAYS["direct write"]  # which tmpfs does not have
MODES = (0o6777, 0o4777, 0o2777, 0o6666, 0o2767, 0o6711, 0o7755)
os.chmod(".", 0o777)
open("source", "wb").write(b"s" * 100)


def drop_fsetid():
    head = struct.pack("=Ii", 0x20080522, 0)
    sets = ctypes.create_string_buffer(24)
    if libc.capget(head, sets):
        raise OSError("capget")
    effective, *rest = struct.unpack("=6I", sets.raw)
    if libc.capset(head, struct.pack("=6I", effective & ~(1 << CAP_FSETID), *rest)):
        raise OSError("capset")


def try_all(who, uid, gid, groups):
    if who == "docile root":
        drop_fsetid()
    if uid:
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    for mode in MODES:
        for way, call in WAYS.items():
            p = f"{who}.{mode:o}.{way}"
            if who in ("member", "other") and way == "chown to nobody":
                continue  # a known difference
            try:
                fd = os.open(p, os.O_RDWR)
            except PermissionError:
                print(p, "cannot be opened")
                continue
            tell(p, call, fd, p)
            mode_is = f"{stat.S_IMODE(os.stat(p).st_mode):o}"
            print(" ", mode_is, f"{stat.S_IMODE(os.fstat(fd).st_mode):o}", os.stat(p).st_size)
            os.close(fd)
    sys.stdout.flush()


for who, owner, uid, gid, groups in (("root", 0, 0, 0, []), ("docile root", 1000, 0, 0, []),
                                     ("owner", 1000, 1000, 1000, [1001]),
                                     ("member", 1000, 2000, 2000, [1000]), ("other", 1000, 2000, 2000, [])):
    for mode in MODES:
        for way in WAYS:
            p = f"{who}.{mode:o}.{way}"
            open(p, "wb").write(b"x" * SIZE)
            os.chown(p, owner, owner)
            os.chmod(p, mode)
    if os.fork() == 0:
        try_all(who, uid, gid, groups)
        os._exit(0)
    os.wait()

# A directory keeps its bits; a new file in a setgid directory has them only for its group's members.
os.mkdir("d")
os.chown("d", 1000, 1000)
os.chmod("d", 0o6777)
os.chown("d", 1000, 1001)
tell_stat("d")
if os.fork() == 0:
    os.setgroups([])
    os.setresgid(2000, 2000, 2000)
    os.setresuid(2000, 2000, 2000)
    os.umask(0)
    os.close(os.open("d/f", os.O_CREAT | os.O_WRONLY, 0o6777))
    os.mkdir("d/sub", 0o6777)
    os.mknod("d/p", stat.S_IFIFO | 0o6777)
    os.close(os.open("d/nox", os.O_CREAT | os.O_WRONLY, 0o2666))
    for p in ("d/f", "d/sub", "d/p", "d/nox"):
        tell_stat(p)
    os.chmod("d/f", 0o6777)
    tell_stat("d/f")
    sys.stdout.flush()
    os._exit(0)
os.wait()
PY
