/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking pages out of merging: a batch at a time, by `run` = 2 and by advice. */
#include "core/unmerge.h"

#include <pthread.h>
#include <sched.h>

#include "core/failpoint.h"
#include "core/fault.h"
#include "tests/unit/fixture.h"

enum { A = 1, BATCHES = 5, PAGES = BATCHES * BATCH_PAGES, FEW = 20 };

/* Asked between batches: the `call`-th time `then` happens, and it is over if it says so. */
struct asked {
	struct fixture *f;
	unsigned calls, call;
	bool (*then)(struct fixture *f);
};

static bool ask(void *arg)
{
	struct asked *a = arg;

	return ++a->calls == a->call && a->then(a->f);
}

static bool stop(struct fixture *f)
{
	(void)f;
	return true;
}

/* Two files of the same pages, each on a frame of two. */
static void merge_two(struct fixture *f, unsigned pages, uint64_t *ret_one, uint64_t *ret_two)
{
	*ret_one = make_file(f, "one");
	*ret_two = make_file(f, "two");
	for (unsigned n = 0; n < pages; n += BATCH_PAGES) {
		put_pages(f, *ret_one, n, MIN(pages - n, (unsigned)BATCH_PAGES), A + n, 1);
		put_pages(f, *ret_two, n, MIN(pages - n, (unsigned)BATCH_PAGES), A + n, 1);
	}
	assert_counts(f, pages, pages, 0, 0, 0);
}

static void assert_both(struct fixture *f, unsigned pages, uint64_t one, uint64_t two)
{
	for (unsigned n = 0; n < pages; n += pages > 100 ? 37 : 1) {
		assert_page(f, one, n, A + n);
		assert_page(f, two, n, A + n);
	}
	fixture_check(f);
}

/* --- a range ------------------------------------------------------------------------------------ */

static void range__ends_when_it_is_interrupted_and_keeps_what_was_split(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { .f = f, .call = 3, .then = stop };
	const struct interrupt interrupt = { ask, &asked };
	uint64_t one, two;
	struct inode *i;

	merge_two(f, PAGES, &one, &two);
	i = inode_of(f->v, one);
	assert_int_equal(unmerge_range(&f->v->pool, i, 0, PAGES, 0, &interrupt), -EINTR);
	assert_int_equal(asked.calls, 3);
	assert_all_counts(f, PAGES - 2 * BATCH_PAGES, PAGES - 2 * BATCH_PAGES, 2 * BATCH_PAGES, 0, 0,
			  2 * BATCH_PAGES);
	assert_both(f, PAGES, one, two);
	assert_int_equal(unmerge_range(&f->v->pool, i, 0, PAGES, 0, NULL), 0);
	assert_all_counts(f, 0, 0, PAGES, 0, 0, PAGES);
	assert_figure(f, fault_unmerged, PAGES); /* nothing twice */
	assert_both(f, PAGES, one, two);
}

static void range__leaves_the_rest_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;

	merge_two(f, FEW, &one, &two);
	assert_int_equal(unmerge_range(&f->v->pool, inode_of(f->v, one), 5, 9, FAULT_KEEP_SHARED, NULL), 0);
	assert_counts(f, FEW, FEW, 0, 0, 0);
	assert_int_equal(unmerge_range(&f->v->pool, inode_of(f->v, one), 5, 9, 0, NULL), 0);
	assert_all_counts(f, FEW - 4, FEW - 4, 4, 0, 0, 4);
	assert_both(f, FEW, one, two);
}

/* --- everything --------------------------------------------------------------------------------- */

static bool set_run_1(struct fixture *f)
{
	set(f, ATTR_run, 1);
	return false;
}

static void all__ends_when_run_has_been_set_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { .f = f, .call = 2, .then = set_run_1 };
	const struct interrupt interrupt = { ask, &asked };
	uint64_t one, two;

	merge_two(f, PAGES, &one, &two);
	assert_int_equal(unmerge_all(&f->v->pool, f->v->pool.run_stores, &interrupt), -EINTR);
	assert_true(asked.calls <= 3);
	assert_true(figure(f, ATTR_pages_sharing) > 0);
	assert_both(f, PAGES, one, two);
	assert_int_equal(unmerge_all(&f->v->pool, f->v->pool.run_stores + 1, NULL), -EINTR);
	assert_int_equal(unmerge_all(&f->v->pool, f->v->pool.run_stores, NULL), 0);
	assert_figure(f, pages_untracked, 2 * PAGES);
}

static void all__every_file_is_met(void **state)
{
	struct fixture *f = *state;
	uint64_t ino[30];

	for (unsigned n = 0; n < ARRAY_SIZE(ino); n++) {
		const char name[] = { (char)('A' + n), '\0' };

		ino[n] = make_file(f, name);
		if (n % 3)
			put_pages(f, ino[n], n * 100, 3, A, 1);
	}
	drop_file(f, "E", ino[4]);
	assert_int_equal(unmerge_all(&f->v->pool, f->v->pool.run_stores, NULL), 0);
	assert_all_counts(f, 0, 0, 0, 0, 0, 19 * 3);
}

/* --- run = 2 ------------------------------------------------------------------------------------ */

static void run_2__splits_everything_before_it_returns(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;
	int64_t written;

	merge_two(f, FEW, &one, &two);
	put_page(f, one, FEW, 0);
	scan(f, 2);
	assert_figure(f, full_scans, 2);
	written = figure(f, ATTR_store_pages_written);
	set(f, ATTR_run, 2);
	assert_figure(f, run, 2);
	assert_figure(f, full_scans, 0);
	assert_figure(f, fault_unmerged, FEW); /* the second of each had it to itself by then */
	assert_figure(f, store_pages_written, written);
	assert_figure(f, index_entries, 0);
	assert_all_counts(f, 0, 0, 0, 1, 0, 2 * FEW);
	assert_both(f, FEW, one, two);
	set(f, ATTR_run, 2); /* of everything that is split */
	assert_figure(f, fault_unmerged, FEW);
}

static void run_2__nothing_is_merged_until_it_is_1_again(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;

	merge_two(f, FEW, &one, &two);
	set(f, ATTR_run, 2);
	put_pages(f, one, FEW, FEW, A, 1);  /* as pages there are, */
	put_pages(f, one, 0, FEW, A + 5, 1); /* over pages, */
	put_pages(f, two, FEW, 2, 0, 0);     /* zeroes, */
	assert_int_equal(put_bytes(f, two, (FEW + 2) * PAGE_BYTES + 7, 1, 'x'), 1); /* a part */
	assert_all_counts(f, 0, 0, 0, 0, 0, 3 * FEW + 3);
	assert_figure(f, fault_merged, FEW); /* as before */
	set(f, ATTR_run, 0);
	assert_figure(f, pages_untracked, 3 * FEW + 3);
	put_page(f, one, 0, A); /* over one that is alone: it stays what it was until somebody looks */
	set(f, ATTR_run, 1);
	put_pages(f, one, 0, FEW, A, 1);
	scan(f, 3);
	assert_counts(f, FEW, 2 * FEW, 1, 2, 0);
	assert_page(f, two, FEW, 0);
	for (unsigned n = 0; n < FEW; n++)
		assert_page(f, one, FEW + n, A + n);
	assert_both(f, FEW, one, two);
}

static void run_2__three_passes_bring_all_of_it_back(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;

	merge_two(f, FEW, &one, &two);
	set(f, ATTR_run, 2);
	assert_int_equal(scan_start(f->v->scan), 0);
	rest_ms(5);
	assert_figure(f, full_scans, 0); /* it sleeps */
	set(f, ATTR_sleep_millisecs, 0);
	set(f, ATTR_run, 1);
	for (unsigned n = 0; n < 1000 && !scan_is_idle(f->v->scan); n++)
		rest_ms(1);
	assert_counts(f, FEW, FEW, 0, 0, 0);
	assert_in_range(figure(f, ATTR_full_scans), 3, 4);
	assert_both(f, FEW, one, two);
}

static void run_2__without_frames_says_so_and_loses_nothing(void **state)
{
	static struct hoard h;
	struct fixture *f = *state;
	uint64_t one, two;

	merge_two(f, FEW, &one, &two);
	scan(f, 2);
	hoard_frames(f, &h, 7);
	assert_int_equal(volume_set(f->v, ATTR_run, 2, NULL), -ENOMEM);
	assert_figure(f, run, 0);
	assert_figure(f, full_scans, 2);
	assert_figure(f, pages_shared, FEW - 7);
	assert_figure(f, fault_unmerged, 7);
	assert_both(f, FEW, one, two);
	put_page(f, one, 0, A + 100); /* and others go on: this one has its frame */
	return_frames(f, &h);
	set(f, ATTR_run, 2);
	assert_figure(f, run, 2);
	assert_figure(f, full_scans, 0);
	assert_all_counts(f, 0, 0, 0, 0, 0, 2 * FEW);
	put_page(f, one, 0, A);
	assert_both(f, FEW, one, two);
}

static void run_2__interrupted_leaves_run_at_0(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { .f = f, .call = 3, .then = stop };
	const struct interrupt interrupt = { ask, &asked };
	uint64_t one, two;

	merge_two(f, PAGES, &one, &two);
	scan(f, 1);
	assert_int_equal(volume_set(f->v, ATTR_run, 2, &interrupt), -EINTR);
	assert_figure(f, run, 0);
	assert_figure(f, full_scans, 1);
	assert_int_equal(figure(f, ATTR_pages_shared), PAGES - BATCH_PAGES);
	set(f, ATTR_run, 1);
	scan(f, 3);
	assert_counts(f, PAGES, PAGES, 0, 0, 0);
	assert_both(f, PAGES, one, two);
}

static void run_2__another_store_ends_it(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { .f = f, .call = 3, .then = set_run_1 };
	const struct interrupt interrupt = { ask, &asked };
	uint64_t one, two;

	merge_two(f, PAGES, &one, &two);
	scan(f, 1);
	assert_int_equal(volume_set(f->v, ATTR_run, 2, &interrupt), -EINTR);
	assert_figure(f, run, 1); /* what the other said holds */
	assert_figure(f, full_scans, 1);
	assert_both(f, PAGES, one, two);
}

static void settle(struct fixture *f)
{
	for (unsigned n = 0; n < 1000 && !scan_is_idle(f->v->scan); n++)
		rest_ms(1);
	assert_true(scan_is_idle(f->v->scan));
}

static bool set_run_1_and_settle(struct fixture *f)
{
	set(f, ATTR_run, 1);
	settle(f);
	return false;
}

/* The scanner has finished before the last batch is split. */
static void run_2__what_it_split_after_another_store_is_merged_again(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { .f = f, .call = 3, .then = set_run_1_and_settle };
	const struct interrupt interrupt = { ask, &asked };
	uint64_t one, two;

	merge_two(f, PAGES, &one, &two);
	set(f, ATTR_sleep_millisecs, 0);
	assert_int_equal(scan_start(f->v->scan), 0);
	assert_int_equal(volume_set(f->v, ATTR_run, 2, &interrupt), -EINTR);
	settle(f);
	assert_counts(f, PAGES, PAGES, 0, 0, 0);
}

static bool advise_mergeable_and_settle(struct fixture *f)
{
	struct volume_entry e;

	assert_int_equal(volume_lookup(f->v, ROOT_INO, name_of("one"), &e), 0);
	volume_forget(f->v, e.ino, 1);
	assert_int_equal(volume_advise(f->v, e.ino, VOLUME_MERGEABLE, NULL), 0);
	settle(f);
	return false;
}

static void advise__what_it_split_after_it_was_taken_back_is_merged_again(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { .f = f, .call = 2, .then = advise_mergeable_and_settle };
	const struct interrupt interrupt = { ask, &asked };
	uint64_t one, two;

	merge_two(f, PAGES, &one, &two);
	set(f, ATTR_sleep_millisecs, 0);
	assert_int_equal(scan_start(f->v->scan), 0);
	assert_int_equal(volume_advise(f->v, one, VOLUME_UNMERGEABLE, &interrupt), 0);
	settle(f);
	assert_counts(f, PAGES, PAGES, 0, 0, 0);
}

static void run_2__is_still_so_when_taken_over(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;

	merge_two(f, FEW, &one, &two);
	set(f, ATTR_run, 2);
	fixture_reopen(f);
	assert_figure(f, run, 2);
	assert_all_counts(f, 0, 0, 0, 0, 0, 2 * FEW);
	put_page(f, one, FEW, A);
	assert_all_counts(f, 0, 0, 0, 0, 0, 2 * FEW + 1);
	assert_both(f, FEW, one, two);
}

/* --- who waits meanwhile --------------------------------------------------------------------------- */

struct writer {
	struct fixture *f;
	uint64_t ino;
	pthread_t thread;
	ssize_t written;
};

static void *write_page(void *arg)
{
	struct writer *w = arg;
	uint8_t page[PAGE_BYTES];

	fill_page(page, A);
	w->written = volume_write(w->f->v, w->ino, 0, page, sizeof(page), 0);
	return NULL;
}

/* A writer has found an equal page and waits for the page lock of his own; meanwhile the rules change. */
static void change_while_a_writer_waits(struct fixture *f, void (*change)(struct fixture *f, uint64_t ino))
{
	struct pagelock_wait wait = { 0 };
	struct writer w = { .f = f, .ino = make_file(f, "file") };

	put_page(f, make_file(f, "other"), 0, A);
	assert_true(pagelock_try(&f->v->pool.pagelocks, (uint32_t)w.ino, 0, &wait));
	assert_int_equal(pthread_create(&w.thread, NULL, write_page, &w), 0);
	while (!somebody_sleeps(f))
		sched_yield();
	lock_rank_leave(RANK_PAGE); /* as if it were another thread's */
	change(f, w.ino);
	lock_rank_enter(RANK_PAGE);
	pagelock_drop(&f->v->pool.pagelocks, (uint32_t)w.ino, 0);
	pthread_join(w.thread, NULL);
	assert_int_equal(w.written, PAGE_BYTES);
	assert_figure(f, fault_merged, 0);
	assert_figure(f, fault_retries_restarted, 1);
	assert_true(frame_at(f, w.ino, 0).untracked);
	assert_page(f, w.ino, 0, A);
}

static void advise_unmergeable(struct fixture *f, uint64_t ino)
{
	assert_int_equal(volume_advise(f->v, ino, VOLUME_UNMERGEABLE, NULL), 0);
}

static void set_run_2(struct fixture *f, uint64_t ino)
{
	(void)ino;
	set(f, ATTR_run, 2);
}

static void advise__holds_for_who_has_begun_before(void **state)
{
	change_while_a_writer_waits(*state, advise_unmergeable);
	assert_all_counts(*state, 0, 0, 1, 0, 0, 1);
}

static void run_2__holds_for_who_has_begun_before(void **state)
{
	change_while_a_writer_waits(*state, set_run_2);
	assert_all_counts(*state, 0, 0, 0, 0, 0, 2);
}

/* --- side by side -------------------------------------------------------------------------------- */

enum { THREADS = 3, LIVES = 60, LIFE_PAGES = 300 };

struct worker {
	struct fixture *f;
	pthread_t thread;
	unsigned number, lives, wrong;
};

/* A file comes, shares, is cut short, and goes. */
static void live(struct worker *w)
{
	const char name[] = { (char)('a' + w->number), '\0' };
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = -1 };
	static const unsigned pages[] = { 9, 100, 200, 255, LIFE_PAGES - BATCH_PAGES };
	uint8_t data[16 * PAGE_BYTES];
	struct stat st = { .st_size = (off_t)(w->lives % 4) * 5 * PAGE_BYTES };
	struct volume_entry e;

	w->wrong += volume_create(w->f->v, ROOT_INO, name_of(name), &new, &e) != 0;
	for (unsigned n = 0; n < 16; n++)
		fill_page(data + n * PAGE_BYTES, A + n);
	for (unsigned n = 0; n < ARRAY_SIZE(pages); n++)
		w->wrong += volume_write(w->f->v, e.ino, (uint64_t)pages[n] << PAGE_SHIFT, data, sizeof(data), 0) !=
			    sizeof(data);
	w->wrong += volume_setattr(w->f->v, e.ino, &st, VOLUME_SET_SIZE, &st) != 0;
	w->wrong += volume_write(w->f->v, e.ino, 0, data, sizeof(data), 0) != sizeof(data);
	for (unsigned n = 0; n < 16; n++)
		w->wrong += !page_is(w->f, e.ino, n, A + n);
	w->wrong += volume_unlink(w->f->v, ROOT_INO, name_of(name)) != 0;
	volume_forget(w->f->v, e.ino, 1);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (w->lives++ < LIVES)
		live(w);
	return NULL;
}

static void run_2__files_may_come_shrink_and_go_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct worker w[THREADS];
	uint64_t one, two;

	merge_two(f, PAGES, &one, &two);
	set(f, ATTR_sleep_millisecs, 0);
	assert_int_equal(scan_start(f->v->scan), 0);
	for (unsigned n = 0; n < THREADS; n++) {
		w[n] = (struct worker){ .f = f, .number = n };
		assert_int_equal(pthread_create(&w[n].thread, NULL, work, &w[n]), 0);
	}
	for (unsigned n = 0; n < 10; n++) {
		set(f, ATTR_run, 2);
		assert_figure(f, pages_sharing, 0);
		assert_figure(f, pages_unshared, 0);
		assert_figure(f, pages_volatile, 0);
		fixture_check(f);
		set(f, ATTR_run, 1);
		rest_ms(3);
	}
	set(f, ATTR_run, 2);
	for (unsigned n = 0; n < THREADS; n++) {
		pthread_join(w[n].thread, NULL);
		assert_int_equal(w[n].wrong, 0);
	}
	assert_all_counts(f, 0, 0, 0, 0, 0, 2 * PAGES);
	assert_both(f, PAGES, one, two);
	assert_int_equal(f->v->pool.charged, 2 * PAGES);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(range__ends_when_it_is_interrupted_and_keeps_what_was_split),
	FIXTURE_TEST(range__leaves_the_rest_alone),
	FIXTURE_TEST(all__ends_when_run_has_been_set_meanwhile),
	FIXTURE_TEST(all__every_file_is_met),
	FIXTURE_TEST(run_2__splits_everything_before_it_returns),
	FIXTURE_TEST(run_2__nothing_is_merged_until_it_is_1_again),
	FIXTURE_TEST(run_2__three_passes_bring_all_of_it_back),
	FIXTURE_TEST(run_2__without_frames_says_so_and_loses_nothing),
	FIXTURE_TEST(run_2__interrupted_leaves_run_at_0),
	FIXTURE_TEST(run_2__another_store_ends_it),
	FIXTURE_TEST(run_2__what_it_split_after_another_store_is_merged_again),
	FIXTURE_TEST(advise__what_it_split_after_it_was_taken_back_is_merged_again),
	FIXTURE_TEST(run_2__is_still_so_when_taken_over),
	FIXTURE_TEST(advise__holds_for_who_has_begun_before),
	FIXTURE_TEST(run_2__holds_for_who_has_begun_before),
	FIXTURE_TEST(run_2__files_may_come_shrink_and_go_meanwhile),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
