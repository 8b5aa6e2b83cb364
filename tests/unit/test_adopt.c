/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that is counted, counted again, by several threads. */
#include <stdio.h>

#include "core/adopt.h"
#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { FILES = 700, LARGE_PAGES = 40000 };

static void assert_same(struct fixture *f, const int64_t before[ATTRS])
{
	static const enum attr same[] = {
		ATTR_pages_shared, ATTR_pages_sharing, ATTR_ksm_zero_pages, ATTR_pages_untracked, ATTR_store_data_pages,
		ATTR_store_reserved_pages, ATTR_store_frames, ATTR_store_table_frames, ATTR_store_free_pages,
	};
	int64_t after[ATTRS];

	volume_stats(f->v, after);
	for (unsigned n = 0; n < ARRAY_SIZE(same); n++)
		if (after[same[n]] != before[same[n]])
			fail_msg("%s was %lld and is %lld", attr_rows[same[n]].name, (long long)before[same[n]],
				 (long long)after[same[n]]);
}

static void adopt__many_files_and_a_large_one(void **state)
{
	struct fixture *f = *state;
	uint64_t large = make_file(f, "large"), far = make_file(f, "far");
	int64_t before[ATTRS];
	struct stat st;

	for (unsigned n = 0; n < FILES; n++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%u", n);
		put_pages(f, make_file(f, name), 0, 1 + n % 20, 1 + n % 7, n % 3);
	}
	for (unsigned n = 0; n < LARGE_PAGES; n += 250)
		put_pages(f, large, n, 250, 1 + n % 1000, n % 2);
	put_pages(f, large, 300, 20, 0, 0);
	assert_int_equal(volume_fallocate(f->v, far, 0, UINT64_C(3000000) << PAGE_SHIFT, 5000 << PAGE_SHIFT), 0);
	put_page(f, far, 3000007, 5);
	volume_stats(f->v, before);
	for (unsigned n = 0; n < 5; n++) {
		fixture_reopen(f);
		fixture_check(f);
		assert_same(f, before);
		assert_int_equal(volume_getattr(f->v, far, &st), 0);
		assert_int_equal(st.st_blocks, 5000 * 8);
	}
	assert_page(f, large, LARGE_PAGES - 1, 1 + (LARGE_PAGES - 250) % 1000);
}

static void adopt__what_is_left_out_is_untracked(void **state)
{
	struct fixture *f = *state;
	uint64_t some = make_file(f, "some"), none = make_file(f, "none");
	int64_t before[ATTRS];

	put_pages(f, some, 0, 2000, 1, 1);
	put_pages(f, none, 0, 5, 5000, 1);
	assert_int_equal(volume_advise_range(f->v, some, 1000 << PAGE_SHIFT, 100 << PAGE_SHIFT, VOLUME_UNMERGEABLE,
					     NULL), 0);
	assert_int_equal(volume_advise(f->v, none, VOLUME_UNMERGEABLE, NULL), 0);
	assert_figure(f, pages_untracked, 105);
	volume_stats(f->v, before);
	fixture_reopen(f);
	assert_same(f, before);
	set(f, ATTR_run, 2);
	fixture_reopen(f);
	fixture_check(f);
	assert_figure(f, pages_untracked, 2005);
}

static void adopt__a_slot_of_nonsense_is_refused_by_whoever_meets_it(void **state)
{
	struct fixture *f = *state;
	uint64_t large = make_file(f, "large");
	struct volume *v = NULL;
	struct inode *i;

	for (unsigned n = 0; n < LARGE_PAGES; n += 250)
		put_pages(f, large, n, 250, 1 + n, 1);
	i = inode_of(f->v, large);
	rwlock_take_shared(&i->map);
	*ptab_slot(i, f->v->pool.frames, LARGE_PAGES / 2) = UINT32_MAX - 1;
	rwlock_drop_shared(&i->map);
	volume_close(f->v);
	f->v = NULL;
	assert_int_equal(volume_open(&f->config, &v), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(adopt__many_files_and_a_large_one),
		FIXTURE_TEST(adopt__what_is_left_out_is_untracked),
		FIXTURE_TEST(adopt__a_slot_of_nonsense_is_refused_by_whoever_meets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
