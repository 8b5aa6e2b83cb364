#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A worker dies between doing what it was asked for and answering, and who had asked is killed before he can ask again: what
# was counted for him (a lookup, an open file) is taken back, and nothing stays for ever; nor does a name that he has made:
# the kernel believes that there is none.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_with_log
super=$(supervisor)
[ -e "$M/.ksmfs/debug/kill_at" ] || skip "the build has no hooks"

# unasked POINT COMMAND...: the command's request is done, its worker dies, nobody serves, the command is killed.
unasked() {
	point=$1
	shift
	kill -USR1 "$super"
	kill_worker KILL 10
	set_attr debug/kill_at "$point"
	"$@" &
	client=$!
	within 10 rests || die "$point: nobody rests"
	kill -KILL $client
	wait $client 2>/dev/null || :
	kill -USR1 "$super"
	within 10 worker_is_there || die "$point: nobody serves again"
}

worker_is_there() {
	[ -n "$(worker)" ]
}

echo 2 >/proc/sys/vm/drop_caches
expect store/inodes 1
unasked receipt_counted python3 -c 'import os, sys; os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)' "$M/made"
[ ! -e "$M/made" ] # so it believes
echo content >"$M/there"
echo 2 >/proc/sys/vm/drop_caches
unasked receipt_counted stat "$M/there"
rm "$M/there"

sleep 6 # COMING_MS in fs/takeover.c
[ ! -e "$M/none" ]
echo 2 >/proc/sys/vm/drop_caches
expect store/inodes 1
check
