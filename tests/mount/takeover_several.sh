#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Workers that are killed while they take over, one after the other, wherever they have come to, leave as much as one
# that is killed while it serves: who works on the mount only waits.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

mount_ksmfs size=256m
python3 - "$M" <<'PY' || die "somebody did more than wait"
import signal, sys, time
from pages import *
from traffic import Traffic
from worker import await_worker, kill_worker, worker

mount = sys.argv[1]


def armed(name):
    with open(mount + "/.ksmfs/debug/kill_at") as f:
        return name not in f.read().splitlines()


traffic = Traffic(mount)
time.sleep(0.3)
begun = figures(mount)["takeovers"]

# At each point of a takeover that has a name, if this build has them: each lets one worker die.
try:
    with open(mount + "/.ksmfs/debug/kill_at") as f:
        points = [name for name in f.read().split() if name.startswith("recover_")]
except FileNotFoundError:
    points = []
for n in range(3):
    for name in points:
        hook(mount, "kill_at", name)
    kill_worker(mount)
    wait_for("a worker has come through", lambda: figures(mount)["takeovers"] == begun + n + 1, 30)
    for name in points:  # there need not be anything to drop
        same(armed(name) and name != "recover_dropping", False, f"nobody died at {name}: that")
        hook(mount, "kill_at", name + " 0")
    os.statvfs(mount)
    time.sleep(1.2)  # dying more often than this is a fault, and waits for somebody (backoff.h)

# Every few milliseconds, as long as that is no fault yet.
for burst in range(5):
    last = 0
    for n in range(9):
        last = await_worker(mount, last)
        time.sleep(0.001 * burst)
        os.kill(last, signal.SIGKILL)
    await_worker(mount, last)
    os.statvfs(mount)  # it serves
    time.sleep(1.2)
done = traffic.stop()
same(min(done) > 0, True, "everybody has done something")
PY
