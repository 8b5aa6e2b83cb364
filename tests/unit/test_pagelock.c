/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/pagelock.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/lock.h"

static struct pagelocks p;

static int setup(void **state)
{
	(void)state;
	memset((void *)&p, 0, sizeof(p));
	return 0;
}

static void try__a_taken_lock_says_no(void **state)
{
	struct pagelock_wait a = { 0 }, b = { 0 };

	(void)state;
	assert_true(pagelock_try(&p, 1, 5, &a));
	assert_false(pagelock_try(&p, 1, 5, &b));
	pagelock_drop(&p, 1, 5);
	assert_true(pagelock_try(&p, 1, 5, &b));
	pagelock_drop(&p, 1, 5);
}

struct waiter {
	pthread_t thread;
	unsigned *order, number;
	struct pagelock_wait wait;
};

static void *take(void *arg)
{
	struct waiter *w = arg;

	while (!pagelock_try(&p, 1, 5, &w->wait))
		pagelock_wait(&p, 1, 5, &w->wait);
	w->order[w->number] = w->order[4]++;
	pagelock_drop(&p, 1, 5);
	return NULL;
}

static unsigned sleepers(void)
{
	unsigned n = 0;

	for (unsigned k = 0; k < PAGELOCK_STRIPES; k++)
		n += p.stripe[k].sleepers;
	return n;
}

static void wait__tickets_are_served_in_their_order(void **state)
{
	struct pagelock_wait wait = { 0 }, late = { 0 };
	struct waiter w[4];
	unsigned order[5] = { 0 };

	(void)state;
	assert_true(pagelock_try(&p, 1, 5, &wait));
	for (unsigned n = 0; n < 4; n++) {
		w[n] = (struct waiter){ .order = order, .number = n };
		assert_int_equal(pthread_create(&w[n].thread, NULL, take, &w[n]), 0);
		while (sleepers() <= n) /* each has his ticket before the next comes */
			sched_yield();
	}
	pagelock_drop(&p, 1, 5);
	if (pagelock_try(&p, 1, 5, &late)) /* who comes without a ticket is last */
		pagelock_drop(&p, 1, 5);
	for (unsigned n = 0; n < 4; n++)
		pthread_join(w[n].thread, NULL);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(order[n], n);
	assert_int_equal(sleepers(), 0);
}

static void wait__the_first_are_polite(void **state)
{
	struct pagelock_wait a = { 0 }, b = { 0 };

	(void)state;
	assert_true(pagelock_try(&p, 1, 5, &a));
	pagelock_drop(&p, 1, 5);
	pagelock_wait(&p, 1, 5, &b);
	pagelock_wait(&p, 1, 5, &b);
	assert_false(b.has_ticket);
	pagelock_wait(&p, 1, 5, &b); /* free: it does not sleep, but has its turn now */
	assert_true(b.has_ticket);
	assert_false(pagelock_try(&p, 1, 5, &a)); /* who comes later waits */
	assert_true(pagelock_try(&p, 1, 5, &b));
	assert_false(b.has_ticket);
	pagelock_drop(&p, 1, 5);
	assert_true(pagelock_try(&p, 1, 5, &a));
	pagelock_drop(&p, 1, 5);
}

static void forfeit__passes_the_turn_on(void **state)
{
	struct pagelock_wait a = { 0 }, b = { .attempts = 5 }, c = { .attempts = 5 };

	(void)state;
	pagelock_wait(&p, 1, 5, &b);
	pagelock_forfeit(&p, 1, 5, &b);
	pagelock_forfeit(&p, 1, 5, &c); /* without a ticket: nothing */
	assert_false(b.has_ticket);
	assert_true(pagelock_try(&p, 1, 5, &a));
	pagelock_drop(&p, 1, 5);
}

static void *count_up(void *arg)
{
	unsigned *counter = arg;

	for (unsigned n = 0; n < 3000; n++) {
		struct pagelock_wait wait = { 0 };

		while (!pagelock_try(&p, 7, 3, &wait))
			pagelock_wait(&p, 7, 3, &wait);
		++*counter;
		pagelock_drop(&p, 7, 3);
	}
	return NULL;
}

static void try__only_one_has_it(void **state)
{
	pthread_t thread[3];
	unsigned counter = 0;

	(void)state;
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(pthread_create(&thread[n], NULL, count_up, &counter), 0);
	for (unsigned n = 0; n < 3; n++)
		pthread_join(thread[n], NULL);
	assert_int_equal(counter, 9000);
}

static void stripes__are_used_evenly(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (unsigned n = 0; n < PAGELOCK_STRIPES; n++) {
		struct pagelock_wait wait = { 0 };

		if (!pagelock_try(&p, 1, n, &wait))
			continue;
		taken++;
		lock_rank_leave(RANK_PAGE); /* hundreds at once, for once */
	}
	assert_true(taken > PAGELOCK_STRIPES / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(try__a_taken_lock_says_no, setup),
		cmocka_unit_test_setup(wait__tickets_are_served_in_their_order, setup),
		cmocka_unit_test_setup(wait__the_first_are_polite, setup),
		cmocka_unit_test_setup(forfeit__passes_the_turn_on, setup),
		cmocka_unit_test_setup(try__only_one_has_it, setup),
		cmocka_unit_test_setup(stripes__are_used_evenly, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
