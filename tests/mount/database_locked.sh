#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Somebody holds index.db locked, or reads it for long, while merging changes what it says: nothing on the mount waits,
# its log stays bounded, and when he has gone it catches up.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

python3 -c 'import sqlite3' 2>/dev/null || skip "python3 has no sqlite3"
locked=10 read=60
if [ "${SCALE:-}" = small ]; then
	locked=4 read=8
fi
mkdir "$T/db"
mount_ksmfs "size=512m,index=$T/db"
set_attr pages_to_scan 100000

# Holds what $1 says until its input ends.
cat >"$T/hold.py" <<'PY'
import sqlite3, sys

db, how = sys.argv[1:]
c = sqlite3.connect(db, isolation_level=None, timeout=5)
c.execute("BEGIN" if how == "read" else "BEGIN IMMEDIATE")
c.execute("SELECT count(*) FROM page").fetchall()
if how != "read":
    c.execute("CREATE TABLE mine (x)")
print("held", flush=True)
sys.stdin.read()
c.execute("ROLLBACK")
PY

# What everybody does, and how long it takes at most, while somebody else rewrites shared pages all the time.
cat >"$T/use.py" <<'PY'
import mmap, os, sys, time
from pages import *

mount, seconds, pages = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
os.chdir(mount)
took = {}

def timed(what, call):
    start = time.monotonic()
    call()
    took.setdefault(what, []).append(time.monotonic() - start)

def text(name):
    return open(".ksmfs/" + name).read()

def set_(name, value):
    with open(".ksmfs/" + name, "w") as f:
        f.write(value)

churn = os.fork()
if churn == 0:
    deadline, n = time.monotonic() + seconds * 0.6, 0 # index.db is tried when things have come to rest
    while time.monotonic() < deadline:
        n += 1
        for start in range(0, pages, 256):
            data = b"".join(page("churn", n * pages + k) for k in range(start, min(start + 256, pages)))
            for name in "ab":
                with open(name, "r+b") as f:
                    os.pwrite(f.fileno(), data, start * PAGE)
        time.sleep(2 - time.monotonic() % 2)
    os._exit(0)
fd = os.open("mine", os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 64 * PAGE)
deadline, n, log = time.monotonic() + seconds, 0, 0
db = text("index/directory").strip() + "/index.db"
files = set()
while time.monotonic() < deadline:
    n += 1
    timed("read", lambda: os.pread(fd, PAGE, n % 64 * PAGE))
    timed("stat", lambda: os.stat("a"))
    if n % 20 == 0:
        timed("stats", lambda: text("stats"))
        if os.path.exists(db + "-wal"):
            log = max(log, os.stat(db + "-wal").st_size)
            files.add(os.stat(db).st_ino)
    time.sleep(0.002)
    if time.monotonic() % 2 > 1:
        continue # once nothing changes for a moment, index.db is written
    timed("create", lambda: os.close(os.open("new", os.O_CREAT | os.O_EXCL)))
    timed("rename", lambda: os.rename("new", "newer"))
    timed("unlink", lambda: os.unlink("newer"))
    timed("write", lambda: os.pwrite(fd, page("x", n), n % 64 * PAGE))
    with mmap.mmap(fd, 64 * PAGE) as m:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        timed("fault", lambda: m[n % 64 * PAGE])
        m[0] = n & 255
        timed("msync", m.flush)
    if n % 20 == 0:
        timed("run", lambda: set_("run", "1"))
same(os.waitpid(churn, 0)[1], 0, "who changes things")
for what, times in took.items():
    times.sort()
    p99, longest = times[len(times) * 99 // 100], times[-1]
    print(f"{what}: {len(times)} times, 99 of 100 within {p99 * 1000:.1f} ms, the longest {longest * 1000:.1f} ms")
    assert longest < 2, f"{what} waited"
print(f"the log had at most {log} bytes, of {len(files)} files; index/rows_written {text('index/rows_written').strip()}, "
      f"batches_skipped {text('index/batches_skipped').strip()}")
assert log < 20 << 20, log
PY

rows_are_right() {
	[ "$(sqlite3 -readonly -cmd '.timeout 1000' "$T/db/index.db" 'SELECT count(*), sum(refs) FROM page' 2>/dev/null)" = \
		"$(attr pages_shared)|$(($(attr pages_shared) + $(attr pages_sharing)))" ]
}

some_batch_was_skipped() {
	[ "$(attr index/batches_skipped)" -gt 0 ]
}

pages=$((PAGES * 16))
truncate -s $((pages * 4096)) "$M/a" "$M/b"
for how in write read; do
	seconds=$locked
	[ $how != read ] || seconds=$read
	echo "-- $how for $seconds s"
	: >"$T/held"
	mkfifo "$T/end.$how"
	python3 "$T/hold.py" "$T/db/index.db" $how <"$T/end.$how" >"$T/held" &
	ends_with_test
	holder=$!
	exec 9>"$T/end.$how"
	within 8 grep -q held "$T/held" || die "$how: no lock was had"
	python3 "$T/use.py" "$M" "$seconds" $pages
	if [ $how = write ]; then # where things never come to rest, index.db is tried every ten seconds
		within 30 some_batch_was_skipped || die "no lock was ever in the way"
	fi
	exec 9>&-
	wait $holder || die "$how: the holder failed"
	settle
	within 30 rows_are_right || die "$how: index.db does not catch up: $(sqlite3 "$T/db/index.db" 'SELECT count(*), sum(refs) FROM page')"
done
