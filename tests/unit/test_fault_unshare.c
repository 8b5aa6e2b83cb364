/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>

#include "core/failpoint.h"
#include "core/fault.h"
#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { A = 1, B = 2, PAGES = 40 };

static int unshare_some(struct fixture *f, uint64_t ino, uint64_t *io_index, uint64_t end, unsigned flags)
{
	int r;

	gate_enter(&f->v->gate);
	r = fault_unshare(&f->v->pool, inode_of(f->v, ino), io_index, end, flags);
	gate_leave(&f->v->gate);
	return r;
}

static int unshare_range(struct fixture *f, uint64_t ino, uint64_t from, uint64_t end, unsigned flags)
{
	int r;

	do
		r = unshare_some(f, ino, &from, end, flags);
	while (r > 0);
	return r;
}

static void assert_pages(struct fixture *f, uint64_t ino, unsigned count, uint64_t what)
{
	for (unsigned n = 0; n < count; n++)
		assert_page(f, ino, n, what + n);
}

static void unshare__shared_pages_get_frames_of_their_own(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	int64_t written;

	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES, A, 1);
	written = figure(f, ATTR_store_pages_written);
	assert_int_equal(unshare_range(f, one, 0, PAGES, 0), 0);
	assert_all_counts(f, 0, 0, PAGES, 0, 0, PAGES);
	assert_figure(f, fault_unmerged, PAGES);
	assert_figure(f, fault_cow_breaks, 0); /* nobody wrote */
	assert_figure(f, fault_reuses, 0);
	assert_figure(f, store_pages_written, written);
	for (unsigned n = 0; n < PAGES; n++) {
		assert_int_not_equal(slot_at(f, one, n), slot_at(f, two, n));
		assert_true(frame_at(f, one, n).untracked);
		assert_true(frame_at(f, two, n).indexed); /* the other's stay what they were */
	}
	assert_pages(f, one, PAGES, A);
	assert_pages(f, two, PAGES, A);
	assert_int_equal(unshare_range(f, one, 0, PAGES, 0), 0); /* there is nothing left to do */
	assert_figure(f, fault_unmerged, PAGES);
}

static void unshare__only_the_range(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, PAGES, A, 0);
	assert_int_equal(unshare_range(f, ino, 10, 13, 0), 0);
	assert_all_counts(f, 1, PAGES - 4, 0, 0, 0, 3);
	for (unsigned n = 0; n < PAGES; n++) {
		assert_int_equal(frame_at(f, ino, n).untracked, n >= 10 && n < 13);
		assert_page(f, ino, n, A);
	}
}

static void unshare__the_last_sharer_keeps_the_frame(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, PAGES, A, 0);
	assert_int_equal(unshare_range(f, ino, 0, PAGES, 0), 0);
	assert_all_counts(f, 0, 0, 0, 0, 0, PAGES);
	assert_figure(f, store_frames, PAGES + 1); /* and a node */
	assert_figure(f, index_entries, 0);
	for (unsigned n = 0; n < PAGES; n++)
		assert_page(f, ino, n, A);
}

static void unshare__zeroes_and_reservations_stay(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume_read r;

	put_pages(f, ino, 0, 3, 0, 0);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 5 * PAGE_BYTES, 3 * PAGE_BYTES), 0);
	truncate_to_pages(f, ino, 20);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	assert_int_equal(volume_read(f->v, ino, 15 * PAGE_BYTES, PAGE_BYTES, &r), 0);
	volume_read_done(&r);
	assert_int_equal(unshare_range(f, ino, 0, FILE_PAGES_MAX, 0), 0);
	assert_counts(f, 0, 0, 0, 3, 0);
	assert_figure(f, store_reserved_pages, 4);
	assert_int_equal(slot_at(f, ino, 6), SLOT_RESERVED);
	assert_int_equal(slot_at(f, ino, 15), SLOT_LENT);
	assert_int_equal(slot_at(f, ino, 4), SLOT_HOLE);
	assert_figure(f, fault_unmerged, 0);
	volume_file_release(f->v, ino, O_RDWR);
}

static void unshare__what_is_alone_stays_where_it_is(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint32_t frame[2];
	int64_t frames;

	put_page(f, ino, 0, A); /* in the index */
	set(f, ATTR_merge_on_write, 0);
	put_page(f, ino, 1, B); /* not */
	frame[0] = slot_at(f, ino, 0);
	frame[1] = slot_at(f, ino, 1);
	frames = figure(f, ATTR_store_frames);
	assert_int_equal(unshare_range(f, ino, 0, 2, 0), 0);
	assert_all_counts(f, 0, 0, 0, 0, 0, 2);
	assert_int_equal(slot_at(f, ino, 0), frame[0]);
	assert_int_equal(slot_at(f, ino, 1), frame[1]);
	assert_false(frame_at(f, ino, 0).indexed);
	assert_figure(f, index_entries, 0);
	assert_figure(f, store_frames, frames);
	assert_figure(f, fault_unmerged, 0);
	assert_pages(f, ino, 2, A);
}

static void unshare__who_looks_keeps_the_old_frame(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t should[PAGE_BYTES];
	struct volume_read r;
	uint32_t frame;

	put_page(f, ino, 0, A);
	fill_page(should, A);
	frame = slot_at(f, ino, 0);
	assert_int_equal(volume_read(f->v, ino, 0, PAGE_BYTES, &r), 0);
	assert_int_equal(unshare_range(f, ino, 0, 1, 0), 0);
	assert_int_not_equal(slot_at(f, ino, 0), frame);
	assert_all_counts(f, 0, 0, 0, 0, 0, 1);
	put_page(f, ino, 0, B);
	assert_memory_equal(r.iov[0].iov_base, should, PAGE_BYTES);
	volume_read_done(&r);
	assert_true(frames_look(f->v->pool.frames, frame).free);
	assert_page(f, ino, 0, B);
}

static void unshare__what_is_shared_may_be_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES / 2, A, 1);
	put_page(f, one, PAGES, 0);
	assert_int_equal(unshare_range(f, one, 0, FILE_PAGES_MAX, FAULT_KEEP_SHARED), 0);
	assert_all_counts(f, PAGES / 2, PAGES / 2, 0, 1, 0, PAGES / 2);
	assert_figure(f, fault_unmerged, 0);
	assert_figure(f, index_entries, PAGES / 2);
	for (unsigned n = 0; n < PAGES / 2; n++)
		assert_int_equal(slot_at(f, one, n), slot_at(f, two, n));
	assert_pages(f, one, PAGES, A);
}

static void unshare__a_batch_at_a_time(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), index = 0;

	put_pages(f, ino, 0, BATCH_PAGES, A, 0);
	put_pages(f, ino, BATCH_PAGES, BATCH_PAGES / 2, A, 0);
	put_page(f, ino, FILE_PAGES_MAX - 1, A);
	assert_int_equal(unshare_some(f, ino, &index, FILE_PAGES_MAX, 0), 1);
	assert_int_equal(index, BATCH_PAGES);
	assert_int_equal(figure(f, ATTR_pages_untracked), BATCH_PAGES);
	assert_int_equal(unshare_some(f, ino, &index, FILE_PAGES_MAX, 0), 0);
	assert_all_counts(f, 0, 0, 0, 0, 0, BATCH_PAGES + BATCH_PAGES / 2 + 1);
	assert_page(f, ino, FILE_PAGES_MAX - 1, A);
}

static void unshare__many_that_need_nothing_do_not_take_long(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), index = 0;
	unsigned calls = 1;

	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, 10000 * PAGE_BYTES), 0);
	put_page(f, ino, 9999, A);
	while (unshare_some(f, ino, &index, FILE_PAGES_MAX, 0))
		calls++;
	assert_true(calls > 1); /* no hold of a lock for all of it */
	assert_true(frame_at(f, ino, 9999).untracked);
}

/* --- memory ------------------------------------------------------------------------------------- */

/* With the nth allocation failing. */
static void unshare__one_failed_allocation_loses_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	for (unsigned nth = 1; nth < 10; nth++) {
		uint64_t index = 0;
		int r;

		put_pages(f, one, 0, PAGES, A, 1);
		put_pages(f, two, 0, PAGES, A, 1);
		scan(f, 2);
		assert_counts(f, PAGES, PAGES, 0, 0, 0);
		failpoint_arm(FAIL_ALLOC, nth);
		r = unshare_some(f, one, &index, FILE_PAGES_MAX, 0);
		failpoint_arm(FAIL_ALLOC, 0);
		assert_true(!r || r == -ENOMEM);
		fixture_check(f);
		if (r < 0)
			assert_int_equal(index, 0);
		assert_pages(f, one, PAGES, A);
		assert_int_equal(unshare_range(f, one, index, FILE_PAGES_MAX, 0), 0);
		assert_all_counts(f, 0, 0, PAGES, 0, 0, PAGES);
		truncate_to_pages(f, one, 0);
		truncate_to_pages(f, two, 0);
	}
}

static void unshare__stops_where_frames_end(void **state)
{
	static struct hoard h;
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two"), index = 0;

	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES, A, 1);
	hoard_frames(f, &h, 7);
	assert_int_equal(unshare_some(f, one, &index, PAGES, 0), -ENOMEM);
	assert_all_counts(f, PAGES - 7, PAGES - 7, 7, 0, 0, 7);
	assert_int_equal(unshare_some(f, one, &index, PAGES, 0), -ENOMEM);
	fixture_check(f);
	assert_pages(f, one, PAGES, A);
	assert_pages(f, two, PAGES, A);
	return_frames(f, &h);
	assert_int_equal(unshare_range(f, one, index, PAGES, 0), 0);
	assert_all_counts(f, 0, 0, PAGES, 0, 0, PAGES);
	assert_pages(f, one, PAGES, A);
}

static void unshare__what_is_alone_needs_no_frames(void **state)
{
	static struct hoard h;
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, PAGES, A, 1);
	hoard_frames(f, &h, 0);
	assert_int_equal(unshare_range(f, ino, 0, PAGES, 0), 0);
	assert_all_counts(f, 0, 0, 0, 0, 0, PAGES);
	return_frames(f, &h);
}

/* --- others are at it ----------------------------------------------------------------------------- */

struct other {
	struct fixture *f;
	uint64_t ino;
	pthread_t thread;
	int r;
};

static void *unshare_page(void *arg)
{
	struct other *o = arg;

	o->r = unshare_range(o->f, o->ino, 0, 1, 0);
	return NULL;
}

/* What another thread does waits for the lock of page 0; meanwhile `change`. */
static int while_it_waits(struct fixture *f, uint64_t ino, void *(*what)(void *arg),
			  void (*change)(struct fixture *f, uint64_t ino))
{
	struct pagelock_wait wait = { 0 };
	struct other o = { .f = f, .ino = ino };

	assert_true(pagelock_try(&f->v->pool.pagelocks, (uint32_t)ino, 0, &wait));
	assert_int_equal(pthread_create(&o.thread, NULL, what, &o), 0);
	while (!somebody_sleeps(f))
		sched_yield();
	lock_rank_leave(RANK_PAGE); /* as if it were another thread's */
	change(f, ino);
	lock_rank_enter(RANK_PAGE);
	pagelock_drop(&f->v->pool.pagelocks, (uint32_t)ino, 0);
	pthread_join(o.thread, NULL);
	return o.r;
}

static void nothing(struct fixture *f, uint64_t ino)
{
	(void)f;
	(void)ino;
}

static void truncate_away(struct fixture *f, uint64_t ino)
{
	truncate_to_pages(f, ino, 0);
}

static void unlink_other(struct fixture *f, uint64_t ino)
{
	struct volume_entry e;

	(void)ino;
	assert_int_equal(volume_lookup(f->v, ROOT_INO, name_of("two"), &e), 0);
	volume_forget(f->v, e.ino, 1);
	drop_file(f, "two", e.ino);
}

static void unshare__waits_for_who_is_at_the_page(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one");

	put_page(f, one, 0, A);
	put_page(f, make_file(f, "two"), 0, A);
	assert_int_equal(while_it_waits(f, one, unshare_page, nothing), 0);
	assert_all_counts(f, 0, 0, 1, 0, 0, 1);
	assert_page(f, one, 0, A);
}

static void unshare__a_page_may_go_while_it_waits(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one");

	put_page(f, one, 0, A);
	put_page(f, make_file(f, "two"), 0, A);
	assert_int_equal(while_it_waits(f, one, unshare_page, truncate_away), 0);
	assert_counts(f, 0, 0, 1, 0, 0);
	assert_int_equal(slot_at(f, one, 0), SLOT_HOLE);
	assert_int_equal(f->v->pool.charged, 1);
}

static void unshare__the_other_sharer_may_go_while_it_waits(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one");

	put_page(f, one, 0, A);
	put_page(f, make_file(f, "two"), 0, A);
	assert_int_equal(while_it_waits(f, one, unshare_page, unlink_other), 0);
	assert_all_counts(f, 0, 0, 0, 0, 0, 1);
	assert_page(f, one, 0, A);
}

static void *keep_page(void *arg)
{
	struct other *o = arg;

	o->r = unshare_range(o->f, o->ino, 0, 1, FAULT_KEEP_SHARED);
	return NULL;
}

static void share_it(struct fixture *f, uint64_t ino)
{
	(void)ino;
	put_page(f, make_file(f, "two"), 0, A);
}

static void unshare__what_came_to_be_shared_meanwhile_is_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one");

	put_page(f, one, 0, A);
	assert_int_equal(while_it_waits(f, one, keep_page, share_it), 0);
	assert_counts(f, 1, 1, 0, 0, 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(unshare__shared_pages_get_frames_of_their_own),
	FIXTURE_TEST(unshare__only_the_range),
	FIXTURE_TEST(unshare__the_last_sharer_keeps_the_frame),
	FIXTURE_TEST(unshare__zeroes_and_reservations_stay),
	FIXTURE_TEST(unshare__what_is_alone_stays_where_it_is),
	FIXTURE_TEST(unshare__who_looks_keeps_the_old_frame),
	FIXTURE_TEST(unshare__what_is_shared_may_be_kept),
	FIXTURE_TEST(unshare__a_batch_at_a_time),
	FIXTURE_TEST(unshare__many_that_need_nothing_do_not_take_long),
	FIXTURE_TEST(unshare__one_failed_allocation_loses_nothing),
	FIXTURE_TEST(unshare__stops_where_frames_end),
	FIXTURE_TEST(unshare__what_is_alone_needs_no_frames),
	FIXTURE_TEST(unshare__waits_for_who_is_at_the_page),
	FIXTURE_TEST(unshare__a_page_may_go_while_it_waits),
	FIXTURE_TEST(unshare__the_other_sharer_may_go_while_it_waits),
	FIXTURE_TEST(unshare__what_came_to_be_shared_meanwhile_is_kept),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
