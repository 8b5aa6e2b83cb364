#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory of freed frames goes back to the system within two seconds.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs
before=$(frame_blocks)
size=$((PAGES * 16 * 4096))
head -c $size /dev/urandom >"$M/big"
sync "$M/big"
full=$(frame_blocks)
[ $((full - before)) -ge $((size / 512)) ] || die "frames hold $full blocks, and $before before"
rm "$M/big"
sleep 2
after=$(frame_blocks)
# A warm reserve may stay: it is counted.
warm=$(attr store/warm_frames)
[ $((after - before)) -le $(((full - before) / 10 + warm * 8)) ] ||
	die "frames hold $after blocks after rm, $before before ($warm frames warm)"
[ $((warm * 4096)) -le $((16 * 1024 * 1024)) ] || die "$warm frames are kept warm"
expect_empty
