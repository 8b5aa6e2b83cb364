/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/amount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void parse__takes_what_tmpfs_takes(void **state)
{
	static const struct {
		const char *text;
		uint64_t number;
		bool is_percent;
	} good[] = {
		{ "0", 0, false },	 { "5", 5, false },		     { "007", 7, false },
		{ "1k", 1 << 10, false }, { "3M", 3 << 20, false },	     { "2g", UINT64_C(2) << 30, false },
		{ "1T", UINT64_C(1) << 40, false }, { "15e", UINT64_C(15) << 60, false },
		{ "18446744073709551615", UINT64_MAX, false }, { "0%", 0, true }, { "50%", 50, true },
		{ "100000%", 100000, true },
	};
	struct amount a;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(good); n++) {
		assert_int_equal(amount_parse(good[n].text, strlen(good[n].text), &a), 0);
		assert_true(a.number == good[n].number && a.is_percent == good[n].is_percent);
	}
	assert_int_equal(amount_parse("12k", 2, &a), 0); /* not a byte behind the end */
	assert_int_equal(a.number, 12);
}

static void parse__refuses_the_rest_and_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "k", "%", "-1", "+1", " 1", "1 ", "1kk", "1k%", "1%%", "1%k", "0x1", "1z", "1.5g",
					   "1\n", "16e", "18446744073709551616", "100001%", "99999999999999999999%" };
	struct amount a = { 77, true };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++) {
		assert_int_equal(amount_parse(bad[n], strlen(bad[n]), &a), -EINVAL);
		assert_true(a.number == 77 && a.is_percent);
	}
	assert_int_equal(amount_parse("1\0", 2, &a), -EINVAL);
}

static uint64_t pages(const char *text, uint64_t ram_pages)
{
	struct amount a;
	uint64_t n;

	assert_int_equal(amount_parse(text, strlen(text), &a), 0);
	assert_int_equal(amount_pages(&a, ram_pages, &n), 0);
	return n;
}

static void pages__are_whole_and_nothing_is_no_limit(void **state)
{
	struct amount beyond = { .number = FILE_BYTES_MAX + 1 };
	uint64_t n;

	(void)state;
	assert_int_equal(pages("1", 0), 1);
	assert_int_equal(pages("8k", 0), 2);
	assert_int_equal(pages("8193", 0), 3);
	assert_int_equal(pages("50%", 1001), 501);
	assert_int_equal(pages("200%", 1000), 2000);
	assert_true(pages("0", 1000) == FILE_PAGES_MAX);
	assert_true(pages("0%", 1000) == FILE_PAGES_MAX);
	assert_true(pages("16t", 1000) == FILE_PAGES_MAX);
	assert_true(pages("100000%", FILE_PAGES_MAX / 2) == FILE_PAGES_MAX);
	assert_int_equal(amount_pages(&beyond, 0, &n), -EINVAL);
}

static void count__ends_at_the_most(void **state)
{
	struct amount percent = { 5, true }, none = { 0 }, many = { .number = 900 };
	struct amount beyond = { .number = UINT64_C(1) << 32 };
	uint64_t n;

	(void)state;
	assert_int_equal(amount_count(&many, 1000, &n), 0);
	assert_int_equal(n, 900);
	assert_int_equal(amount_count(&many, 800, &n), 0);
	assert_int_equal(n, 800);
	assert_int_equal(amount_count(&none, 800, &n), 0);
	assert_int_equal(n, 800);
	assert_int_equal(amount_count(&percent, 800, &n), -EINVAL);
	assert_int_equal(amount_count(&beyond, 800, &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__takes_what_tmpfs_takes),
		cmocka_unit_test(parse__refuses_the_rest_and_changes_nothing),
		cmocka_unit_test(pages__are_whole_and_nothing_is_no_limit),
		cmocka_unit_test(count__ends_at_the_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
