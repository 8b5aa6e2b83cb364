#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A worker that stands still for ten seconds loses nothing when it goes on, and one that is killed while it stands
# still has another in its place: who works on the mount only waits.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

mount_ksmfs size=256m
python3 - "$M" "$([ "${SCALE:-}" = small ] && echo 3 || echo 10)" <<'PY' || die "somebody did more than wait"
import signal, sys, time
from pages import *
from traffic import Traffic
from worker import await_worker, worker

mount, seconds = sys.argv[1], int(sys.argv[2])


def stopped_for(pid, seconds):
    """With requests in hand, too: 40 times for a moment, then for long."""
    for n in range(40):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.003)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.003)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)


traffic = Traffic(mount)
time.sleep(0.5)
first = worker(mount)
stopped_for(first, seconds)
os.kill(first, signal.SIGCONT)
time.sleep(0.5)
same(worker(mount), first, "the worker that goes on")
for n in range(3):
    pid = worker(mount)
    stopped_for(pid, 0.3)
    os.kill(pid, signal.SIGKILL)
    await_worker(mount, pid)
    time.sleep(0.5)
done = traffic.stop()
same(min(done) > 0, True, "everybody has done something")
same(figures(mount)["takeovers"], 3, "takeovers")
PY
