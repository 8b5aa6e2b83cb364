#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# No read, write or fault waits for SQL: over 100,000 splits and reads, no thread that reads requests
# makes a call on a database file.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

command -v strace >/dev/null || skip "strace is not installed"
mkdir "$T/db"
mount_ksmfs "size=1g,index=$T/db"
set_attr sleep_millisecs 1000
python3 - "$M" <<'PY'
import sys
from pages import *

for name in "ab":
    store(f"{sys.argv[1]}/{name}", content("strace", 256))
PY
pids=
for pid in $(processes "$M"); do
	pids="$pids -p $pid"
done
# shellcheck disable=SC2086
strace -f -y -qq -o "$T/trace" $pids 2>"$T/strace" &
ends_with_test
tracer=$!
within 10 grep -q TracerPid:.*[1-9] /proc/"$(worker)"/status || skip "strace cannot attach: $(cat "$T/strace")"

rounds=400
[ "${SCALE:-}" != small ] || rounds=20
python3 - "$M" $rounds <<'PY'
import os, sys
from pages import *

a = os.open(sys.argv[1] + "/a", os.O_RDWR)
b = os.open(sys.argv[1] + "/b", os.O_RDONLY)
data = content("strace", 256)
for i in range(int(sys.argv[2])):
    # Equal again: merged. Then one byte in each page: split.
    os.pwrite(a, data, 0)
    other = bytearray(data)
    for p in range(256):
        other[p * PAGE + 8:p * PAGE + 16] = (i * 256 + p).to_bytes(8, "little")
    os.pwrite(a, other, 0)
    os.posix_fadvise(b, 0, 0, os.POSIX_FADV_DONTNEED)
    same(os.pread(b, len(data), 0), data, "the other file")
PY
kill "$tracer"
wait "$tracer" 2>/dev/null || true
breaks=$(attr fault/cow_breaks)
merged=$(attr fault/merged)
[ "$breaks" -ge $((rounds * 250)) ] || die "only $breaks splits, $merged merged"

# Threads that read requests are those that read the fuse device.
grep -E '(read|readv)\([0-9]+<[^>]*/dev/fuse' "$T/trace" | awk '{ print $1 }' | sort -u >"$T/request"
[ -s "$T/request" ] || die "no thread reads /dev/fuse"
grep -E '(names|index)\.db' "$T/trace" >"$T/calls" || true
awk 'NR == FNR { request[$1]; next } $1 in request' "$T/request" "$T/calls" >"$T/found"
[ ! -s "$T/found" ] || die "calls on a database: $(head -n 20 "$T/found")"
