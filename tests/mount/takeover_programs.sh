#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that know nothing of daemons work on a mount whose workers are killed all the time, and end as they do
# anywhere: a database, archives, a build tree that is copied, moved and removed, shared memory between processes.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends
needs tar find cp

mount_ksmfs size=512m
mkdir "$M/shm" "$M/work"

# Until it is told to stop.
cat >"$T/killer.py" <<'PY'
import os, random, sys, time
from worker import kill_worker
n = 0
while not os.path.exists(sys.argv[2]):
    time.sleep(random.random() * 0.1)
    kill_worker(sys.argv[1])
    n += 1
print(n)
PY
python3 "$T/killer.py" "$M" "$T/enough" >"$T/killed" 2>"$T/killer.err" &
killer=$!
ends_with_test

# A database, by the shell's or Python's: every transaction that was told to be done is there once.
cat >"$T/database.py" <<'PY'
import os, sqlite3, sys
os.chdir(sys.argv[1])
for mode in ("delete", "wal"):
    db = sqlite3.connect(f"{mode}.db", isolation_level=None)
    db.execute(f"PRAGMA journal_mode={mode}")
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")
    for n in range(150):
        db.execute("BEGIN")
        db.execute("INSERT INTO t VALUES (?, ?)", (n, "x" * (n * 37 % 9000)))
        db.execute("COMMIT")
    db.close()
    db = sqlite3.connect(f"{mode}.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT count(*), sum(length(text)) FROM t").fetchone() == (
        150, sum(n * 37 % 9000 for n in range(150)))
    db.close()
PY

# A tree of many files, there and back.
archives() {
	for n in 1 2 3; do
		tar -C "$TESTS/.." -cf - . | tar -C "$M/work" -xf - || return 1
		cp -a "$M/work" "$M/copy$n" || return 1
		diff -r "$TESTS/.." "$M/copy$n" || return 1
		mv "$M/copy$n" "$M/moved" || return 1
		find "$M/moved" -type f | sort >"$T/found.$n" || return 1
		[ "$(wc -l <"$T/found.$n")" = "$(find "$TESTS/.." -type f | wc -l)" ] || return 1
		tar -C "$M" -czf "$M/moved.tar.gz" moved || return 1
		gzip -t "$M/moved.tar.gz" || return 1
		rm -r "$M/moved" "$M/work" "$M/moved.tar.gz" || return 1
		mkdir "$M/work" || return 1
	done
}

cat >"$T/shared.py" <<'PY'
import multiprocessing
from multiprocessing import shared_memory

def work(name, n, lock):
    s = shared_memory.SharedMemory(name)
    for k in range(2000):
        with lock:
            s.buf[0:8] = (int.from_bytes(s.buf[0:8], "little") + 1).to_bytes(8, "little")
        s.buf[4096 * (n + 1):4096 * (n + 1) + 4] = k.to_bytes(4, "little")
    s.close()

s = shared_memory.SharedMemory(create=True, size=1 << 20)
for turn in range(5):
    lock = multiprocessing.Lock()
    p = [multiprocessing.Process(target=work, args=(s.name, n, lock)) for n in range(4)]
    [x.start() for x in p]
    [x.join() for x in p]
    assert [x.exitcode for x in p] == [0] * 4, [x.exitcode for x in p]
assert int.from_bytes(s.buf[0:8], "little") == 5 * 4 * 2000
s.close()
s.unlink()
PY
python3 "$T/database.py" "$M" >"$T/database" 2>&1 &
database=$!
archives >"$T/archives" 2>&1 &
archives=$!
with_shm "$M/shm" python3 "$T/shared.py" >"$T/shared" 2>&1 &
shared=$!
failed=
wait $database || failed="the database: $(tail -n 5 "$T/database")"
wait $archives || failed="archives: $(tail -n 5 "$T/archives")"
wait $shared || failed="shared memory: $(tail -n 5 "$T/shared")"
: >"$T/enough"
wait $killer || die "who kills: $(cat "$T/killer.err")"
[ -z "$failed" ] || die "$failed"
[ "$(cat "$T/killed")" -gt 5 ] || die "only $(cat "$T/killed") workers were killed"
[ -z "$(find "$M/shm" "$M/work" -mindepth 1)" ] || die "something is left: $(find "$M/shm" "$M/work")"
find "$M" -mindepth 1 -delete
expect_empty
expect store/inodes 1
