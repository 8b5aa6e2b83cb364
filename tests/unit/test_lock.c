/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/lock.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Whether `what` ends the process that does it. */
static bool aborts(void (*what)(void))
{
	const struct rlimit none = { 0 };
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		(void)setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void go_down(void) UNCHECKED_LOCKS
{
	lock_rank_enter(RANK_VOLUME);
	lock_rank_enter(RANK_MAP);
	lock_rank_enter(RANK_FRAMES);
}

static void go_up(void) UNCHECKED_LOCKS
{
	lock_rank_enter(RANK_FRAMES);
	lock_rank_enter(RANK_MAP);
}

static void take_one_rank_twice(void) UNCHECKED_LOCKS
{
	lock_rank_enter(RANK_MAP);
	lock_rank_enter(RANK_MAP);
}

static void leave_what_is_not_held(void)
{
	lock_rank_leave(RANK_MAP);
}

static void sleep_under_a_map_lock(void)
{
	lock_rank_enter(RANK_MAP);
	lock_assert_may_sleep();
}

static void sleep_under_names(void)
{
	lock_rank_enter(RANK_NAMES);
	lock_assert_may_sleep();
}

static void take__only_goes_down_the_list(void **state)
{
	(void)state;
	assert_false(aborts(go_down));
	assert_true(aborts(go_up));
	assert_true(aborts(take_one_rank_twice));
	assert_true(aborts(leave_what_is_not_held));
}

static void sleep__nobody_does_it_under_a_map_lock(void **state)
{
	(void)state;
	assert_true(aborts(sleep_under_a_map_lock));
	assert_false(aborts(sleep_under_names));
}

struct shared {
	struct gate gate;
	struct lock lock;
	struct rwlock rwlock;
	unsigned count;
	atomic_bool inside;
};

static void *add(void *arg)
{
	struct shared *s = arg;

	for (unsigned n = 0; n < 1000; n++) {
		lock_take(&s->lock);
		s->count++;
		lock_drop(&s->lock);
	}
	return NULL;
}

static void *enter(void *arg)
{
	struct shared *s = arg;

	gate_enter(&s->gate);
	s->inside = true;
	gate_leave(&s->gate);
	return NULL;
}

static void *read_count(void *arg)
{
	struct shared *s = arg;

	rwlock_take_shared(&s->rwlock);
	s->inside = true;
	rwlock_drop_shared(&s->rwlock);
	return NULL;
}

static int setup(void **state)
{
	static struct shared s;

	lock_init(&s.lock, RANK_NAMES);
	rwlock_init(&s.rwlock, RANK_MAP);
	gate_init(&s.gate);
	s.inside = false;
	s.count = 0;
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct shared *s = *state;

	lock_fini(&s->lock);
	rwlock_fini(&s->rwlock);
	gate_fini(&s->gate);
	return 0;
}

static void take__one_at_a_time(void **state)
{
	struct shared *s = *state;
	pthread_t thread[3];

	for (unsigned n = 0; n < ARRAY_SIZE(thread); n++)
		assert_int_equal(pthread_create(&thread[n], NULL, add, s), 0);
	for (unsigned n = 0; n < ARRAY_SIZE(thread); n++)
		pthread_join(thread[n], NULL);
	assert_int_equal(s->count, 3000);
}

static void take__says_that_it_is_held(void **state)
{
	struct shared *s = *state;

	lock_take(&s->lock);
	lock_assert_held(&s->lock);
	assert_true(lock_rank_held(RANK_NAMES));
	lock_drop(&s->lock);
	assert_false(lock_rank_held(RANK_NAMES));
}


static void rwlock__a_reader_waits_for_a_writer_and_not_for_readers(void **state)
{
	struct shared *s = *state;
	pthread_t thread;

	rwlock_take_shared(&s->rwlock);
	assert_int_equal(pthread_create(&thread, NULL, read_count, s), 0);
	pthread_join(thread, NULL);
	assert_true(s->inside);
	rwlock_drop_shared(&s->rwlock);
	s->inside = false;
	rwlock_take(&s->rwlock);
	assert_int_equal(pthread_create(&thread, NULL, read_count, s), 0);
	(void)poll(NULL, 0, 5);
	assert_false(s->inside);
	rwlock_drop(&s->rwlock);
	pthread_join(thread, NULL);
	assert_true(s->inside);
}

static void gate__nobody_enters_while_it_is_closed(void **state)
{
	struct shared *s = *state;
	pthread_t thread;

	gate_close(&s->gate);
	assert_int_equal(pthread_create(&thread, NULL, enter, s), 0);
	(void)poll(NULL, 0, 5);
	assert_false(s->inside);
	gate_open(&s->gate);
	pthread_join(thread, NULL);
	assert_true(s->inside);
	assert_false(lock_rank_held(RANK_VOLUME));
}

enum { IN_AND_OUT = 6, CLOSES = 25 };

struct in_and_out {
	struct shared *s;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint entered;
};

/* Nearly always inside. */
static void *go_in_and_out(void *arg)
{
	struct in_and_out *g = arg;

	while (!g->stop) {
		gate_enter(&g->s->gate);
		for (volatile unsigned n = 0; n < 5000; n++)
			;
		g->entered++;
		gate_leave(&g->s->gate);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void gate__nobody_enters_while_somebody_closes_it(void **state)
{
	struct in_and_out g = { .s = *state };
	pthread_t thread[IN_AND_OUT];
	unsigned entered[CLOSES];

	for (unsigned n = 0; n < IN_AND_OUT; n++)
		assert_int_equal(pthread_create(&thread[n], NULL, go_in_and_out, &g), 0);
	for (unsigned n = 0; n < CLOSES; n++) {
		(void)poll(NULL, 0, 1);
		entered[n] = g.entered;
		gate_close(&g.s->gate);
		entered[n] = g.entered - entered[n];
		gate_open(&g.s->gate);
	}
	g.stop = true;
	for (unsigned n = 0; n < IN_AND_OUT; n++)
		pthread_join(thread[n], NULL);
	/* Those inside, and one each that was on its way; whoever closes may have been interrupted before. */
	qsort(entered, CLOSES, sizeof(entered[0]), by_value);
	assert_true(entered[CLOSES / 2] <= 2 * IN_AND_OUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take__only_goes_down_the_list),
		cmocka_unit_test(sleep__nobody_does_it_under_a_map_lock),
		TEST(take__one_at_a_time),
		TEST(take__says_that_it_is_held),
		TEST(rwlock__a_reader_waits_for_a_writer_and_not_for_readers),
		TEST(gate__nobody_enters_while_it_is_closed),
		TEST(gate__nobody_enters_while_somebody_closes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
