#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# PostgreSQL with its data and its dynamic shared memory on the mount: parallel queries are right, pgbench runs, and after
# a crash every transaction and every checksum is there.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

bin=$(find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1)
[ -x "${bin:-/nonexistent}/initdb" ] && [ -x "$bin/pgbench" ] || skip "PostgreSQL is not installed"
needs setpriv
[ "${SCALE:-}" = small ] && rows=20000 seconds=3 || rows=200000 seconds=8
id postgres >/dev/null 2>&1 && user=postgres || user=nobody

chmod 711 "$T"
mount_ksmfs size=1g
mkdir "$M/shm"
chmod 1777 "$M/shm"
install -d -o $user -m 700 "$M/data" "$M/socket"
export PGHOST="$M/socket" PGUSER=test PGDATABASE=postgres PGDATA="$M/data"

as_user() {
	setpriv --reuid=$user --regid="$(id -g $user)" --clear-groups env -C "$M" "$@"
}

as_user "$bin/initdb" --auth=trust --username=test --data-checksums >"$T/initdb" 2>&1 || die "initdb: $(cat "$T/initdb")"
case $("$bin/postgres" --version) in
*\ 1[0-5].*) forced=force_parallel_mode ;;
*) forced=debug_parallel_query ;;
esac
cat >>"$PGDATA/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$PGHOST'
dynamic_shared_memory_type = posix
fsync = on
wal_sync_method = open_datasync
shared_buffers = 32MB
min_parallel_table_scan_size = 0
min_parallel_index_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
max_parallel_workers_per_gather = 4
max_parallel_maintenance_workers = 4
$forced = on
CONF

server() {
	with_shm "$M/shm" setpriv --reuid=$user --regid="$(id -g $user)" --clear-groups env -C "$M" \
		"$bin/pg_ctl" -w -t 60 -l "$PGDATA/log" "$@" >"$T/ctl" 2>&1 || die "pg_ctl $*: $(cat "$T/ctl" "$PGDATA/log")"
}
# The server must not outlive a test that fails.
at_end() {
	pid=$(head -n 1 "$T/postmaster" 2>/dev/null)
	[ -z "$pid" ] || kill -QUIT "$pid" 2>/dev/null
	true
}
start() {
	server start
	cp "$PGDATA/postmaster.pid" "$T/postmaster"
}
stop() {
	server stop -m "$1"
	rm "$T/postmaster"
}
ask() {
	"$bin/psql" -qXAt -v ON_ERROR_STOP=1 -c "$1"
}

start
ask "CREATE TABLE t AS SELECT i, i % 1000 AS k, repeat(chr(65 + i % 26), 50) AS s FROM generate_series(1, $rows) i;
	CREATE INDEX ON t (k); CREATE UNIQUE INDEX ON t (i); ANALYZE t" || die "no table"
ask "EXPLAIN SELECT k, count(*) FROM t GROUP BY k" | grep -q 'Gather' || die "the query is not parallel"
# While a query runs, its memory is there where /dev/shm is.
ask "SELECT count(*), pg_sleep(1) FROM t a JOIN t b USING (i)" >"$T/query" &
ends_with_test
segments() {
	[ -n "$(find "$M/shm" -name 'PostgreSQL.*')" ]
}
within 5 segments || die "dynamic shared memory is elsewhere"
wait $!
[ "$(cut -d'|' -f1 "$T/query")" = "$rows" ] || die "a join of $(cat "$T/query") rows"
for join in hash merge nestloop; do
	others=$(for j in hash merge nestloop; do [ $j = $join ] || echo "SET enable_${j}join = off;" | sed 's/nestloopjoin/nestloop/'; done)
	n=$(ask "$others SELECT count(*) || ' ' || sum(a.i) FROM t a JOIN t b USING (i) WHERE a.k < 100")
	[ "$n" = "$(ask "SET max_parallel_workers_per_gather = 0; SELECT count(*) || ' ' || sum(i) FROM t WHERE k < 100")" ] ||
		die "a $join join gives $n"
done

as_user "$bin/pgbench" -q -i -s 2 >"$T/bench" 2>&1 || die "pgbench: $(cat "$T/bench")"
as_user "$bin/pgbench" -c 4 -j 2 -T $seconds >"$T/bench" 2>&1 || die "pgbench: $(cat "$T/bench")"
grep -E '^(tps|number of transactions act)' "$T/bench"
sums='SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM pgbench_branches),
	(SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(delta) FROM pgbench_history)'
before=$(ask "$sums")
[ "$(echo "$before" | tr '|' '\n' | sort -u | wc -l)" = 1 ] || die "the sums differ: $before"
stop immediate # as a crash
start
[ "$(ask "$sums")" = "$before" ] || die "after a crash: $(ask "$sums"), not $before"
[ "$(ask 'SELECT count(*) FROM t')" = "$rows" ] || die "rows are lost"
stop fast
as_user "$bin/pg_checksums" --check >"$T/sums" 2>&1 || die "checksums: $(cat "$T/sums")"
[ -z "$(find "$M/shm" -type f)" ] || die "left in shared memory: $(ls "$M/shm")"
rm -r "${M:?}"/*
expect_empty
