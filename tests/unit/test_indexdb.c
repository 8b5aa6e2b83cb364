/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page index against a model in plain memory, and against people who hold locks, read for ever,
 * write rubbish into the file, or take it away. */
#define INDEXDB_LOG_BYTES_MAX (UINT64_C(256) << 10)
#include "core/indexdb.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/clock.h"
#include "tests/unit/tempdir.h"

enum { FRAMES = 400, MAX_ROWS = 1000 };

static struct indexdb *open_with(void **state, uint64_t max_rows)
{
	struct indexdb *x = NULL;

	if (indexdb_open(*state, max_rows, &x) < 0 || !x)
		abort();
	return x;
}

static struct indexdb *open_index(void **state)
{
	return open_with(state, MAX_ROWS);
}

/* Somebody else: his own connection, as sqlite3(1) would open it. */
static sqlite3 *somebody(void **state)
{
	char path[512];
	sqlite3 *db = NULL;

	(void)snprintf(path, sizeof(path), "%s/index.db", (const char *)*state);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	return db;
}

static int64_t ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static int64_t ask_once(void **state, const char *sql)
{
	sqlite3 *db = somebody(state);
	int64_t n = ask(db, sql);

	sqlite3_close(db);
	return n;
}

static void tell(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static struct indexdb_page page_of(uint32_t frame, uint32_t refs)
{
	return (struct indexdb_page){frame, refs, frame % 3, {frame * UINT64_C(0x123456789), refs}};
}

/* Pages first..end, each with `refs`, or those of them that `refs` of zero leaves out. */
static unsigned fill(struct indexdb_page *pages, const uint32_t *refs, uint32_t first, uint32_t end)
{
	unsigned count = 0;

	for (uint32_t f = first; f < end; f++)
		if (refs[f])
			pages[count++] = page_of(f, refs[f]);
	return count;
}

static void assert_pages(void **state, const uint32_t *refs)
{
	sqlite3 *db = somebody(state);
	sqlite3_stmt *stmt;
	uint32_t f = 0;

	assert_int_equal(sqlite3_prepare_v2(db, page_table.select, -1, &stmt, NULL), SQLITE_OK);
	sqlite3_bind_int64(stmt, 1, 0);
	sqlite3_bind_int64(stmt, 2, UINT32_MAX);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct indexdb_page p;
		struct row row;

		while (f < FRAMES && !refs[f])
			f++;
		assert_true(f < FRAMES);
		p = page_of(f, refs[f]);
		fill_page(&p, 0, &row);
		assert_int_equal(sqlite3_column_int64(stmt, 0), f);
		assert_true(row_is_equal(&page_table, &row, stmt));
		f++;
	}
	while (f < FRAMES)
		assert_int_equal(refs[f++], 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static int sync_all(struct indexdb *x, const uint32_t *refs, unsigned *ret_written)
{
	static struct indexdb_page pages[FRAMES];

	return indexdb_sync_pages(x, 0, FRAMES, pages, fill(pages, refs, 0, FRAMES), ret_written);
}

/* Every frame but each tenth is shared. */
static void some_refs(uint32_t refs[FRAMES], uint32_t salt)
{
	for (uint32_t f = 0; f < FRAMES; f++)
		refs[f] = (f + salt) % 10 ? 2 + (f + salt) % 7 : 0;
}

static void sync_pages__makes_the_range_equal_and_nothing_else(void **state)
{
	static struct indexdb_page pages[FRAMES];
	struct indexdb *x = open_index(state);
	uint32_t refs[FRAMES] = {0};
	unsigned seed = 1, written = 0, expected;

	for (unsigned i = 0; i < 200; i++) {
		uint32_t first = (uint32_t)rand_r(&seed) % FRAMES;
		uint32_t end = first + (uint32_t)rand_r(&seed) % (FRAMES - first + 1);

		expected = 0;
		for (uint32_t f = first; f < end; f++) {
			uint32_t old = refs[f];

			if (rand_r(&seed) % 2)
				refs[f] = (uint32_t)rand_r(&seed) % 3 ? 2 + f % 5 + i % 2 : 0;
			expected += refs[f] != old;
		}
		assert_int_equal(indexdb_sync_pages(x, first, end, pages,
						    fill(pages, refs, first, end), &written),
				 INDEXDB_OK);
		assert_int_equal(written, expected);
		if (i % 10 == 0)
			assert_pages(state, refs);
	}
	assert_pages(state, refs);
	indexdb_close(x);
	x = open_index(state);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	assert_int_equal(written, 0);
	indexdb_close(x);
}

static void sync_pages__beyond_max_rows_corrects_and_removes_but_adds_nothing(void **state)
{
	struct indexdb_page pages[4] = {page_of(1, 2), page_of(2, 2), page_of(3, 2), page_of(4, 2)};
	struct indexdb *x = NULL;
	unsigned written = 0;

	for (int opened = 0; opened < 2; opened++) { /* counted as it is opened, too */
		x = open_with(state, 2);
		assert_int_equal(indexdb_sync_pages(x, 0, 10, pages, 4, &written), INDEXDB_OK);
		assert_int_equal(ask_once(state, "SELECT sum(frame) FROM page"), 3);
		indexdb_close(x);
	}
	x = open_with(state, 2);
	pages[1].refs = 9;
	assert_int_equal(indexdb_sync_pages(x, 0, 10, pages + 1, 3, &written), INDEXDB_OK);
	assert_int_equal(written, 3);
	assert_int_equal(ask_once(state, "SELECT sum(frame) FROM page"), 5);
	assert_int_equal(ask_once(state, "SELECT refs FROM page WHERE frame = 2"), 9);
	indexdb_close(x);
}

static void replace_files__makes_both_tables_equal_in_any_order(void **state)
{
	struct indexdb_cost costs[] = {
	    {UINT64_C(3) << 32 | 9, "dir/plain", 10, 5, 4096},
	    {7, "f\xc3\xbcr", 1, 0, 4096},
	    {UINT64_MAX, "no\xff utf8", 2, 1, 100},
	    {5, "(deleted)", 3, 3, 0},
	};
	struct indexdb_sharer sharers[] = {{9, 5, 1}, {3, UINT64_MAX, 4}, {3, 7, 2}};
	struct indexdb *x = open_index(state);
	unsigned written = 0;

	assert_int_equal(indexdb_replace_files(x, costs, 4, sharers, 3, &written), INDEXDB_OK);
	assert_int_equal(written, 7);
	assert_int_equal(indexdb_replace_files(x, costs, 4, sharers, 3, &written), INDEXDB_OK);
	assert_int_equal(written, 0);
	assert_int_equal(ask_once(state, "SELECT count(*) FROM file_cost"), 4);
	assert_int_equal(ask_once(state, "SELECT data_pages FROM file_cost WHERE path = 'für'"), 1);
	assert_int_equal(
	    ask_once(state, "SELECT count(*) FROM file_cost WHERE typeof(path) = 'blob'"), 1);
	assert_int_equal(ask_once(state, "SELECT n FROM sharer WHERE frame = 3 AND ino = -1"), 4);
	costs[0].shared_pages = 6;
	assert_int_equal(indexdb_replace_files(x, costs, 3, sharers + 1, 2, &written), INDEXDB_OK);
	assert_int_equal(written, 3);
	assert_int_equal(ask_once(state, "SELECT sum(shared_pages) FROM file_cost"), 7);
	assert_int_equal(indexdb_replace_files(x, NULL, 0, NULL, 0, &written), INDEXDB_OK);
	assert_int_equal(written, 5);
	indexdb_close(x);
}

static void any_call__that_fails_has_not_happened(void **state)
{
	static const struct indexdb_cost cost = {7, "a", 1, 1, 1};
	static const struct indexdb_sharer sharer = {1, 7, 1};
	struct indexdb *x = open_index(state);
	uint32_t old[FRAMES], new[FRAMES];
	unsigned written = 0;

	some_refs(old, 0);
	some_refs(new, 0);
	for (uint32_t f = 100; f < 115; f++)
		new[f] = f % 3 ? 9 : 0;
	assert_int_equal(sync_all(x, old, &written), INDEXDB_OK);
	for (int kind = 0; kind < FAILPOINTS; kind++) {
		unsigned nth = 1;
		int r;

		do {
			failpoint_arm((enum failpoint)kind, nth++);
			r = sync_all(x, new, &written);
			failpoint_arm((enum failpoint)kind, 0);
			if (r && nth % 8 == 0)
				assert_pages(state, old);
		} while (r);
		assert_pages(state, new);
		assert_int_equal(sync_all(x, old, &written), INDEXDB_OK);
		nth = 1;
		do {
			failpoint_arm((enum failpoint)kind, nth++);
			r = indexdb_replace_files(x, &cost, 1, &sharer, 1, &written);
			failpoint_arm((enum failpoint)kind, 0);
			assert_int_equal(ask_once(state, "SELECT count(*) FROM file_cost"), !r);
			assert_int_equal(ask_once(state, "SELECT count(*) FROM sharer"), !r);
		} while (r);
		assert_true(nth > 3);
		assert_int_equal(indexdb_replace_files(x, NULL, 0, NULL, 0, &written), INDEXDB_OK);
	}
	assert_int_equal(x->rows, ask_once(state, "SELECT count(*) FROM page"));
	indexdb_close(x);
}

static void open__failing_at_any_call_can_be_tried_again(void **state)
{
	for (int kind = 0; kind < FAILPOINTS; kind++) {
		struct indexdb *x = NULL;
		unsigned nth = 1;
		int r;

		do {
			failpoint_arm((enum failpoint)kind, nth++);
			r = indexdb_open(*state, MAX_ROWS, &x);
			failpoint_arm((enum failpoint)kind, 0);
		} while (r < 0);
		assert_true(nth > 3);
		assert_int_equal(indexdb_replace_files(x, NULL, 0, NULL, 0, &nth), INDEXDB_OK);
		indexdb_close(x);
		tempdir_empty(*state);
	}
}

/* --- people ----------------------------------------------------------------------------------- */

static void any_call__is_skipped_at_once_while_somebody_writes(void **state)
{
	struct indexdb *x = open_index(state);
	uint32_t refs[FRAMES];
	unsigned written = 0;
	uint64_t start;
	sqlite3 *db = NULL;

	some_refs(refs, 0);
	db = somebody(state);
	tell(db, "BEGIN IMMEDIATE");
	start = clock_ms(CLOCK_MONOTONIC);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(sync_all(x, refs, &written), INDEXDB_SKIPPED);
		assert_int_equal(indexdb_replace_files(x, NULL, 0, NULL, 0, &written),
				 INDEXDB_SKIPPED);
	}
	assert_true(clock_ms(CLOCK_MONOTONIC) - start < 200);
	tell(db, "ROLLBACK");
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	assert_pages(state, refs);
	sqlite3_close(db);
	indexdb_close(x);
}

static void open__does_not_wait_for_whoever_locks_the_whole_file(void **state)
{
	struct indexdb *x = open_index(state);
	uint32_t refs[FRAMES];
	unsigned written = 0;
	sqlite3 *db = NULL;

	some_refs(refs, 0);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	indexdb_close(x);
	db = somebody(state);
	tell(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM page WHERE frame=1");
	x = open_index(state);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_SKIPPED);
	(void)indexdb_bytes(x);
	tell(db, "ROLLBACK");
	sqlite3_close(db);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	assert_int_equal(written, 0);
	indexdb_close(x);
}

static void any_call__keeps_the_log_bounded_while_somebody_reads_for_ever(void **state)
{
	struct indexdb *x = open_index(state);
	uint32_t refs[FRAMES];
	uint64_t most = 0;
	unsigned written = 0, skipped = 0;
	int64_t seen;
	sqlite3 *db = NULL;

	some_refs(refs, 0);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	db = somebody(state);
	tell(db, "BEGIN");
	seen = ask(db, "SELECT sum(refs) FROM page");
	for (uint32_t i = 1; i < 120; i++) {
		some_refs(refs, i);
		skipped += sync_all(x, refs, &written) != INDEXDB_OK;
		most = MAX(most, indexdb_bytes(x));
	}
	assert_int_equal(skipped, 0);
	assert_true(most < 2 * INDEXDB_LOG_BYTES_MAX);
	assert_int_equal(ask(db, "SELECT sum(refs) FROM page"), seen); /* he has what he opened */
	assert_pages(state, refs);
	sqlite3_close(db);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	assert_pages(state, refs);
	indexdb_close(x);
}

static void any_call__starts_anew_when_somebody_takes_the_file_away(void **state)
{
	struct indexdb *x = open_index(state);
	uint32_t refs[FRAMES];
	unsigned written = 0;

	some_refs(refs, 0);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	tempdir_empty(*state);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	assert_pages(state, refs);
	indexdb_close(x);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void damage(void **state, long from, long to, const char *mode)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/index.db", (const char *)*state);
	f = fopen(path, mode);
	assert_non_null(f);
	assert_int_equal(fseek(f, from, SEEK_SET), 0);
	for (long i = from; i < to; i++)
		(void)fputc((int)(i * 31 + 7) & 0xff, f);
	assert_int_equal(fclose(f), 0);
}

static void any_call__starts_anew_when_the_file_is_damaged(void **state)
{
	static const struct {
		long from, to;
		const char *mode;
	} kinds[] = {
	    {0, 5000, "w"}, {0, 100, "r+"}, {4096, 40000, "r+"}, {100, 200, "r+"}, {0, 1, "w"}};
	uint32_t refs[FRAMES];
	unsigned written = 0;

	some_refs(refs, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct indexdb *x = open_index(state);

		assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
		indexdb_close(x);
		damage(state, kinds[i].from, kinds[i].to, kinds[i].mode);
		x = open_index(state);
		if (sync_all(x, refs, &written) == INDEXDB_SKIPPED)
			assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
		assert_pages(state, refs);
		indexdb_close(x);
	}
}

static void open__another_format_is_started_anew(void **state)
{
	struct indexdb *x = open_index(state);
	sqlite3 *db = NULL;

	indexdb_close(x);
	db = somebody(state);
	tell(db, "DROP TABLE page; CREATE TABLE page (other); PRAGMA user_version = 99");
	sqlite3_close(db);
	x = open_index(state);
	assert_int_equal(ask_once(state, "PRAGMA user_version"), 1);
	assert_int_equal(ask_once(state, "SELECT count(frame) FROM page"), 0);
	indexdb_close(x);
}

static void any_call__runs_no_code_that_somebody_left_in_the_file(void **state)
{
	struct indexdb *x = open_index(state);
	uint32_t refs[FRAMES];
	unsigned written = 0;
	sqlite3 *db = somebody(state);

	tell(db, "CREATE TRIGGER t AFTER INSERT ON page BEGIN DELETE FROM page; END");
	sqlite3_close(db);
	some_refs(refs, 0);
	assert_int_equal(sync_all(x, refs, &written), INDEXDB_OK);
	assert_pages(state, refs);
	indexdb_close(x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tempdir_setup, tempdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(sync_pages__makes_the_range_equal_and_nothing_else),
	    TEST(sync_pages__beyond_max_rows_corrects_and_removes_but_adds_nothing),
	    TEST(replace_files__makes_both_tables_equal_in_any_order),
	    TEST(any_call__that_fails_has_not_happened),
	    TEST(open__failing_at_any_call_can_be_tried_again),
	    TEST(any_call__is_skipped_at_once_while_somebody_writes),
	    TEST(open__does_not_wait_for_whoever_locks_the_whole_file),
	    TEST(any_call__keeps_the_log_bounded_while_somebody_reads_for_ever),
	    TEST(any_call__starts_anew_when_somebody_takes_the_file_away),
	    TEST(any_call__starts_anew_when_the_file_is_damaged),
	    TEST(open__another_format_is_started_anew),
	    TEST(any_call__runs_no_code_that_somebody_left_in_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
