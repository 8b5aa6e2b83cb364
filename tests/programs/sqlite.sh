#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SQLite: several processes move money about in one database, one of them is killed in the middle, and no cent is lost. In
# WAL mode with a memory-mapped database, and with a rollback journal.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs sqlite3
mount_ksmfs size=256m
python3 -c 'import sqlite3' 2>/dev/null || skip "Python has no sqlite3"
[ "${SCALE:-}" = small ] && TRANSFERS=50 || TRANSFERS=300
for mode in wal delete truncate; do
	db=$M/$mode.db
	sqlite3 "$db" "PRAGMA journal_mode=$mode; CREATE TABLE account (id INTEGER PRIMARY KEY, money INTEGER, note BLOB);
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
		INSERT INTO account SELECT i, 100, zeroblob(1000) FROM n;" >"$T/out"
	python3 - "$db" $TRANSFERS <<'PY'
import os, random, signal, sqlite3, sys, time

path, transfers = sys.argv[1], int(sys.argv[2])

def connect():
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    for pragma in ("mmap_size=67108864", "synchronous=full", "cache_size=50"):
        db.execute("PRAGMA " + pragma)
    return db

def total(db):
    return db.execute("SELECT count(*), sum(money) FROM account").fetchone()

def writer(seed, count):
    rng, db = random.Random(seed), connect()
    while count:
        db.execute("BEGIN IMMEDIATE")
        for _ in range(5):
            a, b, sum_ = rng.randrange(1000), rng.randrange(1000), rng.randrange(50)
            db.execute("UPDATE account SET money = money - ?, note = ? WHERE id = ?", (sum_, rng.randbytes(rng.choice((10, 900, 9000))), a))
            db.execute("UPDATE account SET money = money + ? WHERE id = ?", (sum_, b))
        db.execute("COMMIT")
        count -= 1

def reader(stop):
    db = connect()
    while not os.path.exists(stop):
        assert total(db) == (1000, 100000), total(db)

def start(f, *args):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            f(*args)
            status = 0
        finally:
            os._exit(status)
    return pid

stop = path + ".stop"
victim = start(writer, 99, -1)
writers = [start(writer, seed, transfers) for seed in range(3)]
readers = [start(reader, stop) for _ in range(2)]
time.sleep(0.5)
os.kill(victim, signal.SIGKILL)
os.waitpid(victim, 0)
ends = [os.waitpid(pid, 0)[1] for pid in writers]
open(stop, "w").close()
ends += [os.waitpid(pid, 0)[1] for pid in readers]
assert ends == [0] * 5, ends
PY
	answer=$(sqlite3 "$db" 'PRAGMA integrity_check; SELECT count(*), sum(money) FROM account;')
	[ "$answer" = "ok
1000|100000" ] || die "$mode: $answer"
	[ "$(sqlite3 "$db" 'PRAGMA journal_mode')" = $mode ] || [ $mode = truncate ] || die "not in mode $mode"
done
rm "$M"/*
expect_empty
