/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many who want the same: nobody waits for long, and nobody gets much less than the others, while the scanner never
 * sleeps and everything is merged and split ten times a second. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/fixture.h"
#include "core/clock.h"

enum {
	THREADS = 8,
	RUN_MS = 700,
	TRIALS = 3, /* on a machine that has other things to do one may be unlucky */
	TOGGLE_MS = 100,
	LONGEST_MS = 1000,
	CONTENTS = 4,
};

struct writer {
	struct fixture *f;
	pthread_t thread;
	const atomic_bool *stop;
	uint64_t ino, index;
	unsigned number, operations, wrong;
	int64_t longest_ns;
};

/* The page that all share, again and again, and one's own between. */
static void *rewrite(void *arg)
{
	struct writer *w = arg;
	uint8_t page[CONTENTS][PAGE_BYTES];

	for (unsigned n = 0; n < CONTENTS; n++)
		fill_page(page[n], n < CONTENTS / 2 ? 1 : 100 + w->number * CONTENTS + n);
	while (!atomic_load(w->stop)) {
		int64_t began = clock_ns(CLOCK_MONOTONIC), took;

		w->wrong += volume_write(w->f->v, w->ino, w->index << PAGE_SHIFT, page[w->operations % CONTENTS],
					 PAGE_BYTES, 0) != PAGE_BYTES;
		took = clock_ns(CLOCK_MONOTONIC) - began;
		w->longest_ns = MAX(w->longest_ns, took);
		w->operations++;
	}
	return NULL;
}

struct toggler {
	struct fixture *f;
	pthread_t thread;
	const atomic_bool *stop;
	unsigned stores, wrong;
	int64_t longest_ns;
};

static void *toggle_run(void *arg)
{
	struct toggler *t = arg;

	while (!atomic_load(t->stop)) {
		int64_t began = clock_ns(CLOCK_MONOTONIC), took;

		t->wrong += volume_set(t->f->v, ATTR_run, 1 + ++t->stores % 2, NULL) != 0;
		took = clock_ns(CLOCK_MONOTONIC) - began;
		t->longest_ns = MAX(t->longest_ns, took);
		rest_ms(TOGGLE_MS);
	}
	return NULL;
}

static int by_count(const void *a, const void *b)
{
	const struct writer *x = a, *y = b;

	return (x->operations > y->operations) - (x->operations < y->operations);
}

/* Writer n of `ino`, page n * `step`.  False: somebody got much less than the others. */
static bool compete(struct fixture *f, uint64_t ino, unsigned step)
{
	struct writer w[THREADS];
	atomic_bool stop = false;
	struct toggler t = { .f = f, .stop = &stop };
	int64_t longest = 0;

	for (unsigned n = 0; n < THREADS; n++) {
		w[n] = (struct writer){ .f = f, .stop = &stop, .number = n, .ino = ino, .index = n * step };
		assert_int_equal(pthread_create(&w[n].thread, NULL, rewrite, &w[n]), 0);
	}
	assert_int_equal(pthread_create(&t.thread, NULL, toggle_run, &t), 0);
	rest_ms(RUN_MS);
	stop = true;
	pthread_join(t.thread, NULL);
	for (unsigned n = 0; n < THREADS; n++) {
		pthread_join(w[n].thread, NULL);
		assert_int_equal(w[n].wrong, 0);
		longest = MAX(longest, w[n].longest_ns);
	}
	assert_int_equal(t.wrong, 0);
	qsort(w, THREADS, sizeof(*w), by_count);
	print_message("writes: slowest %u, median %u, fastest %u; longest %lld us; run set %u times, longest %lld us\n",
		      w[0].operations, w[THREADS / 2].operations, w[THREADS - 1].operations, (long long)longest / 1000,
		      t.stores, (long long)t.longest_ns / 1000);
	fixture_check(f);
	assert_true(longest < LONGEST_MS * INT64_C(1000000));
	assert_true(t.longest_ns < LONGEST_MS * INT64_C(1000000));
	return w[0].operations >= w[THREADS / 2].operations / 2;
}

static void all_get_their_turn(struct fixture *f, uint64_t ino, unsigned step)
{
	bool fair = false;

	set(f, ATTR_sleep_millisecs, 0);
	assert_int_equal(scan_start(f->v->scan), 0);
	for (unsigned n = 0; n < TRIALS && !fair; n++)
		fair = compete(f, ino, step);
	assert_true(fair);
}

static void writers__of_one_slot_all_get_their_turn(void **state)
{
	struct fixture *f = *state;

	all_get_their_turn(f, make_file(f, "file"), 0);
}

static void writers__of_one_shared_frame_all_get_their_turn(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, THREADS, 1, 0);
	assert_counts(f, 1, THREADS - 1, 0, 0, 0);
	all_get_their_turn(f, ino, 1);
}

/* --- who never lets go ---------------------------------------------------------------------------- */

enum { GREEDY_MS = 400, HOLD_US = 500 };

struct greedy {
	struct fixture *f;
	pthread_t thread;
	const atomic_bool *stop;
	uint64_t ino;
	unsigned rounds;
};

/* Drops the page lock only to take it again at once: whoever just tries has to be lucky. */
static void *hold_page(void *arg)
{
	const struct timespec hold = { .tv_nsec = HOLD_US * 1000 };
	struct greedy *g = arg;

	while (!atomic_load(g->stop)) {
		struct pagelock_wait wait = { 0 };

		if (!pagelock_try(&g->f->v->pool.pagelocks, (uint32_t)g->ino, 0, &wait)) {
			sched_yield();
			continue;
		}
		nanosleep(&hold, NULL);
		g->rounds++;
		pagelock_drop(&g->f->v->pool.pagelocks, (uint32_t)g->ino, 0);
	}
	return NULL;
}

static void writer__gets_a_page_from_who_never_lets_go(void **state)
{
	struct fixture *f = *state;
	atomic_bool stop = false;
	struct greedy g = { .f = f, .stop = &stop, .ino = make_file(f, "file") };
	struct writer w = { .f = f, .stop = &stop, .ino = g.ino };

	assert_int_equal(pthread_create(&g.thread, NULL, hold_page, &g), 0);
	assert_int_equal(pthread_create(&w.thread, NULL, rewrite, &w), 0);
	rest_ms(GREEDY_MS);
	stop = true;
	pthread_join(w.thread, NULL);
	pthread_join(g.thread, NULL);
	print_message("%u writes while it was held %u times; longest %lld us\n", w.operations, g.rounds,
		      (long long)w.longest_ns / 1000);
	assert_int_equal(w.wrong, 0);
	assert_true(w.longest_ns < LONGEST_MS * INT64_C(1000000));
	assert_true(w.operations >= g.rounds / 4);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(writers__of_one_slot_all_get_their_turn),
	FIXTURE_TEST(writers__of_one_shared_frame_all_get_their_turn),
	FIXTURE_TEST(writer__gets_a_page_from_who_never_lets_go),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
