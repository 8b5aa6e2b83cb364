#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ranges of a file are taken out of merging and put back, as madvise(2) does it for memory.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

cat >"$T/file.py" <<'PY'
import errno, fcntl, os, sys
from pages import *
from advice import *

os.chdir(sys.argv[1])
fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)

def out(first, pages):
    advise_range(fd, IOC_UNMERGEABLE, first * PAGE, pages * PAGE)

def back(first, pages):
    advise_range(fd, IOC_MERGEABLE, first * PAGE, pages * PAGE)

def figure(name, first=0, pages=1 << 20):
    return stat_range(fd, first * PAGE, pages * PAGE)[name]
PY
step() {
	{ cat "$T/file.py"; cat; } >"$T/step.py"
	python3 "$T/step.py" "$M"
}

mount_ksmfs size=512m
python3 -c 'import sys; from pages import *
for name in ("/f", "/g"): open(sys.argv[1] + name, "wb").write(content("r", 64))' "$M"
settle
expect pages_sharing 64

# At once; the rest stays; figures of ranges.
step <<'PY'
out(8, 16)
f = figures(".")
same((f["pages_sharing"], f["pages_untracked"]), (48, 16), "sharing and untracked when the call returns")
same((figure("merged"), figure("untracked"), figure("left_out"), figure("slots")), (48, 16, 16, 64), "all of it")
same((figure("merged", 0, 10), figure("untracked", 0, 10), figure("left_out", 0, 10)), (8, 2, 2), "pages 0 to 9")
same((figure("merged", 8, 16), figure("left_out", 8, 16)), (0, 16), "the range")
same(stat("f")["left_out"], 16, "the attribute says so, too")
same(advice("f"), "1", "what holds for the whole file")
PY
# Neither the scanner nor a write merges them; bytes stay.
settle
expect pages_sharing 48
step <<'PY'
os.pwrite(fd, content("r", 64), 0)
PY
settle
expect pages_sharing 48
cmp "$M/f" "$M/g" || die "other bytes"
check
# Back, of a part of it.
step <<'PY'
back(12, 4)
same(figure("left_out"), 12, "left out")
PY
settle
expect pages_sharing 52
expect pages_untracked 12
check

# The other way round: a file that is out, and a range that is not.  Setting the whole forgets ranges.
step <<'PY'
advise("f", "0")
same(figure("left_out"), 64, "the whole")
back(10, 20)
same(figure("left_out"), 44, "less a range")
out(15, 5)
same(figure("left_out"), 49, "and one in it")
PY
settle
expect pages_sharing 15
step <<'PY'
same((figure("merged", 10, 5), figure("merged", 15, 5), figure("merged", 20, 10)), (5, 0, 10), "merged")
advise("f", "1")
same(figure("left_out"), 0, "forgotten")
PY
settle
expect pages_sharing 64

# What is said while nothing is merged holds when something is again.
set_attr run 0
step <<'PY'
out(0, 32)
same(figure("merged"), 32, "split, also with run 0")
os.pwrite(fd, bytes(64 * PAGE), 0)
os.pwrite(fd, content("r", 64), 0)
PY
set_attr run 1
settle
expect pages_sharing 32
step <<'PY'
same((figure("merged", 0, 32), figure("merged", 32, 32), figure("left_out")), (0, 32, 32), "known")
PY

# Truncation forgets what it cuts off, and only that; a page cut in two keeps what was said.
step <<'PY'
os.ftruncate(fd, 16 * PAGE + 1)
same(figure("left_out"), 17, "up to the end, the last page included")
os.ftruncate(fd, 64 * PAGE)
same(figure("left_out"), 17, "what came back is plain")
os.pwrite(fd, content("r", 64), 0)
PY
settle
expect pages_sharing 47
step <<'PY'
os.ftruncate(fd, 0)
os.ftruncate(fd, 64 * PAGE)
same(figure("left_out"), 0, "nothing is left")
# Holes, and what is written there later.
out(0, 10)
same((figure("left_out"), figure("slots")), (10, 0), "holes")
os.pwrite(fd, content("r", 64), 0)
same(figure("left_out"), 10, "written")
PY
settle
expect pages_sharing 54

# What is refused, what is done in part, and what is nothing.
step <<'PY'
advise("f", "1")
for command in (IOC_MERGEABLE, IOC_UNMERGEABLE):
    for offset, length in ((1, PAGE), (0, 1), (PAGE // 2, PAGE), (0, PAGE + 512), ((1 << 64) - PAGE, 2 * PAGE),
                           (PAGE, (1 << 64) - PAGE), (7, 0)):
        fails(errno.EINVAL, advise_range, fd, command, offset, length)
        fails(errno.EINVAL, stat_range, fd, offset, length)
    advise_range(fd, command, 3 * PAGE, 0)
    advise_range(fd, command, 1 << 50, 0)
    fails(errno.ENOMEM, advise_range, fd, command, 64 * PAGE, PAGE)
    fails(errno.ENOMEM, advise_range, fd, command, 1 << 50, PAGE)
same(figure("left_out"), 0, "nothing was done")
fails(errno.ENOMEM, out, 60, 10)
same(figure("left_out"), 4, "the part that there is")
fails(errno.ENOMEM, back, 60, 1 << 40)
same(figure("left_out"), 0, "and back")
same(figure("slots", 100, 10), 0, "beyond the end there is nothing")
same(stat_range(fd, 0, 0), dict.fromkeys(FIELDS, 0), "of nothing")
fails(errno.EINVAL, stat_range, fd, 0, PAGE, 1)
os.ftruncate(fd, 63 * PAGE + 5)
out(63, 1)
same(figure("left_out"), 1, "the page that the file ends in")
fails(errno.ENOMEM, out, 63, 2)

directory = os.open(".", os.O_RDONLY)
for command in (IOC_MERGEABLE, IOC_UNMERGEABLE):
    fails(errno.EISDIR, advise_range, directory, command, 0, PAGE)
fails(errno.EISDIR, stat_range, directory, 0, PAGE)
control = os.open(".ksmfs/run", os.O_RDWR)
fails(errno.ENOTTY, advise_range, control, IOC_UNMERGEABLE, 0, PAGE)
fails(errno.ENOTTY, stat_range, control, 0, PAGE)
for number in (IOC_STAT + 1, IOC_MERGEABLE ^ 3 << 30, IOC_STAT + (8 << 16), 1 << 30 | 16 << 16 | 0x7f40):
    for file in (fd, directory, control):
        fails(errno.ENOTTY, fcntl.ioctl, file, number, bytes(256))
for number in (0x80086601, 0x40086602, 0x801c581f): # FS_IOC_GETFLAGS, SETFLAGS, FSGETXATTR
    fails(errno.ENOTTY, fcntl.ioctl, control, number, bytes(256))
os.mkfifo("fifo")
fifo = os.open("fifo", os.O_RDWR)
fails(errno.ENOTTY, advise_range, fifo, IOC_UNMERGEABLE, 0, PAGE)
PY
check
rm "$M"/f "$M"/g

# A thousand ranges of one page each, of two thousand equal pages.
step <<'PY'
os.pwrite(fd, page("same", 0) * 2000, 0)
PY
settle
expect pages_sharing 1999
step <<'PY'
for i in range(1000):
    out(2 * i, 1)
same(figure("left_out"), 1000, "left out")
f = figures(".")
same((f["pages_shared"], f["pages_sharing"], f["pages_untracked"]), (1, 999, 1000), "shared, sharing, untracked")
PY
settle
expect pages_sharing 999
check
step <<'PY'
same((figure("merged", 0, 2), figure("left_out", 1000, 1000)), (1, 500), "figures of parts")
os.ftruncate(fd, 1500 * PAGE)
same(figure("left_out"), 750, "cut")
for i in range(500):
    back(2 * i, 1)
same(figure("left_out"), 250, "some of them back")
back(0, 1500)
same(figure("left_out"), 0, "all of them back")
PY
settle
expect pages_sharing 1499
rm "$M/f" "$M/fifo"
expect_empty
