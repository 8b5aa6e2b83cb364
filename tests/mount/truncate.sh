#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Both ways, inside a page and between pages; zero pages take no frame; partial pages merge too.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=512m
python3 - "$M" <<'PY'
import os, random, sys
from pages import *

os.chdir(sys.argv[1])
for name in "ab":
    store(name, content("t", 16))

# What was cut off does not come back.
os.truncate("a", 5 * PAGE + 100)
os.truncate("a", 16 * PAGE)
want = content("t", 16)[:5 * PAGE + 100].ljust(16 * PAGE, b"\0")
same(open("a", "rb").read(), want, "shrunk and grown")
same(open("b", "rb").read(), content("t", 16), "the other")

# Through a mapping as well: the tail of the last page reads as zeroes after growing.
with map_file("a", 16, create=False) as m:
    m[:] = content("u", 16)
    m.flush()
    os.truncate("a", 3 * PAGE + 7)
    os.truncate("a", 16 * PAGE)
    same(m[:], content("u", 16)[:3 * PAGE + 7].ljust(16 * PAGE, b"\0"), "the mapping")

# Random writes and truncations against a model.
rng = random.Random(2)
model = bytearray()
fd = os.open("c", os.O_CREAT | os.O_RDWR)
for step in range(1500):
    if rng.random() < 0.25:
        size = rng.randrange(40 * PAGE)
        os.ftruncate(fd, size)
        model[size:] = b""
        model.extend(bytes(size - len(model)))
    else:
        at = rng.randrange(40 * PAGE)
        data = rng.choice((b"\0", b"x", rng.randbytes(1))) * rng.randrange(1, 3 * PAGE)
        model.extend(bytes(max(0, at + len(data) - len(model))))
        model[at:at + len(data)] = data
        same(os.pwrite(fd, data, at), len(data), "pwrite")
    if step % 10 == 0:
        same(os.pread(fd, 50 * PAGE, 0), bytes(model), f"step {step}")
same(os.fstat(fd).st_size, len(model), "size")
os.close(fd)
for name in "abc":
    os.unlink(name)
PY
expect_empty

# Zeroes written are pages, but no frames.
head -c $((PAGES * 4096)) /dev/zero >"$M/zeroes"
expect ksm_zero_pages "$PAGES"
expect store/data_pages "$PAGES"
[ "$(stat -c %b "$M/zeroes")" = $((PAGES * 8)) ] || die "zero pages are data"
[ $(($(attr store/frames) - $(attr store/table_frames))) = 0 ] || die "zero pages took frames"
: >"$M/zeroes"
expect_empty

# A last page that is not full merges with its like.
python3 -c 'from pages import *; import sys; sys.stdout.buffer.write(page("p", 0)[:1000])' >"$M/x"
cp "$M/x" "$M/y"
settle
expect pages_shared 1
expect pages_sharing 1
