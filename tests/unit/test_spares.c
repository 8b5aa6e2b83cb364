/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_spares.c - threads that rest, and who of them is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>

#include "fs/spares.h"

enum { THREADS = 5, WHILE_MS = 50 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct spares spares;
static unsigned called[THREADS], calls; /* in which order */

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void *rest_until_called(void *arg)
{
	pthread_mutex_lock(&mutex);
	if (spares_rest(&spares, &mutex, NULL))
		called[calls++] = (unsigned)(uintptr_t)arg;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void *rest_a_while(void *arg)
{
	struct timespec until = in_ms(WHILE_MS);
	bool *ret_called = arg;

	pthread_mutex_lock(&mutex);
	*ret_called = spares_rest(&spares, &mutex, &until);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static bool all_rest(unsigned n)
{
	bool all;

	pthread_mutex_lock(&mutex);
	all = spares.count == n;
	pthread_mutex_unlock(&mutex);
	return all;
}

static void start(pthread_t *thread, void *(*run)(void *arg), void *arg, unsigned resting)
{
	assert_int_equal(pthread_create(thread, NULL, run, arg), 0);
	while (!all_rest(resting))
		sched_yield();
}

static bool call(void)
{
	bool r;

	pthread_mutex_lock(&mutex);
	r = spares_call(&spares);
	pthread_mutex_unlock(&mutex);
	return r;
}

static void call__is_for_who_came_last(void **state)
{
	pthread_t thread[THREADS];

	for (unsigned n = 0; n < THREADS; n++)
		start(&thread[n], rest_until_called, (void *)(uintptr_t)n, n + 1);
	for (unsigned n = THREADS; n-- > 0;) {
		assert_true(call());
		assert_true(all_rest(n));
		assert_int_equal(pthread_join(thread[n], NULL), 0);
	}
	for (unsigned n = 0; n < THREADS; n++)
		assert_int_equal(called[n], THREADS - 1 - n);
	assert_false(call());
}

/* Whoever is above and below it in the list stays. */
static void rest__ends_when_nobody_calls(void **state)
{
	bool was_called = true;
	pthread_t below, between, above;

	calls = 0;
	start(&below, rest_until_called, (void *)0, 1);
	start(&between, rest_a_while, &was_called, 2);
	start(&above, rest_until_called, (void *)1, 3);
	assert_int_equal(pthread_join(between, NULL), 0);
	assert_false(was_called);
	assert_true(all_rest(2));
	assert_true(call());
	assert_true(call());
	assert_false(call());
	assert_int_equal(pthread_join(below, NULL), 0);
	assert_int_equal(pthread_join(above, NULL), 0);
	assert_int_equal(calls, 2);
}

static void rest__without_time_is_over_at_once(void **state)
{
	struct timespec past = in_ms(0);

	pthread_mutex_lock(&mutex);
	assert_false(spares_rest(&spares, &mutex, &past));
	assert_int_equal(spares.count, 0);
	pthread_mutex_unlock(&mutex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call__is_for_who_came_last),
		cmocka_unit_test(rest__ends_when_nobody_calls),
		cmocka_unit_test(rest__without_time_is_over_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
