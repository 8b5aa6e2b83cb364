# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker of a mount, for tests that let another one take over."""
import os
import signal
import time


def worker(mount):
    """Process id of the worker that serves `mount`; 0: there is none at the moment."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % pid) as comm, open("/proc/%s/cmdline" % pid, "rb") as command:
                if comm.read() == "ksmfs-worker\n" and command.read().rstrip(b"\0").endswith(b" " + mount.encode()):
                    return int(pid)
        except OSError:
            pass
    return 0


def await_worker(mount, but=0, seconds=30):
    """The same of one that is not `but`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid = worker(mount)
        if pid not in (0, but):
            return pid
        time.sleep(0.001)
    raise TimeoutError("no worker takes over")


def kill_worker(mount):
    """End the worker, and wait until another one is there."""
    pid = await_worker(mount)
    os.kill(pid, signal.SIGKILL)
    return await_worker(mount, pid)
