/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The figures of a volume: each sum is that of its terms in the same snapshot. */
#include "core/volume.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/arena.h"

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
			 s[ATTR_store_data_bytes] - s[ATTR_store_frame_bytes] - s[ATTR_store_unswept_bytes] -
				 s[ATTR_store_metadata_bytes] - s[ATTR_store_process_bytes] -
				 s[ATTR_store_kernel_page_table_bytes] - s[ATTR_store_database_bytes] -
				 s[ATTR_store_ballast_bytes]);
	assert_int_equal(s[ATTR_store_ballast_bytes], 1 << 20);
	assert_int_equal(s[ATTR_store_buffer_bytes], 0); /* nobody has said where they are, nor who is beside us */
	assert_int_equal(s[ATTR_store_helper_bytes], 0);
	assert_int_equal(s[ATTR_store_cache_bytes], 0); /* nobody is there who could look */
	assert_int_equal(s[ATTR_store_cache_age_ms], -1);
	assert_true(s[ATTR_store_process_bytes] > 0);
}

/* What is behind the frames is memory, whoever knows of it. */
static void stats__memory_of_frames_is_all_that_there_is_also_after_a_death(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	int64_t s[ATTRS], unswept;
	struct stat st;

	for (unsigned n = 0; n < 20; n++)
		put_pages(f, ino, n * BATCH_PAGES, BATCH_PAGES, A + n * BATCH_PAGES, 1);
	for (unsigned n = 0; n < 2; n++) {
		volume_stats(f->v, s);
		assert_int_equal(fstat(f->config.frames_fd, &st), 0);
		unswept = s[ATTR_store_unswept_bytes];
		assert_int_equal(s[ATTR_store_frame_bytes] + unswept, st.st_blocks * 512);
		assert_true(n ? unswept > 0 : unswept == 0);
		fixture_reopen(f);
	}
	assert_int_equal(volume_start(f->v), 0);
	assert_int_equal(volume_settle(f->v, 20000), 0);
	assert_figure(f, store_unswept_bytes, 0);
}

static void stats__of_who_is_beside_us_are_told_with_the_others(void **state)
{
	struct fixture *f = *state;
	int64_t before, s[ATTRS];
	int fd, r;

	volume_stats(f->v, s);
	before = s[ATTR_store_net_saving] + s[ATTR_store_process_bytes] + s[ATTR_store_kernel_page_table_bytes];
	r = arena_memfd("buffers", &fd);
	assert_int_equal(r, 0);
	assert_int_equal(fallocate(fd, 0, 0, 3 << 20), 0);
	volume_beside(f->v, fd, getppid());
	volume_stats(f->v, s);
	assert_int_equal(s[ATTR_store_buffer_bytes], 3 << 20);
	assert_true(s[ATTR_store_helper_bytes] > 0);
	assert_int_equal(s[ATTR_store_net_saving] + s[ATTR_store_process_bytes] +
				 s[ATTR_store_kernel_page_table_bytes],
			 before - (3 << 20) - s[ATTR_store_helper_bytes]);
	volume_beside(f->v, -1, 0);
	close(fd);
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
	FIXTURE_TEST(stats__memory_of_frames_is_all_that_there_is_also_after_a_death),
	FIXTURE_TEST(stats__of_who_is_beside_us_are_told_with_the_others),
	FIXTURE_TEST(stats__unique_pages_are_a_loss),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
