#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the daemon was allowed to take when there was memory is not taken when somebody else has it: a write is told
# ENOSPC, and nobody is killed.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

ROOM=$((400 << 20)) # for the mount and its neighbour
LEFT=$((7 << 20))   # what the neighbour leaves of it
WANTED=24           # MiB: less than an eighth of what there was

mount_in_group size=500m
limit=$(($(group_usage) + ROOM))
limit_group $limit
dd if=/dev/urandom of="$M/first" bs=1M count=3 status=none
rm "$M/first"
expect store/frames 0

cat >"$T/neighbour.py" <<'PY'
import sys, time
from group import Group

group, limit, left, ready = Group(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
group.enter()
taken = []
while group.usage() < limit - left - (1 << 20):
    taken.append(bytearray(b"x" * (1 << 19)))
open(ready, "w").close()
time.sleep(60)
PY
python3 "$T/neighbour.py" "$group" $limit $LEFT "$T/ready" &
neighbour=$!
ends_with_test
ready() {
	[ -e "$T/ready" ]
}
within 20 ready || die "the neighbour does not get its memory"
sleep 0.2 # it is old by now
! dd if=/dev/urandom of="$M/second" bs=1M count=$WANTED oflag=direct 2>"$T/err" || die "there was room for $WANTED MiB"
grep -q 'No space' "$T/err" || die "the write fails otherwise: $(cat "$T/err")"
[ "$(killed_in_group)" = 0 ] || die "$(killed_in_group) processes were killed"
kill -0 $neighbour || die "the neighbour has died"
