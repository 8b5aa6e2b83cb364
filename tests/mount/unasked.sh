#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A worker dies between doing what it was asked for and answering, and who had asked is killed before he can ask again: what
# was counted for him (a lookup, an open file) is taken back, and nothing stays for ever; nor does a name that he has made:
# the kernel believes that there is none.  And who was killed while a worker had his request does not wait for another.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

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

# The worker is in the middle of an answer.
kill_worker KILL 10
set_attr debug/pause_read_reply 60000
echo content >"$M/read"
python3 -c 'import mmap, os, sys
os.preadv(os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), [mmap.mmap(-1, 4096)], 0)' "$M/read" &
client=$!
waits() {
	grep -q '^request_wait_answer$' "/proc/$client/wchan"
}
is_in_hand() {
	waits && [ "$(attr debug/pause_read_reply)" = 0 ]
}
within 10 is_in_hand || die "nobody is in the middle of an answer"
kill -KILL $client
sleep 0.2
waits || die "who is killed does not wait for what was read"
kill -KILL "$(worker)"
within 10 rests || die "nobody rests"
has_gone() {
	! waits 2>/dev/null
}
within 5 has_gone || die "who was killed waits for somebody to serve"
wait $client 2>/dev/null || :
kill -USR1 "$super"
within 10 worker_is_there || die "nobody serves again"
rm "$M/read"

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
