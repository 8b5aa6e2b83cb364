/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The story of core/fault.c: what a write does to a slot, and what others see of it. */
#include "core/fault.h"

#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { A = 1, B = 2, C = 3 };

static void write__a_hole_becomes_private(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	assert_int_equal(slot_at(f, ino, 3), SLOT_HOLE);
	put_page(f, ino, 3, A);
	assert_int_equal(frame_at(f, ino, 3).refs, 1);
	assert_true(frame_at(f, ino, 3).indexed);
	assert_page(f, ino, 3, A);
	assert_page(f, ino, 2, 0);
	assert_int_equal(slot_at(f, ino, 2), SLOT_HOLE);
	assert_counts(f, 0, 0, 1, 0, 0);
}

static void write__equal_pages_merge(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_page(f, one, 0, A);
	put_page(f, two, 5, A);
	put_page(f, two, 0, B);
	assert_int_equal(slot_at(f, one, 0), slot_at(f, two, 5));
	assert_int_equal(frame_at(f, one, 0).refs, 2);
	assert_counts(f, 1, 1, 1, 0, 0);
	assert_figure(f, fault_merged, 1);
	assert_page(f, one, 0, A);
	assert_page(f, two, 5, A);
	assert_page(f, two, 0, B);
}

static void write__equal_pages_in_one_write_merge(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, BATCH_PAGES, A, 0);
	assert_counts(f, 1, BATCH_PAGES - 1, 0, 0, 0);
	assert_figure(f, fault_merged, BATCH_PAGES - 1);
	for (unsigned n = 0; n < BATCH_PAGES; n++)
		assert_page(f, ino, n, A);
}

static void write__the_same_bytes_again_change_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint32_t frame;

	put_page(f, ino, 0, A);
	frame = slot_at(f, ino, 0);
	put_page(f, ino, 0, A);
	assert_int_equal(slot_at(f, ino, 0), frame);
	assert_int_equal(frame_at(f, ino, 0).refs, 1);
	assert_counts(f, 0, 0, 1, 0, 0);
	assert_figure(f, fault_merged, 0);
}

static void write__zeroes_take_no_frame(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	int64_t before = figure(f, ATTR_store_frames);

	put_pages(f, ino, 0, 4, 0, 0);
	assert_int_equal(slot_at(f, ino, 0), SLOT_ZERO);
	assert_int_equal(figure(f, ATTR_store_frames), before);
	assert_counts(f, 0, 0, 0, 4, 0);
	put_page(f, ino, 1, A);
	put_page(f, ino, 0, A);
	put_page(f, ino, 0, 0);
	assert_counts(f, 0, 0, 1, 3, 0);
	assert_figure(f, fault_zeroed, 5);
	assert_page(f, ino, 0, 0);
	assert_page(f, ino, 1, A);
}

static void write__a_split_leaves_the_others_bytes_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	uint32_t frame;

	put_page(f, one, 0, A);
	put_page(f, two, 0, A);
	frame = slot_at(f, one, 0);
	put_page(f, two, 0, B);
	assert_int_equal(slot_at(f, one, 0), frame);
	assert_int_not_equal(slot_at(f, two, 0), frame);
	assert_page(f, one, 0, A);
	assert_page(f, two, 0, B);
	assert_figure(f, fault_cow_breaks, 1);
	assert_counts(f, 0, 0, 2, 0, 0);
}

static void write__a_part_of_a_shared_page_splits_it(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	uint8_t is[PAGE_BYTES], should[PAGE_BYTES];

	put_page(f, one, 0, A);
	put_page(f, two, 0, A);
	assert_int_equal(put_bytes(f, two, 100, 50, 'x'), 50);
	fill_page(should, A);
	memset(should + 100, 'x', 50);
	assert_int_equal(get_bytes(f, two, 0, PAGE_BYTES, is), PAGE_BYTES);
	assert_memory_equal(is, should, PAGE_BYTES);
	assert_page(f, one, 0, A);
	assert_figure(f, fault_cow_breaks, 1);
	assert_counts(f, 0, 0, 1, 0, 1);
}

static void write__a_frame_nobody_else_sees_is_reused_in_place(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint32_t frame;

	put_page(f, ino, 0, A);
	frame = slot_at(f, ino, 0);
	assert_int_equal(put_bytes(f, ino, 10, 1, 'x'), 1);
	assert_int_equal(slot_at(f, ino, 0), frame);
	assert_false(frame_at(f, ino, 0).indexed); /* or others would merge with other bytes */
	assert_true(frame_at(f, ino, 0).dirty);
	assert_figure(f, fault_reuses, 1);
	assert_figure(f, fault_cow_breaks, 0);
	put_page(f, make_file(f, "other"), 0, A);
	assert_int_equal(frame_at(f, ino, 0).refs, 1);
}

static void write__a_pinned_reader_keeps_the_old_bytes(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t should[PAGE_BYTES];
	struct volume_read r;

	put_page(f, ino, 0, A);
	fill_page(should, A);
	assert_int_equal(volume_read(f->v, ino, 0, PAGE_BYTES, &r), 0);
	for (uint64_t what = B; what < B + 10; what++) {
		put_page(f, ino, 0, what);
		assert_int_equal(put_bytes(f, ino, 7, 1, 'x'), 1);
		assert_int_equal(r.iov[0].iov_len, PAGE_BYTES);
		assert_memory_equal(r.iov[0].iov_base, should, PAGE_BYTES);
	}
	volume_read_done(&r);
	put_page(f, ino, 0, B);
	assert_page(f, ino, 0, B);
}

static void write__a_part_of_a_pinned_page_splits_towards_the_writer(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t should[PAGE_BYTES], is[PAGE_BYTES];
	struct volume_read r;
	uint32_t frame;

	put_page(f, ino, 0, A);
	frame = slot_at(f, ino, 0);
	assert_int_equal(volume_read(f->v, ino, 0, PAGE_BYTES, &r), 0);
	assert_int_equal(put_bytes(f, ino, PAGE_BYTES - 1, 1, 'x'), 1);
	assert_int_not_equal(slot_at(f, ino, 0), frame);
	fill_page(should, A);
	assert_memory_equal(r.iov[0].iov_base, should, PAGE_BYTES);
	should[PAGE_BYTES - 1] = 'x';
	assert_int_equal(get_bytes(f, ino, 0, PAGE_BYTES, is), PAGE_BYTES);
	assert_memory_equal(is, should, PAGE_BYTES);
	volume_read_done(&r);
	assert_true(frames_look(f->v->pool.frames, frame).free);
}

static void write__parts_at_both_ends_of_a_range(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t is[4 * PAGE_BYTES], should[4 * PAGE_BYTES];

	put_pages(f, ino, 0, 2, A, 1);
	fill_page(should, A);
	fill_page(should + PAGE_BYTES, B);
	memset(should + 2 * PAGE_BYTES, 0, 2 * PAGE_BYTES);
	memset(should + 3000, 'x', 2 * PAGE_BYTES + 1000);
	assert_int_equal(put_bytes(f, ino, 3000, 2 * PAGE_BYTES + 1000, 'x'), 2 * PAGE_BYTES + 1000);
	assert_int_equal(get_bytes(f, ino, 0, sizeof(is), is), 3000 + 2 * PAGE_BYTES + 1000);
	assert_memory_equal(is, should, 3000 + 2 * PAGE_BYTES + 1000);
	truncate_to_pages(f, ino, 4);
	assert_int_equal(get_bytes(f, ino, 0, sizeof(is), is), sizeof(is));
	assert_memory_equal(is, should, sizeof(is));
}

static void write__a_part_of_a_hole_is_padded_with_zeroes_and_merges(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	assert_int_equal(put_bytes(f, one, 100, 10, 'x'), 10);
	assert_int_equal(put_bytes(f, two, 100, 10, 'x'), 10);
	assert_int_equal(slot_at(f, one, 0), slot_at(f, two, 0));
	assert_int_equal(put_bytes(f, two, PAGE_BYTES + 1, 10, 0), 10);
	assert_int_equal(slot_at(f, two, 1), SLOT_ZERO);
	assert_counts(f, 1, 1, 0, 1, 0);
}

static void write__a_page_rewritten_often_is_not_digested_any_more(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), other = make_file(f, "other");

	for (uint64_t what = 10; what < 20; what++)
		put_page(f, ino, 0, what);
	assert_page(f, ino, 0, 19);
	assert_true(figure(f, ATTR_fault_undigested) >= 6);
	assert_counts(f, 0, 0, 0, 0, 1);
	put_page(f, other, 0, 19);
	assert_counts(f, 0, 0, 1, 0, 1);
	scan(f, 2); /* once it is quiet it is found */
	assert_counts(f, 1, 1, 0, 0, 0);
	assert_page(f, ino, 0, 19);
}

static void write__a_quiet_pass_makes_a_page_worth_digesting_again(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	int64_t undigested;

	for (uint64_t what = 10; what < 20; what++)
		put_page(f, ino, 0, what);
	scan(f, 3);
	undigested = figure(f, ATTR_fault_undigested);
	put_page(f, ino, 0, 30);
	assert_figure(f, fault_undigested, undigested);
	assert_counts(f, 0, 0, 1, 0, 0);
}

static void write__without_merge_on_write_nothing_is_looked_for(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	set(f, ATTR_merge_on_write, 0);
	put_pages(f, ino, 0, 8, A, 0);
	put_pages(f, ino, 8, 2, 0, 0);
	assert_counts(f, 0, 0, 0, 0, 10);
	set(f, ATTR_merge_on_write, 1);
	set(f, ATTR_run, 0);
	put_pages(f, ino, 10, 2, A, 0);
	assert_counts(f, 0, 0, 0, 0, 12);
	assert_figure(f, fault_merged, 0);
	assert_figure(f, fault_zeroed, 0);
}

static void writeback__beyond_the_end_is_dropped(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t data[4 * PAGE_BYTES];
	struct stat st = { .st_size = 2 * PAGE_BYTES + 100 };
	uint8_t is[3 * PAGE_BYTES];

	memset(data, 'x', sizeof(data));
	assert_int_equal(volume_setattr(f->v, ino, &st, VOLUME_SET_SIZE, &st), 0);
	assert_int_equal(volume_write(f->v, ino, 0, data, sizeof(data), VOLUME_WRITEBACK), sizeof(data));
	assert_int_equal(volume_write(f->v, ino, 1 << 20, data, 10, VOLUME_WRITEBACK), 10);
	assert_int_equal(volume_getattr(f->v, ino, &st), 0);
	assert_int_equal(st.st_size, 2 * PAGE_BYTES + 100);
	assert_int_equal(st.st_blocks, 3 * 8);
	truncate_to_pages(f, ino, 3); /* what was beyond the end is zeroes */
	assert_int_equal(get_bytes(f, ino, 0, sizeof(is), is), sizeof(is));
	assert_int_equal(is[2 * PAGE_BYTES + 99], 'x');
	for (unsigned n = 2 * PAGE_BYTES + 100; n < sizeof(is); n++)
		assert_int_equal(is[n], 0);
	assert_true(figure(f, ATTR_fault_beyond_eof) >= 1);
}

static void write__at_the_limit_is_short_and_then_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t data[8 * PAGE_BYTES];
	struct stat st;

	set_size(f, 5);
	for (unsigned n = 0; n < 8; n++)
		fill_page(data + n * PAGE_BYTES, A + n);
	assert_int_equal(volume_write(f->v, ino, 0, data, sizeof(data), 0), 5 * PAGE_BYTES);
	assert_int_equal(volume_write(f->v, ino, 5 * PAGE_BYTES, data, 1, 0), -ENOSPC);
	assert_int_equal(volume_getattr(f->v, ino, &st), 0);
	assert_int_equal(st.st_size, 5 * PAGE_BYTES);
	put_page(f, ino, 4, C); /* what is there can be written, */
	truncate_to_pages(f, ino, 4);
	assert_int_equal(volume_write(f->v, ino, 4 * PAGE_BYTES + 9, data, sizeof(data), 0), PAGE_BYTES - 9);
	assert_figure(f, store_free_pages, 0);
}

static void writeback__goes_beyond_the_limit(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t data[8 * PAGE_BYTES];

	truncate_to_pages(f, ino, 8);
	set_size(f, 2);
	for (unsigned n = 0; n < 8; n++)
		fill_page(data + n * PAGE_BYTES, A + n);
	assert_int_equal(volume_write(f->v, ino, 0, data, sizeof(data), VOLUME_WRITEBACK), sizeof(data));
	for (unsigned n = 0; n < 8; n++)
		assert_page(f, ino, n, A + n);
	assert_figure(f, store_free_pages, 0);
	assert_int_equal(f->v->pool.charged, 8);
}

static void write__far_out_needs_nodes_and_gives_them_back(void **state)
{
	struct fixture *f = *state;
	const uint64_t last = FILE_PAGES_MAX - 1;
	uint64_t ino = make_file(f, "file");
	uint8_t byte;

	put_page(f, ino, 1000000, A);
	put_page(f, ino, last, B);
	put_page(f, ino, 0, C);
	assert_page(f, ino, 1000000, A);
	assert_page(f, ino, last, B);
	assert_page(f, ino, 0, C);
	assert_int_equal(put_bytes(f, ino, FILE_BYTES_MAX, 1, 'x'), -EFBIG);
	assert_int_equal(put_bytes(f, ino, FILE_BYTES_MAX - 1, 2, 'x'), 1);
	assert_int_equal(get_bytes(f, ino, FILE_BYTES_MAX - 1, 2, &byte), 1);
	fixture_check(f);
	drop_file(f, "file", ino);
	assert_figure(f, store_table_frames, 0);
	assert_figure(f, store_frames, 0);
}

static void write__a_page_of_one_s_own_takes_no_new_frame(void **state)
{
	enum { TIMES = 1000000 };
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t page[PAGE_BYTES];
	int64_t frames;
	uint32_t frame;

	set(f, ATTR_run, 0);
	put_page(f, ino, 0, A);
	frame = slot_at(f, ino, 0);
	frames = figure(f, ATTR_store_frames);
	fill_page(page, B);
	for (uint32_t n = 0; n < TIMES; n++) {
		memcpy(page, &n, sizeof(n));
		assert_int_equal(volume_write(f->v, ino, 0, page, n % 4 ? sizeof(page) : 100, 0),
				 n % 4 ? sizeof(page) : 100);
	}
	assert_int_equal(slot_at(f, ino, 0), frame);
	assert_figure(f, store_frames, frames);
	assert_figure(f, fault_reuses, TIMES);
	assert_figure(f, fault_cow_breaks, 0);
	fill_page(page, B);
	memcpy(page, &(uint32_t){ TIMES - 1 }, sizeof(uint32_t));
	assert_memory_equal(frames_data(f->v->pool.frames, frame), page, sizeof(page));
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(write__a_hole_becomes_private),
	FIXTURE_TEST(write__equal_pages_merge),
	FIXTURE_TEST(write__equal_pages_in_one_write_merge),
	FIXTURE_TEST(write__the_same_bytes_again_change_nothing),
	FIXTURE_TEST(write__zeroes_take_no_frame),
	FIXTURE_TEST(write__a_split_leaves_the_others_bytes_alone),
	FIXTURE_TEST(write__a_part_of_a_shared_page_splits_it),
	FIXTURE_TEST(write__a_frame_nobody_else_sees_is_reused_in_place),
	FIXTURE_TEST(write__a_pinned_reader_keeps_the_old_bytes),
	FIXTURE_TEST(write__a_part_of_a_pinned_page_splits_towards_the_writer),
	FIXTURE_TEST(write__parts_at_both_ends_of_a_range),
	FIXTURE_TEST(write__a_part_of_a_hole_is_padded_with_zeroes_and_merges),
	FIXTURE_TEST(write__a_page_rewritten_often_is_not_digested_any_more),
	FIXTURE_TEST(write__a_quiet_pass_makes_a_page_worth_digesting_again),
	FIXTURE_TEST(write__without_merge_on_write_nothing_is_looked_for),
	FIXTURE_TEST(writeback__beyond_the_end_is_dropped),
	FIXTURE_TEST(write__at_the_limit_is_short_and_then_refused),
	FIXTURE_TEST(writeback__goes_beyond_the_limit),
	FIXTURE_TEST(write__far_out_needs_nodes_and_gives_them_back),
	FIXTURE_TEST(write__a_page_of_one_s_own_takes_no_new_frame),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
