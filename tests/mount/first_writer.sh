#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Holes that were read while nobody could store into them have pages of zeroes in the page cache that nobody has paid for.
# When the first who may store into the file opens it they go, and others who open it in that moment have no more of
# them than he: what goes into their mappings stays there, and no more than the limit.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=1200m
[ -d "$M/.ksmfs/debug" ] || skip "built without the option hooks"
mount_ksmfs size=64m "$T/slow"
mkdir "$M/box"
setfattr -n trusted.ksmfs.size -v 1m "$M/box"
python3 - "$M" "$T/slow" <<'PY'
import mmap, os, signal, sys, threading, time
from pages import *

mnt, slow = sys.argv[1:]
SMALL = os.environ.get("SCALE") == "small"
LENGTH = (64 << 20) if SMALL else (200 << 20)
TAIL = 16 * PAGE
LIMIT = 1 << 20

with open(f"{slow}/source", "wb") as f:
    f.write(b"S" * TAIL)
source = os.open(f"{slow}/source", os.O_RDONLY | os.O_DIRECT)

def read_holes(path):
    """A sparse file, all of which is in the page cache, for nothing."""
    with open(path, "wb") as f:
        f.truncate(LENGTH)
    with open(path, "rb", buffering=0) as f:
        while f.read(4 << 20):
            pass

def lend_holes(path):
    """The same by somebody who could have stored into it, and has closed it."""
    with open(path, "w+b", buffering=0) as f:
        f.truncate(LENGTH)
        while f.read(4 << 20):
            pass
    wait_for("what was lent is given back", lambda: figures(mnt)["store/reserved_pages"] == 0)

def open_twice(path, after):
    """The second one's descriptor, opened when the first has been at it for so many seconds."""
    first = []
    thread = threading.Thread(target=lambda: first.append(os.open(path, os.O_RDWR)))
    thread.start()
    time.sleep(after)
    fd = os.open(path, os.O_RDWR)
    return fd, thread, first

def finish(fd, thread, first, path):
    thread.join()
    os.close(fd)
    os.close(first[0])
    os.unlink(path)

def read_into_mapping(prepare, after):
    """What another file's pages are read into, past the page cache, has them afterwards."""
    path = f"{mnt}/file"
    prepare(path)
    hook(slow, "pause_read_reply", 40 if SMALL else 150)
    fd, thread, first = open_twice(path, after)
    with mmap.mmap(fd, TAIL, offset=LENGTH - TAIL) as m:
        same(os.preadv(source, [m], 0), TAIL, "bytes read into the mapping")
        missing = TAIL - m[:].count(b"S")
    finish(fd, thread, first, path)
    same(missing, 0, f"bytes missing from the mapping of who opened the file {after} s after the first")

def store_beyond_limit(after):
    """Who stores into all of the file comes no further than the limit."""
    path = f"{mnt}/box/file"
    read_holes(path)
    child = os.fork()
    if not child:
        fd, thread, first = open_twice(path, after)
        with mmap.mmap(fd, LENGTH) as m:
            for at in range(LENGTH - PAGE, -1, -PAGE):
                m[at] = 1
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    same(os.WTERMSIG(status), signal.SIGBUS, "what ends who stores beyond the limit: the signal")
    used = int(open(f"{mnt}/.ksmfs/tenants/box/logical_bytes").read())
    assert used <= LIMIT, f"a tenant of {LIMIT} bytes has {used}"
    os.unlink(path)

for after in (0.0015, 0.003) if SMALL else (0.0015, 0.003, 0.005, 0.008):
    read_into_mapping(read_holes, after)
read_into_mapping(lend_holes, 0.003)
for after in (0.003,) if SMALL else (0.002, 0.005):
    store_beyond_limit(after)
PY
