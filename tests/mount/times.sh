#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Times are kept to the nanosecond, far into past and future, and move when they move on a tmpfs; reading moves the time of
# access as the mount's options say.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
cat >"$T/times.py" <<'PY'
import os, time
from calls import *

FORCE_SYNC = 0x2000
MINUTE, HOUR, DAY = 60 * 10**9, 3600 * 10**9, 24 * 3600 * 10**9


def times(path, flags=FORCE_SYNC):
    statx(path, flags=flags | 0x100)  # so stat() shows what the daemon has kept
    s = os.stat(path, follow_symlinks=False)
    return s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns


open("f", "w").close()
for t in (0, 1, 999999999, 1234567890123456789, (1 << 31) * 10**9 - 1, (1 << 31) * 10**9 + 7, (1 << 32) * 10**9 + 7,
          5 * 10**18, -1, -999999999, -10**9, -(1 << 31) * 10**9 - 1, -5 * 10**18):
    os.utime("f", ns=(t, -t))
    print(t, times("f")[:2])
for sec, nsec in ((1 << 35, 5), (-(1 << 35), 5), (1 << 40, 999999999), (-(1 << 40), 1), (1 << 62, 7)):
    raw = struct.pack("=qqqq", sec, nsec, -sec, nsec)
    tell("far away", lambda: checked(libc.utimensat(AT_FDCWD, b"f", raw, 0)))
    print(statx_times("f", FORCE_SYNC))
for nsec in (10**9, -1, 1 << 40):
    raw = struct.pack("=qqqq", 0, nsec, 0, 0)
    tell("bad nanoseconds", lambda: checked(libc.utimensat(AT_FDCWD, b"f", raw, 0)))


def moved(what, path, call, base=(HOUR, HOUR)):
    """Which of the three times a call moves, when the others lie `base` back."""
    now = time.time_ns()
    os.utime(path, ns=(now - base[0], now - base[1]), follow_symlinks=False)
    before = times(path)
    time.sleep(0.01)
    try:
        result = call()
    except OSError as e:
        result = errno.errorcode[e.errno]
    after = times(path)
    letters = "".join(c if b < a else "-" if b == a else "<" for c, b, a in zip("amc", before, after))
    print(f"{what}: {letters}")
    return result


os.mkdir("d")
os.symlink("f", "l")
fd = os.open("f", os.O_RDWR)
moved("write", "f", lambda: os.write(fd, b"x" * 8192))
moved("write nothing", "f", lambda: os.write(fd, b""))
other = os.open("other", os.O_CREAT | os.O_WRONLY)
moved("copy from", "f", lambda: os.copy_file_range(fd, other, 8192, 0))
moved("copy to", "other", lambda: os.copy_file_range(fd, other, 8192, 0))
moved("copy nothing", "f", lambda: os.copy_file_range(fd, other, 8192, 8192))
moved("truncate to the same", "f", lambda: os.truncate("f", 8192))
moved("ftruncate to the same", "f", lambda: os.ftruncate(fd, 8192))
moved("truncate", "f", lambda: os.truncate("f", 5000))
moved("open and cut", "f", lambda: os.close(os.open("f", os.O_WRONLY | os.O_TRUNC)))
moved("open and cut nothing", "f", lambda: os.close(os.open("f", os.O_WRONLY | os.O_TRUNC)))
moved("fallocate", "f", lambda: os.posix_fallocate(fd, 0, 10000))
moved("chmod", "f", lambda: os.chmod("f", 0o640))
moved("chown", "f", lambda: os.chown("f", 1, 1))
moved("chown to nobody", "f", lambda: os.chown("f", -1, -1))
moved("utime only atime", "f", lambda: utimensat("f", 5, UTIME_OMIT))
moved("utime only mtime", "f", lambda: utimensat("f", UTIME_OMIT, UTIME_NOW))
moved("utime now", "f", lambda: utimensat("f", UTIME_NOW, UTIME_NOW))
moved("utime nothing", "f", lambda: utimensat("f", UTIME_OMIT, UTIME_OMIT))
moved("link", "f", lambda: os.link("f", "f2"))
moved("unlink of another name", "f", lambda: os.unlink("f2"))
moved("rename", "f", lambda: (os.rename("f", "g"), os.rename("g", "f")))
moved("stat", "f", lambda: os.stat("f"))
moved("open", "f", lambda: os.close(os.open("f", os.O_RDWR)))
moved("lseek", "f", lambda: os.lseek(fd, 0, os.SEEK_HOLE))
moved("access", "f", lambda: os.access("f", os.R_OK))
moved("create in", "d", lambda: open("d/x", "w").close())
moved("write in", "d", lambda: open("d/x", "w").write("x"))
moved("chmod in", "d", lambda: os.chmod("d/x", 0o600))
moved("mkdir in", "d", lambda: os.mkdir("d/y"))
moved("mkdir below", "d", lambda: os.mkdir("d/y/z"))
moved("link in", "d", lambda: os.link("f", "d/link"))
moved("rename in", "d", lambda: os.rename("d/x", "d/xx"))
moved("rename over in", "d", lambda: os.rename("d/xx", "d/link"))
moved("move out", "d", lambda: os.rename("d/link", "out"))
moved("move in", "d", lambda: os.rename("out", "d/x"))
moved("rename of itself", "d", lambda: (os.rename("d", "dd"), os.rename("dd", "d")))
moved("rmdir absent in", "d", lambda: os.rmdir("d/absent"))
moved("rmdir in", "d", lambda: os.rmdir("d/y/z") or os.rmdir("d/y"))
moved("unlink in", "d", lambda: os.unlink("d/x"))
moved("exchange in", "d", lambda: (open("d/a", "w").close(), renameat2("d/a", "f", RENAME_EXCHANGE)))
moved("symlink in", "d", lambda: os.symlink("x", "d/l"))
moved("mkfifo in", "d", lambda: os.mkfifo("d/p"))
print("a new file's times are one:", len({*times("d/p")}) == 1)


def read(path, flags=0):
    """From the file itself: what the kernel has in its cache, nobody else is asked for."""
    r = os.open(path, os.O_RDONLY | flags)
    os.fsync(r)
    os.posix_fadvise(r, 0, 0, os.POSIX_FADV_DONTNEED)
    data = os.read(r, 100)
    os.close(r)
    return data


def listed(path, flags=0):
    r = os.open(path, os.O_RDONLY | os.O_DIRECTORY | flags)
    names = os.listdir(r)
    os.close(r)
    return names


open("f", "w").write("something")
for base in ((HOUR, HOUR), (HOUR, MINUTE), (MINUTE, HOUR), (25 * HOUR, 26 * HOUR), (-HOUR, HOUR), (-HOUR, -HOUR)):
    for flags in (0, os.O_NOATIME):
        word = f"{base[0] // MINUTE} {base[1] // MINUTE} {'noatime' if flags else ''}"
        moved(f"read {word}", "f", lambda: read("f", flags), base)
        moved(f"read again {word}", "f", lambda: (read("f", flags), time.sleep(0.01), read("f", flags)), base)
os.truncate("f", 0)
moved("read of an empty file", "f", lambda: len(os.stat("f")), (HOUR, MINUTE))

# A second read, of what has not been changed since, moves nothing.
open("f", "w").write("something")
time.sleep(0.02)
read("f")
before = times("f")
time.sleep(0.02)
read("f")
print("read twice:", before == times("f"))
os.chmod("f", 0o600)
time.sleep(0.02)
read("f")
print("read after chmod:", before[0] < times("f")[0])

set_flags("f", NOATIME)
moved("read of a file marked so", "f", lambda: read("f"))
set_flags("f", 0)
# Each directory and link is listed for the first time: a second time the kernel may answer by itself.
for n, flags in enumerate((0, os.O_NOATIME)):
    os.mkdir(f"list{n}")
    open(f"list{n}/x", "w").close()
    moved(f"list {bool(flags)}", f"list{n}", lambda: listed(f"list{n}", flags))
os.mkdir("marked")
set_flags("marked", NOATIME)
moved("list of a directory marked so", "marked", lambda: listed("marked"))
os.symlink("f", "again")
moved("readlink", "again", lambda: os.readlink("again"))
os.symlink("f", "followed")
moved("followed", "followed", lambda: open("followed").close())
PY
as_tmpfs <"$T/times.py"
n=0
for options in noatime nodiratime strictatime nodiratime,noatime; do
	n=$((n + 1))
	mount_ksmfs "size=64m,$options" "$T/with.$n"
	(
		M=$T/with.$n tmpfs_options=$options
		as_tmpfs <"$T/times.py"
	) || die "with -o $options"
done
