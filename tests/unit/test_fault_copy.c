/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What copying whole pages does: which frame each slot refers to after it, and who may say no. */
#include "core/fault.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>

#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { A = 1, B = 2, C = 3 };

static ssize_t copy_pages(struct fixture *f, uint64_t from, uint64_t from_index, uint64_t to, uint64_t to_index,
			  unsigned count)
{
	const struct volume_copy c = { from, from_index << PAGE_SHIFT, to, to_index << PAGE_SHIFT,
				       (uint64_t)count << PAGE_SHIFT };

	return volume_copy(f->v, &c, 0, NULL) >> PAGE_SHIFT;
}

static void copy_page(struct fixture *f, uint64_t from, uint64_t to)
{
	assert_int_equal(copy_pages(f, from, 0, to, 0, 1), 1);
}

static bool shares(struct fixture *f, uint64_t one, uint64_t two, uint64_t index)
{
	return slot_is_frame(slot_at(f, one, index)) && slot_at(f, one, index) == slot_at(f, two, index);
}

struct pair {
	struct fixture *f;
	uint64_t from, to;
};

static struct pair two_files(void **state)
{
	return (struct pair){ *state, make_file(*state, "from"), make_file(*state, "to") };
}

/* --- by reference ------------------------------------------------------------------------------- */

static void copy__refers_to_the_same_frames(void **state)
{
	struct pair p = two_files(state);
	int64_t frames;

	put_pages(p.f, p.from, 0, 3 * 8, A, 1);
	frames = figure(p.f, ATTR_store_frames);
	assert_int_equal(copy_pages(p.f, p.from, 8, p.to, 0, 8), 8);
	for (unsigned n = 0; n < 8; n++) {
		assert_int_equal(slot_at(p.f, p.to, n), slot_at(p.f, p.from, 8 + n));
		assert_page(p.f, p.to, n, A + 8 + n);
	}
	assert_figure(p.f, store_frames, frames);
	assert_figure(p.f, fault_copied_by_reference, 8);
	assert_figure(p.f, fault_merged, 0);
	assert_counts(p.f, 8, 8, 16, 0, 0);
}

static void copy__a_write_to_either_splits(void **state)
{
	struct pair p = two_files(state);

	put_pages(p.f, p.from, 0, 2, A, 1);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 2), 2);
	put_page(p.f, p.from, 0, C);
	assert_int_equal(put_bytes(p.f, p.to, PAGE_BYTES + 7, 1, 'x'), 1);
	assert_page(p.f, p.to, 0, A);
	assert_page(p.f, p.from, 0, C);
	assert_page(p.f, p.from, 1, B);
	assert_false(page_is(p.f, p.to, 1, B));
	assert_figure(p.f, fault_cow_breaks, 2);
	assert_figure(p.f, pages_sharing, 0);
}

static void copy__a_volatile_page_enters_the_index(void **state)
{
	struct pair p = two_files(state);
	uint32_t frame;

	set(p.f, ATTR_merge_on_write, 0);
	put_page(p.f, p.from, 0, A);
	assert_counts(p.f, 0, 0, 0, 0, 1);
	frame = slot_at(p.f, p.from, 0);
	copy_page(p.f, p.from, p.to);
	assert_int_equal(slot_at(p.f, p.to, 0), frame);
	assert_true(frame_at(p.f, p.to, 0).indexed);
	assert_false(frame_at(p.f, p.to, 0).dirty);
	assert_counts(p.f, 1, 1, 0, 0, 0);
}

static void copy__a_volatile_page_whose_like_is_there_refers_to_that(void **state)
{
	struct pair p = two_files(state);
	uint64_t other = make_file(p.f, "other");

	put_page(p.f, other, 0, A);
	set(p.f, ATTR_merge_on_write, 0);
	put_page(p.f, p.from, 0, A);
	copy_page(p.f, p.from, p.to);
	assert_true(shares(p.f, other, p.to, 0));
	assert_false(shares(p.f, p.from, p.to, 0)); /* the scanner's to find */
	assert_figure(p.f, fault_copied_by_reference, 1);
	assert_counts(p.f, 1, 1, 0, 0, 1);
	set(p.f, ATTR_merge_on_write, 1);
	scan(p.f, 2);
	assert_counts(p.f, 1, 2, 0, 0, 0);
}

static void copy__what_changed_again_and_again_is_shared_all_the_same(void **state)
{
	struct pair p = two_files(state);

	for (uint64_t what = 10; what < 20; what++) {
		put_page(p.f, p.from, 0, what);
		put_page(p.f, p.to, 0, what + 100);
	}
	copy_page(p.f, p.from, p.to);
	assert_true(shares(p.f, p.from, p.to, 0));
	assert_page(p.f, p.to, 0, 19);
}

static void copy__onto_what_is_there_gives_its_frames_back(void **state)
{
	struct pair p = two_files(state);
	int64_t frames;

	put_pages(p.f, p.from, 0, 4, A, 1);
	frames = figure(p.f, ATTR_store_frames);
	put_pages(p.f, p.to, 0, 4, 100, 1);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 4), 4);
	assert_figure(p.f, store_frames, frames);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 4), 4); /* and once more changes nothing */
	assert_int_equal(frame_at(p.f, p.to, 3).refs, 2);
	assert_int_equal(p.f->v->pool.charged, 8);
}

static void copy__within_a_file(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	const struct volume_copy onto_itself = { ino, 0, ino, PAGE_BYTES, 2 * PAGE_BYTES };

	put_pages(f, ino, 0, 2, A, 1);
	assert_int_equal(copy_pages(f, ino, 0, ino, 2, 2), 2);
	assert_int_equal(slot_at(f, ino, 3), slot_at(f, ino, 1));
	assert_page(f, ino, 2, A);
	assert_int_equal(volume_copy(f->v, &onto_itself, 0, NULL), -EINVAL);
}

/* --- zeroes ------------------------------------------------------------------------------------- */

static void copy__zeroes_holes_and_reserved_pages_are_zeroes(void **state)
{
	struct pair p = two_files(state);

	put_pages(p.f, p.from, 0, 1, 0, 0);
	truncate_to_pages(p.f, p.from, 4);
	assert_int_equal(volume_fallocate(p.f->v, p.from, FALLOC_FL_KEEP_SIZE, PAGE_BYTES, PAGE_BYTES), 0);
	put_pages(p.f, p.to, 0, 4, A, 1);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 4), 4);
	for (unsigned n = 0; n < 4; n++) {
		assert_int_equal(slot_at(p.f, p.to, n), SLOT_ZERO);
		assert_page(p.f, p.to, n, 0);
	}
	assert_int_equal(slot_at(p.f, p.from, 2), SLOT_HOLE);
	assert_figure(p.f, fault_zeroed, 1); /* the first of these is from the write */
	assert_figure(p.f, fault_copied_by_reference, 4);
	assert_figure(p.f, store_frames, 0);
}

static void copy__holes_that_a_writer_may_store_into_stay_holes(void **state)
{
	struct pair p = two_files(state);

	truncate_to_pages(p.f, p.from, 4);
	assert_int_equal(volume_file_open(p.f->v, p.from, O_RDWR), 0);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 4), 4);
	assert_figure(p.f, store_reserved_pages, 0);
	volume_file_release(p.f->v, p.from, O_RDWR);
	assert_int_equal(volume_file_open(p.f->v, p.from, O_RDWR), VOLUME_OPENED); /* nothing went into a cache */
	volume_file_release(p.f->v, p.from, O_RDWR);
}

static void copy__without_zero_pages_zeroes_are_a_page_like_others(void **state)
{
	struct pair p = two_files(state);

	put_pages(p.f, p.from, 0, 1, 0, 0);
	truncate_to_pages(p.f, p.from, 3);
	set(p.f, ATTR_use_zero_pages, 0);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 3), 3);
	assert_counts(p.f, 1, 2, 0, 1, 0);
	assert_figure(p.f, fault_copied_by_reference, 0);
	assert_page(p.f, p.to, 1, 0);
}

static void copy__a_volatile_page_of_zeroes_becomes_one_without_a_frame(void **state)
{
	struct pair p = two_files(state);

	set(p.f, ATTR_merge_on_write, 0);
	put_pages(p.f, p.from, 0, 1, 0, 0);
	assert_counts(p.f, 0, 0, 0, 0, 1);
	copy_page(p.f, p.from, p.to);
	assert_int_equal(slot_at(p.f, p.to, 0), SLOT_ZERO);
}

/* --- where the rules say no --------------------------------------------------------------------- */

static void copy__while_nothing_may_be_merged_takes_frames(void **state)
{
	struct pair p = two_files(state);

	put_pages(p.f, p.from, 0, 2, A, 1);
	put_page(p.f, p.from, 2, 0);
	for (unsigned run = 0; run <= 2; run += 2) {
		set(p.f, ATTR_run, run);
		assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 3), 3);
		assert_int_equal(frame_at(p.f, p.to, 0).refs, 1);
		assert_int_equal(frame_at(p.f, p.to, 2).refs, 1);
		assert_page(p.f, p.to, 0, A);
		assert_page(p.f, p.to, 2, 0);
		assert_figure(p.f, pages_sharing, 0);
		truncate_to_pages(p.f, p.to, 0);
	}
	assert_figure(p.f, fault_copied_by_reference, 0);
	set(p.f, ATTR_run, 1);
	copy_page(p.f, p.from, p.to); /* what run = 2 has split may be merged again */
	assert_true(shares(p.f, p.from, p.to, 0));
	assert_all_counts(p.f, 1, 1, 0, 1, 0, 1);
}

static void copy__of_or_to_a_file_left_out_takes_frames(void **state)
{
	static const enum volume_advice advice[] = { VOLUME_UNMERGEABLE, VOLUME_KEEP };
	struct pair p = two_files(state);

	put_page(p.f, p.from, 0, A);
	for (unsigned n = 0; n < 4; n++) {
		uint64_t who = n / 2 ? p.from : p.to;

		assert_int_equal(volume_advise(p.f->v, who, advice[n % 2], NULL), 0);
		copy_page(p.f, p.from, p.to);
		assert_page(p.f, p.to, 0, A);
		assert_int_equal(frame_at(p.f, p.to, 0).refs, 1);
		assert_int_equal(frame_at(p.f, p.to, 0).untracked, who == p.to);
		truncate_to_pages(p.f, p.to, 0);
		assert_int_equal(volume_advise(p.f->v, who, VOLUME_MERGEABLE, NULL), 0);
	}
	assert_figure(p.f, fault_copied_by_reference, 0);
}

static void copy__of_or_to_a_range_left_out_takes_frames(void **state)
{
	struct pair p = two_files(state);

	put_pages(p.f, p.from, 0, 4, A, 1);
	truncate_to_pages(p.f, p.to, 4);
	assert_int_equal(volume_advise_range(p.f->v, p.from, PAGE_BYTES, PAGE_BYTES, VOLUME_UNMERGEABLE, NULL), 0);
	assert_int_equal(volume_advise_range(p.f->v, p.to, 3 * PAGE_BYTES, PAGE_BYTES, VOLUME_UNMERGEABLE, NULL), 0);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 4), 4);
	assert_true(shares(p.f, p.from, p.to, 0));
	assert_false(shares(p.f, p.from, p.to, 1));
	assert_true(shares(p.f, p.from, p.to, 2));
	assert_false(shares(p.f, p.from, p.to, 3));
	for (unsigned n = 0; n < 4; n++)
		assert_page(p.f, p.to, n, A + n);
}

static void copy__across_domains_takes_frames(void **state)
{
	struct pair p = two_files(state);

	inode_of(p.f->v, p.to)->record->domain = 7;
	put_pages(p.f, p.from, 0, 2, A, 1);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 2), 2);
	assert_int_equal(frame_at(p.f, p.to, 0).domain, 7);
	assert_page(p.f, p.to, 1, B);
	assert_figure(p.f, fault_copied_by_reference, 0);
	assert_counts(p.f, 0, 0, 4, 0, 0);
	assert_int_equal(copy_pages(p.f, p.to, 0, p.to, 2, 2), 2); /* within one it does not */
	assert_figure(p.f, fault_copied_by_reference, 2);
	fixture_check(p.f);
}

static void copy__a_full_frame_is_not_referred_to(void **state)
{
	struct pair p = two_files(state);

	set(p.f, ATTR_max_page_sharing, 2);
	put_page(p.f, p.from, 0, A);
	for (unsigned n = 0; n < 5; n++)
		assert_int_equal(copy_pages(p.f, p.from, 0, p.to, n, 1), 1);
	assert_counts(p.f, 3, 3, 0, 0, 0); /* each further frame takes another slot */
	for (unsigned n = 0; n < 5; n++)
		assert_page(p.f, p.to, n, A);
	set(p.f, ATTR_merge_on_write, 0);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 5, 1), 1);
	assert_int_equal(frame_at(p.f, p.to, 5).refs, 1);
}

static void copy__the_limit_on_shared_frames_holds(void **state)
{
	struct pair p = two_files(state);

	put_pages(p.f, p.from, 0, 4, A, 1);
	set(p.f, ATTR_max_kernel_pages, 2);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 4), 4);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 4, 4), 4);
	assert_figure(p.f, pages_shared, 2);
	assert_figure(p.f, pages_sharing, 4);
	assert_figure(p.f, fault_copied_by_reference, 4);
	for (unsigned n = 0; n < 8; n++)
		assert_page(p.f, p.to, n, A + n % 4);
}

/* --- limits --------------------------------------------------------------------------------------- */

static void copy__at_the_limit_is_short_and_then_refused(void **state)
{
	struct pair p = two_files(state);
	struct stat st;

	put_pages(p.f, p.from, 0, 4, A, 1);
	assert_int_equal(volume_set(p.f->v, ATTR_size, 6 * PAGE_BYTES, NULL), 0);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 4), 2);
	assert_int_equal(volume_getattr(p.f->v, p.to, &st), 0);
	assert_int_equal(st.st_size, 2 * PAGE_BYTES);
	assert_int_equal(slot_at(p.f, p.to, 2), SLOT_HOLE);
	assert_int_equal(volume_copy(p.f->v, &(struct volume_copy){ p.from, 0, p.to, 2 * PAGE_BYTES, PAGE_BYTES }, 0,
				     NULL), -ENOSPC);
	assert_int_equal(p.f->v->pool.charged, 6);
}

static void copy__without_frames_goes_by_reference(void **state)
{
	struct pair p = two_files(state);
	struct hoard hoard;

	put_pages(p.f, p.from, 0, 4, A, 1);
	hoard_frames(p.f, &hoard, 0);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 4), 4);
	set(p.f, ATTR_run, 0);
	assert_int_equal(volume_copy(p.f->v, &(struct volume_copy){ p.from, 0, p.to, 4 * PAGE_BYTES, PAGE_BYTES }, 0,
				     NULL), -ENOSPC);
	return_frames(p.f, &hoard);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 4, 4), 4);
	for (unsigned n = 0; n < 8; n++)
		assert_page(p.f, p.to, n, A + n % 4);
}

static void copy__survives_a_reopening(void **state)
{
	struct pair p = two_files(state);

	put_pages(p.f, p.from, 0, 20, A, 1);
	assert_int_equal(copy_pages(p.f, p.from, 0, p.to, 0, 20), 20);
	fixture_reopen(p.f);
	assert_int_equal(frame_at(p.f, p.to, 19).refs, 2);
	assert_page(p.f, p.to, 19, A + 19);
	assert_figure(p.f, pages_sharing, 20);
}

/* --- waiting -------------------------------------------------------------------------------------- */

struct copier {
	struct pair p;
	unsigned pages;
	ssize_t copied;
	pthread_t thread;
};

static void *copy_in_thread(void *arg)
{
	struct copier *c = arg;

	c->copied = copy_pages(c->p.f, c->p.from, 0, c->p.to, 0, c->pages);
	return NULL;
}

/* Hold page `index` of `whose` while a copy of two pages comes to it. */
static void copy_while_held(struct pair p, uint64_t whose, uint64_t index)
{
	struct copier c = { .p = p, .pages = 2 };
	struct pagelock_wait wait = { 0 };
	uint32_t number = (uint32_t)whose;

	assert_true(pagelock_try(&p.f->v->pool.pagelocks, number, index, &wait));
	assert_int_equal(pthread_create(&c.thread, NULL, copy_in_thread, &c), 0);
	while (!somebody_sleeps(p.f))
		sched_yield();
	pagelock_drop(&p.f->v->pool.pagelocks, number, index);
	pthread_join(c.thread, NULL);
	assert_int_equal(c.copied, 2);
}

static void copy__waits_for_a_page_of_the_source(void **state)
{
	for (uint64_t index = 0; index < 2; index++) {
		struct pair p = { *state, make_file(*state, index ? "c" : "a"), make_file(*state, index ? "d" : "b") };

		put_pages(p.f, p.from, 0, 2, A, 1);
		copy_while_held(p, p.from, index);
		assert_true(shares(p.f, p.from, p.to, 0));
		assert_true(shares(p.f, p.from, p.to, 1));
	}
}

static void copy__waits_for_a_page_of_the_destination(void **state)
{
	struct pair p = two_files(state);

	put_pages(p.f, p.from, 0, 2, A, 1);
	put_pages(p.f, p.to, 0, 2, 100, 1);
	copy_while_held(p, p.to, 0);
	assert_true(shares(p.f, p.from, p.to, 0));
	assert_true(shares(p.f, p.from, p.to, 1));
}

/* What has changed when a copy that waits for its first page comes back. */
static void copy_while_rules_change(struct pair p, void (*change)(struct pair p))
{
	struct copier c = { .p = p, .pages = 2 };
	struct pagelock_wait wait = { 0 };

	put_pages(p.f, p.from, 0, 2, A, 1);
	truncate_to_pages(p.f, p.to, 2);
	assert_true(pagelock_try(&p.f->v->pool.pagelocks, (uint32_t)p.to, 0, &wait));
	assert_int_equal(pthread_create(&c.thread, NULL, copy_in_thread, &c), 0);
	while (!somebody_sleeps(p.f))
		sched_yield();
	lock_rank_leave(RANK_PAGE); /* the lock goes over to another thread */
	change(p);
	lock_rank_enter(RANK_PAGE);
	pagelock_drop(&p.f->v->pool.pagelocks, (uint32_t)p.to, 0);
	pthread_join(c.thread, NULL);
	assert_int_equal(c.copied, 2);
	assert_page(p.f, p.to, 0, A);
	assert_page(p.f, p.to, 1, B);
	fixture_check(p.f);
}

static void stop_merging(struct pair p)
{
	set(p.f, ATTR_run, 0);
}

static void leave_source_out(struct pair p)
{
	assert_int_equal(volume_advise(p.f->v, p.from, VOLUME_UNMERGEABLE, NULL), 0);
}

static void let_destination_keep(struct pair p)
{
	assert_int_equal(volume_advise(p.f->v, p.to, VOLUME_KEEP, NULL), 0);
}

static void copy__that_waited_goes_by_the_new_rules(void **state)
{
	struct pair p = two_files(state);

	copy_while_rules_change(p, stop_merging);
	assert_false(shares(p.f, p.from, p.to, 0));
	assert_figure(p.f, fault_copied_by_reference, 1); /* the second page did not wait */
}

static void copy__whose_source_is_left_out_meanwhile_is_left_alone(void **state)
{
	struct pair p = two_files(state);

	copy_while_rules_change(p, leave_source_out);
	for (unsigned n = 0; n < 2; n++) {
		assert_int_equal(frame_at(p.f, p.from, n).refs, 1);
		assert_int_equal(frame_at(p.f, p.to, n).refs, 1);
	}
}

static void copy__whose_destination_is_left_out_meanwhile_takes_frames(void **state)
{
	struct pair p = two_files(state);

	copy_while_rules_change(p, let_destination_keep);
	assert_false(shares(p.f, p.from, p.to, 0));
	assert_true(shares(p.f, p.from, p.to, 1)); /* was merged before: keep */
}

/* --- side by side --------------------------------------------------------------------------------- */

enum { RACE_PAGES = 4, RACE_MS = 150 };

struct racer {
	struct pair p;
	atomic_bool *stop;
	unsigned wrong, rounds;
	pthread_t thread;
};

/* Whole pages, each of one byte, mostly stored in place: nobody looks for equal ones. */
static void *store_whole_pages(void *arg)
{
	struct racer *r = arg;
	uint8_t data[RACE_PAGES * PAGE_BYTES];

	while (!*r->stop) {
		memset(data, (int)(1 + r->rounds++ % 255), sizeof(data));
		r->wrong += volume_write(r->p.f->v, r->p.from, 0, data, sizeof(data), 0) != sizeof(data);
	}
	return NULL;
}

static void *copy_and_look_twice(void *arg)
{
	static _Thread_local uint8_t is[2][RACE_PAGES * PAGE_BYTES];
	struct racer *r = arg;

	while (!*r->stop) {
		r->wrong += copy_pages(r->p.f, r->p.from, 0, r->p.to, 0, RACE_PAGES) != RACE_PAGES;
		for (unsigned n = 0; n < 2; n++) { /* whoever stores into the source, here nobody does */
			(void)get_bytes(r->p.f, r->p.to, 0, sizeof(is[n]), is[n]);
			sched_yield();
		}
		r->wrong += memcmp(is[0], is[1], sizeof(is[0])) != 0;
		for (size_t at = 0; at < sizeof(is[0]); at++)
			r->wrong += is[0][at] != is[0][at & ~(size_t)(PAGE_BYTES - 1)];
		r->rounds++;
	}
	return NULL;
}

static void copy__of_pages_being_stored_into_has_each_whole(void **state)
{
	struct pair p = two_files(state);
	atomic_bool stop = false;
	struct racer r[3];

	set(p.f, ATTR_merge_on_write, 0);
	put_pages(p.f, p.from, 0, RACE_PAGES, 0, 0);
	for (unsigned n = 0; n < ARRAY_SIZE(r); n++) {
		r[n] = (struct racer){ .p = p, .stop = &stop };
		if (n == 2)
			r[n].p.to = make_file(p.f, "other");
		assert_int_equal(pthread_create(&r[n].thread, NULL, n ? copy_and_look_twice : store_whole_pages, &r[n]),
				 0);
	}
	rest_ms(RACE_MS);
	stop = true;
	for (unsigned n = 0; n < ARRAY_SIZE(r); n++) {
		pthread_join(r[n].thread, NULL);
		assert_int_equal(r[n].wrong, 0);
		assert_true(r[n].rounds > 0);
	}
	assert_true(figure(p.f, ATTR_fault_copied_by_reference) > 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(copy__refers_to_the_same_frames),
	FIXTURE_TEST(copy__a_write_to_either_splits),
	FIXTURE_TEST(copy__a_volatile_page_enters_the_index),
	FIXTURE_TEST(copy__a_volatile_page_whose_like_is_there_refers_to_that),
	FIXTURE_TEST(copy__what_changed_again_and_again_is_shared_all_the_same),
	FIXTURE_TEST(copy__onto_what_is_there_gives_its_frames_back),
	FIXTURE_TEST(copy__within_a_file),
	FIXTURE_TEST(copy__zeroes_holes_and_reserved_pages_are_zeroes),
	FIXTURE_TEST(copy__holes_that_a_writer_may_store_into_stay_holes),
	FIXTURE_TEST(copy__without_zero_pages_zeroes_are_a_page_like_others),
	FIXTURE_TEST(copy__a_volatile_page_of_zeroes_becomes_one_without_a_frame),
	FIXTURE_TEST(copy__while_nothing_may_be_merged_takes_frames),
	FIXTURE_TEST(copy__of_or_to_a_file_left_out_takes_frames),
	FIXTURE_TEST(copy__of_or_to_a_range_left_out_takes_frames),
	FIXTURE_TEST(copy__across_domains_takes_frames),
	FIXTURE_TEST(copy__a_full_frame_is_not_referred_to),
	FIXTURE_TEST(copy__the_limit_on_shared_frames_holds),
	FIXTURE_TEST(copy__at_the_limit_is_short_and_then_refused),
	FIXTURE_TEST(copy__without_frames_goes_by_reference),
	FIXTURE_TEST(copy__survives_a_reopening),
	FIXTURE_TEST(copy__waits_for_a_page_of_the_source),
	FIXTURE_TEST(copy__waits_for_a_page_of_the_destination),
	FIXTURE_TEST(copy__that_waited_goes_by_the_new_rules),
	FIXTURE_TEST(copy__whose_source_is_left_out_meanwhile_is_left_alone),
	FIXTURE_TEST(copy__whose_destination_is_left_out_meanwhile_takes_frames),
	FIXTURE_TEST(copy__of_pages_being_stored_into_has_each_whole),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
