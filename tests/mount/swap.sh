#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Frames are swapped as any memory: what nobody has read for long goes to a swap file when a memory cgroup asks for it, and
# comes back byte for byte; what the daemon works with stays in memory.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_in_group_with_swap size=512m 256m
[ -w "$group/memory.force_empty" ] || [ -w "$group/memory.reclaim" ] || skip "memory cannot be asked for"

python3 - "$M" "$group" "$(worker)" <<'PY'
import sys, time
from group import Group
from pages import *

mount, group, worker = sys.argv[1], Group(sys.argv[2]), sys.argv[3]
PAGES = 16 * 1024


def of_worker(name):
    with open(f"/proc/{worker}/status") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith(name + ":"))


data = os.urandom(PAGES * PAGE)
with open(f"{mount}/file", "wb", buffering=0) as f:
    for at in range(0, len(data), 1 << 20):
        f.write(data[at:at + (1 << 20)])
    os.fsync(f.fileno())
fd = os.open(f"{mount}/file", os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
for _ in range(20):
    group.empty()
    if group.swapped() > len(data) // 2:
        break
    time.sleep(0.1)
swapped = group.swapped()
assert swapped > len(data) // 2, f"only {swapped >> 20} MiB of {len(data) >> 20} are in swap"
same(of_worker("VmSwap"), 0, "memory of the worker's own that is in swap")
worst, start = 0, time.monotonic()
for at in range(0, len(data), 1 << 16):
    before = time.monotonic()
    same(os.pread(fd, 1 << 16, at) == data[at:at + (1 << 16)], True, f"what is read back at {at}")
    worst = max(worst, time.monotonic() - before)
print(f"{swapped >> 20} MiB swapped, read back in {time.monotonic() - start:.1f} s, the slowest 64 KiB in {worst * 1000:.0f} ms")
assert worst < 5, "reading takes for ever"
PY
