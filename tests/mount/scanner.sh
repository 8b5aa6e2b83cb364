#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The scanner merges what was not merged on write, and sleeps when there is nothing to do.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=512m,merge_on_write=0
set_attr run 0
python3 - "$M" <<'PY'
import sys
from pages import *

for name in "abc":
    store(f"{sys.argv[1]}/{name}", content("scan"))
PY
expect store/data_pages $((3 * PAGES))
[ "$(attr pages_sharing)" = 0 ] || die "merged, with run 0"
sleep 0.5
[ "$(attr pages_sharing)" = 0 ] || die "merged by the scanner, with run 0"
set_attr run 1
settle
expect pages_shared "$PAGES"
expect pages_sharing $((2 * PAGES))
merged=$(attr scan/merged)
[ "$merged" -ge $((2 * PAGES)) ] || die "the scanner says it merged $merged"

# What is merged stays with run 0; what is written then is not merged.
set_attr run 0
expect pages_sharing $((2 * PAGES))
cp "$M/a" "$T/copy"
cat "$T/copy" >"$M/d"
sleep 0.5
expect pages_sharing $((2 * PAGES))
set_attr run 1
settle
expect pages_sharing $((3 * PAGES))

# At rest it does not run at all.
ticks() {
	for pid in $(processes "$M"); do
		awk '{ print $14 + $15 }' "/proc/$pid/stat"
	done | awk '{ n += $1 } END { print n + 0 }'
}
before=$(ticks)
sleep 1
# ThreadSanitizer has a thread of its own, which never rests.
[ $(($(ticks) - before)) -le 1 ] || grep -q __tsan_init "$KSMFS" || die "the daemon runs while there is nothing to do"
