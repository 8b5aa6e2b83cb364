#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# More pages are being written back without memory than there are request threads: all of them are parked,
# everything else is answered at once, and when there is memory again not a byte is missing.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

WRITERS=4
STORED=3072        # pages that each of them stores, every third of its file
PARKED=12          # as many as the kernel sends at once; there are 8 threads
ROOM=$((160 << 20)) # for the mount, beside what the daemon has at its start

mount_in_group size=1g
limit=$(($(group_usage) + ROOM))
limit_group $limit

# The thread that runs parked writebacks.
task=$(grep -l '^ksmfs-parked$' "/proc/$(worker)"/task/*/comm) || die "there is no thread for parked writebacks"
task=${task%/comm}
# How often it has woken.
wakings() {
	awk '/ctxt_switches/ { n += $2 } END { print n }' "$task/status"
}
# For how many hundredths of a second it has been at work.
work() {
	sed 's/.*) //' "$task/stat" | awk '{ print $12 + $13 }'
}
sleeps() {
	before=$(wakings)
	sleep 1
	[ "$before" = "$(wakings)" ]
}
sleeps || die "the thread for parked writebacks wakes while nothing is parked"

cat >"$T/writer.py" <<'PY'
import os, sys, time
from pages import *

path, pages, dir = sys.argv[1], int(sys.argv[2]), sys.argv[3]
m = map_file(path, 3 * pages)
same(m[:], bytes(3 * pages * PAGE), "a new file")  # a hole that is first read without memory is SIGBUS
open(f"{dir}/ready.{os.path.basename(path)}", "w").close()
while not os.path.exists(f"{dir}/go"):  # until there is no memory
    time.sleep(0.05)
for p in range(pages):
    m[3 * p * PAGE:(3 * p + 1) * PAGE] = page(path, p)
m.flush()
m.close()
fd = os.open(path, os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # from the store
for p in range(pages):
    got = os.pread(fd, 3 * PAGE, 3 * p * PAGE)
    assert got == page(path, p) + bytes(2 * PAGE), f"{path}: what was stored in page {3 * p} is not there"
PY
writers=
for n in $(seq $WRITERS); do
	python3 "$T/writer.py" "$M/written$n" $STORED "$T" & # cannot be killed: it ends with the mount at the latest
	writers="$writers $!"
done
all_ready() {
	[ "$(find "$T" -maxdepth 1 -name 'ready.*' | wc -l)" = $WRITERS ]
}
within 60 all_ready || die "the writers do not start"

# Everything is taken by write(2), which is told so.
python3 - "$M" <<'PY'
import errno, os, sys
from pages import *

store(sys.argv[1] + "/small", content("small", 64))
fd = os.open(sys.argv[1] + "/ballast", os.O_CREAT | os.O_WRONLY)
pages = 0
while True:
    try:
        pages += os.write(fd, os.urandom(16 * PAGE)) // PAGE
    except OSError as e:
        same(e.errno, errno.ENOSPC, "a write without memory")
        break
assert pages > 4096, f"only {pages} pages fit"
PY
: >"$T/go"

parked() {
	[ "$(timeout 1 cat "$M/.ksmfs/fault/parked")" = "$1" ]
}
within 60 parked $PARKED || die "parked are $(attr fault/parked), not $PARKED"
timeout 1 ls "$M" >/dev/null || die "ls is not answered within a second"
timeout 1 cat "$M/.ksmfs/stats" >/dev/null || die "stats is not answered within a second"
timeout 1 sh -c "echo 0 >'$M/.ksmfs/run'" || die "a control is not taken within a second"
timeout 1 rm "$M/small" || die "rm is not answered within a second"
timeout 1 sh -c "echo 1 >'$M/.ksmfs/run'" || die "a control is not taken within a second"
within 10 parked $PARKED || die "what a small file held was enough for all"
for pid in $writers; do
	kill -0 "$pid" || die "a writer did not wait"
done

# Memory that comes back without a word is found, too: nothing of the mount is freed here.
written() {
	[ "$(attr store/pages_written)" -gt "$before" ]
}
rests() {
	before=$(attr store/pages_written)
	sleep 1
	! written
}
within 5 rests || die "pages are written, and there is no memory" # but for what the small file had
# Ten times a second is enough: that they give back what was too little for them tells them nothing.
before=$(work)
sleep 1
took=$(($(work) - before))
[ $took -le 30 ] || die "to wait for memory takes $took % of a CPU"
more_room() {
	limit=$((limit + (1 << 20)))
	limit_group $limit
	sleep 0.15
	written
}
within 10 more_room || die "nobody has noticed that there is memory again"
within 10 parked $PARKED || die "all could be written: nothing was left to wait for the ballast"

timeout 1 rm "$M/ballast" || die "rm is not answered within a second"
for pid in $writers; do
	wait "$pid" || die "a writer failed"
done
expect fault/parked 0
[ "$(attr fault/memory_waits)" -ge $PARKED ] || die "waits were not counted"
within 5 sleeps || die "the thread for parked writebacks does not come to rest"
