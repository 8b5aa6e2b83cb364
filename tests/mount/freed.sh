#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What was deleted goes back to the system within two seconds, and all that was spent on it: unique data and shared,
# large files, small and sparse ones, every second page of a file, and a page here and there; and what a crowd of small
# files has had made for it: threads, their buffers, heaps, databases.  FREED_MIB=8192, FREED_FILES=500000 for more than the usual.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64g
python3 - "$M" <<'PY'
import ctypes, os, shutil, sys, time
from footprint import Footprint
from pages import *

mount, small = sys.argv[1], os.environ.get("SCALE") == "small"
MIB = 1 << 20
mib = int(os.environ.get("FREED_MIB", 0)) or (32 if small else 384)
files = int(os.environ.get("FREED_FILES", 0)) or (2400 if small else 16000)
libc = ctypes.CDLL(None, use_errno=True)


def fill(path, mib, shared=False):
    block = bytearray(os.urandom(MIB))
    with open(path, "wb", buffering=0) as f:
        for n in range(mib):
            for at in range(0, 0 if shared else MIB, PAGE):
                block[at:at + 8] = (n * MIB + at).to_bytes(8, "little")
            f.write(block)
            if n % 64 == 63:  # it is in the frames; twice would not fit
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def punch(fd, offset, size):
    same(libc.fallocate(fd, 3, ctypes.c_long(offset), ctypes.c_long(size)), 0, "fallocate")


def unique():
    fill(f"{mount}/a", mib)
    yield mib * MIB
    os.unlink(f"{mount}/a")


def shared():
    fill(f"{mount}/a", mib, shared=True)
    yield 0
    os.unlink(f"{mount}/a")


def truncated():
    fill(f"{mount}/a", mib // 2)
    yield mib // 2 * MIB
    os.truncate(f"{mount}/a", 0)
    yield
    os.unlink(f"{mount}/a")


def many():
    for n in range(16):
        os.makedirs(f"{mount}/d/{n}")
    for n in range(mib * 4):
        with open(f"{mount}/d/{n % 16}/{n}", "wb") as f:
            f.write(os.urandom(PAGE))
    for n in range(mib * 16):
        os.mknod(f"{mount}/d/{n % 16}/empty-{n}")
    yield mib * 4 * PAGE
    shutil.rmtree(f"{mount}/d")


def at_once(call, processes=8):
    for child in [Child(lambda n=n: call(n)) for n in range(processes)]:
        child.result()


def crowd():
    def make(n):
        os.mkdir(f"{mount}/{n}")
        for k in range(files // 8):
            with open(f"{mount}/{n}/{k}", "wb", buffering=0) as f:
                f.write(os.urandom(PAGE))

    at_once(make)
    yield files * PAGE
    at_once(lambda n: shutil.rmtree(f"{mount}/{n}"))


def sparse():
    with open(f"{mount}/a", "wb", buffering=0) as f:
        for n in range(mib):
            os.pwrite(f.fileno(), os.urandom(PAGE), n << 22)
    yield mib * PAGE
    os.unlink(f"{mount}/a")


def told():
    f = figures(mount)
    return f["store/metadata_bytes"], 0 if small else f["store/kernel_page_table_bytes"]


def taken():
    """Of a sanitizer's process the memory says nothing: then it is that of its files alone."""
    now = Footprint(mount)
    now.total = sum(now.files.values()) if small else now.total
    return now


# 16 MiB are much when little was deleted: of what grows with it, next to nothing may stay.
empty, (metadata, tables) = taken(), told()
more = max(0, mib - 384) * 16 + max(0, files - 16000)
most = empty.total * 102 // 100 + 16 * MIB, metadata + 5 * MIB // 2, tables + MIB // 4 + more


def goes_back(case):
    # What is remembered of a file is little, and there are not many here: most of it would not be noticed above.
    may = most if case is not many else (most[0], told()[0] + MIB // 2, most[2])
    if case is crowd and files <= 16000:  # of which there must not be left what may be of 500,000
        may = (empty.total + (5 if small else 9) * MIB, *most[1:])
    steps = case()
    made = next(steps)
    full = taken()
    assert full.total - empty.total >= made, f"{case.__name__}: {full} when full, {empty} before"
    next(steps, None)
    began, now = time.monotonic(), full
    while any(is_ > allowed for is_, allowed in zip([now.total, *told()], may)):
        assert time.monotonic() < began + 2, f"{case.__name__}: {now}, {told()}, where {may} may be; at first {empty}"
        time.sleep(0.05)
        now = taken()
    print(f"{case.__name__}: {full.total >> 20} MiB, {now.total >> 20} MiB {time.monotonic() - began:.1f} s after, {empty.total >> 20} at first")
    list(steps)


for case in unique, shared, truncated, many, crowd, sparse:
    goes_back(case)

# Each alone among others that stay.
fill(f"{mount}/a", mib // 2)
before = Footprint(mount)
with open(f"{mount}/a", "r+b", buffering=0) as f:
    for at in range(0, mib // 2 * MIB, 2 * PAGE):
        punch(f.fileno(), at, PAGE)
    wait_for("half of the frames back", lambda: Footprint(mount).files["ksmfs-frames"] <=
             before.files["ksmfs-frames"] - mib // 4 * MIB + 6 * MIB, 2 + mib / 500)
    same(os.pread(f.fileno(), 8, 3 * PAGE), (3 * PAGE).to_bytes(8, "little"), "a page that stayed")
os.unlink(f"{mount}/a")

# Page after page is written and punched, in a file that stays: nothing of it does.
wait_for("nothing in use", lambda: figures(mount)["store/frames"] == 0)
far = 256 if small else 4096
with open(f"{mount}/a", "w+b", buffering=0) as f:
    for n in range(2 * far):
        at = n % far * 2 * MIB + n // far * PAGE
        os.pwrite(f.fileno(), at.to_bytes(PAGE, "little"), at)
        punch(f.fileno(), at, PAGE)
    now = figures(mount)
    assert now["store/frames"] == 0, f"{now['store/frames']} frames, {now['store/table_frames']} of page tables"
    # And all of them together.
    for n in range(far):
        os.pwrite(f.fileno(), n.to_bytes(PAGE, "little"), n * 2 * MIB)
    assert figures(mount)["store/table_frames"] >= far // 2, "a leaf for two of them"
    for n in range(far):
        punch(f.fileno(), n * 2 * MIB, PAGE)
    same(figures(mount)["store/frames"], 0, "frames in use")
    wait_for("all but what is warm back", lambda: Footprint(mount).files["ksmfs-frames"] <= 6 * MIB, 2)
os.unlink(f"{mount}/a")
PY
# What stays lets writebacks find frames when the system has none.
little_is_warm() {
	[ "$(attr store/warm_frames)" -le 1280 ]
}
within 5 little_is_warm || die "$(attr store/warm_frames) frames are kept warm"
expect_empty
