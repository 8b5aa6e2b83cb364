#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksmfs-check looks at a mount whoever serves it: stopped, without a worker, and at what a dead daemon has left.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/private.sh"
. "$TESTS/lib.sh"
run_directory_of_ones_own

# Who stands still would keep the end of a test that has failed from coming.
before_end() {
	for pid in $(processes "$M"); do
		kill -CONT "$pid"
	done
}

mount_ksmfs size=64m
set_attr trim_age 1
mkdir "$M/dir"
python3 - "$M" <<'PY'
import sys
from pages import *

store(f"{sys.argv[1]}/a", content("a", 16))
store(f"{sys.argv[1]}/dir/b", content("a", 16))
os.link(f"{sys.argv[1]}/a", f"{sys.argv[1]}/dir/c")
PY
settle
run=$(attr index/directory)
role() {
	for pid in $(processes "$M"); do
		case $(cat "/proc/$pid/comm") in
		ksmfs-"$1") echo "$pid" ;;
		esac
	done
}
state() {
	sed 's/.*) //; s/ .*//' "/proc/$1/stat"
}
state_is() {
	[ "$(state "$1")" = "$2" ]
}
worker=$(role worker) super=$(role super)

stop() {
	kill -STOP "$1"
	within 5 state_is "$1" T || die "process $1 does not stop"
}

# The answer for $1 must match $2, with exit status $3; within 20 s, or somebody waits for the mount.
looks() {
	status=0
	timeout 20 "${KSMFS_CHECK:?}" "$1" >"$T/said" 2>&1 || status=$?
	[ $status = "$3" ] || die "ksmfs-check $1: exit status $status: $(cat "$T/said")"
	grep -qE -- "$2" "$T/said" || die "ksmfs-check $1 says: $(cat "$T/said")"
}

looks "$M" '^ok$' 0
looks "$M/" '^ok$' 0
looks "$run" '^ok$' 0
ln -s "$M" "$T/link"
looks "$T/link" '^ok$' 0
if grep -q compare "$T/said"; then die "there is somebody to compare with: $(cat "$T/said")"; fi
looks "$T" "neither a ksmfs mount nor the directory of one's databases$" 2
looks "$M/dir" "neither a ksmfs mount nor the directory of one's databases$" 2
looks "-x" "needs one MOUNTPOINT" 2
looks "-h" "^Usage: " 0
looks "$T/absent" "absent: cannot be found: No such file" 2

# Who was stopped by somebody else stays so.
stop "$worker"
looks "$M" '^ok$' 0
grep -q 'nobody serves' "$T/said" || die "$(cat "$T/said")"
state_is "$worker" T || die "the worker goes on though it was not stopped by the check"
state_is "$super" S || die "the supervisor does not go on"
stop "$super"
looks "$run" '^ok$' 0
state_is "$super" T || die "the supervisor goes on though it was not stopped by the check"
kill -CONT "$worker"
looks "$M" '^ok$' 0

# Whoever waits for the worker cannot be stopped, and need not be: the notifier, in the middle of an errand.
notifier=$(role notify)
waits() {
	grep -q '^request_wait_answer$' "/proc/$notifier/wchan"
}
kill -STOP "$notifier"
cat "$M/a" "$M/dir/b" >/dev/null
sleep 3 # it is told to drop what nobody uses
kill -STOP "$worker"
kill -CONT "$notifier"
within 5 waits || die "the notifier is given nothing to do"
looks "$M" '^ok$' 0
kill -CONT "$worker"
looks "$M" '^ok$' 0

needs_resends
# Nobody serves: the supervisor, which would start another, stands still.
kill -KILL "$worker"
dead() {
	state_is "$worker" Z || ! [ -e "/proc/$worker" ]
}
within 10 dead || die "the worker lives"
looks "$M" '^ok$' 0
looks "$run" '^ok$' 0
grep -q 'nobody serves' "$T/said" || die "$(cat "$T/said")"
kill -CONT "$super"
another_serves() {
	worker=$(role worker)
	[ -n "$worker" ]
}
within 10 another_serves || die "no worker takes over"
[ "$(stat -c %h "$M/a")" = 2 ] || die "the next worker has lost a link"
looks "$M" '^ok$' 0

# All of it gone: the names are there, and that is all.
kill -STOP "$super"
kill -KILL "$worker" "$super"
within 10 no_processes "$M" || die "processes stay"
looks "$M" 'no process of its daemon is to be seen' 2
umount -l "$M"
looks "$run" 'its daemon is gone, and with it what its files held' 1
grep -q '^names.db is whole, with 4 names' "$T/said" || die "$(cat "$T/said")"
mount_ksmfs size=64m # sweeps the directory
[ ! -e "$run" ] || die "$run stays"
