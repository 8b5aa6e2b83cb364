#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fio finds each block that it has written, by its checksum: each engine, cached and direct, several jobs at once on alike data.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs fio
[ "${SCALE:-}" = small ] && size=2m || size=16m
mount_ksmfs size=512m
set_attr sleep_millisecs 0
engines=
for engine in psync pvsync2 mmap libaio posixaio io_uring; do
	if fio --enghelp | grep -qxE "[[:space:]]*$engine"; then
		engines="$engines $engine"
	fi
done
for engine in $engines; do
	for direct in 0 1; do
		[ $engine$direct != mmap1 ] || continue
		for bs in 4k-4k 512-64k; do
			[ $engine$bs != mmap512-64k ] || bs=4k-64k
			fio --name=job --directory="$M" --ioengine=$engine --direct=$direct --rw=randrw --bsrange=$bs --size=$size \
				--numjobs=3 --iodepth=8 --verify=crc32c --verify_fatal=1 --verify_backlog=64 --verify_state_save=0 --do_verify=1 \
				--dedupe_percentage=70 --fallocate=none --end_fsync=1 --group_reporting --thread \
				--output="$T/fio" 2>"$T/err" || {
				if grep -qE 'io_uring.*(ENOSYS|not supported|Operation not permitted)' "$T/fio" "$T/err"; then
					echo "io_uring is not to be had"
					continue
				fi
				die "$engine direct=$direct bs=$bs: $(cat "$T/err" "$T/fio")"
			}
			rm "$M"/job*
		done
	done
done
echo "engines:$engines"
expect_empty
