#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Whoever kills the worker, at random or in the middle of anything, takes nothing away and does nothing twice:
# tests/crash/main.c.
#
# CRASH_KILLS: how many deaths. CRASH_SEED: the same operations again. CRASH_JOBS: only these kinds of jobs, with commas.
# shellcheck source-path=SCRIPTDIR/../mount
. "${TESTS:?}/lib.sh"
needs_resends

: "${BUILD:?}"
[ "${SCALE:-}" = small ] && kills=120 || kills=200

mount_ksmfs size=1g
inodes=$(attr store/inodes)
"$BUILD/tests/crash/crash" -s "${CRASH_SEED:-$(date +%s)}" -n "${CRASH_KILLS:-$kills}" ${CRASH_JOBS:+-j "$CRASH_JOBS"} \
	-u "$KSMFS" "$M" "$(supervisor)" ||
	die "what the applications were told is not so"
check

# Nothing is left of what they made, but what the kernel has not forgotten yet.
rmdir "$M"/*
sync -f "$M"
echo 2 >/proc/sys/vm/drop_caches
expect store/inodes "$inodes"
expect_empty
settle
expect store/frames 0
check
echo "writes go through to the daemon: there is no mode in which the kernel keeps them back"
