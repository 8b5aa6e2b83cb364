#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# store/net_saving says what the mount is worth beside a tmpfs, gain or loss, and each of its terms can be read:
# in stats, as a file, as a metric, from ksmfs-stat.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

net() {
	attr store/net_saving
}

# In one snapshot the sums are what the manual says they are.
adds_up() {
	python3 - "$M" <<'PY'
import sys
from pages import *

f = figures(sys.argv[1])
same(f["store/data_bytes"], f["store/data_pages"] * PAGE, "data_bytes")
same(f["store/frame_bytes"], (f["store/frames"] + f["store/warm_frames"]) * PAGE, "frame_bytes")
same(f["store/net_saving"], f["store/data_bytes"] - f["store/frame_bytes"] - f["store/metadata_bytes"]
     - f["store/process_bytes"] - f["store/kernel_page_table_bytes"] - f["store/database_bytes"] - f["store/cache_bytes"]
     - f["store/unswept_bytes"] - f["store/helper_bytes"] - f["store/buffer_bytes"] - f["store/ballast_bytes"], "net_saving")
same(f["general_profit"], (f["pages_sharing"] + f["ksm_zero_pages"]) * PAGE - f["store/tracking_bytes"],
     "general_profit")
PY
}

# What is told of memory is what the system sees: all of the daemon's, and the page cache of the files at $1, if there are.
# Nearly: small files, what processes share since they were forked, what comes and goes; but no MiB is forgotten, or counted twice.
cat >"$T/system.py" <<'PY'
import ctypes, mmap, os, sys
from footprint import Footprint
from pages import *

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def cached(path):
    fd, size = os.open(path, os.O_RDONLY), os.stat(path).st_size
    at, pages = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0), ctypes.create_string_buffer(size // PAGE)
    assert libc.mincore(at, size, pages) == 0, os.strerror(ctypes.get_errno())
    libc.munmap(at, size)
    os.close(fd)
    return sum(byte & 1 for byte in pages.raw[:size // PAGE]) * PAGE


figures(sys.argv[1]) # has somebody look at the page cache
now, f = Footprint(sys.argv[1]), figures(sys.argv[1])
held = now.total - now.text
told = f["store/data_bytes"] - f["store/net_saving"] - f["store/cache_bytes"]
terms = {name: value >> 10 for name, value in f.items() if name.endswith("_bytes") and value >> 10}
print(f"{told >> 10} KiB told, {held >> 10} held: {terms}; {now}, {now.text >> 10} of text")
assert abs(told - held) < 640 << 10, "memory"
cache = sum(map(cached, sys.argv[2:]))
print(f"{f['store/cache_bytes'] >> 10} KiB of page cache told, {cache >> 10} there")
assert abs(cache - f["store/cache_bytes"]) < 640 << 10 or f["store/cache_age_ms"] == -1, "page cache"
PY
look_at_system() {
	python3 "$T/system.py" "$M" "$@" >"$T/system" 2>&1
}
as_the_system() {
	[ "${SCALE:-}" != small ] || return 0 # a sanitizer's memory comes and goes as it likes
	within 5 look_at_system "$@" || die "$(cat "$T/system")"
	cat "$T/system"
}

# Has the kernel cachestat(2)? It complains of the descriptor then.
can_look() {
	python3 - <<'PY'
import ctypes, errno, sys

ctypes.CDLL(None, use_errno=True).syscall(451, -1, 0, 0, 0)
sys.exit(ctypes.get_errno() != errno.EBADF)
PY
}

mount_ksmfs
[ "$(net)" -le 0 ] || die "an empty mount saves $(net)"
adds_up
as_the_system

# Hot: mapped and stored into again and again. Unique: no page is like another.
bytes=$((PAGES * 8 * 4096))
cat >"$T/hot.py" <<'PY'
import mmap, os, sys

size = int(sys.argv[2])
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, size)
m = mmap.mmap(fd, size)
for _ in range(3):
    m[:] = os.urandom(size)
    m.flush()
print("ready", flush=True)
sys.stdin.read()
PY
mkfifo "$T/stop"
python3 "$T/hot.py" "$M/hot" $bytes <"$T/stop" >"$T/said" &
ends_with_test
hot=$!
exec 3>"$T/stop"
within 60 grep -q ready "$T/said" || die "the mapping was not stored into"
settle
[ "$(attr store/data_bytes)" = $bytes ] || die "data_bytes"
[ "$(net)" -lt 0 ] || die "hot unique data saves $(net)"
# Somebody looks at the page cache after he has been asked, and never while we wait: then it is twice the data.
seen() {
	[ "$(attr store/cache_age_ms)" != -1 ] && [ "$(attr store/cache_bytes)" -ge $((bytes * 9 / 10)) ]
}
if can_look; then
	within 20 seen || die "the page cache holds $(attr store/cache_bytes) bytes, seen $(attr store/cache_age_ms) ms ago"
	[ "$(net)" -lt $((-bytes * 9 / 10)) ] || die "hot unique data, with its copy in the page cache, saves $(net)"
fi
"${KSMFS_STAT:?}" "$M" | grep -q 'NET SAVING  *-.*a loss' || die "ksmfs-stat tells no loss: $("$KSMFS_STAT" "$M")"
adds_up
as_the_system "$M/hot"
exec 3>&-
wait $hot || die "the mapping's program failed"
rm "$M/hot"
expect_empty

# 64 MiB, each page eight times.
bytes=$((64 << 20))
python3 - "$M" $((bytes / 8 / 4096)) <<'PY'
import sys
from pages import *

data = content("s", int(sys.argv[2]))
for n in range(8):
    store(f"{sys.argv[1]}/{n}", data)
PY
settle
gives_back() {
	[ $(($(net) + $(attr store/process_bytes))) -ge $((bytes / 8 * 7 - $1)) ]
}
# But for what is kept warm, and the worker's own memory, which a sanitizer makes large; and when the page cache's copy
# of closed files has gone.
set_attr trim_age 1
within 20 gives_back $((20 << 20)) || die "seven of eight are saved, and $(net) told: $(cat "$M/.ksmfs/stats")"
adds_up
as_the_system "$M"/?
[ "$(attr general_profit)" -gt $((bytes / 8 * 6)) ] || die "general_profit is $(attr general_profit)"
said=$(sed -n 's/^ksmfs_store_net_saving //p' "$M/.ksmfs/metrics")
[ -n "$said" ] && [ "$said" -le $((bytes / 8 * 7)) ] || die "metrics say '$said'"

# A worker that dies leaves memory of frames that the next one has yet to find: until then it counts all the same.
python3 -c 'import sys; from worker import kill_worker; kill_worker(sys.argv[1])' "$M"
adds_up
as_the_system "$M"/?
expect store/unswept_bytes 0
