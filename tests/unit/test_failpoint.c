/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/failpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void hit__the_nth_call_and_no_other(void **state)
{
	(void)state;
	failpoint_arm(FAIL_SQL, 3);
	assert_false(failpoint_hit(FAIL_SQL));
	assert_false(failpoint_hit(FAIL_ALLOC)); /* another kind counts for itself */
	assert_false(failpoint_hit(FAIL_SQL));
	assert_true(failpoint_hit(FAIL_SQL));
	assert_false(failpoint_hit(FAIL_SQL));
}

static void arm__with_zero_disarms(void **state)
{
	(void)state;
	failpoint_arm(FAIL_SQL, 1);
	failpoint_arm(FAIL_SQL, 0);
	assert_false(failpoint_hit(FAIL_SQL));
}

static void armed__tells_how_many_calls_are_left(void **state)
{
	(void)state;
	failpoint_arm(FAIL_PAGE_LOCK, 2);
	assert_int_equal(failpoint_armed(FAIL_PAGE_LOCK), 2);
	assert_false(failpoint_hit(FAIL_PAGE_LOCK));
	assert_int_equal(failpoint_armed(FAIL_PAGE_LOCK), 1);
	assert_true(failpoint_hit(FAIL_PAGE_LOCK));
	assert_int_equal(failpoint_armed(FAIL_PAGE_LOCK), 0);
}

static int64_t pause_ms(enum pause place)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	failpoint_pause(place);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
}

static void pause__once_at_its_place_and_for_that_long(void **state)
{
	(void)state;
	failpoint_pause_arm(PAUSE_FAULT_WAIT, 100);
	assert_true(pause_ms(PAUSE_READ_REPLY) < 100);
	assert_int_equal(failpoint_pause_armed(PAUSE_FAULT_WAIT), 100);
	assert_true(pause_ms(PAUSE_FAULT_WAIT) >= 100);
	assert_int_equal(failpoint_pause_armed(PAUSE_FAULT_WAIT), 0);
	assert_true(pause_ms(PAUSE_FAULT_WAIT) < 100);
}

static void pause__with_zero_disarms(void **state)
{
	(void)state;
	failpoint_pause_arm(PAUSE_READ_REPLY, 10000);
	failpoint_pause_arm(PAUSE_READ_REPLY, 0);
	assert_true(pause_ms(PAUSE_READ_REPLY) < 10000);
}

/* How a child ends that comes to `place` so many times: the signal, 0: it came through. */
static int child_dies_of(enum kill_point place, unsigned times)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		failpoint_kills_begin();
		while (times-- > 0)
			failpoint_kill(place);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void kill__the_nth_who_comes_and_nobody_else(void **state)
{
	(void)state;
	failpoint_kill_arm(KILL_recover_linked, 3);
	assert_int_equal(child_dies_of(KILL_recover_linked, 2), 0);
	assert_int_equal(child_dies_of(KILL_recover_adopted, 9), 0);
	assert_int_equal(child_dies_of(KILL_recover_linked, 3), SIGKILL);
	failpoint_kill_arm(KILL_recover_linked, 0);
	assert_int_equal(child_dies_of(KILL_recover_linked, 9), 0);
}

static void kill__what_is_armed_for_an_operation_ends_with_its_process(void **state)
{
	(void)state;
	failpoint_kill_arm(KILL_swing_done, 1);
	assert_int_equal(child_dies_of(KILL_swing_done, 1), 0);
	assert_int_equal(failpoint_kill_armed(KILL_swing_done), 1); /* it was the child's own */
	failpoint_kill_arm(KILL_swing_done, 0);
}

static void kill__shared_a_point_kills_one_and_not_the_next(void **state)
{
	(void)state;
	assert_int_equal(failpoint_kills_share(), 0);
	failpoint_kill_arm(KILL_recover_dropping, 3);
	assert_int_equal(child_dies_of(KILL_recover_dropping, 2), 0);
	assert_int_equal(failpoint_kill_armed(KILL_recover_dropping), 1);
	assert_int_equal(child_dies_of(KILL_recover_dropping, 1), SIGKILL);
	assert_int_equal(child_dies_of(KILL_recover_dropping, 1), 0);
}

static void kill__each_point_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned n = 0; n < KILL_POINTS; n++) {
		assert_non_null(kill_point_names[n]);
		for (unsigned k = 0; k < n; k++)
			assert_string_not_equal(kill_point_names[n], kill_point_names[k]);
	}
}

static void alloc__fails_where_it_should_and_gives_zeroes_else(void **state)
{
	_cleanup_(mem_cleanup) uint8_t *p = NULL;

	(void)state;
	failpoint_arm(FAIL_ALLOC, 1);
	p = mem_alloc(100, 1);
	assert_null(p);
	failpoint_arm(FAIL_ALLOC, 1);
	p = mem_alloc_lines(100);
	assert_null(p);
	p = mem_alloc(100, 1);
	assert_non_null(p);
	for (unsigned n = 0; n < 100; n++)
		assert_int_equal(p[n], 0);
	mem_free(NULL);
}

static void alloc__what_asks_for_a_cache_line_gets_it(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 8; n++) {
		struct line {
			uint8_t byte[64];
		} __attribute__((aligned(64))) *p = mem_alloc_lines(sizeof(*p) << (2 * n));

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 64, 0);
		assert_int_equal(p->byte[63], 0);
		mem_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hit__the_nth_call_and_no_other),
		cmocka_unit_test(arm__with_zero_disarms),
		cmocka_unit_test(armed__tells_how_many_calls_are_left),
		cmocka_unit_test(pause__once_at_its_place_and_for_that_long),
		cmocka_unit_test(pause__with_zero_disarms),
		cmocka_unit_test(kill__the_nth_who_comes_and_nobody_else),
		cmocka_unit_test(kill__what_is_armed_for_an_operation_ends_with_its_process),
		cmocka_unit_test(kill__shared_a_point_kills_one_and_not_the_next),
		cmocka_unit_test(kill__each_point_has_a_name_of_its_own),
		cmocka_unit_test(alloc__fails_where_it_should_and_gives_zeroes_else),
		cmocka_unit_test(alloc__what_asks_for_a_cache_line_gets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
