/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The figures of a volume: each sum is that of its terms in the same snapshot. */
#include "core/volume.h"

#include "tests/unit/fixture.h"

enum { A = 1 };

static void stats__the_profit_is_what_is_saved_less_what_is_spent(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	int64_t s[ATTRS];

	volume_stats(f->v, s);
	assert_true(s[ATTR_store_tracking_bytes] > 0);
	assert_int_equal(s[ATTR_general_profit], -s[ATTR_store_tracking_bytes]);
	for (unsigned n = 0; n < 10; n++)
		put_pages(f, ino, n * BATCH_PAGES, BATCH_PAGES, A, 0);
	put_pages(f, ino, 10 * BATCH_PAGES, BATCH_PAGES, 0, 0);
	volume_stats(f->v, s);
	assert_int_equal(s[ATTR_pages_sharing], 10 * BATCH_PAGES - 1);
	assert_int_equal(s[ATTR_general_profit], (11 * BATCH_PAGES - 1) * PAGE_BYTES - s[ATTR_store_tracking_bytes]);
}

static void stats__the_net_saving_is_what_its_terms_say(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	int64_t s[ATTRS];

	for (unsigned n = 0; n < 20; n++)
		put_pages(f, ino, n * BATCH_PAGES, BATCH_PAGES, A, 1);
	volume_stats(f->v, s);
	assert_int_equal(s[ATTR_store_data_bytes], 20 * BATCH_PAGES * PAGE_BYTES);
	assert_int_equal(s[ATTR_store_frame_bytes],
			 (s[ATTR_store_frames] + s[ATTR_store_warm_frames]) * PAGE_BYTES);
	assert_true(s[ATTR_store_frame_bytes] >= (BATCH_PAGES + s[ATTR_store_table_frames]) * PAGE_BYTES);
	assert_true(s[ATTR_store_warm_frames] > 0);
	assert_true(s[ATTR_store_table_frames] > 0);
	assert_true(s[ATTR_store_metadata_bytes] > s[ATTR_store_tracking_bytes]); /* inodes */
	assert_true(s[ATTR_store_database_bytes] > 0);
	assert_int_equal(s[ATTR_store_net_saving],
			 s[ATTR_store_data_bytes] - s[ATTR_store_frame_bytes] - s[ATTR_store_metadata_bytes] -
				 s[ATTR_store_process_bytes] - s[ATTR_store_kernel_page_table_bytes] -
				 s[ATTR_store_database_bytes]);
	assert_int_equal(s[ATTR_store_cache_bytes], 0); /* nobody is there who could look */
	assert_int_equal(s[ATTR_store_cache_age_ms], -1);
	assert_true(s[ATTR_store_process_bytes] > 0);
}

static void stats__unique_pages_are_a_loss(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	for (unsigned n = 0; n < 20; n++)
		put_pages(f, ino, n * BATCH_PAGES, BATCH_PAGES, A + n * BATCH_PAGES, 1);
	assert_figure(f, pages_sharing, 0);
	assert_true(figure(f, ATTR_store_net_saving) < 0);
	assert_true(figure(f, ATTR_general_profit) < 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(stats__the_profit_is_what_is_saved_less_what_is_spent),
	FIXTURE_TEST(stats__the_net_saving_is_what_its_terms_say),
	FIXTURE_TEST(stats__unique_pages_are_a_loss),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
