#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# After a takeover what was shared is shared, merging goes on without the scanner as soon as the index is filled, what
# the dead worker had taken of memory has gone back, and index.db says what is.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends
needs python3

mkdir "$T/db"
mount_ksmfs "size=512m,index=$T/db"
for name in a b; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("s", 2000))' "$M/$name"
done
python3 -c 'import sys; from pages import *; store(sys.argv[1], content("gone", 20000))' "$M/gone"
settle
expect pages_shared 2000
expect pages_sharing 2000
set_attr pages_to_scan 0

# Frees what it has just written, and dies before any of it goes back.
rm "$M/gone"
python3 -c 'import sys; from worker import kill_worker; kill_worker(sys.argv[1])' "$M"
expect pages_shared 2000
expect pages_sharing 2000
within 10 attr_is index/entries 2000 || die "index/entries: $(attr index/entries)"

merged=$(attr fault/merged)
dd if="$M/a" of="$M/c" bs=1M status=none # which copies nothing by reference
expect pages_shared 2000
expect pages_sharing 4000
[ $(($(attr fault/merged) - merged)) -eq 2000 ] || die "$(($(attr fault/merged) - merged)) pages were merged as they were written"

little_is_left_over() {
	[ $(($(frame_blocks) / 8)) -lt $(($(attr store/frames) + 2000)) ]
}
within 10 little_is_left_over || die "$(frame_blocks) blocks are in use for $(attr store/frames) frames"

if command -v sqlite3 >/dev/null; then
	rows_are_right() {
		[ "$(sqlite3 -readonly -cmd '.timeout 1000' "$(find "$T/db" -name index.db)" \
			'SELECT count(*), sum(refs) FROM page' 2>/dev/null)" = '2000|6000' ]
	}
	within 10 rows_are_right || die "index.db does not say what is shared"
fi
check
