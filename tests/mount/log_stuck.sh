#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a daemon has to say reaches the system's log; and when nobody reads that any more, a worker that dies is replaced
# all the same.
# shellcheck source-path=SCRIPTDIR
# In a mount namespace of its own, with a /dev of its own.
. "${TESTS:?}/private.sh"
. "${TESTS:?}/lib.sh"
needs_resends

needs python3
mkdir "$T/dev"
mount -t tmpfs "test-$$" "$T/dev"
for node in null zero urandom fuse; do
	: >"$T/dev/$node"
	mount --bind "/dev/$node" "$T/dev/$node"
done
mount --rbind "$T/dev" /dev
at_end() {
	umount -R -l /dev
	umount -R -l "$T/dev"
}
# Reads the first line, and no other.
python3 -c 'import socket, sys, time
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
print(log.recv(4096).decode(), flush=True)
time.sleep(300)' >"$T/log" &
ends_with_test
within 10 test -S /dev/log || die "no log to write to"

mount_ksmfs size=8m
super=$(supervisor)
within 5 grep -qE "^<30>ksmfs\[$M\]\[$super\]: [a-z_]+" "$T/log" || die "the log says: $(cat "$T/log")"
echo content >"$M/f"
for _ in 1 2 3 4 5; do # each death is said, and each takeover
	kill -USR1 "$super"
	kill_worker KILL 8
done
[ "$(timeout -s KILL 20 cat "$M/f")" = content ] || die "a log that nobody reads stops the mount"
unmount

# Nor does a pipe that nobody reads, in the foreground.
mkfifo "$T/pipe"
exec 5<>"$T/pipe"
timeout -s KILL 0.5 cat /dev/zero >&5 || : "it is full"
"$KSMFS" -f -o size=8m "test-$$" "$M" 2>&5 &
ends_with_test
within 10 test -d "$M/.ksmfs" || die "not mounted, for want of somebody who reads the log"
echo "$M" >>"$T/mounts"
echo content >"$M/f"
kill_worker
[ "$(timeout -s KILL 20 cat "$M/f")" = content ] || die "a pipe that nobody reads stops the mount"
