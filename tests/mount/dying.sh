#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Applications die with locked and populated mappings, in the middle of faults and stores, of SIGKILL and without memory,
# while pages are unmerged, workers are killed, and the page cache is trimmed: each is gone in time, and leaves nothing.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

ROUNDS=200
[ "${SCALE:-}" != small ] || ROUNDS=40
GONE_MS=5000

mount_ksmfs size=512m
mkdir "$M/dir"
if [ "${SCALE:-}" != small ] && [ -n "$(memory_groups)" ]; then
	make_group
	limit_group $((16 << 20))
fi
# Whatever else happens meanwhile; the next begins when it has come to its end.
cat >"$T/meanwhile.py" <<'PY'
import os, random, sys, time
from worker import kill_worker, resends

mount, until = sys.argv[1:]


def control(name, value):
    try:
        with open(f"{mount}/.ksmfs/{name}", "w") as f:
            f.write(value)
    except InterruptedError:
        pass


control("trim_age", "1")
done = [0, 0, 0]
while not os.path.exists(until):
    which = random.randrange(0 if resends() else 1, 8)
    if which == 0:
        kill_worker(mount)
    elif which < 5:
        control("run", "2")
        control("run", "1")
    else:
        control("trim_mode", random.choice(("off", "closed", "cold")))
        time.sleep(0.01)
    done[0 if which == 0 else 1 if which < 5 else 2] += 1
control("run", "1")
print("%d takeovers, %d times unmerged, %d times trimmed" % tuple(done))
assert all(done[0 if resends() else 1:]), "not everything has happened"
PY
python3 "$T/meanwhile.py" "$M" "$T/over" >"$T/meanwhile" 2>&1 &
meanwhile=$!
ends_with_test
"${BUILD:?}/tests/pressure/dying" "$M/dir" $ROUNDS $GONE_MS ${group:+"$group"} || die "not everybody died as he should"
: >"$T/over"
wait $meanwhile || die "meanwhile: $(cat "$T/meanwhile")"
cat "$T/meanwhile"
rmdir "$M/dir" || die "left are $(ls -A "$M/dir")"
expect_empty
expect store/inodes 1
