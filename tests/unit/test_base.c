/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void take__moves_and_leaves_nothing(void **state)
{
	int x = 0, *from = &x, *to;

	(void)state;
	to = TAKE(from);
	assert_ptr_equal(to, &x);
	assert_null(from);
}

static int count(int *n)
{
	return (*n)++;
}

static void min_max__look_at_each_side_once(void **state)
{
	int n = 0;

	(void)state;
	assert_int_equal(MIN(count(&n), 5), 0);
	assert_int_equal(n, 1);
	assert_int_equal(MAX(count(&n), 5), 5);
	assert_int_equal(n, 2);
}

static void fold__only_errors_pass(void **state)
{
	(void)state;
	assert_int_equal(FOLD(0), 0);
	assert_int_equal(FOLD(-ENOENT), -ENOENT);
	assert_int_equal(FOLD(3), -EIO);
}

static void pages_of__rounds_up_and_does_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(pages_of(0), 0);
	assert_int_equal(pages_of(1), 1);
	assert_int_equal(pages_of(PAGE_BYTES), 1);
	assert_int_equal(pages_of(PAGE_BYTES + 1), 2);
	assert_true(pages_of(UINT64_MAX) == UINT64_C(1) << 52);
}

static void *slot_of_thread(void *arg)
{
	*(unsigned *)arg = thread_slot();
	return arg;
}

static void thread_slot__is_one_thread_s_own_until_they_run_out(void **state)
{
	unsigned used[THREAD_SLOTS] = { 0 };
	unsigned slot = thread_slot();

	(void)state;
	assert_int_equal(thread_slot(), slot);
	used[slot]++;
	for (unsigned n = 1; n < 2 * THREAD_SLOTS; n++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, slot_of_thread, &slot), 0);
		pthread_join(thread, NULL);
		assert_true(slot < THREAD_SLOTS);
		used[slot]++;
	}
	for (unsigned n = 0; n < THREAD_SLOTS; n++)
		assert_int_equal(used[n], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take__moves_and_leaves_nothing),
		cmocka_unit_test(min_max__look_at_each_side_once),
		cmocka_unit_test(fold__only_errors_pass),
		cmocka_unit_test(pages_of__rounds_up_and_does_not_overflow),
		cmocka_unit_test(thread_slot__is_one_thread_s_own_until_they_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
