/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/profit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Of each figure another bit pattern, so that a term too many, too few or twice is seen. */
static const int64_t figures[ATTRS] = {
	[ATTR_pages_shared] = 7,
	[ATTR_pages_sharing] = 1000,
	[ATTR_pages_unshared] = 50,
	[ATTR_ksm_zero_pages] = 200,
	[ATTR_store_data_bytes] = 10000000,
	[ATTR_store_frame_bytes] = 3000000,
	[ATTR_store_tracking_bytes] = 15000,
	[ATTR_store_metadata_bytes] = 40000,
	[ATTR_store_process_bytes] = 3000000 / 4,
	[ATTR_store_kernel_page_table_bytes] = 8000,
	[ATTR_store_kernel_tree_bytes] = 9000,
	[ATTR_store_database_bytes] = 600,
	[ATTR_store_cache_bytes] = 200000,
	[ATTR_store_unswept_bytes] = 70,
	[ATTR_store_helper_bytes] = 5,
	[ATTR_store_buffer_bytes] = 4000000,
	[ATTR_store_ballast_bytes] = 1,
	[ATTR_store_cache_age_ms] = 17,
};

static void general__is_the_sum_that_ksm_makes(void **state)
{
	int64_t f[ATTRS] = { 0 };

	(void)state;
	assert_int_equal(profit_general(figures), 1200 * 4096 - 15000);
	f[ATTR_store_tracking_bytes] = 64; /* as KSM: looked at one page in vain */
	assert_int_equal(profit_general(f), -64);
}

static void net__is_what_tmpfs_would_hold_less_all_that_is_held(void **state)
{
	(void)state;
	assert_int_equal(profit_net(figures), 10000000 - 3000000 - 40000 - 750000 - 8000 - 600 - 200000 - 70 - 5 -
						       4000000 - 1);
}

static void net__where_nobody_looks_at_the_page_cache_takes_nothing_off(void **state)
{
	int64_t f[ATTRS] = { [ATTR_store_data_bytes] = 4096, [ATTR_store_cache_age_ms] = -1 };

	(void)state;
	assert_int_equal(profit_net(f), 4096);
}

static void net__of_unique_pages_is_a_loss(void **state)
{
	int64_t f[ATTRS] = {
		[ATTR_store_data_bytes] = 100 * 4096,
		[ATTR_store_frame_bytes] = 101 * 4096, /* with a page table */
		[ATTR_store_metadata_bytes] = 1,
	};

	(void)state;
	assert_int_equal(profit_net(f), -4097);
	assert_int_equal(profit_general(f), 0); /* which is why there are two sums */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(general__is_the_sum_that_ksm_makes),
	cmocka_unit_test(net__is_what_tmpfs_would_hold_less_all_that_is_held),
	cmocka_unit_test(net__where_nobody_looks_at_the_page_cache_takes_nothing_off),
	cmocka_unit_test(net__of_unique_pages_is_a_loss),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
