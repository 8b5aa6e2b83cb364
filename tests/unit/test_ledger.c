/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What index.db says after a ledger_write(), asked as people would ask it. */
#include "core/ledger.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "core/recall.h"
#include "fixture.h"

/* The first column of the first row, as text. */
static void assert_answer(struct fixture *f, const char *sql, const char *expected)
{
	char path[PATH_MAX];
	sqlite3_stmt *stmt;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/index.db", f->dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), expected);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void write__shared_frames_have_rows_and_others_do_not(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), b = make_file(f, "b");

	put_pages(f, a, 0, 8, 1, 1);
	put_pages(f, b, 0, 5, 1, 1);
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT count(*) FROM page", "5");
	assert_answer(f, "SELECT sum(refs) FROM page", "10");
	assert_answer(f, "SELECT count(DISTINCT digest) FROM page", "5");
	drop_file(f, "b", b);
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT count(*) FROM page", "0");
	drop_file(f, "a", a);
}

static void write__a_file_costs_its_part_of_what_it_shares(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	uint64_t a = make_file(f, "a"), b = make(f, dir, "b", S_IFREG | 0644);

	put_pages(f, a, 0, 4, 1, 1);
	put_pages(f, b, 0, 2, 1, 1);
	put_page(f, b, 2, 0);
	put_page(f, b, 3, 99);
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT data_pages || ' ' || shared_pages || ' ' || proportional_bytes"
			 " FROM file_cost WHERE path = 'a'", "4 2 12288");
	assert_answer(f, "SELECT data_pages || ' ' || shared_pages || ' ' || proportional_bytes"
			 " FROM file_cost WHERE path = 'dir/b'", "4 2 8192");
}

/* Each takes less than a byte of it. */
static void write__parts_of_what_very_many_share_add_up(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	for (unsigned n = 0; n < 64; n++)
		put_pages(f, ino, n * 128, 128, 1, 0);
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT proportional_bytes FROM file_cost", "4096");
}

static void write__a_file_without_a_name_is_told_as_deleted(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");

	put_page(f, a, 0, 1);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("a")), 0);
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT path FROM file_cost", "(deleted)");
	volume_forget(f->v, a, 1);
}

static void write__the_most_shared_frames_name_their_sharers(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), b = make_file(f, "b");

	for (unsigned n = 0; n < 100; n++) { /* more shared frames than are told about */
		put_pages(f, a, n * 2, 2, n + 1000, 0);
	}
	put_pages(f, a, 300, 7, 5, 0);
	put_pages(f, b, 0, 3, 5, 0);
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT group_concat(n, ' ') FROM (SELECT n FROM sharer JOIN page USING (frame)"
			 " WHERE refs = 10 ORDER BY n)", "3 7");
	assert_answer(f, "SELECT count(DISTINCT frame) FROM sharer", "64");
}

/* Rows of frames that are shared no more, or were beyond what is used now. */
static void write__rows_of_a_process_that_was_killed_are_corrected(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), b = make_file(f, "b");
	char path[PATH_MAX];
	uint32_t frame = 0;
	sqlite3 *db;

	put_pages(f, a, 0, 200, 1, 1);
	put_pages(f, b, 0, 200, 1, 1);
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT count(*) FROM page", "200");
	truncate_to_pages(f, b, 0);
	fixture_reopen(f);
	snprintf(path, sizeof(path), "%s/index.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "INSERT INTO page VALUES (100000, x'00', 2, 0)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	while (recall_some(&f->v->pool, &frame))
		;
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT count(*) FROM page", "0");
}

static void write__an_index_db_that_is_locked_when_taken_over_is_opened_later(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	char path[PATH_MAX];
	uint32_t frame = 0;
	sqlite3 *db;

	put_pages(f, a, 0, 4, 1, 0);
	assert_true(ledger_write(f->v));
	snprintf(path, sizeof(path), "%s/index.db", f->dir);
	volume_close(f->v);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM page; COMMIT",
				      NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(volume_open(&f->config, &f->v), 0);
	assert_false(ledger_write(f->v));
	sqlite3_close(db);
	while (recall_some(&f->v->pool, &frame))
		;
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT refs FROM page", "4");
}

static void write__a_lock_held_by_somebody_skips_and_is_made_up_for(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	char path[PATH_MAX];
	sqlite3 *db;

	put_pages(f, a, 0, 4, 1, 0);
	snprintf(path, sizeof(path), "%s/index.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_false(ledger_write(f->v));
	assert_figure(f, index_batches_skipped, 1);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_true(ledger_write(f->v));
	assert_answer(f, "SELECT refs FROM page", "4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(write__shared_frames_have_rows_and_others_do_not),
		FIXTURE_TEST(write__a_file_costs_its_part_of_what_it_shares),
		FIXTURE_TEST(write__parts_of_what_very_many_share_add_up),
		FIXTURE_TEST(write__a_file_without_a_name_is_told_as_deleted),
		FIXTURE_TEST(write__the_most_shared_frames_name_their_sharers),
		FIXTURE_TEST(write__rows_of_a_process_that_was_killed_are_corrected),
		FIXTURE_TEST(write__an_index_db_that_is_locked_when_taken_over_is_opened_later),
		FIXTURE_TEST(write__a_lock_held_by_somebody_skips_and_is_made_up_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
