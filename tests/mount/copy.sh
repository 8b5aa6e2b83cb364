#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A copy refers to what is there: no frame, and not the time of a copy of bytes.  What it holds is right whatever
# offsets and dirty pages it meets, as on tmpfs, and stays so when either side is written to.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

MIB=$PAGES # 1 GiB
ALL=$((MIB * 256))
mount_ksmfs size=$((MIB * 4))m
data_frames() {
	attr stats | awk '$1 == "store/frames" { n += $2 } $1 == "store/table_frames" { n -= $2 } END { print n }'
}
# Milliseconds that the command takes.
took() {
	began=$(date +%s%N)
	"$@" || die "failed: $*"
	echo $((($(date +%s%N) - began) / 1000000))
}

dd if=/dev/urandom of="$M/a" bs=1M count="$MIB" status=none
frames=$(data_frames)
fast=$(took cp "$M/a" "$M/b")
[ "$(data_frames)" = "$frames" ] || die "cp took frames: $frames, $(data_frames)"
expect store/data_pages $((2 * ALL))
expect pages_sharing "$ALL"
expect fault/copied_by_reference "$ALL"
cmp "$M/a" "$M/b" || die "the copy differs"
set_attr run 0
slow=$(took cp "$M/a" "$M/c")
expect fault/copied_by_reference "$ALL"
cmp "$M/a" "$M/c" || die "the copy of bytes differs"
echo "cp of $MIB MiB: by reference $fast ms, bytes $slow ms"
[ "${SCALE:-}" = small ] || [ $((2 * fast)) -lt "$slow" ] || die "no faster than bytes"
rm "$M/c"
expect store/data_pages $((2 * ALL))
set_attr run 1
check

# What is written to one is not seen in the other.
python3 - "$M" <<'PY'
import sys
from pages import *

mnt = sys.argv[1]
before = digest(mnt + "/b")
with map_file(mnt + "/a", create=False) as m:
    for i in range(0, PAGES, 2):
        m[i * PAGE + 5] ^= 1
    m.flush()
    same(digest(mnt + "/b"), before, "the copy after stores into the source")
    after = digest(mnt + "/a")
with open(mnt + "/b", "r+b") as f:
    f.seek(PAGE)
    f.write(b"x" * PAGE)
same(digest(mnt + "/a"), after, "the source after writes to the copy")
PY
expect pages_sharing $((ALL - PAGES / 2 - 1))

# However it is asked for.
truncate -s 16M "$M/a"
for how in --reflink=auto --sparse=never --sparse=always; do
	frames=$(data_frames)
	cp $how "$M/a" "$M/d"
	[ "$(data_frames)" = "$frames" ] || die "cp $how took frames"
	cmp "$M/a" "$M/d" || die "cp $how: the copy differs"
	rm "$M/d"
done
rm "$M/b"

# Holes.
truncate -s 1G "$M/sparse"
dd if="$M/a" of="$M/sparse" bs=4k seek=100000 count=10 conv=notrunc status=none
cp "$M/sparse" "$M/hollow"
cmp "$M/sparse" "$M/hollow" || die "the copy of a sparse file differs"
[ "$(stat -c %b "$M/hollow")" = 80 ] || die "the holes are gone: $(stat -c %b "$M/hollow") blocks"
rm "$M/sparse" "$M/hollow"

# A control is no file to refer to: the kernel falls back on reading and writing.
cp "$M/.ksmfs/run" "$T/run"
echo 0 >"$T/run"
cp "$T/run" "$M/.ksmfs/run"
attr_is run 0 || die "cp to a control did nothing"
echo 1 >"$M/one"
cp "$M/one" "$M/.ksmfs/run"
attr_is run 1 || die "cp within the mount to a control did nothing"
rm "$M/one"

# Ranges of all kinds, holes and dirty mappings on either side, as on tmpfs.
mkdir "$T/tmpfs"
mount -t tmpfs -o size=16m tmpfs "$T/tmpfs"
copied=$(attr fault/copied_by_reference)
python3 "$TESTS/copies.py" "$M" "$T/tmpfs" || status=$?
umount "$T/tmpfs"
[ "${status:-0}" = 0 ] || die "a copy was other than on tmpfs"
[ "$(attr fault/copied_by_reference)" -gt $((copied + 20)) ] || die "hardly anything was referred to"
rm "$M"/*
expect_empty
