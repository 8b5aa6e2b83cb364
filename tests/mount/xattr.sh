#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Extended attributes: whatever is done with them on a tmpfs has the same outcome here, errors and all.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs getfattr setfattr setcap getcap setfacl chattr

at_end() {
	umount "$T/tmpfs"
}
chmod 755 "$T"
mkdir "$T/tmpfs"
mount -t tmpfs -o size=512m,nr_inodes=2000,mode=0755 tmpfs "$T/tmpfs" || skip "no tmpfs can be mounted"
setfattr -n user.x -v 1 "$T/tmpfs" 2>/dev/null || skip "this kernel's tmpfs keeps no user attributes"
setfattr -x user.x "$T/tmpfs"
mount_ksmfs size=512m,nr_inodes=2000,mode=0755

# Run the same on both, each in its root; what is printed must be the same.
both() {
	for at in "$T/tmpfs" "$M"; do
		(cd "$at" && "$@") >"$T/out.${at##*/}" 2>&1 || die "$* in $at: $(cat "$T/out.${at##*/}")"
	done
	diff "$T/out.tmpfs" "$T/out.mnt" || die "different on tmpfs (<) and ksmfs (>): $*"
}

cat >"$T/calls.py" <<'PY'
import ctypes, errno, os, stat, sys, time

libc = ctypes.CDLL(None, use_errno=True)

def say(*what):
    print(*what, flush=True)

# The outcome of a call, as text.
def outcome(call, *args, **kw):
    try:
        r = call(*args, **kw)
        return r if not isinstance(r, bytes) or len(r) < 80 else (len(r), r[:8])
    except OSError as e:
        return errno.errorcode[e.errno]

def sized(name, attr, size):
    buf = ctypes.create_string_buffer(max(size, 1))
    n = libc.lgetxattr(name.encode(), attr.encode(), buf, ctypes.c_size_t(size))
    return n if n >= 0 else errno.errorcode[ctypes.get_errno()]

def sized_list(name, size):
    buf = ctypes.create_string_buffer(max(size, 1))
    n = libc.llistxattr(name.encode(), buf, ctypes.c_size_t(size))
    return n if n >= 0 else errno.errorcode[ctypes.get_errno()]

def as_user(uid, what, groups=()):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            what()
            sys.stdout.flush()
            os._exit(0)
        except BaseException as e:
            print(repr(e), flush=True)
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0

KINDS = ["file", "dir", "link", "fifo", "socket", "null"]

def make():
    open("file", "w").close()
    os.mkdir("dir")
    os.symlink("file", "link")
    os.mkfifo("fifo")
    os.mknod("socket", stat.S_IFSOCK | 0o666)
    os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
PY

cat >"$T/names.py" <<'PY'
from calls import *
make()
NAMES = ["user.x", "trusted.x", "security.x", "user.", "trusted.", "security.", "user", "", "x", "other.x", "system.x",
         "system.posix_acl_access", "system.posix_acl_default", "system.posix_acl_accessx", "User.x", "user.a b\nc",
         "user.\udcff\udcfe", "user." + "n" * 250, "user." + "n" * 251, "n" * 300, "security.capability",
         "user.x.y.z", "trusted.overlay.opaque"]
def everything(who):
    for kind in KINDS:
        for name in NAMES:
            shown = name.encode("utf-8", "surrogateescape")
            for value in (b"", b"value", b"\0\xff"):
                for flags in (os.XATTR_REPLACE, os.XATTR_CREATE, os.XATTR_CREATE, 0):
                    say(who, "set", kind, shown, value, flags,
                        outcome(os.setxattr, kind, name, value, flags, follow_symlinks=False))
                say(who, "get", kind, shown, outcome(os.getxattr, kind, name, follow_symlinks=False))
                say(who, "list", kind, outcome(os.listxattr, kind, follow_symlinks=False))
                say(who, "mode", kind, oct(os.lstat(kind).st_mode))
            say(who, "remove", kind, shown, outcome(os.removexattr, kind, name, follow_symlinks=False))
            say(who, "again", kind, shown, outcome(os.removexattr, kind, name, follow_symlinks=False))
everything("root")
for kind in KINDS:
    os.lchown(kind, 1000, 1000)
as_user(1000, lambda: everything("owner"))
as_user(1001, lambda: everything("stranger"))
for kind in KINDS:
    if kind != "link":
        os.chmod(kind, 0o1777)
as_user(1001, lambda: everything("stranger who may write"))
# By way of a symbolic link, and of descriptors.
say(outcome(os.setxattr, "link", "user.x", b"by link"), outcome(os.getxattr, "file", "user.x"))
for flags in (os.O_RDONLY, os.O_WRONLY, os.O_PATH):
    fd = os.open("file", flags)
    say(outcome(os.setxattr, fd, "user.fd", b"1"), outcome(os.getxattr, fd, "user.fd"), outcome(os.listxattr, fd))
PY

cat >"$T/limits.py" <<'PY'
from calls import *
open("f", "w").close()
for size in (0, 1, 255, 4095, 4096, 65535, 65536, 65537, 1 << 20):
    say(size, outcome(os.setxattr, "f", "user.v", b"v" * size), outcome(os.getxattr, "f", "user.v"))
os.setxattr("f", "user.v", b"v" * 1000)
os.setxattr("f", "trusted.v", b"t")
for size in (0, 1, 999, 1000, 1001, 65536, 65537, 1 << 20):
    say(size, sized("f", "user.v", size), sized("f", "user.no", size))
for size in (0, 1, 16, 17, 18, 65536, 1 << 20):
    say(size, sized_list("f", size), sized_list(".", size))
os.unlink("f")
# Many, and then more than a list can have.
open("many", "w").close()
for n in range(1000):
    os.setxattr("many", f"user.{n:03d}", b"%d" % n)
say(len(os.listxattr("many")), os.listxattr("many"), sized_list("many", 0))
for n in range(0, 1000, 3):
    os.removexattr("many", f"user.{n:03d}")
say(os.listxattr("many"))
for n in range(250):
    os.setxattr("many", "user." + f"{n:03d}" * 83, b"")
say(sized_list("many", 65536), sized_list("many", 1000), outcome(os.listxattr, "many"))
os.unlink("many")
PY

cat >"$T/life.py" <<'PY'
from calls import *
def at(name):
    st = os.lstat(name) if isinstance(name, str) else os.fstat(name)
    return st.st_mtime_ns, st.st_ctime_ns
# What changes which time.
open("f", "w").close()
def moves(what):
    before = at("f")
    time.sleep(0.02)
    r = outcome(what)
    say([a != b for a, b in zip(before, at("f"))], r)
moves(lambda: os.setxattr("f", "user.a", b"1"))
moves(lambda: os.setxattr("f", "user.a", b"1", os.XATTR_CREATE))
moves(lambda: os.setxattr("f", "user.a", b"1"))
moves(lambda: os.getxattr("f", "user.a"))
moves(lambda: os.listxattr("f"))
moves(lambda: os.removexattr("f", "user.a"))
moves(lambda: os.removexattr("f", "user.a"))
# With the inode, not with the name.
os.setxattr("f", "user.a", b"1")
os.link("f", "g")
os.unlink("f")
say(os.getxattr("g", "user.a"))
os.rename("g", "h")
say(os.getxattr("h", "user.a"))
open("over", "w").close()
os.setxattr("over", "user.over", b"2")
fd = os.open("over", os.O_RDWR)
os.rename("h", "over")
say(os.listxattr("over"), os.listxattr(fd))
# Open, and without a name.
os.setxattr(fd, "user.more", b"3")
say(os.fstat(fd).st_nlink, os.listxattr(fd), os.getxattr(fd, "user.more"))
os.removexattr(fd, "user.over")
say(os.listxattr(fd))
os.close(fd)
os.unlink("over")
open("over", "w").close()
say(os.listxattr("over"))
os.mkdir("d")
os.setxattr("d", "user.d", b"4")
os.rmdir("d")
os.mkdir("d")
say(os.listxattr("d"))
# A new name is another inode.
os.setxattr("over", "user.a", b"1")
open("copy", "w").close()
say(os.listxattr("copy"))
PY

cat >"$T/space.py" <<'PY'
from calls import *
def left():
    return os.statvfs(".").f_ffree
def settled(n):
    for _ in range(200):
        if left() == n:
            break
        time.sleep(0.02)
    return left()
free = settled(1999)
say("free", free, os.statvfs(".").f_files)
open("f", "w").close()
for size in (0, 978, 979, 1, 65536, 10):
    os.setxattr("f", "user.x", b"s" * size)
    say(size, free - left())
os.unlink("f")
say("all free", settled(free) == free)
open("f", "w").close()
n = 0
while (r := outcome(os.setxattr, "f", f"user.{n:04d}", b"v" * 60000)) is None:
    n += 1
say("large ones", n, r, "left", left(), len(os.listxattr("f")))
say("replace", outcome(os.setxattr, "f", "user.0000", b"v" * 60000), "smaller", outcome(os.setxattr, "f", "user.0000", b"v"))
n = 0
while (r := outcome(os.mkdir, f"d{n}")) is None:
    n += 1
say("then directories", n, r, left())
say(outcome(os.setxattr, "f", "user.more", b"v" * 1024), outcome(os.setxattr, "f", "user.0001", b"w" * 1024, os.XATTR_CREATE))
say(outcome(os.removexattr, "f", "user.0001"), left(), outcome(os.mkdir, "again"))
os.unlink("f")
for name in os.listdir("."):
    os.rmdir(name)
say("all free again", settled(free) == free)
for n in range(50):
    os.makedirs(f"t/{n}")
    os.setxattr(f"t/{n}", "user.x", b"x" * 5000)
    open(f"t/{n}/f", "w").close()
    os.setxattr(f"t/{n}/f", "trusted.x", b"x" * 5000)
say("a tree", free - left())
os.system("rm -r t")
say("is gone", settled(free) == free)
PY

cat >"$T/admin.py" <<'PY'
from calls import *
open("f", "w").close()
os.setxattr("f", "user.u", b"")
os.setxattr("f", "trusted.t", b"")
os.setxattr("f", "security.s", b"")
os.chown("f", 1000, 1000)
def look(who):
    say(who, os.listxattr("f"), sized_list("f", 0), outcome(os.getxattr, "f", "trusted.t"))
look("root")
as_user(1000, lambda: look("owner"))
def drop(namespace):
    sys.stdout.flush()
    if namespace:
        assert libc.unshare(0x10000000) == 0 # a user namespace: all capabilities there, none here
    else:
        os.execvp("capsh", ["capsh", "--drop=cap_sys_admin", "--", "-c", f"exec {sys.executable} - <<'E'\nimport os\nprint(os.listxattr('f'))\nE"])
    look("in a namespace")
for namespace in (True, False):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        drop(namespace)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)
PY
for part in names limits life space admin; do
	# shellcheck disable=SC2016
	both sh -c 'mkdir "$1" && cd "$1" && PYTHONPATH="$2" python3 "$2/$1.py"; r=$?; cd .. && rm -r "$1"; exit $r' - $part "$T"
	echo "$part: $(wc -l <"$T/out.mnt") lines"
done

# What the tools make of it.
tools() {
	echo hello >f
	setfattr -n user.text -v 'some text' f
	setfattr -n user.bytes -v 0x00ff0a f
	setfattr -n trusted.t -v t f
	getfattr -d -m - f
	cp -a f g
	cp f h
	getfattr -d -m - g h
	tar --xattrs --xattrs-include='*' -cf t.tar f
	rm f
	tar --xattrs --xattrs-include='*' -xf t.tar
	getfattr -d -m - f
	setfattr -x user.text f
	getfattr -d f
	rm f g h t.tar
}
both tools

# What must not be changed.
guarded() {
	touch f
	setfattr -n user.x -v 1 f
	for flag in i a; do
		chattr +$flag f
		for change in '-n user.x -v 2' '-x user.x' '-n trusted.x -v 2'; do
			# shellcheck disable=SC2086
			setfattr $change f 2>&1 || echo "$flag: $change: $?"
		done
		setfacl -m u:1000:rw f 2>&1 || echo "$flag: list: $?"
		getfattr -d -m - f
		chattr -$flag f
	done
	rm f
}
both guarded

# Capabilities of a program: given by exec from the mount, lost by any write.
capabilities() {
	cp "$(command -v cat)" prog
	echo secret >hidden
	chmod 600 hidden
	chmod 755 prog
	setpriv --reuid 1000 --regid 1000 --clear-groups ./prog hidden || echo "refused: $?"
	setcap cap_dac_read_search+ep prog
	getcap prog
	setpriv --reuid 1000 --regid 1000 --clear-groups ./prog hidden || echo "refused: $?"
	cp -a prog copy
	getcap copy
	echo >>copy
	getcap copy
	cp -a prog copy
	truncate -s +1 copy
	getcap copy
	cp -a prog copy
	chown 1000 copy
	getcap copy
	rm -f prog copy hidden
}
both capabilities
