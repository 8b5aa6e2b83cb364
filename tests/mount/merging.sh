#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Equal pages exist once, to the page: four mappings of equal data, one byte stored into every page of
# one of them, then nothing left.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=512m
frames_of_data() {
	[ $(($(attr store/frames) - $(attr store/table_frames))) = "$1" ]
}

# Written by four processes at once, through mappings.
for i in 1 2 3 4; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("data"))' "$M/$i" &
	pids="${pids:-} $!"
done
for pid in $pids; do
	wait "$pid" || die "a writer failed"
done
settle
expect pages_shared "$PAGES"
expect pages_sharing $((3 * PAGES))
expect pages_unshared 0
expect pages_volatile 0
expect ksm_zero_pages 0
expect pages_untracked 0
expect store/data_pages $((4 * PAGES))
within 5 frames_of_data "$PAGES" || die "frames: $(attr store/frames)"
check

breaks=$(attr fault/cow_breaks)
python3 - "$M" <<'PY'
import os, sys
from pages import *

mnt = sys.argv[1]
want = bytearray(content("data"))
with map_file(mnt + "/1", create=False) as m:
    for i in range(PAGES):
        m[i * PAGE + 17] ^= 0x5a
        want[i * PAGE + 17] ^= 0x5a
    m.flush()
    same(m[:], bytes(want), "the mapping that was stored into")
same(open(mnt + "/1", "rb").read(), bytes(want), "its file")
for name in "234":
    same(open(f"{mnt}/{name}", "rb").read(), content("data"), "the others")
PY
settle
expect pages_shared "$PAGES"
expect pages_sharing $((2 * PAGES))
expect pages_unshared "$PAGES"
within 5 frames_of_data $((2 * PAGES)) || die "frames: $(attr store/frames)"
expect fault/cow_breaks $((breaks + PAGES))

# Undone, they are equal again.
python3 - "$M" <<'PY'
import sys
from pages import *

with map_file(sys.argv[1] + "/1", create=False) as m:
    for i in range(PAGES):
        m[i * PAGE + 17] ^= 0x5a
    m.flush()
PY
settle
expect pages_shared "$PAGES"
expect pages_sharing $((3 * PAGES))
expect pages_unshared 0
check

rm "$M"/1 "$M"/2 "$M"/3
expect pages_shared 0
expect pages_sharing 0
expect pages_unshared "$PAGES"
rm "$M"/4
expect_empty
