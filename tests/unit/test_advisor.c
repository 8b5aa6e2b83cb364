/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/advisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct settings s;
static struct advisor a;

static int reset(void **state)
{
	(void)state;
	settings_reset(&s);
	s.value[ATTR_advisor_min_pages_to_scan] = 0;
	s.value[ATTR_advisor_max_pages_to_scan] = UINT64_MAX;
	a = (struct advisor){ 0 };
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, reset)

/* The advice after a pass, which holds from then on, as the scanner does it. */
static uint64_t pass(uint64_t seconds, uint64_t cpu_percent)
{
	s.value[ATTR_pages_to_scan] = advisor_pages(&a, &s, seconds * 1000, seconds * cpu_percent * 10);
	return s.value[ATTR_pages_to_scan];
}

static void pages__follow_the_rule(void **state)
{
	(void)state;
	s.value[ATTR_pages_to_scan] = 1000;
	/* factor 50, change 100: 2000; 5 % of a CPU make a cost of 200: within 2000 and 14000 */
	assert_int_equal(pass(400, 5), 2000);
	/* factor 66, change 75 and the average 0.7 * 100 + 0.3 * 75 = 92: 3030 * 92 / 100 */
	assert_int_equal(pass(300, 10), 2787);
	assert_int_equal(a.change, 92);
	assert_int_equal(a.seconds, 300);
	/* on target, factor 100, but the average is 84: 2341, and a cost of 278 makes 2780 the least */
	assert_int_equal(pass(200, 10), 2780);
	assert_int_equal(a.change, 84);
}

static void pages__a_pass_on_target_changes_nothing(void **state)
{
	(void)state;
	s.value[ATTR_pages_to_scan] = 1000;
	for (unsigned n = 0; n < 10; n++)
		assert_int_equal(pass(200, 20), 1000);
}

static void pages__a_short_pass_is_a_second(void **state)
{
	struct advisor other = { 0 };

	(void)state;
	s.value[ATTR_pages_to_scan] = 1000;
	assert_int_equal(advisor_pages(&a, &s, 0, 0), advisor_pages(&other, &s, 1999, 0));
	assert_int_equal(a.seconds, 1);
	assert_int_equal(other.seconds, 1);
}

static void pages__take_no_more_cpu_than_allowed(void **state)
{
	(void)state;
	s.value[ATTR_pages_to_scan] = 10000;
	assert_int_equal(pass(2000, 50), 200 * 70); /* a cost of 200; without the limit it would be 100000 */
	s.value[ATTR_advisor_max_cpu] = 5;
	s.value[ATTR_pages_to_scan] = 10000;
	a = (struct advisor){ 0 };
	assert_int_equal(pass(2000, 50), 200 * 5); /* also below KSM's 10 % */
}

static void pages__take_ten_percent_at_least(void **state)
{
	(void)state;
	s.value[ATTR_pages_to_scan] = 1000;
	assert_int_equal(pass(1, 1), 1000 * 10); /* the rule alone: 5 */
}

static void pages__are_within_the_bounds_that_are_set(void **state)
{
	(void)state;
	s.value[ATTR_advisor_min_pages_to_scan] = 700;
	s.value[ATTR_advisor_max_pages_to_scan] = 800;
	s.value[ATTR_pages_to_scan] = 1000;
	assert_int_equal(pass(100000, 1), 800);
	s.value[ATTR_pages_to_scan] = 20;
	assert_int_equal(pass(1, 100), 700);
	assert_int_equal(pass(200, 100), 700);
}

static void pages__never_zero(void **state)
{
	(void)state;
	s.value[ATTR_pages_to_scan] = 0;
	s.value[ATTR_advisor_max_pages_to_scan] = 0;
	assert_int_equal(pass(200, 0), 1);
}

/* A scanner that sleeps 20 ms after each batch and takes 5 us a page. */
static uint64_t simulate(uint64_t pages_in_all, unsigned passes)
{
	uint64_t ms = 0;

	for (unsigned n = 0; n < passes; n++) {
		uint64_t cpu_ms = pages_in_all * 5 / 1000;

		ms = pages_in_all / s.value[ATTR_pages_to_scan] * 20 + cpu_ms;
		s.value[ATTR_pages_to_scan] = advisor_pages(&a, &s, ms, cpu_ms);
	}
	return ms;
}

static void pages__passes_come_to_take_the_target_time(void **state)
{
	(void)state;
	settings_reset(&s);
	s.value[ATTR_pages_to_scan] = 500;
	assert_in_range(simulate(UINT64_C(16) << 20, 60), 180000, 220000); /* 64 GiB, from 755 s */
	assert_in_range(simulate(UINT64_C(64) << 20, 60), 475000, 485000); /* 336 s of a CPU at 70 % */
	assert_in_range(simulate(UINT64_C(16) << 20, 60), 180000, 220000);
}

static void pages__nothing_overflows(void **state)
{
	static const uint64_t some[] = { 0, 1, 99, UINT32_MAX, UINT64_MAX / 100, UINT64_MAX };

	(void)state;
	for (unsigned n = 0; n < 6 * 6 * 6 * 6 * 6; n++) {
		uint64_t got;

		s.value[ATTR_pages_to_scan] = MIN(some[n % 6], (uint64_t)UINT32_MAX);
		s.value[ATTR_advisor_target_scan_time] = MAX(some[n / 6 % 6], (uint64_t)1);
		s.value[ATTR_advisor_max_cpu] = n % 100 + 1;
		a = (struct advisor){ .seconds = some[n / 36 % 6], .change = some[n / 216 % 6] };
		got = advisor_pages(&a, &s, some[n / 1296 % 6], some[n / 36 % 6]);
		assert_true(got == settings_advisable(&s, got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages__follow_the_rule),
		TEST(pages__a_pass_on_target_changes_nothing),
		TEST(pages__a_short_pass_is_a_second),
		TEST(pages__take_no_more_cpu_than_allowed),
		TEST(pages__take_ten_percent_at_least),
		TEST(pages__are_within_the_bounds_that_are_set),
		TEST(pages__never_zero),
		TEST(pages__passes_come_to_take_the_target_time),
		TEST(pages__nothing_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
