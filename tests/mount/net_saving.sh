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
     - f["store/process_bytes"] - f["store/kernel_page_table_bytes"] - f["store/database_bytes"] - f["store/cache_bytes"], "net_saving")
same(f["general_profit"], (f["pages_sharing"] + f["ksm_zero_pages"]) * PAGE - f["store/tracking_bytes"],
     "general_profit")
PY
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
[ "$(attr general_profit)" -gt $((bytes / 8 * 6)) ] || die "general_profit is $(attr general_profit)"
said=$(sed -n 's/^ksmfs_store_net_saving //p' "$M/.ksmfs/metrics")
[ -n "$said" ] && [ "$said" -le $((bytes / 8 * 7)) ] || die "metrics say '$said'"
