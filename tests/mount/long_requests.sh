#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# More requests that take long than there are request threads: others are served meanwhile, and a signal reaches them.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

[ "${SCALE:-}" = small ] && EACH=512 || EACH=8192
mount_ksmfs size=4g
python3 - "$M" $EACH <<'PY'
import os, signal, sys, time
from pages import *

mount, each = sys.argv[1], int(sys.argv[2])
LONG = 24
one = page("one", 0) * 256
for n in range(LONG):
    with open(f"{mount}/f{n}", "wb") as f:
        for at in range(0, each * PAGE, len(one)):
            os.pwrite(f.fileno(), one, at)

def opt_out(n):
    class Signal(Exception):
        pass

    def stop(*_):
        raise Signal

    signal.signal(signal.SIGINT, stop)
    try:
        os.setxattr(f"{mount}/f{n}", "user.ksmfs.mergeable", b"0")
        return 0
    except Signal:
        return 1

children = []
for n in range(LONG):
    pid = os.fork()
    if pid == 0:
        os._exit(opt_out(n))
    children.append(pid)
worst, served, running = 0, 0, set(children)
while running:
    before = time.monotonic()
    try:
        os.stat(f"{mount}/missing{before}")
    except FileNotFoundError:
        pass
    if served == 20:
        with open(f"{mount}/.ksmfs/stats") as f:
            f.read()
        if children[0] in running:
            os.kill(children[0], signal.SIGINT)
    worst = max(worst, time.monotonic() - before)
    served += 1
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            running.remove(pid)
            assert os.WIFEXITED(status) and os.WEXITSTATUS(status) <= 1, f"opting out: {status:#x}"
print(f"{served} lookups, the longest took {worst * 1000:.1f} ms")
assert worst < 1, f"a lookup took {worst} s while others opt out"
with open(f"{mount}/f1", "rb") as f:
    os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    same(f.read(len(one)) == one, True, "the bytes of a file that has opted out")
PY
