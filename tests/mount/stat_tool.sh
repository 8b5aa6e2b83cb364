#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksmfs-stat tells the figures of a mount, and says clearly when there are none.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

stat_=${KSMFS_STAT:?}
mount_ksmfs size=64m
# A mount of root's has a notifier, which looks into the page cache when a figure is first read: that is waited for.
"$stat_" "$M" >"$T/first"
if [ "$(cat "$M/.ksmfs/store/cache_age_ms")" -ge 0 ]; then
	! grep -q 'not known' "$T/first" || die "the page cache is not known at first: $(cat "$T/first")"
fi
grep -q 'NET SAVING .*so little' "$T/first" || die "an empty mount: $(cat "$T/first")"
[ "$(wc -l <"$T/first")" -lt 15 ] || die "more than a summary: $(cat "$T/first")"
for name in a b c; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("s", 256))' "$M/$name"
done
settle
"$stat_" "$M" >"$T/out"
grep -q 'saved by sharing *2.0 MiB' "$T/out" || die "two of three MiB are saved: $(cat "$T/out")"
# 32 MiB that take no memory, but all of them in the page cache as well: a loss now, and none without that.
for i in 1 2 3 4; do
	dd if=/dev/zero of="$M/zero$i" bs=1M count=8 status=none
	cat "$M/zero$i" >/dev/null
done
cached() {
	"$stat_" "$M" >"$T/out"
	grep -qE '^  page cache +3[0-9]\.' "$T/out"
}
if [ "$(attr store/cache_age_ms)" -ge 0 ]; then
	within 20 cached || die "the page cache has 32 MiB: $(cat "$T/out")"
	grep -qE '^  without the page cache +-?[1-9].* MiB ' "$T/out" || die "without the page cache: $(cat "$T/out")"
	# A sanitizer's own memory is more than that.
	[ "${SCALE:-}" = small ] || grep -qE '^  NET SAVING +-.* a loss, for as long as' "$T/out" || die "a loss: $(cat "$T/out")"
fi
rm "$M"/zero*
"$stat_" --raw "$M" | grep -qx 'pages_sharing 512' || die "--raw"
set_attr max_kernel_pages 18446744073709551615
"$stat_" --raw "$M" >"$T/raw"
diff "$T/raw" "$M/.ksmfs/stats" >"$T/diff" || [ "$(grep -c '^<' "$T/diff")" -le 5 ] || die "--raw is not stats: $(cat "$T/diff")"
grep -qx 'advisor_mode none' "$T/raw" || die "--raw, a word"
grep -qx 'max_kernel_pages 18446744073709551615' "$T/raw" || die "--raw, a large number"
"$stat_" --json "$M" | python3 -c '
import json, sys
f = json.load(sys.stdin)
assert f["advisor_mode"] == "none" and f["max_kernel_pages"] == 2**64 - 1 and f["pages_sharing"] == 512, f'
"$stat_" --all "$M" | grep -q ' advisor_mode  *none ' || die "a word for people"
touch "$M/file"
mkdir "$M/dir"
for at in "$M/dir" "$M/file" "$M/a" /proc "$T/absent"; do
	if "$stat_" "$at" >"$T/out" 2>"$T/err"; then
		die "figures of $at"
	fi
	[ ! -s "$T/out" ] && [ "$(wc -l <"$T/err")" = 1 ] || die "$at: $(cat "$T/out" "$T/err")"
	grep -qF "$at" "$T/err" || die "$at is not in: $(cat "$T/err")"
done
! "$stat_" 2>/dev/null || die "without a mount"
for bad in 0 x 1x -1 99999; do
	! "$stat_" --watch $bad "$M" >"$T/out" 2>"$T/err" || die "--watch $bad"
	grep -q 'seconds' "$T/err" && [ ! -s "$T/out" ] || die "--watch $bad says: $(cat "$T/out" "$T/err")"
done

# A line each second, with what happened in it, until the mount is gone.
"$stat_" --watch 1 "$M" >"$T/out" 2>"$T/err" &
watching=$!
within 10 grep -q '^ *3.0 MiB' "$T/out" || die "--watch: $(cat "$T/out" "$T/err")"
python3 -c 'import sys; from pages import *; store(sys.argv[1], content("t", 100))' "$M/written"
written() { # the eighth of columns that are eleven wide
	cut -c78-88 "$T/out" | grep -q '[1-9]'
}
settle
within 10 written || die "--watch saw nothing written: $(cat "$T/out")"
unmount || die "umount while somebody watches"
! wait "$watching" || die "--watch of what is gone"
[ "$(wc -l <"$T/err")" = 1 ] && grep -qF "$M" "$T/err" || die "--watch ends with: $(cat "$T/err")"
"$stat_" --help | grep -q MOUNT || die "--help"
"$stat_" --version | grep -q '^ksmfs-stat [0-9]' || die "--version"
