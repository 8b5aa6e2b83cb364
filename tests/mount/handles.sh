#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# File handles find what they found on a tmpfs, wherever it has moved; also what the kernel has forgotten. What is gone is ESTALE.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
cat >"$T/handles.py" <<'PY'
import os, sys
from calls import *

# What a tmpfs never forgets: `cold` has the kernel drop what it can before each look.
cold = len(sys.argv) > 1
root = os.open(".", os.O_RDONLY)


def drop():
    if cold:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("2")


def look(what, handle, flags=os.O_RDONLY):
    drop()
    fd = tell(what, open_handle, root, handle, flags)
    if fd is None:
        return
    tell_stat(fd)
    if not flags & os.O_DIRECTORY and flags & os.O_ACCMODE != os.O_WRONLY:
        print(os.pread(fd, 100, 0))
    elif flags & os.O_DIRECTORY:
        print(sorted(os.listdir(fd)), what == "root" or os.readlink(f"/proc/self/fd/{fd}").rsplit("/", 1)[1])
    os.close(fd)


os.makedirs("a/b/c")
with open("a/b/file", "w") as f:
    f.write("content")
h = {p: handle_of(p) for p in ("a", "a/b", "a/b/c", "a/b/file", ".")}
look("file", h["a/b/file"])
look("file to write", h["a/b/file"], os.O_RDWR)
look("directory", h["a/b/c"], os.O_DIRECTORY)
look("root", h["."], os.O_DIRECTORY)
look("file as directory", h["a/b/file"], os.O_DIRECTORY)
os.rename("a/b", "moved")
look("moved", h["a/b"], os.O_DIRECTORY)
look("in what was moved", h["a/b/c"], os.O_DIRECTORY)
look("file in it", h["a/b/file"])
os.link("moved/file", "second")
os.unlink("moved/file")
look("by its other name", h["a/b/file"])
print("the same:", handle_of("second") == h["a/b/file"])
os.unlink("second")
look("gone", h["a/b/file"])
os.rmdir("moved/c")
look("gone directory", h["a/b/c"], os.O_DIRECTORY)
for n in range(20):
    open(f"new{n}", "w").close()
    os.mkdir(f"newdir{n}")
look("gone, with others in its place", h["a/b/file"])
look("gone directory, with others in its place", h["a/b/c"], os.O_DIRECTORY)
os.symlink("moved", "link")
os.mkfifo("fifo")
for name in ("link", "fifo"):
    drop()
    fd = tell(name, open_handle, root, handle_of(name), os.O_PATH)
    tell_stat(fd)
    os.close(fd)
look("nonsense", h["a"][:8] + bytes(len(h["a"]) - 8))
PY
as_tmpfs <"$T/handles.py"
as_tmpfs cold <"$T/handles.py"
