/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/failpoint.h"
#include "core/names.h"
#include "tests/unit/tempdir.h"

struct seen {
	uint64_t numbers, uids;
	int left; /* calls until it stops */
};

static int see(void *arg, uint64_t number, uint64_t uid)
{
	struct seen *s = arg;

	s->numbers += number;
	s->uids += uid;
	return --s->left ? 0 : 77;
}

static void domains__are_there_for_who_opens_it_again(void **state)
{
	struct seen s = { .left = 1000 };
	struct names *n;

	assert_int_equal(names_open(*state, 1, &n), 0);
	assert_int_equal(names_domain_add(n, 1, 1000), 0);
	assert_int_equal(names_domain_add(n, 2, UINT32_MAX), 0);
	assert_true(names_domain_add(n, 2, 5) < 0); /* taken */
	names_close(n);
	assert_int_equal(names_open(*state, 1, &n), 0);
	assert_int_equal(names_domain_walk(n, see, &s), 0);
	assert_int_equal(s.left, 998);
	assert_int_equal(s.numbers, 3);
	assert_int_equal(s.uids, UINT64_C(1000) + UINT32_MAX);
	s.left = 1;
	assert_int_equal(names_domain_walk(n, see, &s), 77);
	names_close(n);
}

static void domains__fail_at_any_call(void **state)
{
	unsigned nth = 0, adds = 0;
	struct names *n;
	int r;

	assert_int_equal(names_open(*state, 1, &n), 0);
	do {
		failpoint_arm(FAIL_SQL, ++adds);
		r = names_domain_add(n, 1, 7);
		failpoint_arm(FAIL_SQL, 0);
	} while (r < 0);
	assert_int_equal(r, 0);
	assert_true(adds > 1);
	do {
		struct seen s = { .left = 1000 };

		failpoint_arm(FAIL_SQL, ++nth);
		r = names_domain_walk(n, see, &s);
		failpoint_arm(FAIL_SQL, 0);
		assert_true(r < 0 || s.uids == 7);
	} while (r < 0);
	assert_int_equal(r, 0);
	assert_true(nth > 2);
	names_close(n);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tempdir_setup, tempdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(domains__are_there_for_who_opens_it_again),
		TEST(domains__fail_at_any_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
