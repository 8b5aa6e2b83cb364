#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What nobody uses leaves the kernel's page cache: of closed files, of files open for reading where that is asked for;
# never what is mapped, locked, or open for writing.  The figures say what was dropped, and what the cache holds.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

notifier() {
	role ksmfs-notify
}

mount_ksmfs size=512m
[ -n "$(notifier)" ] || die "there is no notifier"
cat >"$T/trim.py" <<'PY'
import ctypes, errno, mmap, os, sys, time
from pages import *

SMALL = os.environ.get("SCALE") == "small"
MOUNT, HOOKS = sys.argv[1], os.path.isdir(f"{sys.argv[1]}/.ksmfs/debug")
libc = ctypes.CDLL(None, use_errno=True)
BYTES = PAGES * PAGE

def cached(fd):
    """By mincore(2), as kernels before 6.5 have no cachestat(2); what was only mapped is in nobody's way."""
    at = map_(fd)
    try:
        return resident(at, PAGES)
    finally:
        libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(BYTES))

# cachestat(2) complains of the descriptor, where there is one.
libc.syscall(451, -1, 0, 0, 0)
COUNTED = ctypes.get_errno() == errno.EBADF
TOLD = BYTES if COUNTED else PAGE  # of a file that is dropped

def cached_of(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return cached(fd)
    finally:
        os.close(fd)

def set_(name, value):
    with open(f"{MOUNT}/.ksmfs/{name}", "w") as f:
        f.write(str(value))

def until(what, test, seconds=20):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, f"{what}: {figures(MOUNT)}"
        time.sleep(0.05)

def figure(name):
    return figures(MOUNT)[name]

# Other programs may make memory short in earnest meanwhile: then nothing can be said about time.
def stalled():
    try:
        return int(open("/proc/pressure/memory").readline().split("total=")[1])
    except OSError:
        return 0

def press():
    set_("debug/memory_is_short", 1)

def file_of(name):
    path = f"{MOUNT}/{name}"
    with open(path, "wb") as f:
        f.write(content(name))
    return path

def resident(address, pages):
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    vec = ctypes.create_string_buffer(pages)
    assert libc.mincore(address, pages * PAGE, vec) == 0
    return sum(b & 1 for b in vec.raw[:pages])

def map_(fd):
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    return libc.mmap(None, BYTES, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)

# --- the sample
set_("trim_mode", "off")
a = file_of("a")
if COUNTED:
    until("a sample", lambda: figure("store/cache_bytes") >= BYTES)
    assert 0 <= figure("store/cache_age_ms") < 20000
same(cached_of(a), PAGES, "pages of a in the cache")

# --- closed: by age, and no sooner
before = figure("trim/bytes")
same(before, 0, "trim/bytes with trim_mode off")
AGE = 1 if SMALL else 2
set_("trim_age", AGE)
set_("trim_mode", "closed")
begin = time.monotonic()
until("a is trimmed", lambda: figure("trim/bytes") >= TOLD)
same(figure("trim/bytes"), TOLD, "trim/bytes")
same(figure("trim/ranges"), 1, "trim/ranges")
same(cached_of(a), 0, "pages of a in the cache")

# --- what comes back soon is counted, and left alone for longer
same(open(a, "rb").read(), content("a"), "a")
until("a refault", lambda: figure("trim/refaults") == 1)
trimmed, stall = time.monotonic(), stalled()
until("a is trimmed again", lambda: figure("trim/ranges") == 2)
assert time.monotonic() - trimmed > 1.25 * AGE or stalled() != stall, "not left alone for twice as long"
not COUNTED or until("a sample without a", lambda: figure("store/cache_bytes") == 0)

# --- a file that somebody has open stays
set_("trim_age", 1)
b = file_of("b")
fd = os.open(b, os.O_RDONLY)
same(len(os.pread(fd, 1, 0)), 1, "bytes read")
time.sleep(2.5)
same(cached(fd), PAGES, "pages of an open file")

# --- until `cold`: then it is for writers alone that a file stays; what is mapped stays, what is locked even if asked for
set_("trim_mode", "cold")
until("a file open for reading is trimmed", lambda: cached(fd) == 0)
os.close(fd)
w = os.open(file_of("w"), os.O_RDWR)
same(cached(w), PAGES, "pages of a file just opened for writing")
l = os.open(file_of("l"), os.O_RDONLY)
at = map_(l)
libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
assert libc.mlock(at, BYTES) == 0, "mlock"
same(resident(at, PAGES), PAGES, "locked pages")
for mode in "cold", "closed":
    set_("trim_mode", mode)
    for i in range(8 if SMALL else 25):
        if HOOKS:
            press()
        time.sleep(0.05)
    same(resident(at, PAGES), PAGES, f"locked pages in memory, {mode}")
    same(cached(w), PAGES, f"pages of a file open for writing, {mode}")
os.close(w)

# --- at once where memory is short
if HOOKS:
    set_("trim_age", 3600)
    stall, c = stalled(), file_of("c")
    time.sleep(1.5)
    assert cached_of(c) == PAGES or stalled() != stall, "trimmed before memory is short"
    until("c is trimmed", lambda: press() or cached_of(c) == 0)  # whoever looks has it open for a moment
    assert cached_of(f"{MOUNT}/w") == 0, "a file that its writer has closed"
    same(resident(at, PAGES), PAGES, "locked pages in memory, memory being short")
PY
python3 "$T/trim.py" "$M"

# A notifier that dies is followed by another; so is a worker, and files that the kernel knows of it are trimmed, too.
set_attr trim_age 1
set_attr trim_mode closed
was=$(notifier)
kill -KILL "$was"
another() {
	now=$(notifier) && [ -n "$now" ] && [ "$now" != "$was" ]
}
within 10 another || die "no other notifier comes"
# How much it was, kernels before 6.5 do not tell.
if python3 -c 'import sys; from calls import linux; sys.exit(not linux(6, 5))'; then
	mib=$((1 << 20))
else
	mib=0
fi
ranges=$(attr trim/ranges) bytes=$(attr trim/bytes)
# $1 times more than that, $2 MiB in all.
trimmed() {
	[ "$(attr trim/ranges)" -ge $((ranges + $1)) ] && [ "$(attr trim/bytes)" -ge $((bytes + $2 * mib)) ]
}
head -c 1M /dev/urandom >"$M/after-a-notifier"
within 20 trimmed 1 1 || die "not trimmed by the next notifier: $(attr trim/bytes)"
set_attr trim_mode off
head -c 2M /dev/urandom >"$M/after-a-worker"
kill_worker
set_attr trim_mode closed
within 20 trimmed 2 3 || die "not trimmed after the worker's death: $(attr trim/bytes)"
