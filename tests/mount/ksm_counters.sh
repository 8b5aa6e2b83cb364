#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The counters say exactly what KSM's would: N pages over three files, three full scans, merged as they were
# written or by the scanner alone.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

PER_FILE=$((PAGES / 8))
N=$((3 * PER_FILE))

# Three files in $M; page p of file f is a page of zeroes but for its first byte: $1, in Python, of f, p and N.
write_files() {
	rm -f "$M"/f*
	expect store/data_pages 0
	python3 - "$M" "$PER_FILE" "$1" <<'PY'
import os, sys

mount, pages, rule = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for f in range(3):
    with open(f"{mount}/f{f}", "wb", buffering=0) as out:
        for p in range(pages):
            out.write(bytes([eval(rule, {"f": f, "p": p, "last": pages - 1})]) + bytes(4095))
PY
}

# Until three more passes have been completed.
three_scans() {
	from=$(attr full_scans)
	enough() {
		[ "$(attr full_scans)" -ge $((from + 3)) ]
	}
	set_attr run 1
	within 60 enough || die "three passes are not completed"
}

counters() {
	# One moment for all of them.
	awk '$1 ~ /^(pages_shared|pages_sharing|pages_unshared|pages_volatile|ksm_zero_pages|pages_untracked)$/ {
		v[$1] = $2 } END { print v["pages_shared"], v["pages_sharing"], v["pages_unshared"],
		v["pages_volatile"], v["ksm_zero_pages"], v["pages_untracked"] }' "$M/.ksmfs/stats"
}

# shared, sharing, unshared, volatile, zero, untracked
counts() {
	[ "$(counters)" = "$*" ] || die "$what: shared, sharing, unshared, volatile, zero, untracked are $(counters), not $*"
}

for merge_on_write in 0 1; do
	mount_ksmfs size=512m,merge_on_write=$merge_on_write
	set_attr pages_to_scan 100000
	set_attr sleep_millisecs 5

	what="two contents, merge_on_write=$merge_on_write"
	write_files '1 if f == 0 else 2'
	three_scans
	counts 2 $((N - 2)) 0 0 0 0

	what="three contents, merge_on_write=$merge_on_write"
	write_files '1 + f'
	three_scans
	counts 3 $((N - 3)) 0 0 0 0

	what="one content, merge_on_write=$merge_on_write"
	write_files '1'
	three_scans
	counts 1 $((N - 1)) 0 0 0 0

	what="one page differs, merge_on_write=$merge_on_write"
	write_files '2 if f == 1 and p == last else 1'
	three_scans
	counts 1 $((N - 2)) 1 0 0 0

	what="zeroes, merge_on_write=$merge_on_write"
	write_files '0'
	three_scans
	counts 0 0 0 0 "$N" 0

	what="zeroes as any other page, merge_on_write=$merge_on_write"
	set_attr use_zero_pages 0
	write_files '0'
	three_scans
	counts 1 $((N - 1)) 0 0 0 0
	set_attr use_zero_pages 1

	what="unmerged, merge_on_write=$merge_on_write"
	write_files '2 if f == 1 and p == last else 1'
	three_scans
	set_attr run 2
	counts 0 0 0 0 0 "$N"
	[ "$(attr full_scans)" = 0 ] || die "$what: full_scans is $(attr full_scans)"
	[ "$(attr store/frames)" -ge "$N" ] || die "$what: there are $(attr store/frames) frames"
	set_attr run 0
	counts 0 0 0 0 0 "$N"
	three_scans
	counts 1 $((N - 2)) 1 0 0 0

	what="a sharer goes, merge_on_write=$merge_on_write"
	rm "$M/f0" "$M/f1"
	truncate -s 8192 "$M/f2"
	expect store/data_pages 2
	counts 1 1 0 0 0 0
	truncate -s 4096 "$M/f2"
	counts 0 0 1 0 0 0

	rm "$M/f2"
	expect store/data_pages 0
	for most in 2 3 7; do
		set_attr max_page_sharing $most
		for pages in 1 2 3 7 20 21 22 23; do
			what="$pages equal pages, at most $most on a frame, merge_on_write=$merge_on_write"
			head -c $((pages * 4096)) /dev/zero | tr '\0' x >"$M/equal"
			three_scans
			shared=$((pages / most)) rest=$((pages % most))
			if [ $rest -le 1 ]; then
				counts $shared $((shared * (most - 1))) $rest 0 0 0
			else
				counts $((shared + 1)) $((pages - shared - 1)) 0 0 0 0
			fi
			rm "$M/equal"
			expect store/data_pages 0
		done
	done
	set_attr max_page_sharing 0

	# At the limit nothing new becomes shared; what is shared may have more users.
	set_attr max_kernel_pages 2
	what="at most two shared frames, merge_on_write=$merge_on_write"
	for c in a b c d; do
		head -c $((4 * 4096)) /dev/zero | tr '\0' $c >"$M/$c"
	done
	three_scans
	[ "$(attr pages_shared)" = 2 ] || die "$what: pages_shared is $(attr pages_shared)"
	[ "$(attr pages_sharing)" = 6 ] || die "$what: pages_sharing is $(attr pages_sharing)"
	cat "$M/a" "$M/b" "$M/c" "$M/d" >"$T/all"
	cat "$T/all" >"$M/all"
	three_scans
	[ "$(attr pages_shared)" = 2 ] || die "$what: pages_shared is $(attr pages_shared)"
	[ "$(attr pages_sharing)" = 14 ] || die "$what: pages_sharing is $(attr pages_sharing)"
	set_attr max_kernel_pages 0
	three_scans
	counts 4 28 0 0 0 0

	check "$M"
	unmount "$M" || die "cannot unmount"
done
