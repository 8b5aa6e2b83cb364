#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same as Fill.java, with a multiprocessing.shared_memory segment in /dev/shm instead of a heap.

Usage: fill.py SEED SHARED OWN READY STOP
"""
import os
import random
import sys
import time
import zlib
from multiprocessing import shared_memory

BLOCK = 1 << 20


def main():
    seed, shared, own = (int(a) for a in sys.argv[1:4])
    ready, stop = sys.argv[4:]
    segment = shared_memory.SharedMemory(create=True, size=(shared + own) * BLOCK)
    try:
        at = 0
        for megabytes, r in ((shared, random.Random(1)), (own, random.Random(1000 + seed))):
            for _ in range(megabytes):
                segment.buf[at:at + BLOCK] = r.randbytes(BLOCK)
                at += BLOCK
        before = zlib.crc32(segment.buf)
        open(ready, "w").close()
        while not os.path.exists(stop):
            time.sleep(0.05)
        return 0 if zlib.crc32(segment.buf) == before else 1
    finally:
        segment.close()
        segment.unlink()


if __name__ == "__main__":
    sys.exit(main())
