# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker of a mount, for tests that let another one take over."""
import os
import signal
import sys
import time
from calls import linux

# Workers that die more often in a row than this, none of them having served for a second, are not replaced any more.
IN_A_ROW = 9
killed = 0


def resends():
    """Does this kernel send again what a worker has left unanswered, as Linux 6.9 does?"""
    return linux(6, 9)


def process(role, mount):
    """Process id of the one of `mount` with that role; 0: there is none at the moment."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % pid) as comm, open("/proc/%s/cmdline" % pid, "rb") as command:
                if comm.read() == role + "\n" and command.read().rstrip(b"\0").endswith(b" " + mount.encode()):
                    return int(pid)
        except OSError:
            pass
    return 0


def worker(mount):
    """Who serves."""
    return process("ksmfs-worker", mount)


def await_worker(mount, but=0, seconds=30):
    """The same of one that is not `but`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid = worker(mount)
        if pid not in (0, but):
            return pid
        time.sleep(0.001)
    raise TimeoutError("no worker takes over")


def kill_in_a_row(mount, number=signal.SIGKILL):
    """End the worker, and wait until another one is there; where none can be there is no more to this test."""
    if not resends():
        print("skipped: this kernel does not send requests again, as Linux 6.9 does")
        sys.exit(77)
    pid = await_worker(mount)
    os.kill(pid, number)
    return await_worker(mount, pid)


def kill_worker(mount):
    """The same; now and then it waits for so long that this ends a row."""
    global killed
    pid = kill_in_a_row(mount)
    killed += 1
    if killed % IN_A_ROW == 0:
        os.statvfs(mount)  # it serves
        time.sleep(1.2)
    return pid


def kill_one(mount, number):
    pid = worker(mount)
    if pid:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def wear_out(mount, seconds=30):
    """Kill one after the other, until no other is started."""
    end = time.monotonic() + seconds
    while not process("ksmfs-rest", mount):
        if time.monotonic() > end:
            raise TimeoutError("workers are started for ever")
        kill_one(mount, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "resends":
        sys.exit(not resends())
    elif sys.argv[1] == "wear-out":
        wear_out(sys.argv[2])
    else:
        for _ in range(int(sys.argv[3])):
            kill_in_a_row(sys.argv[2], signal.Signals["SIG" + sys.argv[1]])
