#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each way in which a writeback that waits for a frame ends: frames are freed, by removing, truncating or merging another
# file; its own range is truncated; its file is removed; store_limit is raised; umount -f; umount -l and the end of the
# daemon. Meanwhile others are served, and what was stored is there after it, unless it was given up.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

STORED=300 # pages that a writer stores, of which about fifty have a frame
MANY=6000  # several times store_limit

# How: msync waits for all of it; start only has it written back.
cat >"$T/writer.py" <<'PY'
import ctypes, mmap, os, sys, time
from pages import *

path, pages, dir, how = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(path, os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, pages * PAGE)
m = mmap.mmap(fd, pages * PAGE)
same(m[:], bytes(pages * PAGE), "a new file")
open(f"{dir}/ready", "w").close()
while not os.path.exists(f"{dir}/go"):
    time.sleep(0.02)
for p in range(pages):
    m[p * PAGE:(p + 1) * PAGE] = page("stored", p)
if how == "msync":
    try:
        m.flush()
    except OSError:
        sys.exit(9)
else:
    same(libc.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), 2), 0, "sync_file_range")
    open(f"{dir}/started", "w").close()
    while not os.path.exists(f"{dir}/over"):
        time.sleep(0.02)
    m.flush()
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # from the store
for p in range(os.fstat(fd).st_size // PAGE):
    assert os.pread(fd, PAGE, p * PAGE) == page("stored", p), f"what was stored in page {p} is not there"
PY

exists() {
	[ -e "$1" ]
}
is_gone() {
	! kill -0 "$1" 2>/dev/null
}
parks() {
	[ "$(timeout 2 cat "$M/.ksmfs/fault/parked")" -gt 0 ]
}

# Who waits may not be killed: the end of the mount is what ends him.
writer=
before_end() {
	[ -z "$writer" ] || kill -KILL "$writer" 2>/dev/null || true
}

# A writer ($1: how) has stored pages ($2: not $STORED) for which there are no frames; $writer.
park() {
	rm -f "$T/ready" "$T/go" "$T/started" "$T/over"
	python3 "$T/writer.py" "$M/written" "${2:-$STORED}" "$T" "$1" &
	writer=$!
	within 20 exists "$T/ready" || die "the writer does not start"
	dd if=/dev/urandom of="$M/ballast" bs=64k 2>/dev/null && die "the store does not become full"
	: >"$T/go"
	within 20 parks || die "nothing is parked"
	before=$(attr fault/parked)
	timeout 2 ls "$M" >/dev/null || die "ls is not answered"
	timeout 2 cat "$M/.ksmfs/stats" >/dev/null || die "stats is not answered"
	timeout 2 sh -c "echo x >'$M/small' && rm '$M/small'" 2>/dev/null || timeout 2 mkdir "$M/d" || die "mkdir is not answered"
	timeout 2 rm -rf "$M/d" || die "rmdir is not answered"
	sleep 0.3 # it comes again, and has to wait again
	kill -0 "$writer" || die "the writer did not wait"
	parks || die "it was not parked for long"
	[ "$(attr store/frames)" -le 1024 ] || die "store_limit is passed: $(attr store/frames)"
}

# The writer ends with status $1, and all that it waited for is over.
ends() {
	status=0
	wait "$writer" || status=$?
	[ $status = "$1" ] || die "the writer ends with $status, not $1"
	expect fault/parked 0
}

clean() {
	rm -f "$M/written" "$M/ballast"
	expect_empty
	expect store/frames 0
}

mount_with_log size=64m,store_limit=4m

# --- frames are freed
park msync
said 'store_limit is reached' || die "the log does not say why: $(cat "$T/log")"
rm "$M/ballast"
ends 0
[ "$(attr fault/memory_waits)" -gt 0 ] || die "it is not counted"
clean

park msync
truncate -s 0 "$M/ballast"
ends 0
clean

# Merging makes room, however slowly the scanner goes.
set_attr merge_on_write 0
set_attr pages_to_scan 1
set_attr sleep_millisecs 600000
set_attr run 0
python3 - "$M/pairs" <<'PY'
import sys
from pages import *

store(sys.argv[1], content("pairs", 300) * 2)
PY
park start
set_attr run 1
expect fault/parked 0
[ "$(attr scan/urgent_passes)" -gt 0 ] || die "no urgent pass"
rm "$M/ballast"
: >"$T/over"
ends 0
rm "$M/pairs"
set_attr merge_on_write 1
set_attr sleep_millisecs 20
set_attr pages_to_scan 100
clean

# --- the limit is raised, or taken away
park msync
set_attr store_limit 16m
ends 0
set_attr store_limit 16m
rm "$M/ballast" "$M/written"
expect store/frames 0
set_attr store_limit 4m
park msync
"$KSMFS" -o remount,store_limit=0 "test-$$" "$M"
ends 0
attr_is store_limit 0 || die "the limit is $(attr store_limit)"
clean
set_attr store_limit 4m

# --- its own range is truncated: the kernel has that wait for the writeback, and then it is so
park start
truncate -s $((STORED / 2 * 4096)) "$M/written" &
truncation=$!
sleep 0.5
kill -0 $truncation || die "a truncation did not wait"
timeout 2 ls "$M" >/dev/null || die "ls is not answered while a truncation waits"
rm "$M/ballast"
wait $truncation || die "the truncation failed"
[ "$(stat -c %s "$M/written")" = $((STORED / 2 * 4096)) ] || die "it was not truncated"
: >"$T/over"
ends 0
[ "$(attr store/data_pages)" -le $((STORED / 2)) ] || die "pages beyond the end: $(attr store/data_pages)"
clean

# --- its file is removed, and the limit is no limit for what its user has stored: not a byte is lost while he lives, and
# all of it goes when he is killed, before that or after it
within_limit() {
	[ "$(attr store/frames)" -le 1024 ]
}
park start $MANY
timeout 2 rm "$M/written" || die "rm is not answered"
expect fault/parked 0
! within_limit || die "all had frames, and were parked: $(attr store/frames)"
kill_worker # the next one finds more than the limit
: >"$T/over"
ends 0
within 5 within_limit || die "frames stay: $(attr store/frames)"
clean
for first in rm kill; do
	park start $MANY
	[ $first = rm ] || kill -KILL "$writer"
	timeout 2 rm "$M/written" || die "rm is not answered"
	[ $first = kill ] || sleep 1 # he goes on storing
	[ $first = kill ] || kill -KILL "$writer"
	within 5 is_gone "$writer" || die "whoever was killed does not end: $first first, $(attr store/frames) frames"
	ends 137
	within 5 within_limit || die "frames stay: $(attr store/frames)"
	timeout 2 sh -c "rm '$M/ballast' && echo x >'$M/small' && rm '$M/small'" || die "a neighbour is not served"
	clean
done
check

# --- umount -f: who waits is told, and the daemon ends
park msync
umount -f "$M" 2>/dev/null || umount -l "$M"
wait "$writer" && die "nobody told the writer"
within 10 no_processes "$M" || die "processes outlive the mount"

# --- umount -l, and the end of the daemon
wait "$daemon" || true
mount_with_log size=64m,store_limit=4m
park msync
super=$(supervisor)
umount -l "$M"
sleep 0.3
kill -0 "$writer" || die "the writer did not wait"
kill -TERM "$super"
wait "$writer" && die "nobody told the writer"
within 10 no_processes "$M" || die "processes outlive the mount"
wait "$daemon" || true
