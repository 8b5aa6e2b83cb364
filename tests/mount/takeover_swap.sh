#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory of a worker that the system moves about (compaction) or takes away (swap) is there when the kernel copies a
# request into it or an answer out of it: workers may be killed meanwhile, and nobody gets an error.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

[ -w /proc/sys/vm/compact_memory ] || skip "memory cannot be compacted"
echo 1 >/proc/sys/vm/compact_memory &
compactor=$!
# It waits for pages that any mount of the machine has not written back.
within 10 sh -c "! kill -0 $compactor 2>/dev/null" || skip "compacting memory does not come to an end"
mount_in_group_with_swap size=512m 512m

python3 - "$M" "$group" <<'PY' || die "somebody did more than wait"
import mmap, sys, time
from group import Group
from pages import *
from traffic import Traffic, mapped, written
from worker import kill_worker

mount, group = sys.argv[1], Group(sys.argv[2])
COLD = 24 * 1024  # pages, of which few are in memory
SEED = os.urandom(16)
BLOCK = 256  # pages: the largest answer


def block(n):
    return hashlib.shake_128(SEED + n.to_bytes(4, "big")).digest(BLOCK * PAGE)


def squeeze(dir_=None, seed=None, go_on=lambda n=iter((True, False)): next(n)):
    """Everything that can be taken away goes to swap."""
    n = 0
    while go_on():
        group.empty()
        n += 1
        time.sleep(0.05)
    return n


def cold(dir_, seed, go_on):
    """Reads pages that nobody has read for long, past the page cache."""
    rng, n = random.Random(seed), 0
    fd, buf = os.open(f"{mount}/cold", os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, BLOCK * PAGE)
    while go_on():
        at = rng.randrange(COLD // BLOCK)
        pages = rng.choice((1, 16, 40, BLOCK, BLOCK, BLOCK))
        same(os.preadv(fd, [memoryview(buf)[:pages * PAGE]], at * BLOCK * PAGE), pages * PAGE, "bytes read")
        same(buf[:pages * PAGE] == block(at)[:pages * PAGE], True, f"block {at}")
        n += 1
    return n


def compact(dir_, seed, go_on):
    n = 0
    while go_on():
        with open("/proc/sys/vm/compact_memory", "w") as f:
            f.write("1")
        n += 1
        time.sleep(0.05)
    return n


with open(f"{mount}/cold", "wb", buffering=0) as f:
    for n in range(COLD // BLOCK):
        f.write(block(n))
squeeze()
same(group.swapped() > 0, True, "some of it is in swap")


def kill_while(seconds, *traffic):
    """Takeovers, and how much everybody has done meanwhile."""
    taken, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(random.random() * 0.06)
        kill_worker(mount)
        taken += 1
    done = [n for t in traffic for n in t.stop()]
    print(f"{taken} takeovers, {done} done, {group.swapped() >> 20} MiB in swap")
    same(min(done) > 0 and taken > 5, True, f"everybody has done something: {done}, {taken} takeovers")


kill_while(20, Traffic(mount, (cold, squeeze), 4))
kill_while(10, Traffic(mount, (mapped, written, cold, compact, squeeze), 1))
PY
