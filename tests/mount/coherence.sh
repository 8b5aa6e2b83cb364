#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# One file seen through mmap, read(2) and write(2), by one process and by two, is one file.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
python3 - "$M" <<'PY'
import mmap, os, random, sys
from pages import *

path = os.path.join(sys.argv[1], "file")
fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
n = 64
os.ftruncate(fd, n * PAGE)
shared = mmap.mmap(fd, n * PAGE)
private = mmap.mmap(fd, n * PAGE, flags=mmap.MAP_PRIVATE)
model = bytearray(n * PAGE)
rng = random.Random(1)
for step in range(2000):
    at = rng.randrange(n * PAGE - 5000)
    data = rng.randbytes(rng.choice((1, 100, 4096, 5000)))
    model[at:at + len(data)] = data
    if rng.random() < 0.5:
        shared[at:at + len(data)] = data
    else:
        same(os.pwrite(fd, data, at), len(data), "pwrite")
    if step % 7 == 0:
        shared.flush()
    back = rng.randrange(n * PAGE - 5000)
    same(os.pread(fd, 5000, back), bytes(model[back:back + 5000]), f"read at step {step}")
    same(shared[back:back + 5000], bytes(model[back:back + 5000]), f"mapping at step {step}")
same(private[:], bytes(model), "an untouched private mapping")
private[0:PAGE] = page("mine", 0)
same(shared[:], bytes(model), "a store into a private mapping stays private")
same(open(path, "rb").read(), bytes(model), "the file after it")

# Another process sees a store at once.
r, w = os.pipe()
child = os.fork()
if child == 0:
    m = map_file(path, n, create=False)
    for i in range(n):
        got = os.read(r, 1)
        assert m[i * PAGE] == got[0], i
        m[i * PAGE + 1] = got[0] ^ 0xff
        assert os.pread(fd, 2, i * PAGE) == bytes([got[0], got[0] ^ 0xff]), i
    os._exit(0)
for i in range(n):
    shared[i * PAGE] = i
    os.write(w, bytes([i]))
same(os.waitpid(child, 0)[1], 0, "the other process")
for i in range(n):
    same(shared[i * PAGE + 1], i ^ 0xff, "the other's answer")
PY
