#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon and those who store into mappings have a memory cgroup in common, that is smaller than the files, and not
# much larger than what is unique in them: it keeps moving, every byte is right, nobody is killed.
# PRESSURE_SECONDS: how long.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

MIB=128       # of each of three files
UNIQUE=16384  # pages: 64 MiB
STALL_MS=5000 # nobody stands still for longer

mount_in_group size=1g
limit=$(($(group_usage) + UNIQUE * 4096 + (64 << 20)))
limit_group $limit
group_without_swap
worker=$(worker)
in_group "${BUILD:?}/tests/pressure/squeeze" "$M" $MIB $UNIQUE "${PRESSURE_SECONDS:-12}" $STALL_MS || {
	cat "$M/.ksmfs/stats"
	die "it does not go on as it should"
}
[ "$(killed_in_group)" = 0 ] || die "$(killed_in_group) processes were killed"
[ "$(worker)" = "$worker" ] || die "the worker has died"
expect fault/parked 0

# What may be dirty goes by the cgroup's limit.
dirty_max() {
	cat "/sys/class/bdi/$(mountpoint -d "$M")/max_bytes"
}
[ ! -e "/sys/class/bdi/$(mountpoint -d "$M")/max_bytes" ] || {
	[ "$(dirty_max)" -le $((9 << 20)) ] || die "$(dirty_max) bytes may be dirty"
	limit_group
	dd if=/dev/urandom of="$M/more" bs=1M count=16 status=none
	[ "$(dirty_max)" -ge $((64 << 20)) ] || die "without a limit $(dirty_max) bytes may be dirty"
	unmount

	# So it does where the limit was there first, by whatever worker or program, and with the limit it goes.
	limit_group $((256 << 20))
	in_group "$KSMFS" -o size=1g "test-$$" "$M"
	[ "$(dirty_max)" -le $((9 << 20)) ] || die "in a group with a limit $(dirty_max) bytes may be dirty"
	needs_resends
	"$KSMFS" --upgrade "$M" >/dev/null || die "no upgrade"
	[ "$(dirty_max)" -le $((9 << 20)) ] || die "after an upgrade $(dirty_max) bytes may be dirty"
	limit_group
	kill_worker
	attr run >/dev/null # the other one is there, and serves
	[ "$(dirty_max)" -ge $((64 << 20)) ] || die "the limit has gone, and $(dirty_max) bytes may be dirty"
}
