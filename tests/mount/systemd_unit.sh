#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The commands of the unit for systemd mount, upgrade and unmount, and systemd finds no fault with it.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

built=${BUILD:?}/contrib/systemd/ksmfs@.service
unit=$T/ksmfs@.service
sed "s|=\(-*\)[^=]*/bin/ksmfs |=\1$KSMFS |" "$built" >"$unit"
run() {
	command=$(sed -n "s/^$1=-*//p" "$unit" | sed "s|%f|$M|; s|\${OPTIONS}|size=8m,nosuid|")
	[ -n "$command" ] || die "the unit has no $1"
	sh -c "$command" >"$T/out" 2>&1 || die "$1: $(cat "$T/out")"
}
rmdir "$M" # as systemd makes the directories of its mount units, ours makes that of the mount
run ExecStartPre
run ExecStart
echo "$M" >>"$T/mounts"
[ "$(findmnt -n -o OPTIONS "$M" | cut -d , -f 1-2)" = rw,nosuid ] || die "options: $(findmnt -n -o OPTIONS "$M")"
echo content >"$M/file"
worker=$(worker)
needs_resends
run ExecReload
[ "$(cat "$M/file")" = content ] || die "reloaded, and the file is gone"
replaced() {
	[ ! -d "/proc/$worker" ] && [ "$(worker)" != "$worker" ]
}
within 10 replaced || die "a reload has not brought another worker" # one that is dying may still be listed
run ExecStop
within 10 no_processes "$M" || die "stopped, and processes are left"
! is_mounted "$M" || die "stopped, and still mounted"

command -v systemd-analyze >/dev/null || exit 0
systemd-analyze verify --man=no "$unit" 2>"$T/verify" || true
! grep -F 'ksmfs@' "$T/verify" || die "systemd does not like the unit"
