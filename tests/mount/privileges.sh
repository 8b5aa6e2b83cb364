#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every process of a mount holds the capabilities that ksmfs(8) lists for it, and no others.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

command -v capsh >/dev/null || skip "capsh is not installed (libcap2-bin)"
! grep -q __tsan_init "$KSMFS" || skip "ThreadSanitizer has a thread of its own, which drops nothing"
mount_ksmfs size=64m
touch "$M/first-request"
# Lines ".It Dv CAP_NAME Pq role" between two comments of the page.
listed() {
	sed -n '/CAPABILITIES-BEGIN/,/CAPABILITIES-END/s/^\.It Dv \(CAP_[A-Z_]*\) Pq '"$1"'$/\1/p' \
		"$SRC/contrib/man/ksmfs.8.in" | tr '[:upper:]' '[:lower:]'
}
seen=0
for pid in $(processes "$M"); do
	case $(cat "/proc/$pid/comm") in
	ksmfs-super) role=supervisor ;;
	ksmfs-worker) role=worker ;;
	ksmfs-notify) role=notifier ;;
	*) die "a process called $(cat "/proc/$pid/comm")" ;;
	esac
	for task in /proc/"$pid"/task/*; do
		for set_ in CapEff CapPrm CapInh CapBnd CapAmb; do
			mask=$(awk -v s="$set_:" '$1 == s { print $2 }' "$task/status")
			held=$(capsh --decode="$mask" | sed 's/^[^=]*=//; s/,/ /g')
			for cap in $held; do
				listed $role | grep -qx "$cap" || die "$role: $set_ has $cap"
			done
		done
		grep -q '^NoNewPrivs:[[:space:]]*1$' "$task/status" || die "$role: NoNewPrivs is not set"
		seen=$((seen + 1))
	done
done
[ $seen -gt 0 ] || die "no process found"
