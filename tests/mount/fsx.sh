#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Files that all get the same changes merge and split all the time, and each stays what it should be: tests/fsx/fsx.c,
# while the scanner never rests, merging is stopped and undone by turns, and the page cache is dropped.
#
# FSX_SEED=N replays a run, FSX_SECONDS=N makes it a soak.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

fsx=${BUILD:?}/tests/fsx/fsx
seed=${FSX_SEED:-$(date +%s)}
[ "${SCALE:-}" = small ] && steps=1500 || steps=6000
mount_ksmfs size=256m
set_attr sleep_millisecs 0
set_attr pages_to_scan 500

# Each value of run and merge_on_write for a moment, and the page cache dropped, until told to stop. What it sees of
# sharing is kept in $T/sharing.
disturb() {
	most=0
	while [ ! -e "$T/stop" ]; do
		for pair in run=1 merge_on_write=0 run=2 run=1 merge_on_write=1 run=0 run=1; do
			set_attr "${pair%=*}" "${pair#*=}"
			sleep 0.2
			now=$(attr pages_sharing)
			[ "$now" -le "$most" ] || most=$now
		done
		echo 3 >/proc/sys/vm/drop_caches
		echo "$most" >"$T/sharing"
	done
}
disturb &
disturber=$!
ends_with_test

# Three sets of files with one process each, and one that three processes share.
fsx_pids=
for set in 1 2 3 shared; do
	mkdir "$M/$set"
	case $set in
	shared) who='-f 4 -p 3' ;;
	*) who="-f $((set * 3))" ;;
	esac
	# shellcheck disable=SC2086
	"$fsx" -s "$seed" $who ${FSX_SECONDS:+-t "$FSX_SECONDS"} -n $steps "$M/$set" &
	fsx_pids="$fsx_pids $!"
	ends_with_test
	seed=$((seed + 1))
done
status=0
for pid in $fsx_pids; do
	wait "$pid" || status=1
done
touch "$T/stop"
wait $disturber || die "the controls fail"
[ $status = 0 ] || die "a file is not what it should be"
check
echo "pages_sharing was $(cat "$T/sharing"), cow_breaks $(attr fault/cow_breaks), unmerged $(attr fault/unmerged)"
[ "$(cat "$T/sharing")" -gt 0 ] || die "nothing was ever shared"
[ "$(attr fault/cow_breaks)" -gt 0 ] || die "nothing was ever split"
settle
check
rm -r "${M:?}"/*
expect_empty
