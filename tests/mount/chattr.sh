#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What chattr makes immutable or append-only refuses what it refuses on a tmpfs, with the same errors.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
cat >"$T/chattr.py" <<'PY'
import itertools, mmap, os, stat, sys, time
from calls import *

TYPES = {"file": lambda p: open(p, "wb").write(b"x" * 8192), "dir": os.mkdir}
FLAGS = {"none": 0, "i": IMMUTABLE, "a": APPEND, "ia": IMMUTABLE | APPEND, "d": NODUMP, "A": NOATIME}


def opened(path, flags):
    os.close(os.open(path, flags))


def exchanged(path):
    open("other", "w").close()
    renameat2(path, "other", RENAME_EXCHANGE)
    renameat2(path, "other", RENAME_EXCHANGE)


def onto(path):
    os.mkdir("other") if os.path.isdir(path) else open("other", "w").close()
    os.rename("other", path)


ALL = {
    "chmod": lambda p: os.chmod(p, 0o700),
    "chown": lambda p: os.chown(p, 1, 1),
    "chown nothing": lambda p: os.chown(p, -1, -1),
    "touch": lambda p: os.utime(p),
    "utime": lambda p: os.utime(p, ns=(1, 1)),
    "utime only atime": lambda p: utimensat(p, UTIME_NOW, UTIME_OMIT),
    "utime only mtime": lambda p: utimensat(p, UTIME_OMIT, UTIME_NOW),
    "utime nothing": lambda p: utimensat(p, UTIME_OMIT, UTIME_OMIT),
    "utime both now": lambda p: utimensat(p, UTIME_NOW, UTIME_NOW),
    "utime one given": lambda p: utimensat(p, 5, UTIME_NOW),
    "rename": lambda p: os.rename(p, p + ".new"),
    "noreplace": lambda p: renameat2(p, p, RENAME_NOREPLACE),
    "to itself": lambda p: os.rename(p, p),
    "exchange": exchanged,
    "whiteout": lambda p: renameat2(p, p + ".new", RENAME_WHITEOUT),
    "replaced": onto,
    "setxattr": lambda p: os.setxattr(p, "user.x", b"1"),
    "setxattr of root's": lambda p: os.setxattr(p, "trusted.x", b"1"),
    "setxattr again": lambda p: os.setxattr(p, "user.old", b"1", os.XATTR_REPLACE),
    "removexattr": lambda p: os.removexattr(p, "user.old"),
    "removexattr of nothing": lambda p: os.removexattr(p, "user.absent"),
    "getxattr": lambda p: os.getxattr(p, "user.old"),
    "an access control list": lambda p: os.setxattr(p, "system.posix_acl_access", ACL),
    "remove the list": lambda p: os.removexattr(p, "system.posix_acl_access"),
    "open to read": lambda p: opened(p, os.O_RDONLY),
}
OF_FILES = {
    "open to write": lambda p: opened(p, os.O_WRONLY),
    "open for both": lambda p: opened(p, os.O_RDWR),
    "open to append": lambda p: opened(p, os.O_WRONLY | os.O_APPEND),
    "open to append and cut": lambda p: opened(p, os.O_WRONLY | os.O_APPEND | os.O_TRUNC),
    "open and cut": lambda p: opened(p, os.O_WRONLY | os.O_TRUNC),
    "create": lambda p: opened(p, os.O_WRONLY | os.O_CREAT),
    "create alone": lambda p: opened(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "truncate": lambda p: os.truncate(p, 1),
    "truncate up": lambda p: os.truncate(p, 100000),
    "link": lambda p: os.link(p, p + ".link"),
    "unlink": os.unlink,
    "append": lambda p: os.write(os.open(p, os.O_WRONLY | os.O_APPEND), b"more"),
}
OF_DIRS = {
    "create in": lambda p: opened(p + "/new", os.O_CREAT | os.O_WRONLY),
    "mkdir in": lambda p: os.mkdir(p + "/newdir"),
    "symlink in": lambda p: os.symlink("x", p + "/newlink"),
    "mkfifo in": lambda p: os.mkfifo(p + "/newfifo"),
    "tmpfile in": lambda p: opened(p, os.O_TMPFILE | os.O_RDWR),
    "link in": lambda p: os.link("beside", p + "/link"),
    "move in": lambda p: os.rename("beside", p + "/moved"),
    "move over in": lambda p: os.rename("beside", p + "/in"),
    "move out": lambda p: os.rename(p + "/in", "out"),
    "move inside": lambda p: os.rename(p + "/in", p + "/in2"),
    "exchange in": lambda p: renameat2(p + "/in", "beside", RENAME_EXCHANGE),
    "whiteout in": lambda p: renameat2(p + "/in", "out", RENAME_WHITEOUT),
    "unlink in": lambda p: os.unlink(p + "/in"),
    "unlink absent in": lambda p: os.unlink(p + "/absent"),
    "rmdir in": lambda p: os.rmdir(p + "/indir"),
    "write in": lambda p: opened(p + "/in", os.O_WRONLY),
    "chmod in": lambda p: os.chmod(p + "/in", 0o600),
    "rmdir": os.rmdir,
}
n = 0
for (word, flags), (kind, make) in itertools.product(FLAGS.items(), TYPES.items()):
    for what, call in {**ALL, **(OF_FILES if kind == "file" else OF_DIRS)}.items():
        n += 1
        os.mkdir(str(n))
        os.chdir(str(n))
        make("it")
        os.setxattr("it", "user.old", b"value")
        if kind == "dir":
            open("it/in", "w").close()
            os.mkdir("it/indir")
            open("beside", "w").close()
        set_flags("it", flags)
        tell(f"{kind} {word} {what}", call, "it")
        names = sorted(os.listdir("."))
        print("  ", names)
        for name in names:
            tell_stat(name)
            if stat.S_IFMT(os.lstat(name).st_mode) in (stat.S_IFREG, stat.S_IFDIR):
                print("  ", sorted(os.listxattr(name)))
            if stat.S_ISREG(os.lstat(name).st_mode) or os.path.isdir(name):
                print("  ", hex(get_flags(name)), hex(get_xflags(name)))
                set_flags(name, 0)
        os.chdir("..")

# Through what was open before.
open("source", "wb").write(b"s" * 4096)
source = os.open("source", os.O_RDONLY)
for word, flags in FLAGS.items():
    open(word, "wb").write(b"x" * 8192)
    fd = os.open(word, os.O_RDWR)
    m = mmap.mmap(fd, 8192)
    set_flags(word, flags)
    tell(f"{word}: a write", os.pwrite, fd, b"new", 0)
    m[4096:4099] = b"map"
    tell(f"{word}: msync", m.flush)
    tell(f"{word}: ftruncate", os.ftruncate, fd, 5000)
    tell(f"{word}: fchmod", os.fchmod, fd, 0o600)
    tell(f"{word}: allocate", fallocate, fd, 0, 0, 12288)
    tell(f"{word}: allocate, keeping the size", fallocate, fd, FALLOC_KEEP_SIZE, 0, 16384)
    tell(f"{word}: punch", fallocate, fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 0, 4096)
    tell(f"{word}: copy", os.copy_file_range, source, fd, 100, 0, 4096)
    print(os.pread(fd, 3, 4096))
    tell_stat(fd)
    set_flags(word, 0)

# What may be said, and by whom; what is inherited.
open("f", "w").close()
for flags in (1, 2, 4, 8, 0x100, 0x800, 0x10000, 0x20000, 0x40000000, IMMUTABLE | 8, NODUMP | NOATIME):
    tell(f"set {flags:#x}", set_flags, "f", flags)
    print(hex(get_flags("f")), hex(get_xflags("f")))
    tell("clear", set_flags, "f", 0)
for flags in (1, 2, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0xC8, 0x8000, 0x80000000):
    tell(f"set fsx {flags:#x}", set_xflags, "f", flags)
    print(hex(get_flags("f")), hex(get_xflags("f")))
    tell("clear", set_flags, "f", 0)
tell("a project", set_xflags, "f", 0, 5)
tell("an extent size", set_xflags, "f", 0, 0, 4096)
before = os.stat("f").st_ctime_ns
time.sleep(0.02)
set_flags("f", NODUMP)
print("ctime moves:", os.stat("f").st_ctime_ns > before)
os.mkdir("parent")
set_flags("parent", APPEND | NODUMP | NOATIME)
open("parent/f", "w").close()
os.mkdir("parent/d")
os.mkfifo("parent/fifo")
for name in ("parent", "parent/f", "parent/d"):
    print(name, hex(get_flags(name)))
os.symlink("f", "link")
os.mkfifo("fifo")
tell("of a link", get_flags, "link", os.O_PATH | os.O_NOFOLLOW)
tell("of a fifo", get_flags, "fifo", os.O_RDONLY | os.O_NONBLOCK)
set_flags("parent", 0)
os.chown("f", 1000, 1000)
os.chmod("f", 0o666)
if os.fork() == 0:
    os.setgroups([])
    os.setresgid(1000, 1000, 1000)
    os.setresuid(1000, 1000, 1000)
    tell("the owner, immutable", set_flags, "f", IMMUTABLE)
    tell("the owner, append", set_flags, "f", APPEND)
    tell("the owner, nodump", set_flags, "f", NODUMP)
    tell("the owner, NOATIME as fsx", set_xflags, "f", 0x40)
    sys.stdout.flush()
    os._exit(0)
os.wait()
set_flags("f", APPEND)
os.chmod("parent", 0o777)
if os.fork() == 0:
    os.setgroups([])
    os.setresgid(2000, 2000, 2000)
    os.setresuid(2000, 2000, 2000)
    tell("another, nodump", set_flags, "f", NODUMP)
    tell("another, touch", os.utime, "f")
    tell("another looks", lambda: hex(get_flags("f")))
    sys.stdout.flush()
    os._exit(0)
os.wait()
set_flags("f", 0)
PY
as_tmpfs <"$T/chattr.py"

# e2fsprogs' own, where installed; a file that stays so goes with the mount.
if command -v chattr >/dev/null; then
	echo x >"$M/f"
	chattr +ad "$M/f"
	[ "$(lsattr "$M/f" | tr -d -- - | cut -d' ' -f1)" = ad ] || die "lsattr says $(lsattr "$M/f")"
	echo y >>"$M/f"
	chattr "=i" "$M/f"
	if rm -f "$M/f" 2>/dev/null; then die "an immutable file was removed"; fi
	chattr +i "$M"
	if touch "$M/new" 2>/dev/null; then die "a file in an immutable root"; fi
	for file in run stats; do
		if chattr +i "$M/.ksmfs/$file" 2>/dev/null; then die "a control file takes flags"; fi
	done
fi
