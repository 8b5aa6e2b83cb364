/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/attrs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int parse(enum attr attr, const char *text, uint64_t *ret)
{
	return attr_parse(attr, text, strlen(text), ret);
}

static void parse__takes_a_number_and_one_newline(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_int_equal(parse(ATTR_pages_to_scan, "0", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(parse(ATTR_pages_to_scan, "4294967295\n", &value), 0);
	assert_int_equal(value, UINT32_MAX);
	assert_int_equal(attr_parse(ATTR_run, "1x", 1, &value), 0);
	assert_int_equal(value, 1);
}

static void parse__refuses_the_rest_and_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "\n", " 1", "1 ", "-1", "+1", "0x1", "1\n\n", "one", "2.0",
					   "4294967296" };
	uint64_t value = 77;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++)
		assert_int_equal(parse(ATTR_pages_to_scan, bad[n], &value), -EINVAL);
	assert_int_equal(parse(ATTR_pages_to_scan, "18446744073709551616", &value), -ERANGE);
	assert_int_equal(parse(ATTR_pages_to_scan, "99999999999999999999999", &value), -ERANGE);
	assert_int_equal(attr_parse(ATTR_run, "1\0", 2, &value), -EINVAL);
	assert_int_equal(parse(ATTR_run, "7", &value), -EINVAL);
	assert_int_equal(value, 77);
}

static void parse__only_settings_are_written(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(parse(ATTR_pages_shared, "1", &value), -EINVAL);
	assert_int_equal(parse(ATTR_full_scans, "1", &value), -EINVAL);
	assert_int_equal(parse(ATTR_general_profit, "1", &value), -EINVAL);
}

static void rows__each_is_whole_and_alone(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ATTRS; n++) {
		const struct attr_row *row = &attr_rows[n];

		assert_true(row->name && row->path && row->unit && row->help && *row->help);
		assert_true(row->min <= row->preset && row->preset <= row->max);
		for (unsigned k = 0; k < n; k++) {
			assert_string_not_equal(row->name, attr_rows[k].name);
			assert_string_not_equal(row->path, attr_rows[k].path);
		}
	}
}

static void settings__start_with_their_defaults(void **state)
{
	struct settings s;

	(void)state;
	memset((void *)&s, 0xff, sizeof(s));
	settings_reset(&s);
	assert_int_equal(s.value[ATTR_run], 1);
	assert_int_equal(s.value[ATTR_pages_to_scan], 100);
	assert_int_equal(s.value[ATTR_sleep_millisecs], 20);
}

static void counters__sum_over_threads_and_below_zero(void **state)
{
	static struct counters c;

	(void)state;
	counters_add(&c, ATTR_pages_shared, 5);
	c.cell[(thread_slot() + 1) % THREAD_SLOTS].value[ATTR_pages_shared] = -7;
	assert_int_equal(counters_sum(&c, ATTR_pages_shared), -2);
	assert_int_equal(counters_sum(&c, ATTR_pages_sharing), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__takes_a_number_and_one_newline),
		cmocka_unit_test(parse__refuses_the_rest_and_changes_nothing),
		cmocka_unit_test(parse__only_settings_are_written),
		cmocka_unit_test(rows__each_is_whole_and_alone),
		cmocka_unit_test(settings__start_with_their_defaults),
		cmocka_unit_test(counters__sum_over_threads_and_below_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
