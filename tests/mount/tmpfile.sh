#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# O_TMPFILE makes files as on a tmpfs: without a name, which they may get once; what never gets one leaves nothing behind.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
cat >"$T/tmpfile.py" <<'PY'
import os, sys
from calls import *

RW, WO, RO, EXCL = os.O_RDWR | os.O_TMPFILE, os.O_WRONLY | os.O_TMPFILE, os.O_RDONLY | os.O_TMPFILE, os.O_EXCL


def again(fd, new):
    linkat(AT_FDCWD, f"/proc/self/fd/{fd}", new, AT_SYMLINK_FOLLOW)


os.mkdir("d")
os.mkdir("sgid")
os.chown("sgid", 1000, 50)
os.chmod("sgid", 0o2777)
open("file", "w").close()
for umask in (0o22, 0o777, 0):
    os.umask(umask)
    for where in ("d", "sgid"):
        fd = tell(f"open {where}", os.open, where, RW, 0o6777)
        tell_stat(fd)
        os.write(fd, b"x" * 5000)
        tell_stat(fd)
        os.close(fd)
os.umask(0o22)
tell("on a file", os.open, "file", RW, 0o600)
tell("read-only", os.open, "d", RO, 0o600)
tell("absent", os.open, "absent", RW, 0o600)
tell("with O_CREAT", os.open, "d", RW | os.O_CREAT, 0o600)
print(os.listdir("d"))
tell_stat("d")

# A name, one time.
fd = os.open("d", WO, 0o640)
os.write(fd, b"content")
tell("named by AT_EMPTY_PATH", linkat, fd, "", "d/a", AT_EMPTY_PATH)
tell_stat(fd)
tell_stat("d/a")
print(open("d/a").read(), os.listdir("d"))
tell("over a name", again, fd, "d/a")
tell("a second", again, fd, "d/b")
tell_stat(fd)
os.unlink("d/a")
os.unlink("d/b")
tell_stat(fd)
tell("after it was unlinked", again, fd, "d/c")
os.close(fd)
fd = os.open("d", RW, 0o600)
tell("over what is there", again, fd, "file")
tell("into an absent directory", again, fd, "absent/x")
tell("named by its descriptor", again, fd, "d/e")
os.rename("d/e", "d/f")
os.write(fd, b"more")
print(open("d/f").read())
os.close(fd)
tell_stat("d/f")
fd = os.open("d", RW | EXCL, 0o600)
tell("O_EXCL", again, fd, "d/g")
tell("O_EXCL by AT_EMPTY_PATH", linkat, fd, "", "d/g", AT_EMPTY_PATH)
os.close(fd)
print(sorted(os.listdir("d")))
tell_stat("d")

# Not where one may not write, and not where nothing is any more.
os.mkdir("ro", 0o555)
os.mkdir("gone")
gone = os.open("gone", os.O_RDONLY)
os.rmdir("gone")
tell("in what was removed", os.open, f"/proc/self/fd/{gone}", RW, 0o600)
if os.fork() == 0:
    os.setgroups([])
    os.setresgid(2000, 2000, 2000)
    os.setresuid(1000, 1000, 1000)
    tell("in another's directory", os.open, "ro", RW, 0o600)
    fd = tell("in the user's", os.open, "sgid", RW, 0o2770)
    tell_stat(fd)
    tell("a name for it", again, fd, "sgid/his")
    sys.stdout.flush()
    os._exit(0)
os.wait()
tell_stat("sgid/his")

# A directory's default access control list goes before the umask.
os.mkdir("acl")
os.setxattr("acl", "system.posix_acl_default", ACL)
for umask, mode in ((0o77, 0o666), (0, 0o777), (0o777, 0o700)):
    os.umask(umask)
    fd = os.open("acl", RW, mode)
    tell_stat(fd)
    print(os.getxattr(fd, "system.posix_acl_access").hex())
    os.close(fd)
os.umask(0o22)

# When it was made is known, and stays; FUSE is asked for it since Linux 6.6.
if not linux(6, 6):
    sys.exit()
fd = os.open("d", RW, 0o600)
got, _, _, born = statx(fd)
print("mask", hex(got & 0xfff), "born at the time of its change:", born == os.stat(fd).st_ctime_ns)
os.utime(fd, ns=(1, 2))
os.fchmod(fd, 0o644)
os.ftruncate(fd, 10000)
print("still:", statx(fd)[3] == born, statx(fd, flags=0x2000)[3] == born, statx(fd, flags=0x4000)[3] == born)
again(fd, "d/born")
print("by name:", statx("d/born")[3] == born, "of the directory:", statx("d")[3] <= born)
for name in ("d", "file", "."):
    got, _, _, born = statx(name)
    print(name, hex(got & 0xfff), 0 < born <= os.stat(name).st_ctime_ns)
PY
as_tmpfs <"$T/tmpfile.py"

# Of those that were never named nothing is left, nor of who was killed with some.
before=$(attr store/inodes)
python3 - "$M" <<'PY'
import errno, os, signal, sys
from pages import *

os.chdir(sys.argv[1])
fails(errno.EPERM, os.open, ".ksmfs", os.O_RDWR | os.O_TMPFILE)
if os.fork() == 0:
    for n in range(100):
        fd = os.open(".", os.O_RDWR | os.O_TMPFILE)
        os.write(fd, page("tmp", n))
    with open(".ksmfs/check") as f:
        same(f.read(), "ok\n", "the check, with 100 files that have no name")
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
PY
expect store/inodes "$before"
expect_empty
