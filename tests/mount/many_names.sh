#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 100,000 names of 255 bytes in one directory: all are there, once, from any place on, while others come and go.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

count=100000
[ "${SCALE:-}" != small ] || count=5000
mount_ksmfs size=16m
cat >"$T/names.py" <<'PY'
import ctypes, os, random, sys, time
from pages import *

class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("len", ctypes.c_ushort), ("type", ctypes.c_ubyte),
                ("name", ctypes.c_char * 256)]

libc = ctypes.CDLL(None)
libc.opendir.restype = ctypes.c_void_p
libc.readdir64.restype = ctypes.POINTER(Dirent)
libc.readdir64.argtypes = libc.closedir.argtypes = libc.telldir.argtypes = (ctypes.c_void_p,)
libc.telldir.restype = ctypes.c_long
libc.seekdir.argtypes = (ctypes.c_void_p, ctypes.c_long)

def read_on(d, places=None):
    names = []
    while True:
        if places is not None:
            places.append(libc.telldir(d))
        e = libc.readdir64(d)
        if not e:
            return names
        name = e.contents.name.decode()
        if name not in (".", ".."):
            names.append(name)
        elif places is not None:
            places.pop()

def timed(what, began):
    print(f"{what} {count} names: {time.monotonic() - began:.1f} s")

os.chdir(sys.argv[1])
count = int(sys.argv[2])
rng = random.Random(1)
os.mkdir("d")
all_ = [f"{n:06}".rjust(255, "n") for n in range(count)]
began = time.monotonic()
for name in all_:
    os.close(os.open("d/" + name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
timed("creating", began)
began = time.monotonic()
listed = sorted(os.listdir("d"))
timed("listing", began)
assert listed == all_, len(listed)
same(os.stat("d").st_nlink, 2, "links")

# Where a name is in the directory stays so: reading on from any place finds what is behind it.  (What has come or
# gone since opendir(3) may be seen or not: the kernel keeps what it has read.)
d = libc.opendir(b"d")
places = []
order = read_on(d, places)
assert sorted(order) == all_, len(order)
gone = set(rng.sample(all_, count // 3))
for name in gone:
    os.unlink("d/" + name)
new = {f"{n:06}".rjust(255, "x") for n in range(count // 4)}
for name in new:
    os.close(os.open("d/" + name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
for at in (0, 1, count // 2, count - 10):
    libc.seekdir(d, places[at])
    seen = [name for name in read_on(d) if name not in new and name not in gone]
    want = [name for name in order[at:] if name not in gone]
    assert seen == want, (at, len(seen), len(want), len(set(want) - set(seen)))
libc.closedir(d)
now = (set(all_) - gone) | new
assert set(os.listdir("d")) == now
began = time.monotonic()
for name in now:
    os.unlink("d/" + name)
timed("removing", began)
same(os.listdir("d"), [], "an empty directory")
os.rmdir("d")
PY
python3 "$T/names.py" "$M" $count
expect store/inodes 1

# There is room for as many names as there may be inodes.
dir=$(attr index/directory)
is_mounted "$dir" || exit 0
bytes=$(($(stat -f -c %b "$dir") * $(stat -f -c %S "$dir")))
[ $((bytes / 512)) -ge "$(stat -f -c %c "$M")" ] || die "$bytes bytes for $(stat -f -c %c "$M") names"
