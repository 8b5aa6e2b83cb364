#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# When workers die one after the other none is started any more, and that is said.  Requests wait then, and who makes
# them can be killed; SIGUSR1 lets them go on.  Whoever unmounts does not wait, dirty pages or not.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

start() {
	mount_with_log
	super=$(supervisor)
	echo content >"$M/f"
}

start
kill_worker KILL 10
! said 'no other is started' || die "ten deaths are too many"
kill -KILL "$(worker)"
within 5 rests || die "after eleven deaths nobody rests: $(processes "$M")"
said "one after the other.*--recover $M.*umount $M" || die "it is not said: $(cat "$T/log")"
[ -z "$(worker)" ] || die "somebody rests, and there is a worker"

cat "$M/f" >"$T/read" &
reader=$!
if timeout -s KILL 1 stat "$M/f" "$M/other" >"$T/stat" 2>&1; then
	die "somebody answers: $(cat "$T/stat")"
fi
kill -0 $reader || die "a reader does not wait"
[ ! -s "$T/read" ] || die "a reader got something: $(cat "$T/read")"
kill -USR1 "$super"
wait $reader || die "the reader failed"
[ "$(cat "$T/read")" = content ] || die "the reader got: $(cat "$T/read")"
said 'asked to try again' || die "nothing said of another try"

# Deaths after each of which somebody says that things are better are no row.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	kill -USR1 "$super"
	kill_worker
done
! rests || die "deaths were counted that were to be forgotten"
check

# What the kernel forgets while nobody serves is known afterwards.
mkdir "$M/many"
python3 -c 'import sys
for n in range(2000):
    open("%s/many/%d" % (sys.argv[1], n), "w").close()' "$M"
wear_out
echo 3 >/proc/sys/vm/drop_caches
kill -USR1 "$super"
rm -r "$M/many"
expect store/inodes 2
unmount

# Every way out, with nothing to be written back and with much.
dirty() {
	python3 -c 'import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 8 << 20)
mapping = mmap.mmap(fd, 8 << 20)
open(sys.argv[2], "w").close()
for at in range(0, 8 << 20, 4096):
    mapping[at] = 1
' "$M/dirty" "$T/begun"
}
for command in umount 'umount -l' 'fusermount3 -u' TERM; do
	for pages in clean dirty; do
		start
		if [ $pages = dirty ]; then
			rm -f "$T/begun"
			dirty &
			writer=$!
			within 10 test -e "$T/begun"
			wait $writer
		fi
		wear_out
		if [ "$command" = TERM ]; then
			kill -TERM "$super"
		else
			timeout -s KILL 10 $command "$M" || die "$command ($pages) of a mount that nobody serves: $?"
		fi
		within 10 no_processes "$M" || die "$command ($pages) left $(processes "$M")"
		wait "$daemon" || die "$command ($pages): exit status $?"
		! is_mounted "$M" || die "$command ($pages) left it mounted"
	done
done

# A mount that is in use stays.
start
exec 3<"$M/f"
wear_out
timeout -s KILL 10 umount "$M" 2>/dev/null && die "unmounted though a file is open"
rests || die "a refused umount ended the mount"
kill -USR1 "$super"
[ "$(cat <&3)" = content ] || die "the open file cannot be read"
exec 3<&-
