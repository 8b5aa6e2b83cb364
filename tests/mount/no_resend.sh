#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# On a kernel that cannot send requests again, which is said once, the mount ends with its worker: who waits gets an
# error at once, and nothing is left.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

export KSMFS_NO_RESEND=1
mount_with_log
[ -d "$M/.ksmfs/debug" ] || skip "built without the option hooks"
[ "$(grep -c 'does not send requests again' "$T/log")" = 1 ] || die "not said once: $(cat "$T/log")"
echo content >"$M/f"
python3 -c 'import sys; from pages import *; store(sys.argv[1], content("s", 100))' "$M/g"
exec 3<"$M/f"
old=$(worker)
kill -STOP "$old"
cat "$M/g" >"$T/out" 2>"$T/err" &
reader=$!
sleep 0.3
kill -KILL "$old"
within 5 no_processes "$M" || die "left: $(processes "$M")"
status=0
wait "$daemon" || status=$?
[ $status = 1 ] || die "exit status $status"
said 'its files are lost' || die "the end is not said: $(cat "$T/log")"
! is_mounted "$M" || die "still mounted"
if wait $reader; then
	cmp -s "$T/out" /dev/null && die "a reader got nothing, and no error"
fi
timeout -s KILL 5 cat <&3 >"$T/out" 2>"$T/err" && [ "$(cat "$T/out")" != content ] && die "an open file is empty"
exec 3<&-
