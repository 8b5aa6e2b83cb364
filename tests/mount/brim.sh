#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount is filled to the brim, over and over, by processes that are killed at it: what they were told is so, no figure
# goes below zero, and when all is removed nothing of it is left. A soak by BRIM_ROUNDS=N, the same again by BRIM_SEED=N.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

rounds=1000 ms=10
[ "${SCALE:-}" != small ] || rounds=60 ms=60
seed=${BRIM_SEED:-$(date +%s%N)}
echo "BRIM_SEED=$seed"
mount_ksmfs size=8m,nr_inodes=200
"${BUILD:?}/tests/brim/brim" "$M" "${BRIM_ROUNDS:-$rounds}" "$seed" $ms || {
	cat "$M/.ksmfs/stats" >&2
	die "with BRIM_SEED=$seed"
}
expect_empty
