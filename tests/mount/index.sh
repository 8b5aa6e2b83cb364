#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# index.db tells people what is shared, soon, and somebody who locks it does not stop the mount.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
mkdir "$T/db"
mount_ksmfs "size=512m,index=$T/db"
db=$(find "$T/db" -name index.db)
[ -n "$db" ] || die "there is no index.db in index="
sql() {
	sqlite3 -readonly -cmd '.timeout 2000' "$db" "$1"
}
sql_is() {
	[ "$(sql "$1" 2>/dev/null)" = "$2" ]
}

mkdir "$M/dir"
for name in a dir/b c; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("s", 64))' "$M/$name"
done
settle
within 4 sql_is 'SELECT count(*), sum(refs) FROM page' '64|192' || die "page: $(sql 'SELECT count(*), sum(refs) FROM page')"
within 4 sql_is "SELECT data_pages, shared_pages FROM file_cost WHERE path LIKE '%dir/b'" '64|64' ||
	die "file_cost: $(sql 'SELECT * FROM file_cost')"
proportional=$(sql 'SELECT sum(proportional_bytes) FROM file_cost')
[ $((proportional - 64 * 4096)) -lt 4096 ] && [ $((proportional - 64 * 4096)) -gt -4096 ] ||
	die "proportional bytes: $proportional"

# A reader that never ends, and a writer that never commits.
sqlite3 "$db" 'BEGIN IMMEDIATE; SELECT 1' '.shell sleep 3' >/dev/null &
ends_with_test
start=$(date +%s)
for i in 1 2 3; do
	cp "$M/a" "$M/new$i"
	rm "$M/new$i"
done
settle
[ $(($(date +%s) - start)) -le 3 ] || die "a lock on index.db stopped the mount"
rm -r "${M:?}"/*
expect_empty
within 8 sql_is 'SELECT count(*) FROM page' 0 || die "rows stay: $(sql 'SELECT count(*) FROM page')"
