#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Python's multiprocessing on a /dev/shm that is the mount: shared memory, locks, queues and lists are as they should be.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

python3 -c 'import multiprocessing.shared_memory' 2>/dev/null || skip "Python has no multiprocessing.shared_memory"
mount_ksmfs size=256m
cat >"$T/work.py" <<'PY'
import mmap, multiprocessing as mp, os, sys
from multiprocessing import managers, shared_memory
from pages import *

WORKERS, EACH, ROUNDS = 4, PAGES // 8, 400

def fill(name, number, lock, barrier, queue):
    """Each fills its part with what all have and what it alone has; then looks at its neighbour's."""
    block = shared_memory.SharedMemory(name)
    part = EACH * PAGE
    data = content("alike", EACH // 2) + content(number, EACH - EACH // 2)
    block.buf[number * part:(number + 1) * part] = data
    barrier.wait(60)
    other = (number + 1) % WORKERS
    same(bytes(block.buf[other * part:(other + 1) * part]),
         content("alike", EACH // 2) + content(other, EACH - EACH // 2), "the neighbour's part")
    at = WORKERS * part
    for _ in range(ROUNDS):
        with lock:
            n = int.from_bytes(block.buf[at:at + 8], "little")
            block.buf[at:at + 8] = (n + 1).to_bytes(8, "little")
    block.close()
    queue.put(number)

def bump(list_, lock):
    for _ in range(50):
        with lock:
            list_[1] = list_[1] + 1

def main(how):
    context = mp.get_context(how)
    block = shared_memory.SharedMemory(create=True, size=(WORKERS * EACH + 1) * PAGE)
    same(os.path.exists("/dev/shm/" + block.name), True, "its file")
    lock, barrier, queue = context.Lock(), context.Barrier(WORKERS), context.Queue()
    workers = [context.Process(target=fill, args=(block.name, n, lock, barrier, queue)) for n in range(WORKERS)]
    for w in workers:
        w.start()
    same(sorted(queue.get(timeout=100) for _ in workers), list(range(WORKERS)), "answers")
    for w in workers:
        w.join()
        same(w.exitcode, 0, "a worker")
    at = WORKERS * EACH * PAGE
    same(int.from_bytes(block.buf[at:at + 8], "little"), WORKERS * ROUNDS, "the count under the lock")
    sharing = 0
    for _ in range(200):
        os.sync()
        sharing = figures(sys.argv[1])["pages_sharing"]
        if sharing >= (WORKERS - 1) * (EACH // 2):
            break
        time.sleep(0.05)
    assert sharing >= (WORKERS - 1) * (EACH // 2), sharing
    with managers.SharedMemoryManager(ctx=context) as manager:
        list_ = manager.ShareableList(["text", 0, 2.5, None, b"bytes"])
        workers = [context.Process(target=bump, args=(list_, lock)) for _ in range(2)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        same(list(list_), ["text", 100, 2.5, None, b"bytes"], "a shared list")
    with context.Pool(3) as pool:
        same(pool.map(len, [bytes(n) for n in range(100)]), list(range(100)), "a pool")
    block.close()
    block.unlink()
    same([n for n in os.listdir("/dev/shm") if n.startswith("psm_")], [], "left behind")

if __name__ == "__main__":
    main(sys.argv[2])
PY
for how in fork spawn; do
	with_shm "$M" python3 "$T/work.py" "$M" $how || die "$how"
done
expect_empty
