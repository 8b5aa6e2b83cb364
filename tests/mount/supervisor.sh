#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What may happen around a supervisor, and must not cost the mount: signals at the wrong moment, another place in the
# tree, no more open files, a program that cannot be run, another mount of the same name.  And when it ends it takes its
# own mount along, no other's.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

needs prlimit unshare

# Whoever says "try again" while another program takes over stops nothing.
mount_with_log
super=$(supervisor)
echo content >"$M/f"
kill -STOP "$(worker)" # so that it takes its time
"$KSMFS" --upgrade "$M" >"$T/out" 2>&1 &
upgrading=$!
sleep 0.5
kill -USR1 "$super"
wait $upgrading || die "not upgraded: $(cat "$T/out")"
[ "$(cat "$M/f")" = content ] || die "SIGUSR1 during an upgrade"
[ "$(supervisor)" = "$super" ] || die "SIGUSR1 during an upgrade: another supervisor"

# Nor is it taken for the end of the supervisor when who waits for the answer is stopped (^Z) and goes on.
kill -STOP "$super"
"$KSMFS" --upgrade "$M" >"$T/out" 2>&1 &
upgrading=$!
sleep 0.3
kill -STOP $upgrading
sleep 0.1
kill -CONT $upgrading
sleep 0.1
kill -CONT "$super"
wait $upgrading || die "stopped and gone on: $(cat "$T/out")"

# A program that the mount itself would have to provide.
cp "$KSMFS" "$M/ksmfs"
socket=/run/ksmfs/$(awk -v at="$M" '$5 == at { print $3 }' /proc/self/mountinfo)
timeout -s KILL 30 python3 "$TESTS/upgrade.py" order "$socket" upgrade "$M/ksmfs" >"$T/out" 2>&1 || true
grep -q 'lies on the mount itself' "$T/out" || die "a program on the mount: $(cat "$T/out")"
check

# No worker can open the databases, and who rests no table of mounts.
prlimit --pid "$super" --nofile=3:1024
kill -KILL "$(worker)"
within 20 rests || die "nobody rests: $(cat "$T/log")"
sleep 0.5
rests && is_mounted "$M" || die "without open files the mount has ended: $(cat "$T/log")"
prlimit --pid "$super" --nofile=1024:1024
"$KSMFS" --recover "$M" >"$T/out" || die "not recovered"
[ "$(cat "$M/f")" = content ] || die "what was there is there no more"
unmount

# Each worker tells the supervisor of its canaries, also while another child dies: it holds both of them then.
mount_ksmfs size=8m
canaries() {
	find "/proc/$(supervisor)/fd" -lname 'anon_inode:*pidfd*' | wc -l
}
has_both() {
	[ "$(canaries)" = 2 ]
}
for round in 1 2 3 4 5 6 7 8 9 10; do
	within 5 has_both || die "of round $round's worker $(canaries) canaries are known"
	notifier=$(role ksmfs-notify)
	"$KSMFS" --recover "$M" >"$T/out" # no row of deaths
	kill -KILL "$(worker)" $notifier
	[ -e "$M" ]
done
unmount

# The mount goes with its supervisor, wherever it is now.
mkdir -p "$T/here/mnt"
mount_ksmfs size=8m "$T/here/mnt"
super=$(supervisor "$T/here/mnt")
echo content >"$T/here/mnt/f"
mv "$T/here" "$T/there"
echo "$T/there/mnt" >>"$T/mounts"
kill -KILL "$(worker "$T/here/mnt")"
[ "$(cat "$T/there/mnt/f")" = content ] || die "in another place"
kill -TERM "$super"
within 10 test ! -d "/proc/$super" || die "the supervisor does not end"
! is_mounted "$T/there/mnt" || die "a mount without a supervisor is left in another place"

# Unmounted, while its supervisor sleeps, and another mount comes to the same place, with the same numbers.
mkdir "$T/first" "$T/second"
mount_ksmfs "size=8m,index=$T/first"
super=$(supervisor)
kill -STOP "$super"
umount "$M"
sleep 0.2 # its numbers are free again
mount_ksmfs "size=8m,index=$T/second"
echo content >"$M/f"
kill -CONT "$super"
within 10 test ! -d "/proc/$super" || die "the first supervisor does not end"
[ "$(cat "$M/f")" = content ] || die "the first supervisor took another's mount along"
unmount

# Nor one that was mounted over it, which is what its path means now.
mount_ksmfs size=8m
super=$(supervisor)
mount_ksmfs size=8m
echo content >"$M/f"
kill -TERM "$super"
within 10 test ! -d "/proc/$super" || die "the lower supervisor does not end"
[ "$(cat "$M/f")" = content ] || die "the lower supervisor took the upper mount along"
unmount
umount "$M" || die "no dead mount was left below"

# In another mount namespace (a container) nobody serves what is mounted at the same place: that one is not meant.
unshare -m "$KSMFS" -o size=8m "test-$$" "$M"
other=$(supervisor)
wear_out
mount_ksmfs size=8m
"$KSMFS" --recover "$M" >"$T/out" || die "--recover of a mount that is served"
grep -q 'is being served' "$T/out" && rests || die "another's mount was recovered: $(cat "$T/out")"
kill -TERM "$other"
within 10 test ! -d "/proc/$other" || die "the supervisor in another namespace does not end"
unmount

# nohup(1): whoever started it may go.
mkdir -p "$M"
(trap '' HUP && exec "$KSMFS" -f -o size=8m "test-$$" "$M") 2>"$T/log" &
ends_with_test
within 10 test -d "$M/.ksmfs" || die "not mounted: $(cat "$T/log")"
echo "$M" >>"$T/mounts"
kill -HUP "$(supervisor)"
sleep 0.3
is_mounted "$M" || die "a SIGHUP that was to be ignored was not: $(cat "$T/log")"
