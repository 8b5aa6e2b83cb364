/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/failpoint.h"
#include "core/names.h"
#include "tests/unit/tempdir.h"

struct inos {
	uint64_t sum, dirs;
	int left; /* calls until it stops */
};

static int add_ino(void *arg, uint32_t dir_record, uint64_t ino)
{
	struct inos *s = arg;

	s->sum += ino;
	s->dirs += dir_record;
	return --s->left ? 0 : 77;
}

static struct name text(const char *s)
{
	return (struct name){s, strlen(s)};
}

static void walk_inos__tells_of_all_and_stops_when_told(void **state)
{
	const uint64_t ino = UINT64_C(5) << 32 | 7;
	struct inos s = {.left = 1000};
	struct names *n;

	assert_int_equal(names_open(*state, 1, &n), 0);
	assert_int_equal(names_add(n, 1, text("a"), ino, NULL), 0);
	assert_int_equal(names_add(n, 1, text("b"), 3, NULL), 0);
	assert_int_equal(names_add(n, UINT64_C(9) << 32 | 4, text("a"), ino, NULL), 0);
	assert_int_equal(names_walk_inos(n, add_ino, &s), 0);
	assert_int_equal(s.left, 997);
	assert_int_equal(s.dirs, 6);
	assert_int_equal(s.sum, 2 * ino + 3);
	s.left = 2;
	assert_int_equal(names_walk_inos(n, add_ino, &s), 77);
	assert_int_equal(s.left, 0);
	assert_int_equal(names_remove(n, 1, text("b"), 3, true), NAMES_OK); /* nothing is held up */
	names_close(n);
}

static void walk_inos__fails_at_any_call(void **state)
{
	unsigned nth = 0;
	struct names *n;
	int r;

	assert_int_equal(names_open(*state, 1, &n), 0);
	assert_int_equal(names_add(n, 1, text("a"), 7, NULL), 0);
	do {
		struct inos s = {.left = 1000};

		failpoint_arm(FAIL_SQL, ++nth);
		r = names_walk_inos(n, add_ino, &s);
		failpoint_arm(FAIL_SQL, 0);
	} while (r < 0);
	assert_int_equal(r, 0);
	assert_true(nth > 3);
	names_close(n);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tempdir_setup, tempdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(walk_inos__tells_of_all_and_stops_when_told),
		TEST(walk_inos__fails_at_any_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
