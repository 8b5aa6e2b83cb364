/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/remains.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/names.h"
#include "tests/unit/fixture.h"

struct told {
	unsigned lines;
	char last[256];
};

static void tell(void *arg, const char *what)
{
	struct told *t = arg;

	t->lines++;
	snprintf(t->last, sizeof(t->last), "%s", what);
}

/* Of a volume that is closed: its names alone are left. */
static void leave(struct fixture *f)
{
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	struct volume_entry e;

	(void)make(f, dir, "file", S_IFREG | 0644);
	assert_int_equal(volume_link(f->v, make_file(f, "one"), dir, name_of("two"), &e), 0);
	volume_close(f->v);
	f->v = NULL;
}

static void sql(struct fixture *f, const char *text)
{
	char path[PATH_MAX];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/names.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void expect(struct fixture *f, const char *words)
{
	struct told told = { 0 };
	uint64_t names;

	assert_int_equal(remains_examine(f->dir, tell, &told, &names), 1);
	assert_int_equal(told.lines, 1);
	assert_string_equal(told.last, words);
}

static void examine__names_that_are_whole(void **state)
{
	struct fixture *f = *state;
	struct told told = { 0 };
	uint64_t names = 0;

	leave(f);
	assert_int_equal(remains_examine(f->dir, tell, &told, &names), 0);
	assert_int_equal(names, 4);
	assert_int_equal(told.lines, 0);
}

static void examine__each_rule_is_told(void **state)
{
	struct fixture *f = *state;

	leave(f);
	sql(f, "CREATE TABLE kept AS SELECT * FROM entry");
	sql(f, "DELETE FROM entry WHERE CAST(name AS TEXT) = 'dir'");
	expect(f, "2 names are in directories that have none");
	sql(f, "DELETE FROM entry; INSERT INTO entry SELECT * FROM kept; UPDATE entry SET name = x'412f' WHERE CAST(name AS TEXT) = 'one'");
	expect(f, "1 names are no names");
	sql(f, "DELETE FROM entry; INSERT INTO entry SELECT * FROM kept; INSERT INTO entry SELECT key + 1, ino, name FROM kept WHERE CAST(name AS TEXT) = 'one'");
	expect(f, "1 names are in their directory more than once");
	sql(f, "DELETE FROM entry; INSERT INTO entry SELECT * FROM kept; INSERT INTO entry SELECT key + 1, ino, x'41' FROM kept WHERE CAST(name AS TEXT) = 'dir'");
	expect(f, "1 directories have more names than one");
}

static void examine__a_damaged_file_is_told(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX], junk[4096];
	struct told told = { 0 };
	uint64_t names;
	int fd;

	leave(f);
	memset(junk, 0x5a, sizeof(junk));
	snprintf(path, sizeof(path), "%s/names.db", f->dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 4096), sizeof(junk));
	assert_true(remains_examine(f->dir, tell, &told, &names) > 0);
	assert_true(told.lines > 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
	expect(f, "names.db is damaged, or of another format");
	close(fd);
}

static void examine__what_is_not_there_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct told told = { 0 };
	char path[PATH_MAX];
	uint64_t names;

	leave(f);
	failpoint_arm(FAIL_SQL, 3);
	assert_true(remains_examine(f->dir, tell, &told, &names) < 0);
	failpoint_arm(FAIL_SQL, 0);
	snprintf(path, sizeof(path), "%s/names.db", f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(remains_examine(f->dir, tell, &told, &names), -ENOENT);
	assert_int_equal(access(path, F_OK), -1); /* none was made */
	assert_int_equal(told.lines, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(examine__names_that_are_whole),
		FIXTURE_TEST(examine__each_rule_is_told),
		FIXTURE_TEST(examine__a_damaged_file_is_told),
		FIXTURE_TEST(examine__what_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
