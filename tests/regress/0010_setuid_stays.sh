#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# setuid and setgid go when somebody allocates in the file, changes its owner to whom it has, or tries to write to it on a
# full mount; also those of devices when their owner changes; but not because somebody else asked for no change.
# shellcheck source-path=SCRIPTDIR/../mount
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64k,suid,dev,mode=1777
python3 - "$M" <<'PY'
import errno, os, stat, sys
from pages import *

os.chdir(sys.argv[1])

def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)

def as_user(do):
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(1000)
        os.setuid(1000)
        do()
        os._exit(0)
    same(os.waitpid(pid, 0)[1], 0, "the user's status")

def make(path):
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    os.fchmod(fd, 0o6777)
    return fd

fd = make("allocated")
as_user(lambda: os.posix_fallocate(fd, 0, PAGE))
same(mode("allocated"), 0o777, "allocated by a user")
os.fchmod(fd, 0o6777)
os.posix_fallocate(fd, 0, PAGE)
same(mode("allocated"), 0o6777, "allocated by root")

as_user(lambda: os.chown("allocated", -1, -1))
same(mode("allocated"), 0o6777, "not the user's to change")
os.chown("allocated", -1, -1)
same(mode("allocated"), 0o777, "changed to what it has")

os.mknod("device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
os.chmod("device", 0o6777)
os.chown("device", 1000, -1)
same(mode("device"), 0o777, "a device that changed its owner")

fill = os.open("fill", os.O_CREAT | os.O_WRONLY)
os.posix_fallocate(fill, 0, os.statvfs(".").f_bfree * PAGE)
full = make("full")
as_user(lambda: fails(errno.ENOSPC, os.write, full, b"x"))
same(mode("full"), 0o777, "after a write that did not fit")
PY
