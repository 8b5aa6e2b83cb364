#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Eight writers with O_DIRECT on one page, and on eight pages that share a frame, while all is merged and unmerged again and
# again: none starves, and none waits for long.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

[ "${SCALE:-}" = small ] && SECONDS_EACH=2 || SECONDS_EACH=6
mount_ksmfs size=256m
set_attr sleep_millisecs 0
set_attr pages_to_scan 1000
python3 - "$M" $SECONDS_EACH <<'PY'
import mmap, os, statistics, sys, time
from pages import *

mount, seconds = sys.argv[1], int(sys.argv[2])
WRITERS = 8

def aligned(data):
    m = mmap.mmap(-1, PAGE)
    m[:] = data
    return m

def writer(path, index, seed, start, stop):
    """Writes until `stop`; its operations, and the longest in ms."""
    fd = os.open(path, os.O_WRONLY | os.O_DIRECT)
    pages = [aligned(page("common", 0)), aligned(page("own", seed))]
    ops, longest = 0, 0.0
    while time.monotonic() < start:
        pass
    now = time.monotonic()
    while now < stop:
        os.pwrite(fd, pages[ops % 2], index * PAGE)
        then, now = now, time.monotonic()
        longest = max(longest, now - then)
        ops += 1
    os.pwrite(fd, pages[1], index * PAGE)
    return ops, longest * 1000

def contest(name, index_of):
    path = f"{mount}/{name}"
    store(path, page("common", 0) * WRITERS)
    start = time.monotonic() + 0.5
    stop = start + seconds
    children = []
    for seed in range(WRITERS):
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.write(w, repr(writer(path, index_of(seed), seed, start, stop)).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(w)
        children.append((pid, r))
    run = 1
    while time.monotonic() < stop:
        run = 3 - run
        with open(f"{mount}/.ksmfs/run", "w") as f:
            f.write(str(run))
        time.sleep(0.1)
    results = []
    for pid, r in children:
        same(os.waitpid(pid, 0)[1], 0, "a writer")
        results.append(eval(os.read(r, 100)))
        os.close(r)
    ops, longest = [o for o, _ in results], max(l for _, l in results)
    print(f"{name}: operations {sorted(ops)}, the longest took {longest:.1f} ms, "
          f"retries {figures(mount)['fault/retries_resumed']} + {figures(mount)['fault/retries_restarted']}")
    assert min(ops) * 2 >= statistics.median(ops), f"{name}: somebody starves: {sorted(ops)}"
    assert longest < 1000, f"{name}: one write took {longest:.0f} ms"
    with open(path, "rb") as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for seed in range(WRITERS):
            f.seek(index_of(seed) * PAGE)
            got = f.read(PAGE)
            assert got in [page("own", s) for s in range(WRITERS) if index_of(s) == index_of(seed)], "lost bytes"

contest("one-page", lambda seed: 0)
contest("one-frame", lambda seed: seed)
PY
