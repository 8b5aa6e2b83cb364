#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A file is taken out of merging and put back by its owner; a directory says it of what is created in it.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

advise() {
	python3 -c 'import sys; from advice import *; advise(*sys.argv[1:])' "$M/$1" "$2"
}

# The figure $2 of the file $1 must be $3.
stat_is() {
	[ "$(python3 -c 'import sys; from advice import *; print(stat(sys.argv[1])[sys.argv[2]])' "$M/$1" "$2")" = "$3" ]
}

expect_stat() {
	within 5 stat_is "$@" || die "$2 of $1 is not $3: $(python3 -c 'import sys; from advice import *
print(stat(sys.argv[1]))' "$M/$1")"
}

mount_ksmfs size=512m
for name in a b; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("advice"))' "$M/$name"
done
settle
expect pages_shared "$PAGES"
expect pages_sharing "$PAGES"
for name in a b; do
	expect_stat $name slots "$PAGES"
	expect_stat $name merged "$PAGES"
	expect_stat $name left_out 0
	expect_stat $name proportional_bytes $((PAGES * 4096 / 2))
	expect_stat $name saved_bytes $((PAGES * 4096 / 2))
done
expect_stat . slots $((2 * PAGES))
expect_stat . proportional_bytes $((PAGES * 4096))

# 0: at once, without waiting for anybody.
advise a 0
attr_is pages_sharing 0 || die "still $(attr pages_sharing) sharing when the call has returned"
attr_is pages_shared 0 || die "still $(attr pages_shared) shared"
attr_is pages_untracked "$PAGES" || die "untracked: $(attr pages_untracked)"
expect_stat a merged 0
expect_stat a untracked "$PAGES"
expect_stat a left_out "$PAGES"
expect_stat a saved_bytes 0
expect_stat b merged 0
expect_stat b untracked 0
settle
expect pages_sharing 0
# Nor is it merged as it is written.
python3 -c 'import sys; from pages import *; store(sys.argv[1], content("advice"))' "$M/a"
cp "$M/b" "$M/a"
settle
expect pages_sharing 0
expect pages_untracked "$PAGES"
cmp "$M/a" "$M/b" || die "other bytes"
check

# 1: when the scanner has looked.
advise a 1
settle
expect pages_sharing "$PAGES"
expect pages_untracked 0
expect_stat a merged "$PAGES"
expect_stat a left_out 0

# keep: splits nothing, and merges nothing more.
advise a keep
settle
expect pages_sharing "$PAGES"
expect_stat a merged "$PAGES"
for name in a c; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("kept"))' "$M/$name"
done
settle
expect pages_sharing 0
expect_stat a merged 0
expect_stat a untracked "$PAGES"
advise a 1
settle
expect pages_sharing "$PAGES"
check
rm "$M"/[abc]
expect_empty

# What is said of a directory: for new entries, directories too; what exists keeps its own.
python3 - "$M" <<'PY'
import errno, os, sys
from pages import *
from advice import *

os.chdir(sys.argv[1])
os.mkdir("d")
open("d/before", "w").close()
advise("d", "0")
same(advice("d/before"), "1", "what was there before")
open("d/after", "w").close()
os.makedirs("d/e/f")
open("d/e/f/deep", "w").close()
os.mkfifo("d/fifo")
os.symlink("after", "d/link")
for name in ("d", "d/after", "d/e", "d/e/f", "d/e/f/deep", "d/link"):
    same(advice(name), "0", name)
same(advice("."), "1", "the root")
open("outside", "w").close()
os.rename("outside", "d/moved")
os.link("d/moved", "d/linked")
same(advice("d/moved"), "1", "moved there")
os.rename("d/after", "after")
same(advice("after"), "0", "moved away")
advise("d", "keep")
open("d/kept", "w").close()
same(advice("d/kept"), "keep", "below keep")
same(advice("d/e"), "0", "a directory below, which was there before")
advise("d", "1")

# Every way to say it, and none to say it wrong.
for value, reads in ((b"0", "0"), (b"1\n", "1"), (b"keep\n", "keep"), (b"keep", "keep"), (b"0\n", "0")):
    os.setxattr("after", MERGEABLE, value, os.XATTR_REPLACE)
    same(advice("after"), reads, f"after {value}")
for value in (b"", b"\n", b"2", b"00", b"0\n\n", b"0 ", b" 0", b"0\0", b"yes", b"Keep", b"keep\n\n", b"-1", b"1" * 4000):
    fails(errno.EINVAL, os.setxattr, "after", MERGEABLE, value)
same(advice("after"), "0", "after what was refused")
fails(errno.EEXIST, os.setxattr, "after", MERGEABLE, b"1", os.XATTR_CREATE)

# Listed where somebody chose it only: a copy takes along that, and no figures.
same(os.listxattr("after"), [MERGEABLE], "chosen")
same(os.listxattr("d/moved"), [], "not chosen")
same(os.listxattr("d/fifo", follow_symlinks=False), [], "a fifo")
os.removexattr("after", MERGEABLE)
same(advice("after"), "1", "removed")
same(os.listxattr("after"), [], "removed")
os.removexattr("after", MERGEABLE)

# Figures are only read; nothing else is there of ours; control files have none.
for change in (lambda n: os.setxattr("after", n, b"1"), lambda n: os.removexattr("after", n)):
    fails(errno.EPERM, change, STAT)
    for name in ("user.ksmfs.other", "user.ksmfs.mergeable2", "user.ksmfs."):
        fails(errno.EOPNOTSUPP, change, name)
for name in ("user.ksmfs.other", "user.ksmfs.", "user.ksmfs.mergeabl"):
    fails(errno.EOPNOTSUPP, os.getxattr, "after", name)
for at in (".ksmfs", ".ksmfs/run", ".ksmfs/store"):
    fails(errno.EOPNOTSUPP, os.getxattr, at, MERGEABLE)
    fails(errno.EOPNOTSUPP, os.setxattr, at, MERGEABLE, b"0")
    same(os.listxattr(at), [], at)

# How long it is, and too little room for it.
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
buf = ctypes.create_string_buffer(4096)
def get(name, size):
    n = libc.getxattr(b"after", name.encode(), buf, ctypes.c_size_t(size))
    return n if n >= 0 else -ctypes.get_errno()
def listing(size):
    n = libc.listxattr(b"after", buf, ctypes.c_size_t(size))
    return n if n >= 0 else -ctypes.get_errno()
advise("after", "keep")
same(get(MERGEABLE, 0), 4, "length")
same(get(MERGEABLE, 4), 4, "just enough")
same(buf.raw[:5], b"keep\0", "without newline")
same(get(MERGEABLE, 3), -errno.ERANGE, "too little")
same(get(STAT, 10), -errno.ERANGE, "too little")
needed = get(STAT, 0)
length = get(STAT, needed)
assert 0 < length <= needed, (length, needed)
same(get(STAT, length), length, "exactly")
same(get(STAT, length - 1), -errno.ERANGE, "one byte too little")
same(listing(0), len(MERGEABLE) + 1, "length of the list")
same(listing(len(MERGEABLE)), -errno.ERANGE, "too little for the list")
same(listing(len(MERGEABLE) + 1), len(MERGEABLE) + 1, "enough for the list")

# Beside what people keep.
os.setxattr("after", "user.other", b"1")
same(os.listxattr("after"), ["user.other", MERGEABLE], "both")
same(listing(0), len("user.other") + len(MERGEABLE) + 2, "length of both")
same(listing(len("user.other") + len(MERGEABLE) + 1), -errno.ERANGE, "too little for both")
os.removexattr("after", "user.other")
same(os.listxattr("after"), [MERGEABLE], "one again")
PY

# For the owner, and for root: not for whoever may write.
chmod 755 "$T"
python3 - "$M" <<'PY'
import errno, fcntl, os, sys
from pages import *
from advice import *

os.chdir(sys.argv[1])
open("roots", "wb").write(bytes(PAGE))
os.chmod("roots", 0o666)
open("users", "wb").write(bytes(PAGE))
os.chown("users", 1000, 1000)
os.mkdir("any")
os.chmod("any", 0o777)

def as_user(uid, what):
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            what()
            os._exit(0)
        except BaseException as e:
            print(repr(e), file=sys.stderr, flush=True)
            os._exit(1)
    same(os.waitpid(pid, 0)[1], 0, f"as {uid}")

def stranger():
    fails(errno.EPERM, os.setxattr, "roots", MERGEABLE, b"0")
    fails(errno.EPERM, os.removexattr, "roots", MERGEABLE)
    fails(errno.EPERM, os.setxattr, "any", MERGEABLE, b"0")
    fd = os.open("roots", os.O_RDWR)
    for command in (IOC_MERGEABLE, IOC_UNMERGEABLE):
        fails(errno.EPERM, advise_range, fd, command, 0, PAGE)
        fails(errno.EPERM, advise_range, fd, command, 0, 0)
    same(stat_range(fd, 0, PAGE)["slots"], 1, "figures are for who may open it")
    same(advice("roots"), "1", "is read by all who may read it")
    fails(errno.EACCES, os.setxattr, "users", MERGEABLE, b"0")

def owner():
    advise("users", "0")
    fd = os.open("users", os.O_RDONLY)
    advise_range(fd, IOC_MERGEABLE, 0, PAGE)
    os.removexattr("users", MERGEABLE)
    fails(errno.EPERM, os.setxattr, "roots", MERGEABLE, b"0")

as_user(65534, stranger)
as_user(1000, owner)
same(advice("roots"), "1", "untouched")
advise("users", "keep") # root
fd = os.open("users", os.O_RDONLY)

# An open file outlives its owner's other identity: who asks counts, not who opened.
def inherited():
    fails(errno.EPERM, advise_range, fd, IOC_UNMERGEABLE, 0, PAGE)
    fails(errno.EPERM, os.setxattr, fd, MERGEABLE, b"0") if os.access("users", os.W_OK) else None
as_user(65534, inherited)
PY
expect pages_untracked 0
unmount || die "umount"

# merge=optin: only what somebody asks for.
mount_ksmfs size=512m,merge=optin
mkdir "$M/in"
advise in 1
for name in a b in/a in/b; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("advice"))' "$M/$name"
done
settle
expect pages_sharing "$PAGES"
expect pages_untracked $((2 * PAGES))
expect_stat a left_out "$PAGES"
expect_stat in merged $((2 * PAGES))
advise a 1
settle
expect pages_sharing $((2 * PAGES))
python3 - "$M" <<'PY'
import os, sys
from pages import *
from advice import *

os.chdir(sys.argv[1])
for name, says, listed in ((".", "0", []), ("b", "0", []), ("a", "1", [MERGEABLE]), ("in", "1", [MERGEABLE]),
                           ("in/a", "1", [MERGEABLE])):
    same(advice(name), says, name)
    same(os.listxattr(name), listed, name)
os.removexattr("in/a", MERGEABLE)
same(advice("in/a"), "0", "removed")
PY
attr_is pages_sharing "$PAGES" || die "what is no longer asked for is still merged: $(attr pages_sharing)"
