/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/room.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/failpoint.h"

static void take__a_little_is_there_and_too_much_is_not(void **state)
{
	struct room *r;

	(void)state;
	assert_int_equal(room_new(&r), 0);
	for (unsigned n = 0; n < 1000; n++)
		assert_int_equal(room_take(r, PAGE_BYTES), 0);
	assert_int_equal(room_take(r, UINT64_C(1) << 50), -ENOMEM);
	assert_int_equal(room_take(r, PAGE_BYTES), 0);
	room_free(r);
}

static void take__fails_where_a_test_says_so(void **state)
{
	struct room *r;

	(void)state;
	assert_int_equal(room_new(&r), 0);
	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(room_take(r, PAGE_BYTES), -ENOMEM);
	assert_int_equal(room_take(r, PAGE_BYTES), 0);
	room_free(r);
}

static void new__fails_without_memory(void **state)
{
	struct room *r = NULL;

	(void)state;
	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(room_new(&r), -ENOMEM);
	assert_null(r);
	room_free(r);
}

static void free__leaves_no_descriptor(void **state)
{
	struct room *r;
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	(void)state;
	assert_true(before >= 0);
	close(before);
	assert_int_equal(room_new(&r), 0);
	room_free(r);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(after, before);
	close(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take__a_little_is_there_and_too_much_is_not),
		cmocka_unit_test(take__fails_where_a_test_says_so),
		cmocka_unit_test(new__fails_without_memory),
		cmocka_unit_test(free__leaves_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
