#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run=2 splits all that is merged; a signal ends it, and so does the end of memory, long before anybody is killed: what was
# split stays split, run reads 0, and no byte is wrong.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

write_equal() {
	python3 - "$1" "$2" <<'PY'
import sys
from pages import *

one = page("equal", 0) * 256
with open(sys.argv[1], "wb") as f:
    for _ in range(int(sys.argv[2]) // 256):
        f.write(one)
PY
}

all_equal() {
	python3 - "$1" <<'PY'
import os, sys
from pages import *

fd = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
one = page("equal", 0)
while data := os.read(fd, 256 * PAGE):
    same(data, one * (len(data) // PAGE), "the file")
PY
}

# echo 2 > run by a program that says the errno.
unmerge_errno() {
	python3 - "$M/.ksmfs/run" <<'PY'
import errno, os, sys

try:
    with open(sys.argv[1], "w") as f:
        f.write("2")
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])
PY
}

n=$((PAGES * 64)) # 256 MiB; 32 with sanitizers
mount_ksmfs size=1g
write_equal "$M/file" $n
settle
expect pages_sharing $((n - 1))

# A signal to the writer.
python3 - "$M" $n <<'PY' || die "a signal does not end it with EINTR"
import os, signal, sys
from pages import *

run = sys.argv[1] + "/.ksmfs/run"

class Alarm(Exception):
    pass

def ring(*_):
    raise Alarm

signal.signal(signal.SIGALRM, ring)
for ms in (20, 10, 5, 2, 1) * 4:
    scans = figures(sys.argv[1])["full_scans"]
    try:
        signal.setitimer(signal.ITIMER_REAL, ms / 1000)
        fd = os.open(run, os.O_WRONLY)
        os.write(fd, b"2")
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.close(fd)
    except Alarm:  # Python would have tried again after EINTR
        now = figures(sys.argv[1])
        if now["run"] == 0:  # else it came before the write began, or after its end
            assert now["full_scans"] >= scans, "full_scans went back, and it was interrupted"
            sys.exit(0)
    fd = os.open(run, os.O_WRONLY)
    os.write(fd, b"1")
    os.close(fd)
    wait_for("all of it merged again", lambda: figures(sys.argv[1])["pages_sharing"] == int(sys.argv[2]) - 1, 60)
sys.exit(1)
PY
[ "$(attr run)" = 0 ] || die "run is $(attr run) after a signal"
split=$(attr pages_untracked)
[ "$split" -gt 0 ] || [ "$(attr pages_sharing)" = $((n - 1)) ] || die "nothing was split, and less is merged"
expect store/data_pages $n
[ $((split + $(attr pages_shared) + $(attr pages_sharing) + $(attr pages_volatile) + $(attr pages_unshared))) = $n ] ||
	die "the counters do not add up to $n after a signal"
check

# To its end; what is written meanwhile and after is merged with nothing.
[ "$(unmerge_errno)" = ok ] || die "run=2 fails"
[ "$(attr run) $(attr pages_untracked) $(attr pages_sharing) $(attr full_scans)" = "2 $n 0 0" ] ||
	die "after run=2: $(cat "$M/.ksmfs/stats")"
write_equal "$M/second" 256
[ "$(attr pages_untracked)" = $((n + 256)) ] || die "what is written while run is 2 is tracked"
all_equal "$M/file"

# Another value ends it, too, and holds then.
set_attr run 1
settle
expect pages_sharing $((n + 255))
unmerge_errno >"$T/errno" &
ends_with_test
first=$!
while kill -0 $first 2>/dev/null && [ "$(attr run)" != 2 ]; do :; done
set_attr run 1
wait $first
case $(cat "$T/errno") in
EINTR | ok) ;;
*) die "a run=2 that another value ends says $(cat "$T/errno")" ;;
esac
[ "$(attr run)" = 1 ] || die "the later value does not hold: run is $(attr run)"
settle
expect pages_sharing $((n + 255))
check
all_equal "$M/file"
unmount "$M"

# The end of memory: unique pages and 64 MiB more are what the daemon may take.
[ "${SCALE:-}" != small ] || exit 0 # a sanitizer's own memory does not fit into the limit
mount_in_group size=1g || die "it does not mount in a cgroup"
write_equal "$M/file" $n
python3 - "$M/unique" <<'PY'
import sys
from pages import *

with open(sys.argv[1], "wb") as f:
    for p in range(64 * 256):
        f.write(page("unique", p))
PY
settle
expect pages_sharing $((n - 1))
limit_group $((128 << 20))
[ "$(unmerge_errno)" = ENOMEM ] || die "run=2 in a cgroup that cannot hold it does not end with ENOMEM"
[ "$(attr run)" = 0 ] || die "run is $(attr run) after ENOMEM"
[ "$(attr full_scans)" -gt 0 ] || die "full_scans is 0 after ENOMEM"
[ "$(killed_in_group)" = 0 ] || die "somebody was killed"
echo x >"$M/small" || die "nobody can write any more after ENOMEM"
all_equal "$M/file"
set_attr run 1
settle
expect pages_sharing $((n - 1))
