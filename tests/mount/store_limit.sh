#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# store_limit bounds frames, whatever the size promises: what has none is told ENOSPC, what needs none goes on, pages that
# could be merged are merged then, and the limit stays what it is through deaths and upgrades of the daemon.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

for bad in x -1 1zz '' 17t; do
	refused store_limit "$KSMFS" -o "size=64m,store_limit=$bad" src "$M"
done
mount_ksmfs size=64m,store_limit=2m
attr_is store_limit 2097152 || die "the limit is $(attr store_limit)"
[ "$(stat -f -c '%b %f' "$M")" = "16384 16384" ] || die "df shows $(stat -f -c '%b %f' "$M")"

python3 - "$M" <<'PY'
import errno, os, sys, time
from pages import *

os.chdir(sys.argv[1])
frames = lambda: int(open(".ksmfs/store/frames").read())

def fill(name):
    fd = os.open(name, os.O_CREAT | os.O_RDWR)
    pages = 0
    while True:
        try:
            pages += os.write(fd, b"".join(page(name, pages + n) for n in range(16))) // PAGE
        except OSError as e:
            same(e.errno, errno.ENOSPC, "a write to the full store")
            return fd, pages

fd, pages = fill("one")
assert pages % 16, "the last one was short"
same(frames(), 480, "a sixteenth is left to others")
assert figures(".")["fault/refused"] > 0, "it is not counted"
assert os.statvfs(".").f_bfree == 16384 - pages, "df is about the size"
# What needs no frame.
same(os.pwrite(fd, page("other", 3), 3 * PAGE), PAGE, "a page that nobody shares is overwritten")
same(os.pread(fd, PAGE, 3 * PAGE) == page("other", 3), True, "and is so")
two = os.open("two", os.O_CREAT | os.O_RDWR)
same(os.pwrite(two, page("one", 5) + bytes(2 * PAGE), 0), 3 * PAGE, "equal pages, and zeroes")
same(os.copy_file_range(fd, two, 6 * PAGE, 8 * PAGE, 0), 6 * PAGE, "a copy by reference")
fails(errno.ENOSPC, os.pwrite, two, page("new", 0), 0)
fails(errno.ENOSPC, os.pwrite, two, b"x", 5 * PAGE)
same(os.pread(two, PAGE, 0) == page("one", 8), True, "a refused split changes nothing")
fails(errno.ENOSPC, os.posix_fallocate, two, 1 << 20, PAGE)
os.ftruncate(fd, (pages - 8) * PAGE)
fails(errno.ENOSPC, os.posix_fallocate, two, 1 << 20, 16 * PAGE)
os.posix_fallocate(two, 1 << 20, 4 * PAGE)
same(os.pwrite(two, b"".join(page("new", n) for n in range(4)), 1 << 20), 4 * PAGE, "what was allocated")

def set_limit(value):
    f = os.open(".ksmfs/store_limit", os.O_WRONLY)
    os.write(f, value.encode())
    os.close(f)

for bad in "x", "-1", "17t", "4k", str((frames() - 1) * PAGE):
    fails(errno.EINVAL, set_limit, bad)
set_limit(str(frames() * PAGE))
set_limit("0\n")
same(open(".ksmfs/store_limit").read(), "0\n", "none")
set_limit("2m")
PY

kill_worker
attr_is store_limit 2097152 || die "the next worker has the limit $(attr store_limit)"
"$KSMFS" --upgrade "$M" >/dev/null || die "it is not upgraded"
attr_is store_limit 2097152 || die "another program has the limit $(attr store_limit)"
! dd if=/dev/urandom of="$M/more" bs=64k count=16 2>/dev/null || die "it is no limit any more"
"$KSMFS" -o remount,store_limit=3m src "$M" || die "a remount"
attr_is store_limit 3145728 || die "a remount makes it $(attr store_limit)"
! "$KSMFS" -o remount,store_limit=64k src "$M" 2>"$T/err" || die "a remount below what is in use"
grep -q 'store_limit.*too small' "$T/err" || die "$(cat "$T/err")"
rm "$M"/*
expect store/frames 0

# Page tables are charged to no tenant: whoever writes and punches, or reads holes, here and there in his directory takes no
# more of the store than for what he has, and leaves his neighbour room.
mkdir "$M/box" "$M/neighbour"
python3 - "$M" <<'PY'
import ctypes, os, sys
from pages import *

os.chdir(sys.argv[1])
STEP, libc = 1 << 22, ctypes.CDLL(None, use_errno=True)
for name in "box", "neighbour":
    os.setxattr(name, "trusted.ksmfs.size", b"1m")
frames = lambda: int(open(".ksmfs/store/frames").read())

fd = os.open("box/file", os.O_CREAT | os.O_WRONLY)
for n in range(1000):
    same(os.pwrite(fd, b"x", n * STEP), 1, "a byte")
    same(libc.fallocate(fd, 3, ctypes.c_long(n * STEP), ctypes.c_long(PAGE)), 0, "punch")
os.close(fd)
same(frames(), 0, "frames after punching")
for n in range(0, 1000, 100):
    fd = os.open("box/file", os.O_RDWR)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    for k in range(n, n + 100):
        same(os.pread(fd, 1, k * STEP), b"\0", "a hole")
    assert frames() >= 100, "a hole that somebody may store into takes a leaf here"
    os.close(fd)
    wait_for("no frames after reading holes", lambda: not frames(), 2)
with open("neighbour/file", "wb", buffering=0) as f:
    same(f.write(content("n", 256)), 256 * PAGE, "the neighbour's")
PY
rm "$M/box/file" "$M/neighbour/file"
rmdir "$M/box" "$M/neighbour"
expect store/frames 0

# Equal pages that nobody has looked at yet: whoever is refused is the reason that somebody does, at once.
set_attr merge_on_write 0
set_attr pages_to_scan 1
set_attr sleep_millisecs 600000
python3 - "$M" <<'PY'
import errno, os, sys, time
from pages import *

fd = os.open(sys.argv[1] + "/same", os.O_CREAT | os.O_RDWR)
for n in range(4000):
    end = time.monotonic() + 20
    while True:
        try:
            same(os.pwrite(fd, page("same", n % 10), n * PAGE), PAGE, "a page")
            break
        except OSError as e:
            same(e.errno, errno.ENOSPC, "a write to the full store")
            assert time.monotonic() < end, f"nothing was merged: page {n}"
            time.sleep(0.005)
PY
[ "$(attr scan/urgent_passes)" -gt 0 ] || die "no urgent pass is counted"
rm "$M/same"
expect_empty
