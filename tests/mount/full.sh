#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A full mount: write(2) is short and then ENOSPC, a store into a hole is SIGBUS, what is there can be
# overwritten, and what was removed can be used again.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=4m
python3 - "$M" <<'PY'
import errno, mmap, os, signal, sys, time
from pages import *

os.chdir(sys.argv[1])
limit = os.statvfs(".").f_blocks
same(limit, 1024, "pages")

# Equal pages count too: merging does not change what fits.
fd = os.open("fill", os.O_CREAT | os.O_RDWR)
written = 0
one = page("equal", 0) * 100
while True:
    try:
        n = os.write(fd, one)
    except OSError as e:
        same(e.errno, errno.ENOSPC, "a write to the full mount")
        break
    assert n > 0
    written += n
free = os.statvfs(".").f_bfree
assert written >= (limit - 64) * PAGE and free == 0, (written, free)
same(os.fstat(fd).st_size, written, "size")
same(os.pwrite(fd, page("over", 0), 0), PAGE, "overwriting")
same(os.pread(fd, PAGE, 0), page("over", 0), "what was overwritten")
other = os.open("other", os.O_CREAT | os.O_RDWR)
fails(errno.ENOSPC, os.write, other, b"x")
same(os.fstat(other).st_size, 0, "nothing half done")
fails(errno.ENOSPC, os.posix_fallocate, other, 0, PAGE)

# A store through a mapping into a hole that cannot be had.
os.ftruncate(other, 64 * PAGE)
pid = os.fork()
if pid == 0:
    m = mmap.mmap(other, 64 * PAGE)
    m[20 * PAGE] = 1
    os._exit(0)
same(os.WTERMSIG(os.waitpid(pid, 0)[1]), signal.SIGBUS, "a store that does not fit")
# Somebody may store into what is read, so reading it needs a page too; unless nobody has it open to write.
fails(errno.ENOSPC, os.pread, other, 10, 20 * PAGE)
os.close(other)
with open("other", "rb") as f:
    same(f.read(), bytes(64 * PAGE), "holes of a file that nobody writes")
other = os.open("other", os.O_RDWR)

# Stores into pages that are there succeed.
m = mmap.mmap(fd, 100 * PAGE)
m[5 * PAGE:6 * PAGE] = page("map", 5)
m.flush()
same(os.pread(fd, PAGE, 5 * PAGE), page("map", 5), "a store into a page that is there")
m.close()

# A short write first, where some of it fits.
os.ftruncate(fd, written - 2 * PAGE)
for _ in range(100):
    if os.statvfs(".").f_bfree >= 2:
        break
    time.sleep(0.05)
same(os.pwrite(fd, one, written - 2 * PAGE), 2 * PAGE, "a short write")
os.close(fd)
os.unlink("fill")
for _ in range(100):
    if os.statvfs(".").f_bfree > limit - 64:
        break
    time.sleep(0.05)
os.ftruncate(other, 0)
same(os.pwrite(other, one, 0), len(one), "a write after room was made")
os.unlink("other")
os.close(other)
PY
expect_empty
