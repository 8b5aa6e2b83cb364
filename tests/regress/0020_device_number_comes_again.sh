#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A new mount has the device number of one that is gone, whose supervisor is still there: commands reach the new one, also
# when the old one has cleaned up.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

device() {
	awk -v at="$1" '$5 == at { print $3 }' /proc/self/mountinfo
}
mount_ksmfs size=16m
number=$(device "$M")
old=$(supervisor)
kill -STOP "$old"
umount "$M"
within 10 sh -c "! grep -q '$number ' /proc/self/mountinfo"
again=
for n in $(seq 20); do
	mkdir "$T/db$n" # else a tmpfs for it would have the number
	mount_ksmfs "size=16m,index=$T/db$n" "$T/mnt$n"
	[ "$(device "$T/mnt$n")" != "$number" ] || again=$T/mnt$n
	[ -z "$again" ] || break
done
[ -n "$again" ] || { kill -CONT "$old" && skip "the number does not come again"; }
resends || { kill -CONT "$old" && needs_resends; }
"$KSMFS" --upgrade "$again" >"$T/out" 2>&1 || die "with an old supervisor that has stopped: $(cat "$T/out")"
kill -CONT "$old"
within 10 test ! -d "/proc/$old" || die "the old supervisor does not go"
"$KSMFS" --upgrade "$again" >"$T/out" 2>&1 || die "after an old supervisor has gone: $(cat "$T/out")"
