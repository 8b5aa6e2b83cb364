/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_backoff.c - how many deaths in a row are enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/backoff.h"

enum { SHORT = BACKOFF_SERVED_MS - 1, LONG = BACKOFF_SERVED_MS };

static void replaced(struct backoff *b, unsigned times, int64_t served_ms)
{
	for (unsigned n = 0; n < times; n++)
		assert_int_equal(backoff_death(b, n, served_ms, false), BACKOFF_REPLACE);
}

static void death__is_enough_after_ten_in_a_row(void **state)
{
	struct backoff b = {0};

	replaced(&b, 10, SHORT);
	assert_int_equal(backoff_death(&b, 10, SHORT, false), BACKOFF_REST);
}

static void death__of_who_served_for_a_second_ends_the_row(void **state)
{
	struct backoff b = {0};

	replaced(&b, 10, SHORT);
	replaced(&b, 1, LONG);
	replaced(&b, 9, SHORT);
	assert_int_equal(backoff_death(&b, 10, SHORT, false), BACKOFF_REST);
}

static void death__for_want_of_memory_is_enough_three_times(void **state)
{
	struct backoff b = {0};

	assert_int_equal(backoff_death(&b, 5000, LONG, true), BACKOFF_REPLACE);
	assert_int_equal(backoff_death(&b, 10000, LONG, true), BACKOFF_REPLACE);
	assert_int_equal(backoff_death(&b, 15000, LONG, true), BACKOFF_REST_OOM);
}

static void death__for_want_of_memory_now_and_then_is_not_enough(void **state)
{
	struct backoff b = {0};

	for (int64_t n = 1; n < 20; n++)
		assert_int_equal(backoff_death(&b, n * (BACKOFF_OOM_MS + 1), LONG, true), BACKOFF_REPLACE);
	assert_int_equal(backoff_death(&b, 20 * BACKOFF_OOM_MS, LONG, false), BACKOFF_REPLACE);
}

static void death__of_something_else_ends_the_row_of_memory(void **state)
{
	struct backoff b = {0};

	assert_int_equal(backoff_death(&b, 1, LONG, true), BACKOFF_REPLACE);
	assert_int_equal(backoff_death(&b, 2, LONG, true), BACKOFF_REPLACE);
	assert_int_equal(backoff_death(&b, 3, LONG, false), BACKOFF_REPLACE);
	assert_int_equal(backoff_death(&b, 4, LONG, true), BACKOFF_REPLACE);
}

static void forget__begins_anew(void **state)
{
	struct backoff b = {0};

	replaced(&b, 10, SHORT);
	backoff_forget(&b);
	replaced(&b, 10, SHORT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(death__is_enough_after_ten_in_a_row),
		cmocka_unit_test(death__of_who_served_for_a_second_ends_the_row),
		cmocka_unit_test(death__for_want_of_memory_is_enough_three_times),
		cmocka_unit_test(death__for_want_of_memory_now_and_then_is_not_enough),
		cmocka_unit_test(death__of_something_else_ends_the_row_of_memory),
		cmocka_unit_test(forget__begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
