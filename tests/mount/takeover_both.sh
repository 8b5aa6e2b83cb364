#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Supervisor and worker die together: nothing can be saved, so nobody waits.  Calls in hand and new ones fail at once, what
# is mapped and not in memory cannot be had (SIGBUS), and when the mount point is let go of the next mount is as
# good as any.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
for round in together supervisor-first; do
	python3 - "$M" $round <<'PY' || die "$round: somebody hangs, or does not notice"
import errno, mmap, signal, sys, time
from pages import *
from worker import worker

mount, order = sys.argv[1:]
os.chdir(mount)
store("mapped", content("mapped", 8))
fd = os.open("file", os.O_RDWR | os.O_CREAT)


def lost(call, *args):
    start = time.monotonic()
    fails_with((errno.ENOTCONN, errno.ECONNABORTED, errno.EIO), call, *args)
    same(time.monotonic() - start < 2, True, f"{call.__name__} fails at once")


def fails_with(errnos, call, *args):
    try:
        call(*args)
    except OSError as e:
        same(e.errno in errnos, True, f"{call.__name__}: {e}")
    else:
        raise AssertionError(f"{call.__name__}{args} succeeded")


def busy():
    """Works until it is told that there is nothing to work on any more."""
    n = 0
    try:
        while True:
            with open(f"busy{os.getpid()}", "w") as f:
                f.write(str(n))
            n += 1
    except OSError as e:
        return e.errno


children = [Child(busy) for n in range(4)]
cached = os.open("mapped", os.O_RDWR)
os.fsync(cached)
os.posix_fadvise(cached, 0, 0, os.POSIX_FADV_DONTNEED)
mapped = mmap.mmap(cached, 8 * PAGE)
time.sleep(0.3)
pids = [int(open(f"/proc/{worker(mount)}/stat").read().split(") ")[1].split()[1]), worker(mount)]
os.kill(pids[0], signal.SIGKILL)
if order == "together":
    os.kill(pids[1], signal.SIGKILL)
for child in children:
    e, seconds = child.result()
    same(e in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO), True, f"what ended somebody's work: {errno.errorcode[e]}")
wait_for("both are gone", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 10)
lost(os.stat, "absent")
lost(os.open, "new", os.O_CREAT | os.O_WRONLY)
lost(os.pwrite, fd, b"x", 0)
lost(os.listdir, ".")
loader = os.fork()
if loader == 0:
    os._exit(mapped[0] * 0)
same(os.WTERMSIG(os.waitpid(loader, 0)[1]), signal.SIGBUS, "what ends who loads what is mapped")
PY
	umount -l "$M"
	within 5 no_processes "$M" || die "processes are left"
	mount_ksmfs size=64m
	echo new >"$M/new"
	[ "$(cat "$M/new")" = new ] || die "the next mount"
	[ "$(ls "$M")" = new ] || die "the next mount is not empty"
	rm "$M/new"
done
