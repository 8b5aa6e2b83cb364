/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/merge.h"

#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { A = 1, B = 2 };

/* merge_on_write is off: the scanner's part alone. */
static int setup(void **state)
{
	int r = fixture_setup(state);

	if (!r)
		set(*state, ATTR_merge_on_write, 0);
	return r;
}

static enum merge_r merge(struct fixture *f, uint64_t ino, uint64_t index)
{
	enum merge_r r;

	gate_enter(&f->v->gate);
	r = merge_page(&f->v->pool, inode_of(f->v, ino), index, slot_at(f, ino, index), MERGE_THOROUGH);
	gate_leave(&f->v->gate);
	return r;
}

static void merge__a_page_has_to_be_quiet_for_a_pass(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 0, A);
	assert_int_equal(merge(f, ino, 0), MERGE_VOLATILE);
	put_page(f, ino, 0, B);
	assert_int_equal(merge(f, ino, 0), MERGE_VOLATILE);
	assert_int_equal(merge(f, ino, 0), MERGE_INDEXED);
	assert_int_equal(merge(f, ino, 0), MERGE_NOTHING);
	assert_counts(f, 0, 0, 1, 0, 0);
	assert_int_equal(put_bytes(f, ino, 5, 1, 'x'), 1); /* out of the index again */
	assert_counts(f, 0, 0, 0, 0, 1);
	assert_int_equal(merge(f, ino, 0), MERGE_VOLATILE);
}

static void merge__equal_pages_become_one_frame(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_page(f, one, 0, A);
	put_page(f, two, 0, A);
	assert_int_equal(merge(f, one, 0), MERGE_VOLATILE);
	assert_int_equal(merge(f, two, 0), MERGE_VOLATILE);
	assert_int_equal(merge(f, one, 0), MERGE_INDEXED);
	assert_int_equal(merge(f, two, 0), MERGE_MERGED);
	assert_int_equal(slot_at(f, one, 0), slot_at(f, two, 0));
	assert_counts(f, 1, 1, 0, 0, 0);
	assert_figure(f, store_frames, 1);
	assert_int_equal(merge(f, two, 0), MERGE_NOTHING);
}

static void merge__zeroes_lose_their_frame(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 0, 0);
	assert_figure(f, store_frames, 1);
	assert_int_equal(merge(f, ino, 0), MERGE_VOLATILE);
	assert_int_equal(merge(f, ino, 0), MERGE_ZEROED);
	assert_int_equal(slot_at(f, ino, 0), SLOT_ZERO);
	assert_counts(f, 0, 0, 0, 1, 0);
	assert_figure(f, store_frames, 0);
}

static void merge__what_somebody_is_at_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct pagelock_wait wait = { 0 };
	uint64_t ino = make_file(f, "file");
	uint32_t frame;

	put_page(f, ino, 0, A);
	frame = slot_at(f, ino, 0);
	assert_int_equal(merge(f, ino, 0), MERGE_VOLATILE);
	assert_true(pagelock_try(&f->v->pool.pagelocks, (uint32_t)ino, 0, &wait));
	lock_rank_leave(RANK_PAGE); /* it is another thread's, so to say */
	assert_int_equal(merge(f, ino, 0), MERGE_LATER);
	lock_rank_enter(RANK_PAGE);
	pagelock_drop(&f->v->pool.pagelocks, (uint32_t)ino, 0);
	assert_int_equal(slot_at(f, ino, 0), frame);
	assert_int_equal(frame_at(f, ino, 0).pins, 0);
	assert_int_equal(merge(f, ino, 0), MERGE_INDEXED);
}

/* The two steps that scrubbing has in common with merging: who is at the page is told from what has gone. */
static void pin__and_swing_say_who_was_before_them(void **state)
{
	struct fixture *f = *state;
	struct pool *p = &f->v->pool;
	struct pagelock_wait wait = { 0 };
	uint64_t ino = make_file(f, "file");
	struct inode *i = inode_of(f->v, ino);
	uint32_t frame;

	put_pages(f, ino, 0, 2, A, 1);
	frame = slot_at(f, ino, 0);
	gate_enter(&f->v->gate);
	assert_true(pagelock_try(&p->pagelocks, (uint32_t)ino, 0, &wait));
	lock_rank_leave(RANK_PAGE);
	assert_int_equal(merge_pin(p, i, 0, frame), MERGE_BUSY);
	assert_int_equal(merge_swing(p, i, 0, frame, SLOT_ZERO), MERGE_BUSY);
	lock_rank_enter(RANK_PAGE);
	pagelock_drop(&p->pagelocks, (uint32_t)ino, 0);
	assert_int_equal(merge_pin(p, i, 1, frame), MERGE_GONE);
	assert_int_equal(merge_swing(p, i, 1, frame, SLOT_ZERO), MERGE_GONE);
	assert_int_equal(merge_pin(p, i, 99, frame), MERGE_GONE);
	assert_int_equal(merge_pin(p, i, 0, frame), MERGE_HELD);
	gate_leave(&f->v->gate);
	assert_int_equal(frame_at(f, ino, 0).pins, 1);
	content_unpin(p->content, frame);
	assert_int_equal(slot_at(f, ino, 0), frame);
	assert_page(f, ino, 1, A + 1);
}

static void merge__a_slot_that_moved_on_is_left_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint32_t frame;

	put_pages(f, ino, 0, 2, A, 1);
	frame = slot_at(f, ino, 1);
	gate_enter(&f->v->gate);
	assert_int_equal(merge_page(&f->v->pool, inode_of(f->v, ino), 0, frame, MERGE_THOROUGH), MERGE_NOTHING);
	gate_leave(&f->v->gate);
	drop_file(f, "file", ino);
	assert_true(frames_look(f->v->pool.frames, frame).free);
}

static void merge__a_reader_goes_on_with_the_old_frame(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	uint8_t should[PAGE_BYTES];
	struct volume_read r;

	fill_page(should, A);
	put_page(f, one, 0, A);
	put_page(f, two, 0, A);
	scan(f, 1);
	assert_int_equal(volume_read(f->v, two, 0, PAGE_BYTES, &r), 0);
	scan(f, 1);
	assert_counts(f, 1, 1, 0, 0, 0);
	assert_memory_equal(r.iov[0].iov_base, should, PAGE_BYTES);
	volume_read_done(&r);
	assert_figure(f, store_frames, 1);
}

/* --- exact counts, as KSM's tests have them ----------------------------------------------------- */

enum { PAGES = 300 };

/* Three files of PAGES pages: two contents, a third of zeroes, and pages of their own. */
static void write_files(struct fixture *f, uint64_t ino[3])
{
	static const char *const names[3] = { "one", "two", "three" };

	for (unsigned n = 0; n < 3; n++) {
		ino[n] = make_file(f, names[n]);
		for (unsigned k = 0; k < PAGES; k++)
			put_page(f, ino[n], k, k % 4 == 3 ? 1000 + n * PAGES + k : k % 4);
	}
}

static void assert_all_merged(struct fixture *f)
{
	const int64_t quarter = 3 * PAGES / 4;

	assert_counts(f, 2, 2 * quarter - 2, quarter, quarter, 0);
	assert_figure(f, index_entries, 2 + quarter);
}

static void counts__of_the_scanner_are_exact(void **state)
{
	struct fixture *f = *state;
	uint64_t ino[3];

	write_files(f, ino);
	assert_counts(f, 0, 0, 0, 0, 3 * PAGES);
	scan(f, 1);
	assert_counts(f, 0, 0, 0, 0, 3 * PAGES);
	scan(f, 1);
	assert_all_merged(f);
	assert_figure(f, full_scans, 2);
	assert_figure(f, pages_scanned, 2 * 3 * PAGES);
	scan(f, 1);
	assert_all_merged(f);
}

static void counts__on_write_are_the_same(void **state)
{
	struct fixture *f = *state;
	uint64_t ino[3];

	set(f, ATTR_merge_on_write, 1);
	write_files(f, ino);
	assert_all_merged(f);
	scan(f, 3);
	assert_all_merged(f);
}

static void counts__a_byte_into_each_page_splits_exactly_those(void **state)
{
	struct fixture *f = *state;
	uint64_t ino[3];

	write_files(f, ino);
	scan(f, 2);
	for (unsigned k = 0; k < PAGES; k++)
		assert_int_equal(put_bytes(f, ino[1], (uint64_t)k * PAGE_BYTES + k, 1, (int)(k & 127) + 128), 1);
	assert_counts(f, 2, 2 * PAGES / 2 - 2, 2 * PAGES / 4, 2 * PAGES / 4, PAGES);
	for (unsigned k = 0; k < PAGES; k++)
		assert_page(f, ino[0], k, k % 4 == 3 ? 1000 + k : k % 4);
	drop_file(f, "two", ino[1]);
	drop_file(f, "one", ino[0]);
	drop_file(f, "three", ino[2]);
	assert_counts(f, 0, 0, 0, 0, 0);
	assert_figure(f, store_frames, 0);
	assert_figure(f, index_entries, 0);
}

/* --- what is left alone, and for how long --------------------------------------------------------- */

static void merge__what_was_untracked_needs_a_pass_more(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_page(f, one, 0, A);
	set(f, ATTR_run, 2);
	put_page(f, two, 0, A);
	set(f, ATTR_run, 1);
	assert_all_counts(f, 0, 0, 0, 0, 0, 2);
	assert_int_equal(merge(f, one, 0), MERGE_VOLATILE);
	assert_int_equal(merge(f, two, 0), MERGE_VOLATILE);
	assert_counts(f, 0, 0, 0, 0, 2);
	assert_int_equal(merge(f, one, 0), MERGE_INDEXED);
	assert_int_equal(merge(f, two, 0), MERGE_MERGED);
}

static enum merge_r merge_smart(struct fixture *f, uint64_t ino)
{
	enum merge_r r;

	gate_enter(&f->v->gate);
	r = merge_page(&f->v->pool, inode_of(f->v, ino), 0, slot_at(f, ino, 0), MERGE_SMART);
	gate_leave(&f->v->gate);
	return r;
}

static void merge__what_somebody_holds_is_owed(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	struct pagelocks *locks = &f->v->pool.pagelocks;
	uint32_t number = inode_of(f->v, two)->number;
	struct pagelock_wait wait = { 0 };

	set(f, ATTR_merge_on_write, 0);
	put_page(f, one, 0, 1);
	put_page(f, two, 0, 1);
	assert_int_equal(merge(f, one, 0), MERGE_VOLATILE);
	assert_int_equal(merge(f, one, 0), MERGE_INDEXED);
	assert_int_equal(merge(f, two, 0), MERGE_VOLATILE);
	assert_true(pagelock_try(locks, number, 0, &wait));
	lock_rank_leave(RANK_PAGE); /* somebody else's, this thread shall believe */
	assert_int_equal(merge(f, two, 0), MERGE_LATER);
	lock_rank_enter(RANK_PAGE);
	pagelock_drop(locks, number, 0);
	assert_int_equal(merge(f, two, 0), MERGE_MERGED);
}

static void smart__a_page_that_never_rests_is_skipped_more_and_more(void **state)
{
	/* passes that leave it alone, before each look */
	static const unsigned skips[] = { 0, 0, 0, 0, 1, 2, 4, 8, 8, 8 };
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 0, A);
	for (unsigned look = 0; look < ARRAY_SIZE(skips); look++) {
		for (unsigned n = 0; n < skips[look]; n++) {
			assert_int_equal(put_bytes(f, ino, look, 1, (int)n), 1);
			assert_int_equal(merge_smart(f, ino), MERGE_SKIPPED);
		}
		assert_int_equal(put_bytes(f, ino, look, 1, 'x'), 1);
		assert_int_equal(merge_smart(f, ino), MERGE_VOLATILE);
	}
	assert_int_equal(merge_smart(f, ino), MERGE_SKIPPED);
	assert_int_equal(merge(f, ino, 0), MERGE_INDEXED); /* at rest, and nothing may be skipped */
	assert_int_equal(merge_smart(f, ino), MERGE_NOTHING);
}

static void smart__another_frame_is_another_page(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	uint32_t frame;

	put_page(f, one, 0, A);
	for (unsigned n = 0; n < 4; n++) {
		assert_int_equal(put_bytes(f, one, n, 1, 'x'), 1);
		assert_int_equal(merge_smart(f, one), MERGE_VOLATILE);
	}
	frame = slot_at(f, one, 0);
	assert_int_not_equal(frames_history(f->v->pool.frames, frame), 0);
	drop_file(f, "one", one);
	put_page(f, two, 0, A); /* takes the frame that was freed last */
	assert_int_equal(slot_at(f, two, 0), frame);
	assert_int_equal(merge_smart(f, two), MERGE_VOLATILE);
}

/* --- at most so many slots ------------------------------------------------------------------------ */

static void twins__merge_when_there_is_place_again(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	set(f, ATTR_max_page_sharing, 3);
	put_pages(f, one, 0, 3, A, 0);
	put_page(f, two, 0, A);
	scan(f, 2);
	assert_counts(f, 1, 2, 1, 0, 0);
	assert_figure(f, index_entries, 2);
	assert_int_equal(merge(f, two, 0), MERGE_NOTHING); /* it is full */
	put_page(f, one, 2, B);
	assert_int_equal(merge(f, two, 0), MERGE_MERGED);
	assert_int_equal(slot_at(f, one, 0), slot_at(f, two, 0));
	assert_counts(f, 1, 2, 0, 0, 1);
	assert_figure(f, index_entries, 1);
	assert_page(f, two, 0, A);
}

static void zeroes__may_be_ordinary_pages(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_page(f, one, 0, 0);
	scan(f, 2);
	assert_counts(f, 0, 0, 0, 1, 0);
	set(f, ATTR_use_zero_pages, 0);
	put_pages(f, two, 0, 5, 0, 0);
	scan(f, 2);
	assert_counts(f, 1, 4, 0, 1, 0); /* what is a zero page already stays one */
	set(f, ATTR_merge_on_write, 1);
	put_pages(f, two, 5, 5, 0, 0);
	assert_counts(f, 1, 9, 0, 1, 0);
	assert_figure(f, fault_zeroed, 0);
	for (unsigned n = 0; n < 10; n++)
		assert_page(f, two, n, 0);
	assert_int_equal(put_bytes(f, two, 3 * PAGE_BYTES, 1, 'x'), 1);
	assert_page(f, two, 4, 0);
	set(f, ATTR_use_zero_pages, 1);
	put_page(f, two, 0, 0);
	assert_counts(f, 1, 7, 0, 2, 1);
}

static void merge__what_was_untracked_and_is_clean_waits_as_well(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 0, A);
	scan(f, 2);
	set(f, ATTR_run, 2); /* taken out of the index, and nobody has written to it */
	set(f, ATTR_run, 1);
	assert_false(frame_at(f, ino, 0).dirty);
	assert_int_equal(merge(f, ino, 0), MERGE_VOLATILE);
	assert_int_equal(merge(f, ino, 0), MERGE_INDEXED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

static const struct CMUnitTest tests[] = {
	TEST(merge__a_page_has_to_be_quiet_for_a_pass),
	TEST(merge__equal_pages_become_one_frame),
	TEST(merge__zeroes_lose_their_frame),
	TEST(merge__what_somebody_is_at_is_left_alone),
	TEST(pin__and_swing_say_who_was_before_them),
	TEST(merge__a_slot_that_moved_on_is_left_alone),
	TEST(merge__a_reader_goes_on_with_the_old_frame),
	TEST(counts__of_the_scanner_are_exact),
	TEST(counts__on_write_are_the_same),
	TEST(counts__a_byte_into_each_page_splits_exactly_those),
	TEST(merge__what_was_untracked_needs_a_pass_more),
	TEST(merge__what_somebody_holds_is_owed),
		TEST(smart__a_page_that_never_rests_is_skipped_more_and_more),
	TEST(smart__another_frame_is_another_page),
	TEST(twins__merge_when_there_is_place_again),
	TEST(zeroes__may_be_ordinary_pages),
	TEST(merge__what_was_untracked_and_is_clean_waits_as_well),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
