#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# With nothing to do the daemon does not wake at all; the first change wakes the scanner, every time.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/private.sh"
. "$TESTS/lib.sh"
run_directory_of_ones_own

if [ "${SCALE:-}" = small ]; then
	IDLE=3 ROUNDS=50
else
	IDLE=60 ROUNDS=1000
fi

mount_ksmfs size=512m,merge_on_write=0
set_attr trim_age 1
python3 - "$M" <<'PY'
import sys
from pages import *

store(f"{sys.argv[1]}/a", content("idle"))
store(f"{sys.argv[1]}/b", content("idle"))
PY
settle
expect pages_sharing "$PAGES"

# Of each thread.
switches() {
	for pid in $(processes "$M"); do
		cat /proc/"$pid"/task/*/status
	done | awk '/^Name:/ { name = $2 } /^Pid:/ { pid = $2 } /ctxt_switches/ { n[name " " pid] += $2 } END { for (t in n) print t, n[t] }' | sort
}

# Freed memory goes back and index.db is written in the seconds after a change; on a busy machine, in many.
at_rest() {
	switches >"$T/before"
	sleep 10
	switches >"$T/after"
	cmp -s "$T/before" "$T/after"
}
# ThreadSanitizer has a thread of its own, which never rests.
if ! grep -q __tsan_init "$KSMFS"; then
	tries=6
	until at_rest; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || die "the daemon does not come to rest: $(diff "$T/before" "$T/after")"
	done
	at_rest || die "context switches in 10 s without anything to do: $(diff "$T/before" "$T/after")"
fi
sleep $IDLE

# A page equal to one that is there, after the long rest and then at any moment around falling asleep.
python3 - "$M" $ROUNDS <<'PY'
import os, random, sys, time
from pages import *

mount, rounds = sys.argv[1], int(sys.argv[2])
rng = random.Random(7)
fd = os.open(f"{mount}/c", os.O_CREAT | os.O_WRONLY)
first = sharing = figures(mount)["pages_sharing"]
woken = figures(mount)["scan/wakeups"]
with open(f"{mount}/.ksmfs/pages_sharing", "rb", buffering=0) as f:
    for i in range(rounds):
        os.pwrite(fd, page("idle", i % PAGES), i * PAGE)
        sharing += 1
        until = time.monotonic() + 20
        while int(os.pread(f.fileno(), 64, 0)) != sharing:
            assert time.monotonic() < until, f"round {i}: the scanner was not woken: {figures(mount)}"
            time.sleep(0.001)
        time.sleep(rng.random() * 0.03)
woken = figures(mount)["scan/wakeups"] - woken
same(figures(mount)["pages_sharing"], first + rounds, "pages_sharing")
assert woken > rounds // 10, f"it fell asleep {woken} times only: this shows nothing"
PY
