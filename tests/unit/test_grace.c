/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/grace.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/failpoint.h"

enum { THREADS = 3, PLACES = 8, GOOD = 4711, RUN_MS = 300 };

static int setup(void **state)
{
	*state = mem_alloc_lines(sizeof(struct grace));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	mem_free(*state);
	return 0;
}

static void over__at_once_where_nobody_is_inside(void **state)
{
	struct grace *g = *state;

	for (unsigned n = 0; n < 5; n++)
		assert_true(grace_over(g, grace_ask(g)));
	assert_false(grace_is_inside());
}

static void over__not_before_who_was_inside_has_left(void **state)
{
	struct grace *g = *state;

	for (unsigned n = 0; n < 5; n++) { /* in either half */
		struct stay s = grace_enter(g);
		uint64_t asked = grace_ask(g);

		assert_true(grace_is_inside());
		for (unsigned k = 0; k < 3; k++)
			assert_false(grace_over(g, asked));
		grace_leave(&s);
		assert_true(grace_over(g, asked));
		assert_int_equal(grace_over(g, grace_ask(g)), true);
		g->turn += n % 2;
	}
}

/* He has read which half it is, and is counted in it long after that. */
static void over__nor_who_is_counted_in_the_half_of_before(void **state)
{
	struct grace *g = *state;
	_Atomic uint32_t *late = &g->slot[3].inside[g->turn & 1];
	uint64_t asked;

	assert_true(grace_over(g, g->turn + 1));
	(*late)++;
	asked = grace_ask(g);
	assert_false(grace_over(g, asked));
	(*late)--;
	assert_true(grace_over(g, asked));
}

static void over__though_somebody_is_always_inside(void **state)
{
	struct grace *g = *state;
	struct stay one = grace_enter(g), two;
	uint64_t asked = grace_ask(g);
	unsigned n = 0;

	while (!grace_over(g, asked)) {
		two = grace_enter(g);
		grace_leave(&one);
		one = two;
		assert_true(++n < 5);
	}
	assert_true(grace_is_inside());
	grace_leave(&one);
}

static void enter__stays_nest(void **state)
{
	struct grace *g = *state;
	struct stay outer = grace_enter(g), inner;
	uint64_t asked = grace_ask(g);

	assert_false(grace_over(g, asked)); /* but the halves may have changed places */
	inner = grace_enter(g);
	grace_leave(&inner);
	assert_true(grace_is_inside());
	assert_false(grace_over(g, asked));
	grace_leave(&outer);
	assert_false(grace_is_inside());
	assert_true(grace_over(g, asked));
}

/* --- many at once --------------------------------------------------------------------------------- */

struct crowd {
	struct grace *g;
	_Atomic(unsigned *) place[PLACES];
	atomic_bool stop;
	atomic_uint wrong;
};

static void look(struct crowd *c, unsigned n, unsigned times)
{
	_cleanup_(grace_leave) __attribute__((unused)) struct stay s = grace_enter(c->g);
	unsigned *found = atomic_load(&c->place[n % PLACES]);

	for (unsigned k = 0; found && k < times; k++)
		if (*(volatile unsigned *)found != GOOD)
			atomic_fetch_add(&c->wrong, 1);
	if (n % 16 == 0)
		look(c, n + 1, 1);
}

static void *look_all_the_time(void *arg)
{
	struct crowd *c = arg;

	for (unsigned n = 1; !c->stop; n++) {
		look(c, n, n % 64 ? n % 8 : 5000);
		sched_yield(); /* where there are few CPUs, not only inside */
	}
	return NULL;
}

static void put_new(struct crowd *c, unsigned n)
{
	unsigned *new = malloc(sizeof(*new));

	assert_non_null(new);
	*new = GOOD;
	atomic_store(&c->place[n], new);
}

static void spoil(unsigned *p)
{
	*(volatile unsigned *)p = 0;
	free(p);
}

/* What is found is whole as long as its finder is inside; a sanitizer sees a store that he is not told of, too. */
static void over__nobody_holds_it_then(void **state)
{
	static struct crowd c;
	pthread_t thread[THREADS];
	int64_t end = clock_ms(CLOCK_MONOTONIC) + RUN_MS;
	unsigned freed = 0;

	memset((void *)&c, 0, sizeof(c));
	c.g = *state;
	for (unsigned n = 0; n < PLACES; n++)
		put_new(&c, n);
	for (unsigned n = 0; n < THREADS; n++)
		assert_int_equal(pthread_create(&thread[n], NULL, look_all_the_time, &c), 0);
	for (unsigned n = 0; clock_ms(CLOCK_MONOTONIC) < end || freed < PLACES; n = (n + 1) % PLACES) {
		unsigned *old = atomic_exchange(&c.place[n], NULL);
		uint64_t asked = grace_ask(c.g);

		while (!grace_over(c.g, asked))
			sched_yield();
		spoil(old);
		freed++;
		put_new(&c, n);
	}
	c.stop = true;
	for (unsigned n = 0; n < THREADS; n++)
		pthread_join(thread[n], NULL);
	for (unsigned n = 0; n < PLACES; n++)
		free(c.place[n]);
	assert_int_equal(c.wrong, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(over__at_once_where_nobody_is_inside),
		TEST(over__not_before_who_was_inside_has_left),
		TEST(over__nor_who_is_counted_in_the_half_of_before),
		TEST(over__though_somebody_is_always_inside),
		TEST(enter__stays_nest),
		TEST(over__nobody_holds_it_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
