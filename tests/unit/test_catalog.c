/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/catalog.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/failpoint.h"
#include "tests/unit/tempdir.h"

static const struct catalog_schema schema = {
    .format = 3,
    .sql = "CREATE TABLE pair (key INTEGER PRIMARY KEY, value BLOB NOT NULL)",
};

static char path_buf[512];

static const char *path_in(void **state, const char *file)
{
	(void)snprintf(path_buf, sizeof(path_buf), "%s/%s", (const char *)*state, file);
	return path_buf;
}

static struct catalog *open_as(void **state, enum catalog_mode mode)
{
	struct catalog *c;

	assert_int_equal(catalog_open(path_in(state, "t.db"), mode, &schema, &c), 0);
	return c;
}

static int insert(struct catalog *c, int64_t key, size_t bytes)
{
	sqlite3_stmt *stmt;
	int r;

	r = catalog_prepare(c, "INSERT INTO pair VALUES (?1, zeroblob(?2))", &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, key);
	sqlite3_bind_int64(stmt, 2, (int64_t)bytes);
	return catalog_step(c, stmt);
}

static int64_t ask(struct catalog *c, const char *sql)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;

	assert_int_equal(catalog_prepare(c, sql, &stmt), 0);
	assert_int_equal(catalog_step(c, stmt), CATALOG_ROW);
	return sqlite3_column_int64(stmt, 0);
}

static int64_t rows(struct catalog *c)
{
	return ask(c, "SELECT count(*) FROM pair");
}

static bool in_transaction(struct catalog *c)
{
	sqlite3_stmt *stmt;

	assert_int_equal(catalog_prepare(c, "SELECT 1", &stmt), 0);
	return !sqlite3_get_autocommit(sqlite3_db_handle(stmt));
}

static void open__what_was_committed_is_there_again(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);

	assert_int_equal(insert(c, 1, 10), 0);
	catalog_close(c);
	c = open_as(state, CATALOG_OWNER);
	assert_int_equal(rows(c), 1);
	catalog_close(c);
}

static void open__an_owner_leaves_no_shm_and_takes_no_file_lock(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path_in(state, "t.db"), O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(insert(c, 1, 10), 0);
	assert_int_equal(access(path_in(state, "t.db-wal"), F_OK), 0);
	assert_int_equal(access(path_in(state, "t.db-shm"), F_OK), -1);
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	assert_int_equal(lock.l_type, F_UNLCK);
	close(fd);
	catalog_close(c);
}

static void open__a_killed_owner_loses_nothing_committed(void **state)
{
	struct catalog *c;
	int pipe_fds[2], status, acknowledged = 0;
	pid_t pid;
	char byte;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		c = open_as(state, CATALOG_OWNER);
		for (int i = 1; insert(c, i, 100) == 0; i++)
			if (write(pipe_fds[1], "", 1) != 1)
				break;
		_exit(1);
	}
	close(pipe_fds[1]);
	while (acknowledged < 3000 && read(pipe_fds[0], &byte, 1) == 1)
		acknowledged++;
	assert_int_equal(kill(pid, SIGKILL), 0);
	c = open_as(state, CATALOG_OWNER); /* the dying one may still be there: no lock is met */
	assert_true(rows(c) >= acknowledged);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(acknowledged, 3000);
	catalog_close(c);
	close(pipe_fds[0]);
}

static void open__another_format_is_refused_and_left_alone(void **state)
{
	static const struct catalog_schema other = {.format = 4, .sql = "CREATE TABLE other (x)"};
	struct catalog *c = open_as(state, CATALOG_OWNER);

	assert_int_equal(insert(c, 1, 1), 0);
	catalog_close(c);
	assert_int_equal(catalog_open(path_in(state, "t.db"), CATALOG_OWNER, &other, &c), -EUCLEAN);
	c = open_as(state, CATALOG_OWNER);
	assert_int_equal(rows(c), 1);
	assert_int_equal(ask(c, "SELECT count(*) FROM sqlite_schema WHERE name = 'other'"), 0);
	catalog_close(c);
}

static void open__a_file_that_is_no_database_is_refused(void **state)
{
	struct catalog *c;
	FILE *f = fopen(path_in(state, "t.db"), "w");

	assert_non_null(f);
	for (int i = 0; i < 2000; i++)
		(void)fputs("no database", f);
	fclose(f);
	assert_int_equal(catalog_open(path_in(state, "t.db"), CATALOG_OWNER, &schema, &c),
			 -EUCLEAN);
}

static void open__says_why_a_file_cannot_be_opened(void **state)
{
	struct catalog *c;

	assert_int_equal(catalog_open(path_in(state, "absent/t.db"), CATALOG_OWNER, &schema, &c),
			 -ENOENT);
}

static void begin__is_busy_at_once_when_somebody_writes(void **state)
{
	struct catalog *a = open_as(state, CATALOG_SHARED), *b = open_as(state, CATALOG_SHARED);

	assert_int_equal(catalog_begin(a), 0);
	assert_int_equal(catalog_begin(b), -EBUSY);
	assert_int_equal(insert(b, 1, 1), -EBUSY);
	assert_int_equal(insert(a, 1, 1), 0);
	assert_int_equal(catalog_commit(a), 0);
	assert_int_equal(catalog_begin(b), 0);
	assert_int_equal(rows(b), 1);
	catalog_rollback(b);
	catalog_close(a);
	catalog_close(b);
}

static void step__an_error_ends_the_transaction(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);

	assert_int_equal(catalog_begin(c), 0);
	assert_int_equal(insert(c, 1, 1), 0);
	assert_true(insert(c, 1, 1) < 0); /* the key is taken */
	assert_false(in_transaction(c));
	assert_int_equal(rows(c), 0);
	catalog_close(c);
}

static void step__a_full_database_is_enospc_and_goes_on_when_there_is_room(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);
	int r, i;

	assert_int_equal(catalog_exec(c, "PRAGMA max_page_count=50"), 0);
	for (i = 1; (r = insert(c, i, 1000)) == 0; i++)
		assert_true(i < 100);
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(rows(c), i - 1);
	assert_int_equal(catalog_exec(c, "DELETE FROM pair WHERE key < 10"), 0);
	assert_int_equal(insert(c, i, 1000), 0);
	catalog_close(c);
}

static void step__a_write_the_system_refuses_changes_nothing(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);
	struct rlimit old, none;

	assert_int_equal(insert(c, 1, 10), 0);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = old;
	none.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(insert(c, 2, 9000), -EIO);
	assert_int_equal(catalog_begin(c), 0);
	assert_int_equal(insert(c, 2, 9000), 0);
	assert_int_equal(catalog_commit(c), -EIO);
	assert_false(in_transaction(c));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rows(c), 1);
	assert_int_equal(insert(c, 2, 9000), 0);
	assert_int_equal(rows(c), 2);
	catalog_close(c);
}

static void log__stays_bounded_and_space_comes_back(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);
	uint64_t most = 0;

	for (int round = 0; round < 4; round++) {
		for (int i = 1; i <= 2000; i++) {
			assert_int_equal(insert(c, i, 900), 0);
			most = MAX(most, catalog_log_bytes(c));
		}
		assert_int_equal(catalog_exec(c, "DELETE FROM pair"), 0);
	}
	assert_true(most < 3 << 20);
	assert_int_equal(catalog_checkpoint(c), 0);
	assert_int_equal(catalog_log_bytes(c), 0);
	assert_true(catalog_bytes(c) < 16 << 10);
	catalog_close(c);
}

static void prepare__a_statement_comes_back_reset_with_nothing_bound(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);
	static const char sql[] = "SELECT ?1";
	sqlite3_stmt *a, *b;

	assert_int_equal(catalog_prepare(c, sql, &a), 0);
	sqlite3_bind_int64(a, 1, 7);
	assert_int_equal(catalog_step(c, a), CATALOG_ROW);
	assert_int_equal(sqlite3_column_int64(a, 0), 7);
	assert_int_equal(catalog_prepare(c, sql, &b), 0);
	assert_ptr_equal(a, b);
	assert_int_equal(catalog_step(c, b), CATALOG_ROW);
	assert_int_equal(sqlite3_column_type(b, 0), SQLITE_NULL);
	catalog_reset(&b);
	catalog_close(c);
}

static void prepare__bad_sql_is_an_error_each_time(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);
	sqlite3_stmt *stmt;

	for (int i = 0; i < 2; i++)
		assert_int_equal(catalog_prepare(c, "SELECT nothing FROM nowhere", &stmt), -EIO);
	catalog_close(c);
}

/* Two rows or none. */
static int insert_two(struct catalog *c)
{
	int r;

	r = catalog_begin(c);
	if (r < 0)
		return r;
	r = insert(c, 1, 10);
	if (r < 0)
		return r;
	r = insert(c, 2, 10);
	if (r < 0)
		return r;
	return catalog_commit(c);
}

static void any_call__that_fails_leaves_no_transaction_and_no_half(void **state)
{
	struct catalog *c = open_as(state, CATALOG_OWNER);
	unsigned nth = 1;
	int r;

	do {
		failpoint_arm(FAIL_SQL, nth++);
		r = insert_two(c);
		failpoint_arm(FAIL_SQL, 0);
		assert_false(in_transaction(c));
		assert_int_equal(rows(c), r ? 0 : 2);
	} while (r < 0);
	assert_true(nth > 8);
	catalog_close(c);
}

static void open__failing_at_any_call_can_be_tried_again(void **state)
{
	for (int kind = 0; kind < FAILPOINTS; kind++) {
		unsigned nth = 1;
		struct catalog *c;
		int r;

		do {
			failpoint_arm((enum failpoint)kind, nth++);
			r = catalog_open(path_in(state, "t.db"), CATALOG_OWNER, &schema, &c);
			failpoint_arm((enum failpoint)kind, 0);
		} while (r < 0);
		assert_true(nth > 2);
		assert_int_equal(rows(c), 0);
		catalog_close(c);
		tempdir_empty(*state);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tempdir_setup, tempdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(open__what_was_committed_is_there_again),
	    TEST(open__an_owner_leaves_no_shm_and_takes_no_file_lock),
	    TEST(open__a_killed_owner_loses_nothing_committed),
	    TEST(open__another_format_is_refused_and_left_alone),
	    TEST(open__a_file_that_is_no_database_is_refused),
	    TEST(open__says_why_a_file_cannot_be_opened),
	    TEST(open__failing_at_any_call_can_be_tried_again),
	    TEST(begin__is_busy_at_once_when_somebody_writes),
	    TEST(step__an_error_ends_the_transaction),
	    TEST(step__a_full_database_is_enospc_and_goes_on_when_there_is_room),
	    TEST(step__a_write_the_system_refuses_changes_nothing),
	    TEST(log__stays_bounded_and_space_comes_back),
	    TEST(prepare__a_statement_comes_back_reset_with_nothing_bound),
	    TEST(prepare__bad_sql_is_an_error_each_time),
	    TEST(any_call__that_fails_leaves_no_transaction_and_no_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
