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

struct sample {
	enum attr attr;
	const char *text;
	uint64_t value;
};

static void parse__takes_what_the_kernel_takes(void **state)
{
	static const struct sample good[] = {
		{ ATTR_run, "2", 2 },
		{ ATTR_pages_to_scan, "0", 0 },
		{ ATTR_pages_to_scan, "+1", 1 },
		{ ATTR_pages_to_scan, "4294967295\n", UINT32_MAX },
		{ ATTR_pages_to_scan, "0000000000000000000000000000000000000000001", 1 },
		{ ATTR_max_kernel_pages, "18446744073709551615", UINT64_MAX },
		{ ATTR_max_page_sharing, "+2\n", 2 },
		{ ATTR_max_page_sharing, "2147483647", INT32_MAX },
		{ ATTR_max_page_sharing, "0", 0 },
		{ ATTR_advisor_mode, "none", 0 },
		{ ATTR_advisor_mode, "scan-time\n", 1 },
		{ ATTR_advisor_target_scan_time, "1", 1 },
		{ ATTR_advisor_max_cpu, "100", 100 },
	};
	static const char *const is_true[] = { "1", "y", "Y\n", "yes", "t", "T", "true", "on", "On\n", "oN", "1 2" };
	static const char *const is_false[] = { "0", "n", "N", "no\n", "f", "False", "off", "OFF", "of", "oFx" };
	uint64_t value = 7;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(good); n++) {
		assert_int_equal(parse(good[n].attr, good[n].text, &value), 0);
		assert_true(value == good[n].value);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(is_true); n++) {
		assert_int_equal(parse(ATTR_smart_scan, is_true[n], &value), 0);
		assert_int_equal(value, 1);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(is_false); n++) {
		assert_int_equal(parse(ATTR_merge_on_write, is_false[n], &value), 0);
		assert_int_equal(value, 0);
	}
	assert_int_equal(attr_parse(ATTR_run, "1x", 1, &value), 0); /* not a byte behind the end */
	assert_int_equal(value, 1);
}

static void parse__refuses_the_rest_and_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "\n", " 1", "1 ", "-1", "-0", "+", "++1", "+-1", "0x1", "1\n\n", "\n1",
					   "one", "2.0", "1 2", "1\n2", "1e3", "4294967296", "18446744073709551616",
					   "99999999999999999999999" };
	static const struct sample others[] = {
		{ ATTR_run, "3", 0 },		      { ATTR_run, "4294967297", 0 },
		{ ATTR_smart_scan, "2", 0 },	      { ATTR_smart_scan, "", 0 },
		{ ATTR_smart_scan, "\n", 0 },	      { ATTR_smart_scan, "o", 0 },
		{ ATTR_smart_scan, "ox", 0 },	      { ATTR_smart_scan, " 1", 0 },
		{ ATTR_smart_scan, "+1", 0 },	      { ATTR_merge_on_write, "-1", 0 },
		{ ATTR_advisor_mode, "", 0 },	      { ATTR_advisor_mode, "non", 0 },
		{ ATTR_advisor_mode, "nones", 0 },    { ATTR_advisor_mode, "none\n\n", 0 },
		{ ATTR_advisor_mode, "None", 0 },     { ATTR_advisor_mode, "none|scan-time", 0 },
		{ ATTR_advisor_mode, "1", 0 },	      { ATTR_advisor_mode, "[none] scan-time", 0 },
		{ ATTR_advisor_mode, "scan_time", 0 }, { ATTR_advisor_target_scan_time, "0", 0 },
		{ ATTR_advisor_max_cpu, "0", 0 },     { ATTR_advisor_max_cpu, "101", 0 },
		{ ATTR_advisor_min_pages_to_scan, "18446744073709551616", 0 },
	};
	uint64_t value = 77;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++)
		assert_int_equal(parse(ATTR_pages_to_scan, bad[n], &value), -EINVAL);
	for (unsigned n = 0; n < ARRAY_SIZE(others); n++)
		assert_int_equal(parse(others[n].attr, others[n].text, &value), -EINVAL);
	assert_int_equal(value, 77);
}

static void parse__of_a_cap_tells_too_large_from_wrong(void **state)
{
	static const char *const wrong[] = { "1", "-1", "-2", "-2147483648", "-0", "", "-", "x", "3x", "99999999999x",
					     "0x10" };
	static const char *const large[] = { "2147483648", "+2147483648", "-2147483649", "99999999999",
					     "-99999999999", "18446744073709551615", "18446744073709551616",
					     "99999999999999999999999x" };
	uint64_t value = 77;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(wrong); n++)
		assert_int_equal(parse(ATTR_max_page_sharing, wrong[n], &value), -EINVAL);
	for (unsigned n = 0; n < ARRAY_SIZE(large); n++)
		assert_int_equal(parse(ATTR_max_page_sharing, large[n], &value), -ERANGE);
	assert_int_equal(value, 77);
}

static void parse__bytes_behind_a_nul_are_refused_and_decide_nothing(void **state)
{
	uint64_t value = 77;

	(void)state;
	assert_int_equal(attr_parse(ATTR_run, "1\0", 2, &value), -EINVAL);
	assert_int_equal(attr_parse(ATTR_run, "\0", 1, &value), -EINVAL);
	assert_int_equal(attr_parse(ATTR_run, "1\n\0", 3, &value), -EINVAL);
	assert_int_equal(attr_parse(ATTR_smart_scan, "y\0", 2, &value), -EINVAL);
	assert_int_equal(attr_parse(ATTR_smart_scan, "\0y", 2, &value), -EINVAL);
	assert_int_equal(attr_parse(ATTR_advisor_mode, "none\0", 5, &value), -EINVAL);
	assert_int_equal(attr_parse(ATTR_max_page_sharing, "2147483648\0x", 12, &value), -ERANGE);
	assert_int_equal(value, 77);
}

static void parse__limits_are_what_the_mount_options_take(void **state)
{
	static const struct sample good[] = {
		{ ATTR_size, "1", PAGE_BYTES },		     { ATTR_size, "3m\n", 3 << 20 },
		{ ATTR_size, "0", UINT64_C(1) << 44 },	     { ATTR_size, "16t", UINT64_C(1) << 44 },
		{ ATTR_nr_inodes, "1k", 1024 },		     { ATTR_nr_inodes, "0\n", 1 << 26 },
		{ ATTR_nr_inodes, "4294967295", 1 << 26 },
	};
	static const char *const bad[] = { "", "\n", "+1", "-1", "1 ", " 1", "1x", "17t", "1k\n\n", "0x1", "101x%", "none" };
	uint64_t value = 77, half, all;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++) {
		assert_int_equal(parse(ATTR_size, bad[n], &value), -EINVAL);
		assert_int_equal(parse(ATTR_nr_inodes, bad[n], &value), -EINVAL);
	}
	assert_int_equal(parse(ATTR_nr_inodes, "50%", &value), -EINVAL);
	assert_int_equal(parse(ATTR_nr_inodes, "4g", &value), -EINVAL);
	assert_int_equal(attr_parse(ATTR_size, "1m\0", 3, &value), -EINVAL);
	assert_int_equal(value, 77);
	for (unsigned n = 0; n < ARRAY_SIZE(good); n++) {
		assert_int_equal(parse(good[n].attr, good[n].text, &value), 0);
		assert_true(value == good[n].value);
	}
	assert_int_equal(parse(ATTR_store_limit, "0\n", &value), 0); /* says that there is none, and reads so */
	assert_int_equal(value, 0);
	assert_int_equal(parse(ATTR_store_limit, "5k", &value), 0);
	assert_int_equal(value, 2 * PAGE_BYTES);
	assert_int_equal(parse(ATTR_store_limit, "17t", &value), -EINVAL);
	assert_int_equal(parse(ATTR_size, "50%", &half), 0);
	assert_int_equal(parse(ATTR_size, "100%\n", &all), 0);
	assert_true(half > 0 && half % PAGE_BYTES == 0 && (2 * half == all || 2 * half == all + PAGE_BYTES));
}

static void print__is_what_parse_takes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ATTRS; n++) {
		const struct attr_row *row = &attr_rows[n];
		const uint64_t values[] = { row->min, row->max, row->preset };
		char text[ATTR_TEXT_BYTES];

		for (unsigned k = 0; row->kind == ATTR_KIND_SETTING && k < ARRAY_SIZE(values); k++) {
			uint64_t value = ~values[k];

			attr_print(n, (int64_t)values[k], text);
			assert_int_equal(parse(n, text, &value), 0);
			assert_true(value == values[k]);
		}
	}
}

static void print__figures_may_be_negative_and_settings_are_not(void **state)
{
	char text[ATTR_TEXT_BYTES];

	(void)state;
	attr_print(ATTR_general_profit, -5, text);
	assert_string_equal(text, "-5");
	attr_print(ATTR_max_kernel_pages, -1, text);
	assert_string_equal(text, "18446744073709551615");
}

static void print_choice__shows_all_words_and_the_present_one(void **state)
{
	char text[ATTR_TEXT_BYTES];

	(void)state;
	attr_print_choice(ATTR_advisor_mode, 0, text);
	assert_string_equal(text, "[none] scan-time");
	attr_print_choice(ATTR_advisor_mode, 1, text);
	assert_string_equal(text, "none [scan-time]");
	attr_print_choice(ATTR_smart_scan, 1, text);
	assert_string_equal(text, "1");
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
		assert_int_equal(attr_takes(n, row->preset), row->kind == ATTR_KIND_SETTING);
		assert_int_equal(!row->words, row->form != FORM_WORDS);
		for (unsigned k = 0; k < n; k++) {
			assert_string_not_equal(row->name, attr_rows[k].name);
			assert_string_not_equal(row->path, attr_rows[k].path);
		}
	}
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

static void counters__gauges_start_anew_and_what_only_grows_goes_on(void **state)
{
	static struct counters c;

	(void)state;
	counters_add(&c, ATTR_pages_shared, 3);
	counters_add(&c, ATTR_full_scans, 4);
	atomic_fetch_add(&c.cell[THREAD_SLOTS - 1].value[ATTR_pages_shared], 5);
	counters_reset_gauges(&c);
	assert_int_equal(counters_sum(&c, ATTR_pages_shared), 0);
	assert_int_equal(counters_sum(&c, ATTR_full_scans), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__takes_what_the_kernel_takes),
		cmocka_unit_test(parse__refuses_the_rest_and_changes_nothing),
		cmocka_unit_test(parse__of_a_cap_tells_too_large_from_wrong),
		cmocka_unit_test(parse__bytes_behind_a_nul_are_refused_and_decide_nothing),
		cmocka_unit_test(parse__only_settings_are_written),
		cmocka_unit_test(parse__limits_are_what_the_mount_options_take),
		cmocka_unit_test(print__is_what_parse_takes),
		cmocka_unit_test(print__figures_may_be_negative_and_settings_are_not),
		cmocka_unit_test(print_choice__shows_all_words_and_the_present_one),
		cmocka_unit_test(rows__each_is_whole_and_alone),
		cmocka_unit_test(counters__sum_over_threads_and_below_zero),
		cmocka_unit_test(counters__gauges_start_anew_and_what_only_grows_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
