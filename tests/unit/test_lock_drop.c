/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fault that waits holds nothing: meanwhile others read, write and truncate other pages of the same file as if
 * it were not there, and it finds out whether anything has moved. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/failpoint.h"
#include "core/clock.h"
#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { PAUSE_MS = 200, ALONE_MS = 50, P99_MS = 10, SAMPLES = 1 << 16 };
enum { WAITED_FOR = 3, READ_FROM = 10, WRITTEN_FROM = 20, EACH = 8, RESIZED_FROM = 64, RESIZED = 64 };
enum { OLD = 1, NEW = 2 };

struct other {
	struct fixture *f;
	uint64_t ino;
	bool (*call)(struct other *o, unsigned n);
	pthread_t thread;
	const atomic_bool *stop;
	bool wrong;
	unsigned count;
	int64_t ns[SAMPLES];
};

struct waiter {
	struct fixture *f;
	uint64_t ino;
	bool writes, wrong;
	atomic_bool done;
	pthread_t thread;
};

/* --- what the others do --------------------------------------------------------------------------- */

static bool read_page(struct fixture *f, uint64_t ino, uint64_t index)
{
	static _Thread_local struct volume_read r;

	if (volume_read(f->v, ino, index << PAGE_SHIFT, PAGE_BYTES, &r))
		return false;
	volume_read_done(&r);
	return r.bytes == PAGE_BYTES;
}

static bool write_page(struct fixture *f, uint64_t ino, uint64_t index, uint64_t what)
{
	uint8_t page[PAGE_BYTES];

	fill_page(page, what);
	return volume_write(f->v, ino, index << PAGE_SHIFT, page, sizeof(page), 0) == PAGE_BYTES;
}

static bool read_other(struct other *o, unsigned n)
{
	return read_page(o->f, o->ino, READ_FROM + n % EACH);
}

static bool write_other(struct other *o, unsigned n)
{
	return write_page(o->f, o->ino, WRITTEN_FROM + n % EACH, 1 + n % 50);
}

static bool resize(struct other *o, unsigned n)
{
	struct stat st = { .st_size = (off_t)(RESIZED_FROM + n % 2 * RESIZED) << PAGE_SHIFT };

	if (n % 3 == 0)
		return !volume_fallocate(o->f->v, o->ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					 (uint64_t)RESIZED_FROM << PAGE_SHIFT, 4 * PAGE_BYTES);
	return !volume_setattr(o->f->v, o->ino, &st, VOLUME_SET_SIZE, &st);
}

static void *call_again(void *arg)
{
	struct other *o = arg;

	do {
		int64_t start = clock_ns(CLOCK_MONOTONIC);

		o->wrong |= !o->call(o, o->count);
		o->ns[o->count++] = clock_ns(CLOCK_MONOTONIC) - start;
	} while (!atomic_load(o->stop) && o->count < SAMPLES);
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

struct others {
	unsigned count;
	struct other *other[3];
};

static void others_start(struct others *all, struct fixture *f, uint64_t ino, bool change, const atomic_bool *stop)
{
	static bool (*const calls[])(struct other *, unsigned) = { read_other, write_other, resize };

	all->count = change ? 3 : 2;
	for (unsigned n = 0; n < all->count; n++) {
		struct other *o = calloc(1, sizeof(*o));

		assert_non_null(o);
		o->f = f, o->ino = ino, o->call = calls[n], o->stop = stop;
		all->other[n] = o;
		assert_int_equal(pthread_create(&o->thread, NULL, call_again, o), 0);
	}
}

/* Wait until they were told to stop.  Of the slowest, what 99 of 100 calls are quicker than, in nanoseconds. */
static int64_t others_end(struct others *all)
{
	int64_t worst = 0;

	for (unsigned n = 0; n < all->count; n++) {
		struct other *o = all->other[n];

		pthread_join(o->thread, NULL);
		assert_false(o->wrong);
		qsort(o->ns, o->count, sizeof(o->ns[0]), by_time);
		worst = MAX(worst, o->ns[o->count * 99 / 100]);
		free(o);
	}
	return worst;
}

/* --- who waits -------------------------------------------------------------------------------------- */

static void *wait_for_page(void *arg)
{
	struct waiter *w = arg;

	w->wrong = w->writes ? !write_page(w->f, w->ino, WAITED_FOR, NEW) :
			       !read_page(w->f, w->ino, WAITED_FOR);
	w->done = true;
	return NULL;
}

static void waiter_start(struct waiter *w)
{
	failpoint_pause_arm(PAUSE_FAULT_WAIT, PAUSE_MS);
	failpoint_arm(FAIL_PAGE_LOCK, 1);
	assert_int_equal(pthread_create(&w->thread, NULL, wait_for_page, w), 0);
	while (failpoint_pause_armed(PAUSE_FAULT_WAIT))
		rest_ms(1);
}

static void drops_its_locks(struct fixture *f, bool writes, bool change)
{
	struct waiter w = { .f = f, .ino = make_file(f, "file"), .writes = writes };
	atomic_bool stop = false;
	struct others others;
	int64_t alone, meanwhile;

	put_pages(f, w.ino, 0, RESIZED_FROM + RESIZED, OLD, 0);
	/* What they need where nobody waits: under a slow tool it is more. */
	others_start(&others, f, w.ino, change, &stop);
	rest_ms(ALONE_MS);
	stop = true;
	alone = others_end(&others);
	assert_figure(f, fault_retries_resumed, 0);
	waiter_start(&w);
	if (change)
		truncate_to_pages(f, w.ino, RESIZED_FROM);
	others_start(&others, f, w.ino, change, &w.done);
	fixture_check(f); /* the gate can be closed */
	meanwhile = others_end(&others);
	pthread_join(w.thread, NULL);
	assert_false(w.wrong);
	if (meanwhile > MAX((int64_t)P99_MS * 1000000, 4 * alone))
		fail_msg("others took %lld us, and %lld us while nobody waited", (long long)meanwhile / 1000,
			 (long long)alone / 1000);
	assert_page(f, w.ino, WAITED_FOR, writes ? NEW : OLD);
	assert_figure(f, fault_retries_resumed, !change);
	assert_figure(f, fault_retries_restarted, change);
}

static void write__waits_without_a_lock_and_goes_on_where_it_was(void **state)
{
	drops_its_locks(*state, true, false);
}

static void write__waits_without_a_lock_and_looks_again_after_truncations(void **state)
{
	drops_its_locks(*state, true, true);
}

static void read__waits_without_a_lock_and_goes_on_where_it_was(void **state)
{
	drops_its_locks(*state, false, false);
}

static void read__waits_without_a_lock_and_looks_again_after_truncations(void **state)
{
	drops_its_locks(*state, false, true);
}

/* The size was asked for before: zeroes, and no slot comes back. */
static void read__of_a_page_that_was_cut_off_while_it_waited_is_zeroes(void **state)
{
	struct fixture *f = *state;
	struct waiter w = { .f = f, .ino = make_file(f, "file") };

	put_pages(f, w.ino, 0, WAITED_FOR + 1, OLD, 0);
	waiter_start(&w);
	truncate_to_pages(f, w.ino, WAITED_FOR);
	pthread_join(w.thread, NULL);
	assert_false(w.wrong);
	assert_figure(f, fault_retries_restarted, 1);
	assert_int_equal(slot_at(f, w.ino, WAITED_FOR), SLOT_HOLE);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(write__waits_without_a_lock_and_goes_on_where_it_was),
	FIXTURE_TEST(write__waits_without_a_lock_and_looks_again_after_truncations),
	FIXTURE_TEST(read__waits_without_a_lock_and_goes_on_where_it_was),
	FIXTURE_TEST(read__waits_without_a_lock_and_looks_again_after_truncations),
	FIXTURE_TEST(read__of_a_page_that_was_cut_off_while_it_waited_is_zeroes),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
