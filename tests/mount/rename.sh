#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# rename in all its forms leaves what it leaves on a tmpfs: names, kinds, links, sizes, errors; whiteouts too.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
cat >"$T/rename.py" <<'PY'
import itertools, os, sys
from calls import *

KINDS = {
    "none": lambda p: None,
    "file": lambda p: open(p, "w").close(),
    "full": lambda p: (os.mkdir(p), open(p + "/in", "w").close()),
    "dir": os.mkdir,
    "link": lambda p: os.symlink("somewhere", p),
    "fifo": os.mkfifo,
}
FLAGS = [0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT, RENAME_WHITEOUT | RENAME_NOREPLACE,
         RENAME_WHITEOUT | RENAME_EXCHANGE, RENAME_NOREPLACE | RENAME_EXCHANGE, 8]


def listing(top):
    for path, dirs, files in os.walk(top):
        dirs.sort()
        tell_stat(path)
        for name in sorted(dirs + files):
            tell_stat(os.path.join(path, name))


n = 0
for (a, make_a), (b, make_b), flags, same in itertools.product(KINDS.items(), KINDS.items(), FLAGS, (True, False)):
    n += 1
    top = f"{n}"
    os.makedirs(top + "/x")
    os.makedirs(top + "/y")
    old, new = top + "/x/old", top + ("/x/new" if same else "/y/new")
    make_a(old)
    make_b(new)
    print(a, b, flags, same)
    tell("rename", renameat2, old, new, flags)
    listing(top)

# Into itself, over its parent, to its own second name, of a directory to where it is.
os.makedirs("a/b/c")
for flags in (0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT):
    tell("into itself", renameat2, "a", "a/b/d", flags)
    tell("into its child", renameat2, "a", "a/b/c", flags)
    tell("over its parent", renameat2, "a/b/c", "a", flags)
    tell("over its grandparent", renameat2, "a/b/c", "a/b", flags)
    tell("to itself", renameat2, "a/b", "a/b", flags)
    tell("dot", renameat2, "a/b/.", "a/x", flags)
    tell("dots", renameat2, "a/b/..", "a/x", flags)
    tell("long", renameat2, "a/b", "a/" + "n" * 256, flags)
    tell("absent directory", renameat2, "a/b", "z/b", flags)
open("one", "w").close()
os.link("one", "two")
for flags in (0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT):
    tell("to its second name", renameat2, "one", "two", flags)
listing(".")

# A whiteout belongs to who renames, keeps its name for others, and goes as any file does.
os.mkdir("sgid")
os.chown("sgid", 1000, 50)
os.chmod("sgid", 0o2777)
open("sgid/f", "w").close()
if os.fork() == 0:
    os.setgroups([])
    os.setresgid(2000, 2000, 2000)
    os.setresuid(1000, 1000, 1000)
    tell("as a user", renameat2, "sgid/f", "sgid/g", RENAME_WHITEOUT)
    tell("opening a whiteout", os.open, "sgid/f", os.O_RDONLY)
    sys.stdout.flush()
    os._exit(0)
os.wait()
tell_stat("sgid/f")
tell("opening a whiteout as root", os.open, "sgid/f", os.O_RDONLY)
tell("again over it", renameat2, "sgid/g", "sgid/f", RENAME_WHITEOUT)
tell("over it", renameat2, "sgid/f", "sgid/g", 0)
listing("sgid")
os.unlink("sgid/g")

# Nor does an access control list, or a umask, give a whiteout permissions.
os.umask(0)
os.mkdir("acl")
os.setxattr("acl", "system.posix_acl_default", ACL)
open("acl/f", "w").close()
tell("below a default list", renameat2, "acl/f", "acl/g", RENAME_WHITEOUT)
listing("acl")
for name in ("acl/f", "acl/g"):
    print(os.listxattr(name))
os.umask(0o22)

# Sticky directories: only the owner of the file or of the directory.
os.mkdir("sticky")
os.chmod("sticky", 0o1777)
for name in ("mine", "his", "over"):
    open("sticky/" + name, "w").close()
os.chown("sticky/mine", 1000, 1000)
os.mkdir("sticky/hisdir")
if os.fork() == 0:
    os.setgroups([])
    os.setresgid(1000, 1000, 1000)
    os.setresuid(1000, 1000, 1000)
    for flags in (0, RENAME_EXCHANGE, RENAME_WHITEOUT):
        tell("another's", renameat2, "sticky/his", "sticky/new", flags)
        tell("over another's", renameat2, "sticky/mine", "sticky/over", flags)
    tell("unlink another's", os.unlink, "sticky/his")
    tell("rmdir another's", os.rmdir, "sticky/hisdir")
    tell("his own", renameat2, "sticky/mine", "sticky/new", 0)
    sys.stdout.flush()
    os._exit(0)
os.wait()
listing("sticky")
PY
as_tmpfs <"$T/rename.py"
