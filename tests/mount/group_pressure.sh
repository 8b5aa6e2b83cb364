#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the machine does not tell when memory is short the daemon's control group does, wherever its hierarchy is mounted:
# this notifier, the next one, and that of another program.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/private.sh"
. "${TESTS:?}/lib.sh"
needs capsh

at=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
path=$(sed -n 's/^0:://p' /proc/self/cgroup)
file=$at${path%/}/memory.pressure
[ -n "$at" ] && [ -w "$file" ] || skip "there is no control group that tells when memory is short"
capsh --has-p=cap_sys_resource 2>/dev/null || python3 -c 'import sys; from calls import linux; sys.exit(not linux(6, 4))' ||
	skip "before Linux 6.4 it tells only those with CAP_SYS_RESOURCE"
[ ! -e /proc/pressure/memory ] || mount --bind /proc/version /proc/pressure/memory

watches() {
	readlink "/proc/$(role ksmfs-notify)"/fd/* 2>/dev/null | grep -qxF "$file"
}
mount_ksmfs size=16m
within 10 watches || die "the group is not watched"
kill -KILL "$(role ksmfs-notify)"
within 10 watches || die "the next notifier does not watch the group"
if resends; then
	"$KSMFS" --upgrade "$M" >/dev/null || die "no upgrade"
	within 10 watches || die "after an upgrade the group is not watched"
fi
unmount

# Where nobody tells, the notifier has what it needs and nothing of the supervisor's.
mount --bind /proc/version "$file"
mount_ksmfs size=16m
within 10 test -n "$(role ksmfs-notify)" || die "there is no notifier"
kept() {
	readlink "/proc/$(role ksmfs-notify)"/fd/* | grep -E '/dev/fuse|memfd:|socket:|signalfd|pipe:'
}
! kept || die "the notifier has kept this"
