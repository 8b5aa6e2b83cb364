/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include <linux/falloc.h>

#include "core/failpoint.h"
#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { A = 1000, LIMIT = 64, ORDINARY = 60, URGENT = 63 };

/* A file of as many pages, all different, as may be stored: `LIMIT` frames, and the table takes one or two of them. */
static unsigned fill(struct fixture *f, uint64_t ino)
{
	unsigned pages = 0;
	uint8_t page[PAGE_BYTES];

	set(f, ATTR_store_limit, LIMIT << PAGE_SHIFT);
	for (;; pages++) {
		fill_page(page, A + pages);
		if (volume_write(f->v, ino, (uint64_t)pages << PAGE_SHIFT, page, sizeof(page), 0) != sizeof(page))
			break;
	}
	assert_figure(f, store_frames, ORDINARY);
	assert_int_equal(pages + figure(f, ATTR_store_table_frames), ORDINARY);
	return pages;
}

static ssize_t store(struct fixture *f, uint64_t ino, uint64_t index, unsigned count, uint64_t what, unsigned flags)
{
	static uint8_t data[32 * PAGE_BYTES];

	assert_true(count <= 32);
	for (unsigned n = 0; n < count; n++)
		fill_page(data + n * PAGE_BYTES, what + n);
	return volume_write(f->v, ino, index << PAGE_SHIFT, data, (size_t)count << PAGE_SHIFT, flags);
}

static void write__at_the_limit_is_short_and_then_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	unsigned pages = fill(f, one);

	assert_int_equal(figure(f, ATTR_fault_refused), 1);
	assert_int_equal(store(f, two, 0, 1, A * 2, 0), -ENOSPC);
	assert_int_equal(figure(f, ATTR_fault_refused), 2);
	truncate_to_pages(f, one, pages - 3);
	assert_int_equal(store(f, two, 0, 8, A * 2, 0), 3 * PAGE_BYTES);
	assert_int_equal(store(f, two, 3, 5, A * 3, 0), -ENOSPC);
	for (unsigned n = 0; n < 3; n++)
		assert_page(f, two, n, A * 2 + n);
	assert_figure(f, store_frames, ORDINARY);
}

/* Page tables are charged to nobody: who gets no frame leaves none behind, wherever his memory ran out. */
static void write__that_finds_no_memory_leaves_no_empty_node(void **state)
{
	enum { FIRST = PTAB_FANOUT - 2, PAGES = 4, NTH_MAX = 8 };
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	unsigned refused = 0, cut = 0;
	ssize_t n;

	set(f, ATTR_merge_on_write, 0); /* so that nothing but frames is asked for */
	for (unsigned nth = 1; nth <= NTH_MAX; nth++) {
		failpoint_arm(FAIL_ALLOC, nth);
		n = store(f, ino, FIRST, PAGES, A, 0);
		failpoint_arm(FAIL_ALLOC, 0);
		refused += n == -ENOSPC;
		cut += n == 2 * PAGE_BYTES;
		if (n < 0)
			assert_figure(f, store_frames, 0);
		else if (n <= 2 * PAGE_BYTES)
			assert_figure(f, store_table_frames, 1);
		else
			assert_figure(f, store_table_frames, 3);
		fixture_check(f);
		truncate_to_pages(f, ino, 0);
	}
	assert_true(refused && cut && n == PAGES * PAGE_BYTES);
}

static void write__of_what_needs_no_frame_goes_on(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	unsigned pages = fill(f, one);

	assert_int_equal(store(f, two, 0, 2, A, 0), 2 * PAGE_BYTES); /* equal pages are there */
	put_page(f, two, 2, 0);				       /* zeroes */
	assert_int_equal(store(f, one, 2, 5, 5 * A, 0), 5 * PAGE_BYTES); /* nobody else has these: in place */
	for (unsigned n = 0; n < 5; n++)
		assert_page(f, one, 2 + n, 5 * A + n);
	assert_page(f, two, 0, A);
	assert_page(f, one, pages - 1, A + pages - 1);
	assert_figure(f, store_frames, ORDINARY);
}

static void write__that_would_split_a_shared_page_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	(void)fill(f, one);
	assert_int_equal(store(f, two, 0, 1, A, 0), PAGE_BYTES);
	assert_int_equal(store(f, two, 0, 1, 7 * A, 0), -ENOSPC);
	assert_int_equal(volume_write(f->v, two, 5, "x", 1, 0), -ENOSPC);
	assert_page(f, two, 0, A);
	assert_page(f, one, 0, A);
}

static void writeback__goes_on_where_a_write_is_refused_and_ends_short(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	unsigned calls = figure(f, ATTR_fault_refused), tables;

	truncate_to_pages(f, two, 8);
	(void)fill(f, one);
	calls = (unsigned)figure(f, ATTR_fault_refused);
	tables = (unsigned)figure(f, ATTR_store_table_frames);
	assert_int_equal(store(f, two, 0, 8, 2 * A, VOLUME_WRITEBACK), (URGENT - ORDINARY) * PAGE_BYTES);
	assert_figure(f, store_table_frames, tables); /* small files have none */
	assert_int_equal(store(f, two, 3, 5, 3 * A, VOLUME_WRITEBACK), -EAGAIN);
	assert_figure(f, store_frames, URGENT);
	assert_figure(f, fault_refused, calls); /* it is not told, it waits */
	assert_true(volume_is_at_store_limit(f->v));
	set(f, ATTR_store_limit, 0);
	assert_false(volume_is_at_store_limit(f->v));
	assert_int_equal(store(f, two, 3, 5, 3 * A, VOLUME_WRITEBACK), 5 * PAGE_BYTES);
}

static void writeback__of_a_file_without_a_name_goes_beyond_the_limit(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_page(f, two, 31, 0); /* a page that can be stored into has a place in the table: it has been read */
	(void)fill(f, one);
	(void)store(f, two, 0, 8, 2 * A, VOLUME_WRITEBACK);
	assert_int_equal(store(f, two, 8, 20, 3 * A, VOLUME_WRITEBACK), -EAGAIN);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("two")), 0); /* it is known still: a lookup */
	assert_int_equal(store(f, two, 8, 3, 3 * A, VOLUME_WRITEBACK), 3 * PAGE_BYTES);
	assert_true(figure(f, ATTR_store_frames) > LIMIT - 1);
	assert_int_equal(store(f, two, 20, 1, 4 * A, 0), -ENOSPC); /* a write is none */
	assert_page(f, two, 9, 3 * A + 1);
	volume_forget(f->v, two, 1);
	assert_figure(f, store_frames, ORDINARY - 1); /* its node has gone, too */
}

static void writeback__whose_range_was_cut_off_meanwhile_is_done(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	truncate_to_pages(f, two, 8);
	(void)fill(f, one);
	(void)store(f, two, 0, 3, 2 * A, VOLUME_WRITEBACK);
	assert_int_equal(store(f, two, 3, 5, 3 * A, VOLUME_WRITEBACK), -EAGAIN);
	truncate_to_pages(f, two, 3);
	assert_int_equal(store(f, two, 3, 5, 3 * A, VOLUME_WRITEBACK), 5 * PAGE_BYTES);
	assert_figure(f, fault_beyond_eof, 5);
	assert_page(f, two, 2, 2 * A + 2);
}

static void truncate__within_a_shared_page_has_a_frame_at_the_limit(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two"), three = make_file(f, "three");
	struct stat st = { .st_size = 100 };

	truncate_to_pages(f, three, 8);
	(void)fill(f, one);
	assert_int_equal(store(f, two, 0, 1, A, 0), PAGE_BYTES);
	(void)store(f, three, 0, 8, 2 * A, VOLUME_WRITEBACK);
	assert_figure(f, store_frames, URGENT);
	assert_int_equal(volume_setattr(f->v, two, &st, VOLUME_SET_SIZE, &st), 0);
	assert_figure(f, store_frames, LIMIT);
	assert_page(f, one, 0, A);
}

static void fallocate__of_more_than_there_are_frames_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	unsigned pages = fill(f, one);

	assert_int_equal(volume_fallocate(f->v, two, 0, 0, PAGE_BYTES), -ENOSPC);
	assert_int_equal(volume_fallocate(f->v, one, 0, 0, (uint64_t)pages << PAGE_SHIFT), 0); /* all of it is there */
	truncate_to_pages(f, one, pages - 4);
	assert_int_equal(volume_fallocate(f->v, two, 0, 0, 5 * PAGE_BYTES), -ENOSPC);
	assert_figure(f, store_reserved_pages, 0);
	assert_int_equal(volume_fallocate(f->v, two, 0, 0, 4 * PAGE_BYTES), 0);
	assert_int_equal(store(f, two, 0, 4, 2 * A, 0), 4 * PAGE_BYTES);
}

static void copy__by_reference_needs_no_frame(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	struct volume_copy c = { .from = one, .to = two, .len = 4 * PAGE_BYTES };

	(void)fill(f, one);
	assert_int_equal(volume_copy(f->v, &c, 0, NULL), 4 * PAGE_BYTES);
	set(f, ATTR_run, 0);
	c.to_offset = 4 * PAGE_BYTES;
	assert_int_equal(volume_copy(f->v, &c, 0, NULL), -ENOSPC); /* now it is bytes */
	assert_page(f, two, 3, A + 3);
}

static void unmerge__beyond_the_limit_ends_with_an_error(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	(void)fill(f, one);
	assert_int_equal(store(f, two, 0, 8, A, 0), 8 * PAGE_BYTES);
	assert_int_equal(volume_set(f->v, ATTR_run, 2, NULL), -ENOMEM);
	assert_figure(f, run, 0);
	assert_figure(f, pages_shared, 8);
	set(f, ATTR_store_limit, 2 * LIMIT << PAGE_SHIFT);
	assert_int_equal(volume_set(f->v, ATTR_run, 2, NULL), 0);
	assert_figure(f, pages_shared, 0);
}

static void limit__is_not_below_what_is_in_use_and_taken_over(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one");

	(void)fill(f, one);
	assert_int_equal(volume_set(f->v, ATTR_store_limit, (ORDINARY - 1) << PAGE_SHIFT, NULL), -EINVAL);
	assert_int_equal(store(f, one, 100, 1, 9 * A, 0), -ENOSPC);
	fixture_reopen(f);
	assert_figure(f, store_limit, LIMIT << PAGE_SHIFT);
	assert_figure(f, store_frames, ORDINARY);
	assert_int_equal(store(f, one, 100, 1, 9 * A, 0), -ENOSPC);
	assert_int_equal(volume_set(f->v, ATTR_store_limit, ORDINARY << PAGE_SHIFT, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(write__at_the_limit_is_short_and_then_refused),
		FIXTURE_TEST(write__that_finds_no_memory_leaves_no_empty_node),
	FIXTURE_TEST(write__of_what_needs_no_frame_goes_on),
		FIXTURE_TEST(write__that_would_split_a_shared_page_is_refused),
		FIXTURE_TEST(writeback__goes_on_where_a_write_is_refused_and_ends_short),
		FIXTURE_TEST(writeback__of_a_file_without_a_name_goes_beyond_the_limit),
		FIXTURE_TEST(writeback__whose_range_was_cut_off_meanwhile_is_done),
		FIXTURE_TEST(truncate__within_a_shared_page_has_a_frame_at_the_limit),
		FIXTURE_TEST(fallocate__of_more_than_there_are_frames_is_refused),
		FIXTURE_TEST(copy__by_reference_needs_no_frame),
		FIXTURE_TEST(unmerge__beyond_the_limit_ends_with_an_error),
		FIXTURE_TEST(limit__is_not_below_what_is_in_use_and_taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
