#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksmfs --upgrade lets another program go on with a mount; who uses the mount does not notice, and a program that cannot
# is refused while the old one goes on.
# shellcheck source-path=SCRIPTDIR
# In a mount namespace of its own, where /dev/fuse is open to everybody, as it is on most machines.
. "${TESTS:?}/private.sh"
. "${TESTS:?}/lib.sh"
needs_resends

needs python3
mknod -m 666 "$T/fuse" c 10 229
mount --bind "$T/fuse" /dev/fuse
chmod 755 "$T"
for name in later strange disagreeing fickle feeble; do
	cp "${BUILD:?}/tests/mount/ksmfs-$name" "$T"
done
cp "$KSMFS" "$T/ksmfs"
chmod 755 "$T"/ksmfs*

upgrade() {
	"$1" --upgrade "$M" >"$T/out" 2>"$T/err" || die "$1: not upgraded: $(cat "$T/err")"
}
served_by() {
	for process in $(supervisor) $(worker); do
		at=$(readlink "/proc/$process/exe")
		[ "$at" = "$1" ] || die "$(cat "/proc/$process/comm") is run by $at, not $1"
	done
}
# $1: what the line must be about; then the command, which must change nothing.
not_upgraded() {
	about=$1
	before=$(supervisor) program=$(readlink "/proc/$(supervisor)/exe")
	shift
	! "$@" >"$T/out" 2>"$T/err" || ! grep -q '^no ' "$T/out" || cp "$T/out" "$T/err"
	grep -qE -- "$about" "$T/err" || die "$*: $(cat "$T/err" "$T/out")"
	[ "$(wc -l <"$T/err")" = 1 ] || die "$*: more than a line: $(cat "$T/err")"
	[ "$(supervisor)" = "$before" ] || die "$*: another supervisor"
	[ "$(cat "$M/file")" = content ] || die "$*: and the file is not readable"
	served_by "$program"
}
order() {
	python3 "$TESTS/upgrade.py" order "$socket" "$@"
}

"$T/ksmfs" -o size=128m,nr_inodes=3k "test-$$" "$M"
echo "$M" >>"$T/mounts"
super=$(supervisor)
socket=/run/ksmfs/$(awk -v at="$M" '$5 == at { print $3 }' /proc/self/mountinfo)
[ "$(stat -c '%a %u %F' "$socket")" = '600 0 socket' ] || die "the socket: $(stat -c '%a %u %F' "$socket")"

# Settings stay as they are, those of a remount too.
"$T/ksmfs" -o remount,size=96m src "$M"
set_attr pages_to_scan 4321
set_attr run 0
echo content >"$M/file"
served_by "$T/ksmfs"
upgrade "$T/ksmfs-later"
[ "$(cat "$T/out")" = "ksmfs later goes on with $M" ] || die "it says: $(cat "$T/out")"
served_by "$T/ksmfs-later"
[ "$(supervisor)" = "$super" ] || die "another supervisor"
[ "$(stat -f -c '%b %c' "$M")" = "24576 3072" ] || die "limits: $(stat -f -c '%b %c' "$M")"
[ "$(attr run) $(attr pages_to_scan)" = "0 4321" ] || die "settings: $(attr run) $(attr pages_to_scan)"
[ "$(cat "$M/file")" = content ] || die "the file"
set_attr run 1
check

# A program is replaced by a package, so what runs has no file any more.
rm "$T/ksmfs-later"
cp "$BUILD/tests/mount/ksmfs-later" "$T/ksmfs-later"

# Back and forth, while the mount is used.
mkdir "$M/work"
python3 "$TESTS/upgrade.py" work "$M/work" "$T/stop" 2>"$T/work" &
user=$!
ends_with_test
times=20
[ "${SCALE:-}" != small ] || times=6
while [ $times -gt 0 ]; do
	times=$((times - 1))
	upgrade "$T/ksmfs"
	sleep 0.1
	upgrade "$T/ksmfs-later"
	[ -d "/proc/$user" ] || break
done
: >"$T/stop"
wait $user || die "who used the mount has noticed: $(cat "$T/work")"
served_by "$T/ksmfs-later"
rmdir "$M/work" || die "left: $(ls -R "$M/work")"
check

# The worker may die at any moment of it: whoever serves then, or is refused, nothing is lost.
mkdir "$M/work"
rm "$T/stop"
python3 "$TESTS/upgrade.py" work "$M/work" "$T/stop" 2>"$T/work" &
user=$!
ends_with_test
python3 - "$M" "$T/stop" <<'END' &
import os, signal, sys, time
from worker import kill_one
while not os.path.exists(sys.argv[2]):
    time.sleep(0.13)
    kill_one(sys.argv[1], signal.SIGKILL)
END
ends_with_test
for program in ksmfs ksmfs-later ksmfs ksmfs-later ksmfs ksmfs-feeble ksmfs-later ksmfs ksmfs-later; do
	"$T/$program" --upgrade "$M" >"$T/out" 2>"$T/err" || grep -qE "worker|parked" "$T/err" || die "$program: $(cat "$T/err")"
	sleep 0.05
done
: >"$T/stop"
wait $user || die "who used the mount has noticed: $(cat "$T/work")"
rmdir "$M/work" || die "left: $(ls -R "$M/work")"
sleep 0.3
check

# Where workers have died so often that none is started any more, another program may be the cure.
upgrade "$T/ksmfs"
python3 "$TESTS/worker.py" wear-out "$M" || die "workers are started for ever"
cat "$M/file" >"$T/waits" &
waiting=$!
ends_with_test
upgrade "$T/ksmfs-later"
wait $waiting || die "a reader that had to wait"
[ "$(cat "$T/waits")" = content ] || die "a reader that had to wait got: $(cat "$T/waits")"
served_by "$T/ksmfs-later"

# Refused before anything is given up, or taken back.
pid=$(worker)
not_upgraded 'format' "$T/ksmfs-strange" --upgrade "$M"
not_upgraded 'agree with the kernel' "$T/ksmfs-disagreeing" --upgrade "$M"
not_upgraded 'no program' order upgrade
not_upgraded 'does not know' order frobnicate
not_upgraded 'not a regular file' order upgrade /dev/null
printf '#!/bin/sh\necho hello\n' >"$T/script"
not_upgraded 'cannot be run: Permission denied' order upgrade "$T/script"
chmod 755 "$T/script"
not_upgraded 'cannot take over' order upgrade "$T/script"
not_upgraded 'does not say why' order upgrade /bin/true
cp "$T/ksmfs" "$T/open"
chmod 777 "$T/open"
not_upgraded 'others may write' "$T/open" --upgrade "$M"
chmod 755 "$T/open"
chown 65534 "$T/open"
not_upgraded 'belongs to somebody else' "$T/open" --upgrade "$M"
[ "$(worker)" = "$pid" ] || die "a refusal has cost the worker"
not_upgraded 'the new program cannot be run: Permission denied' "$T/ksmfs-fickle" --upgrade "$M"
[ "$(worker)" != "$pid" ] || die "the worker was not drained for a program that said it could"
pid=$(worker)
not_upgraded 'cannot start' "$T/ksmfs-feeble" --upgrade "$M"
[ "$(worker)" != "$pid" ] || die "the worker that cannot start was not started"
not_upgraded 'is not a ksmfs mount' "$T/ksmfs" --upgrade "$T"
not_upgraded 'is not a ksmfs mount' "$T/ksmfs" --upgrade /proc
not_upgraded 'No such file' "$T/ksmfs" --upgrade "$T/absent"
as_user() {
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all env HOME="$T/home" XDG_RUNTIME_DIR="$T/run" "$@"
}
not_upgraded 'only root and who mounted it' as_user "$T/ksmfs" --upgrade "$M"

check

# The end of the mount is noticed as ever, and nothing of it is left.
upgrade "$T/ksmfs"
directory=$(attr index/directory)
unmount || die "umount after an upgrade"
[ ! -e "$directory" ] && [ ! -e "$socket" ] || die "left: $directory or $socket"
mount_ksmfs size=8m
upgrade "$T/ksmfs"
kill -TERM "$(supervisor)"
within 10 no_processes "$M" || die "SIGTERM after an upgrade"
! is_mounted "$M" || die "SIGTERM after an upgrade leaves the mount"

# A daemon in the foreground still says on its stderr what it has to say.
"$T/ksmfs" -f -o size=8m src "$M" 2>"$T/log" &
ends_with_test
within 10 is_mounted "$M" || die "in the foreground"
echo "$M" >>"$T/mounts"
within 10 test -S "$socket" || socket=/run/ksmfs/$(awk -v at="$M" '$5 == at { print $3 }' /proc/self/mountinfo)
within 10 test -e "$M/.ksmfs" || die "in the foreground: $(cat "$T/log")"
upgrade "$T/ksmfs-later"
grep -q 'ksmfs later goes on' "$T/log" || die "the log: $(cat "$T/log")"
unmount || die "umount in the foreground"
tail -n 1 "$T/log" | grep -q unmounted || die "the log does not go on: $(cat "$T/log")"

# An ordinary user upgrades his own mount, and root may as well.
[ -u "$(command -v fusermount3)" ] && as_user true || exit 0
mkdir "$T/home" "$T/run"
chown 65534:65534 "$T/home" "$M" "$T/run"
as_user "$T/ksmfs" -o size=64m src "$M" || die "a user cannot mount"
echo content | as_user tee "$M/file" >"$T/out"
as_user "$T/ksmfs-later" --upgrade "$M" >"$T/out" || die "a user cannot upgrade"
[ "$(as_user cat "$M/file" "$M/.ksmfs/check")" = "content
ok" ] || die "content and check of a user's mount"
served_by "$T/ksmfs-later"
XDG_RUNTIME_DIR=$T/run "$T/ksmfs" --upgrade "$M" >"$T/out" || die "root cannot upgrade a user's mount"
served_by "$T/ksmfs"
# But a user's link to the socket of a mount of root's leads root nowhere.
mount_ksmfs size=8m "$T/roots"
mine=$T/run/ksmfs/$(awk -v at="$M" '$5 == at { print $3 }' /proc/self/mountinfo)
mv "$mine" "$T/socket"
ln -s "/run/ksmfs/$(awk -v at="$T/roots" '$5 == at { print $3 }' /proc/self/mountinfo)" "$mine"
! XDG_RUNTIME_DIR=$T/run "$T/ksmfs-later" --upgrade "$M" >"$T/out" 2>&1 || die "root was led astray: $(cat "$T/out")"
mv "$T/socket" "$mine"
unmount "$T/roots"
within 10 as_user fusermount3 -u "$M" || die "fusermount3 -u"
within 10 no_processes "$M" || die "left processes: $(processes "$M")"
as_user "$T/ksmfs" -o size=64m src "$M" || die "a user cannot mount again"
as_user "$T/ksmfs-later" --upgrade "$M" >"$T/out" || die "a user cannot upgrade"
kill -TERM "$(supervisor)"
within 10 no_processes "$M" || die "left processes: $(processes "$M")"
! is_mounted "$M" || die "the end of a user's daemon leaves the mount"
[ -z "$(find "$T/run" "$T/home" -mindepth 1 -not -name ksmfs)" ] || die "left files: $(find "$T/run" "$T/home")"

# Who mounts by a capability of the program's file is not left without it.  (Such a program reads no ASAN_OPTIONS.)
! grep -q __asan_init "$T/ksmfs" || exit 0
setcap cap_sys_admin+ep "$T/ksmfs" 2>/dev/null || exit 0
as_user "$T/ksmfs" -o size=8m src "$M" || die "mount(2) by a capability of the file"
echo "$M" >>"$T/mounts"
! as_user "$T/ksmfs-later" --upgrade "$M" 2>"$T/err" || die "upgraded to a program that could not unmount"
grep -q 'capability' "$T/err" || die "why: $(cat "$T/err")"
setcap cap_sys_admin+ep "$T/ksmfs-later"
as_user "$T/ksmfs-later" --upgrade "$M" >"$T/out" || die "a program with the capability"
kill -TERM "$(supervisor)"
within 10 no_processes "$M" || die "left processes: $(processes "$M")"
! is_mounted "$M" || die "a program with the capability leaves the mount"
