#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Merging and not merging never show in a file: fifty random flips of the controls under writers.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=512m
settle
python3 - "$M" <<'PY'
import os, random, sys, time
from pages import *

mnt = sys.argv[1]
n = PAGES // 4

def writer(seed, stop):
    """Write few different pages to many places, by mmap and write(2), until told to stop."""
    rng = random.Random(seed)
    kinds = [page("kind", k) for k in range(8)] + [bytes(PAGE)]
    path = f"{mnt}/w{seed}"
    model = bytearray(n * PAGE)
    with map_file(path, n) as m, open(path, "r+b", buffering=0) as f:
        while not os.path.exists(stop):
            for _ in range(100):
                i = rng.randrange(n)
                data = bytearray(rng.choice(kinds))
                if rng.random() < 0.3:
                    data[rng.randrange(PAGE)] ^= 1 + rng.randrange(255)
                model[i * PAGE:(i + 1) * PAGE] = data
                if rng.random() < 0.5:
                    m[i * PAGE:(i + 1) * PAGE] = data
                else:
                    os.pwrite(f.fileno(), data, i * PAGE)
            m.flush()
    same(open(path, "rb").read(), bytes(model), f"file of writer {seed}")

still = {}
for name in range(4):
    path = f"{mnt}/still{name}"
    store(path, content("still", n))
    still[path] = digest(path)

stop = os.path.join(os.path.dirname(mnt), "stop")
children = []
for seed in range(3):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            writer(seed, stop)
            status = 0
        finally:
            os._exit(status)
    children.append(pid)

rng = random.Random(3)
six = ("pages_shared", "pages_sharing", "pages_unshared", "ksm_zero_pages", "pages_volatile",
       "pages_untracked")
try:
    for flip in range(50):
        name = rng.choice(("run", "merge_on_write"))
        with open(f"{mnt}/.ksmfs/{name}", "w") as f:
            f.write(str(rng.randrange(2)))
        time.sleep(0.05)
        # One consistent snapshot, whatever happens meanwhile.
        now = figures(mnt)
        same(sum(now[k] for k in six), now["store/data_pages"], "the six counters")
        if flip % 10 == 0:
            with open(f"{mnt}/still0") as f:  # from the store, not from the page cache
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for path, want in still.items():
            same(digest(path), want, f"{path} after flip {flip}")
finally:
    open(stop, "w").close()
    for pid in children:
        same(os.waitpid(pid, 0)[1], 0, "a writer")
PY
check
set_attr run 1
set_attr merge_on_write 1
settle
check
rm "$M"/w* "$M"/still*
expect_empty
