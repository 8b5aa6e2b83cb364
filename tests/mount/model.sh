#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Random operations on ksmfs and on tmpfs show the same, while pages are merged and split; and many at the same files
# find there what must be true whoever came first.
#
# MODEL_SECONDS: a soak for that long, with new seeds each round. MODEL_SEED: this seed, and those after it.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

: "${BUILD:?}"
seed=${MODEL_SEED:-1}
operations=11000
[ "${SCALE:-}" != small ] || operations=2000
end=$(($(date +%s) + ${MODEL_SECONDS:-0}))
[ "${MODEL_SECONDS:-0}" = 0 ] || seed=${MODEL_SEED:-$(date +%s)}
export MODEL_OUT="$T/out"
mkdir "$MODEL_OUT" "$T/tmpfs"

# Tenants of the model are mounts below it.
at_end() {
	awk -v at="$T/tmpfs" 'index($5 "/", at "/") == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mounted; do
		umount "$mounted" || return 1
	done
}

# Mount both with options $1, ksmfs with $2, too.
mount_both() {
	mount -t tmpfs -o "$1" tmpfs "$T/tmpfs"
	mount_ksmfs "$1${2:+,$2}"
	set_attr pages_to_scan 1000
	set_attr sleep_millisecs 0
}

unmount_both() {
	check
	unmount || die "it stays mounted"
	umount "$T/tmpfs"
}

# Change the rules of merging until the file goes away: now and then nothing is merged, or everything split.
flip() {
	n=0
	while [ -e "$T/flips" ]; do
		n=$((n + 1))
		case $((n % 9)) in
		0) set_attr use_zero_pages 0 ;;
		1) set_attr run 2 ;;
		2) set_attr max_page_sharing 2 2>/dev/null ;; # EBUSY while pages are shared
		3) set_attr merge_on_write 0 ;;
		4) set_attr run 1 ;;
		5) set_attr use_zero_pages 1 ;;
		6) set_attr run 0 ;;
		7) set_attr merge_on_write 1 ;;
		8) set_attr run 1 ;;
		esac || :
		sleep 0.05
	done
}

# What differs is minimised, and told with the way to see it again.
compare() {
	options=$1 workers=$2 kind=${3:-} beside=${4:-the same}
	# shellcheck disable=SC2086
	"$BUILD/tests/model/model" run "$T/tmpfs" "$M" $seed $operations $workers $kind && return
	for file in "$MODEL_OUT"/*.ops; do
		[ -e "$file" ] || continue
		# shellcheck disable=SC2086
		"$BUILD/tests/model/model" minimise "$T/tmpfs" "$M" "$file" $kind || :
		kept=${TMPDIR:-/tmp}/ksmfs-$(basename "$file")
		cp "$file" "$kept"
		echo "again: mount tmpfs at A and ksmfs at B with -o $options ($beside), then model replay A B $kept $kind"
	done
	rm -f "$T/flips"
	die "seed $seed differs"
}

# Directories in the root are tenants, whose limits change, while workers are killed, too.
compare_tenants() {
	all=$operations
	operations=$((all / 4)) kinds='tenants apart roomy'
	[ "${MODEL_SECONDS:-0}" != 0 ] || operations=$((all / 32)) kinds='tenants apart'
	for kind in $kinds; do
		options=size=256m,nr_inodes=100k,noatime,suid,dev,mode=755
		seed=$((seed + 100))
		domain=mount
		[ $kind != apart ] || domain=dir
		mount_both $options domain=$domain
		: >"$T/flips"
		flip &
		flipper=$!
		compare $options 1 $kind domain=$domain
		rm "$T/flips"
		wait $flipper || :
		unmount_both
	done
	operations=$all
}

round() {
	# Large mounts: 4 workers in 2 processes, without and with rules that change.
	mount_both size=256m,nr_inodes=100k,noatime,suid,dev,mode=755
	compare size=256m,nr_inodes=100k,noatime,suid,dev,mode=755 4
	seed=$((seed + 100))
	: >"$T/flips"
	flip &
	flipper=$!
	compare size=256m,nr_inodes=100k,noatime,suid,dev,mode=755 4
	mkdir "$M/together"
	"$BUILD/tests/model/together" "$M/together" 4 $((operations * 3)) || die "together"
	rm "$T/flips"
	wait $flipper || :
	unmount_both
	# And so small that they are full: of data, and of inodes.
	for small in size=1m,nr_inodes=10k size=64m,nr_inodes=24; do
		seed=$((seed + 100))
		mount_both $small,noatime,suid,dev,mode=755
		compare $small,noatime,suid,dev,mode=755 1 full
		unmount_both
	done
	compare_tenants
	seed=$((seed + 100))
}

round
while [ "$(date +%s)" -lt $end ]; do
	round
done
