/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct settings s;
static const struct settings_use nothing;
static const struct settings_use much = { .pages_shared = 77, .charged = 77, .inodes = 77, .frames = 77 };

static int reset(void **state)
{
	(void)state;
	memset((void *)&s, 0xff, sizeof(s));
	settings_reset(&s);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, reset)
#define assert_setting(name, is) assert_true(settings_get(&s, ATTR_##name) == (is))

/* Nothing but the result, and no setting, may differ after a refusal. */
static void refuse(enum attr attr, uint64_t value, int64_t pages_shared, int errno_)
{
	const struct settings_use use = { .pages_shared = pages_shared };
	struct settings before;

	memcpy((void *)&before, (void *)&s, sizeof(s));
	assert_int_equal(settings_store(&s, attr, value, &use), -errno_);
	assert_memory_equal((void *)&before, (void *)&s, sizeof(s));
}

static void change(enum attr attr, uint64_t value)
{
	assert_int_equal(settings_store(&s, attr, value, &nothing), SETTINGS_CHANGED);
	assert_true(settings_get(&s, attr) == value);
}

static void reset__each_has_its_default(void **state)
{
	(void)state;
	assert_setting(run, 1);
	assert_setting(merge_on_write, 1);
	assert_setting(pages_to_scan, 100);
	assert_setting(sleep_millisecs, 20);
	assert_setting(smart_scan, 1);
	assert_setting(use_zero_pages, 1);
	assert_setting(max_page_sharing, 0);
	assert_setting(max_kernel_pages, 0);
	assert_setting(advisor_mode, ADVISOR_NONE);
	assert_setting(advisor_target_scan_time, 200);
	assert_setting(advisor_max_cpu, 70);
	assert_setting(advisor_min_pages_to_scan, 500);
	assert_setting(advisor_max_pages_to_scan, 30000);
}

static void store__limits_leave_room_for_what_is_in_use(void **state)
{
	const struct settings_use use = { .charged = 10, .inodes = 5 };

	(void)state;
	for (unsigned n = 0; n < 2; n++) { /* also back, from no limit */
		assert_int_equal(settings_store(&s, ATTR_size, 9 * PAGE_BYTES, &use), -EINVAL);
		assert_int_equal(settings_store(&s, ATTR_nr_inodes, 4, &use), -EINVAL);
		assert_int_equal(settings_store(&s, ATTR_size, 10 * PAGE_BYTES, &use), SETTINGS_CHANGED);
		assert_int_equal(settings_store(&s, ATTR_nr_inodes, 5, &use), SETTINGS_CHANGED);
		assert_setting(size, 10 * PAGE_BYTES);
		assert_setting(nr_inodes, 5);
		change(ATTR_size, attr_rows[ATTR_size].max);
		change(ATTR_nr_inodes, attr_rows[ATTR_nr_inodes].max);
	}
	for (unsigned n = 0; n < 2; n++) {
		const struct settings_use frames = { .frames = 10 };

		assert_int_equal(settings_store(&s, ATTR_store_limit, 9 * PAGE_BYTES, &frames), -EINVAL);
		assert_int_equal(settings_store(&s, ATTR_store_limit, 10 * PAGE_BYTES, &frames), SETTINGS_CHANGED);
		change(ATTR_store_limit, 0);
	}
	refuse(ATTR_size, 0, 0, EINVAL);
	refuse(ATTR_nr_inodes, 0, 0, EINVAL);
}

static void store__the_present_value_does_nothing(void **state)
{
	(void)state;
	for (unsigned a = 0; a < ATTRS; a++) {
		struct settings before;

		if (attr_rows[a].kind != ATTR_KIND_SETTING)
			continue;
		memcpy((void *)&before, (void *)&s, sizeof(s));
		assert_int_equal(settings_store(&s, a, settings_get(&s, a), &much),
				 a == ATTR_run ? SETTINGS_CHANGED : SETTINGS_KEPT);
		assert_memory_equal((void *)&before, (void *)&s, sizeof(s));
	}
}

static void store__only_settings_within_their_range(void **state)
{
	(void)state;
	refuse(ATTR_run, 3, 0, EINVAL);
	refuse(ATTR_smart_scan, 2, 0, EINVAL);
	refuse(ATTR_sleep_millisecs, UINT64_C(1) << 32, 0, EINVAL);
	refuse(ATTR_max_page_sharing, 1, 0, EINVAL);
	refuse(ATTR_max_page_sharing, UINT64_C(1) << 31, 0, EINVAL);
	refuse(ATTR_advisor_mode, 2, 0, EINVAL);
	refuse(ATTR_advisor_target_scan_time, 0, 0, EINVAL);
	refuse(ATTR_advisor_max_cpu, 0, 0, EINVAL);
	refuse(ATTR_advisor_max_cpu, 101, 0, EINVAL);
	refuse(ATTR_pages_shared, 0, 0, EINVAL);
	refuse(ATTR_full_scans, 0, 0, EINVAL);
	change(ATTR_run, 2);
	change(ATTR_smart_scan, 0);
	change(ATTR_max_kernel_pages, UINT64_MAX);
	change(ATTR_sleep_millisecs, UINT32_MAX);
}

static void store__max_page_sharing_only_while_nothing_is_shared(void **state)
{
	(void)state;
	refuse(ATTR_max_page_sharing, 2, 1, EBUSY);
	refuse(ATTR_max_page_sharing, 1, 1, EINVAL); /* what is wrong is wrong at any time */
	change(ATTR_max_page_sharing, 2);
	refuse(ATTR_max_page_sharing, 0, 1, EBUSY);
	assert_int_equal(settings_store(&s, ATTR_max_page_sharing, 2, &much), SETTINGS_KEPT);
	change(ATTR_max_page_sharing, 0);
}

static void store__pages_to_scan_is_the_advisors_while_there_is_one(void **state)
{
	(void)state;
	change(ATTR_pages_to_scan, 7);
	change(ATTR_advisor_mode, ADVISOR_SCAN_TIME);
	assert_setting(pages_to_scan, 500);
	refuse(ATTR_pages_to_scan, 600, 0, EINVAL);
	refuse(ATTR_pages_to_scan, 500, 0, EINVAL);
	assert_int_equal(settings_store(&s, ATTR_advisor_mode, ADVISOR_SCAN_TIME, &nothing), SETTINGS_KEPT);
	change(ATTR_advisor_mode, ADVISOR_NONE);
	assert_setting(pages_to_scan, 100);
	change(ATTR_pages_to_scan, 600);
}

static void store__the_present_mode_leaves_pages_to_scan(void **state)
{
	(void)state;
	change(ATTR_pages_to_scan, 7);
	assert_int_equal(settings_store(&s, ATTR_advisor_mode, ADVISOR_NONE, &nothing), SETTINGS_KEPT);
	assert_setting(pages_to_scan, 7);
}

static void store__the_least_is_never_above_the_most(void **state)
{
	(void)state;
	refuse(ATTR_advisor_min_pages_to_scan, 30001, 0, EINVAL);
	refuse(ATTR_advisor_max_pages_to_scan, 499, 0, EINVAL);
	change(ATTR_advisor_min_pages_to_scan, 30000);
	change(ATTR_advisor_max_pages_to_scan, UINT64_MAX);
	change(ATTR_advisor_min_pages_to_scan, UINT64_MAX);
	change(ATTR_advisor_min_pages_to_scan, 0);
	change(ATTR_advisor_max_pages_to_scan, 0);
}

static void advisable__is_within_both_bounds_and_never_zero(void **state)
{
	(void)state;
	assert_true(settings_advisable(&s, 0) == 500);
	assert_true(settings_advisable(&s, 700) == 700);
	assert_true(settings_advisable(&s, UINT64_MAX) == 30000);
	change(ATTR_advisor_min_pages_to_scan, 0);
	assert_true(settings_advisable(&s, 0) == 1);
	change(ATTR_advisor_max_pages_to_scan, 0);
	assert_true(settings_advisable(&s, 700) == 1);
	change(ATTR_advisor_max_pages_to_scan, UINT64_MAX);
	change(ATTR_advisor_min_pages_to_scan, UINT64_MAX);
	assert_true(settings_advisable(&s, 0) == UINT32_MAX); /* as much as pages_to_scan can be */
	change(ATTR_advisor_mode, ADVISOR_SCAN_TIME);
	assert_setting(pages_to_scan, UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reset__each_has_its_default),
		TEST(store__the_present_value_does_nothing),
		TEST(store__limits_leave_room_for_what_is_in_use),
		TEST(store__only_settings_within_their_range),
		TEST(store__max_page_sharing_only_while_nothing_is_shared),
		TEST(store__pages_to_scan_is_the_advisors_while_there_is_one),
		TEST(store__the_present_mode_leaves_pages_to_scan),
		TEST(store__the_least_is_never_above_the_most),
		TEST(advisable__is_within_both_bounds_and_never_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
