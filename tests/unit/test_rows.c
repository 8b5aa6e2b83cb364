/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct rows ours, other;

static int reset(void **state)
{
	(void)state;
	memset((void *)&ours, 0xff, sizeof(ours));
	memset((void *)&other, 0, sizeof(other));
	rows_reset(&ours);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, reset)
#define assert_setting(rows, is_name, is) assert_true(settings_get(&(rows).settings, ATTR_##is_name) == (is))

static void reset__no_two_have_the_same_name(void **state)
{
	(void)state;
	assert_true(rows_fit(&ours));
	for (unsigned i = 0; i < ATTRS; i++)
		for (unsigned j = 0; j < i; j++)
			assert_true(!ours.name[i] || ours.name[i] != ours.name[j]);
	for (unsigned i = 0; i < ATTRS; i++)
		assert_int_equal(counters_sum(&ours.counters, i), 0);
	assert_setting(ours, pages_to_scan, 100);
}

static void fit__not_with_other_rows(void **state)
{
	(void)state;
	ours.own--;
	assert_false(rows_fit(&ours));
	ours.own++;
	ours.name[ATTR_run]++;
	assert_false(rows_fit(&ours));
}

/* As a program keeps ours that has them in another order, knows number 77, and does not know `fewer`. */
static void shuffle(enum attr fewer)
{
	other.name[other.own] = 77;
	other.settings.value[other.own++] = 4711;
	for (unsigned i = ATTRS; i-- > 0;) {
		other.name[other.own] = i == fewer ? 0 : ours.name[i];
		other.settings.value[other.own] = i == fewer ? 99 : ours.settings.value[i];
		for (unsigned c = 0; c < THREAD_SLOTS; c++)
			other.counters.cell[c].value[other.own] = ours.counters.cell[c].value[i];
		other.own++;
	}
	other.all = other.own;
}

static void adopt__values_go_by_their_names(void **state)
{
	(void)state;
	ours.settings.value[ATTR_run] = 2;
	ours.settings.value[ATTR_pages_to_scan] = 12345;
	ours.settings.value[ATTR_smart_scan] = 0;
	ours.counters.cell[3].value[ATTR_full_scans] = 10;
	ours.counters.cell[THREAD_SLOTS - 1].value[ATTR_full_scans] = 7;
	ours.counters.cell[1].value[ATTR_pages_shared] = 5;
	shuffle(ATTR_smart_scan);
	assert_false(rows_fit(&other));
	assert_int_equal(rows_adopt(&ours, &other), 0);
	assert_true(rows_fit(&ours));
	assert_setting(ours, run, 2);
	assert_setting(ours, pages_to_scan, 12345);
	assert_setting(ours, smart_scan, 1);
	assert_int_equal(counters_sum(&ours.counters, ATTR_full_scans), 17);
	assert_int_equal(counters_sum(&ours.counters, ATTR_pages_shared), 0); /* derived: counted anew */
}

static void adopt__what_is_not_known_is_kept_for_who_knows_it(void **state)
{
	(void)state;
	ours.counters.cell[2].value[ATTR_full_scans] = 10;
	shuffle(ATTRS);
	other.counters.cell[4].value[0] = 3; /* a counter, then: 4711 and 3 */
	assert_int_equal(rows_adopt(&ours, &other), 0);
	assert_int_equal(ours.all, ATTRS + 1);
	assert_int_equal(rows_adopt(&other, &ours), 0);
	assert_int_equal(other.name[ATTRS], 77);
	assert_true(other.settings.value[ATTRS] == 4714);
	assert_int_equal(counters_sum(&other.counters, ATTR_full_scans), 10);
	assert_true(rows_fit(&other));
}

static void adopt__what_is_out_of_range_here_is_left_at_its_default(void **state)
{
	(void)state;
	ours.settings.value[ATTR_run] = 3;
	ours.settings.value[ATTR_nr_inodes] = 5;
	shuffle(ATTRS);
	assert_int_equal(rows_adopt(&ours, &other), 0);
	assert_setting(ours, run, 1);
	assert_setting(ours, nr_inodes, 5);
}

static void adopt__the_least_is_never_above_the_most(void **state)
{
	(void)state;
	ours.settings.value[ATTR_advisor_min_pages_to_scan] = 100;
	ours.settings.value[ATTR_advisor_max_pages_to_scan] = 200;
	shuffle(ATTR_advisor_min_pages_to_scan);
	assert_int_equal(rows_adopt(&ours, &other), 0);
	assert_setting(ours, advisor_min_pages_to_scan, 200);
	assert_setting(ours, advisor_max_pages_to_scan, 200);
}

static void adopt__more_rows_than_there_is_room_for(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ATTR_ROWS_MAX; i++)
		other.name[i] = 1000 + i;
	other.own = other.all = ATTR_ROWS_MAX;
	other.name[ATTR_ROWS_MAX - 1] = ours.name[ATTR_run];
	assert_int_equal(rows_adopt(&ours, &other), 0);
	assert_int_equal(ours.all, ATTR_ROWS_MAX);
	assert_setting(ours, run, 0);
	other.all++;
	assert_int_equal(rows_adopt(&ours, &other), -EUCLEAN);
	other.all = other.own - 1;
	assert_int_equal(rows_adopt(&ours, &other), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reset__no_two_have_the_same_name),
		TEST(fit__not_with_other_rows),
		TEST(adopt__values_go_by_their_names),
		TEST(adopt__what_is_not_known_is_kept_for_who_knows_it),
		TEST(adopt__what_is_out_of_range_here_is_left_at_its_default),
		TEST(adopt__the_least_is_never_above_the_most),
		TEST(adopt__more_rows_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
