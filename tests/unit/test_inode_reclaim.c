/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of inodes that are no more: of their records, and what the process has of them. */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#include "core/failpoint.h"
#include "core/clock.h"
#include "tests/unit/inode_table.h"

/* What the process has of records goes with them, and comes again; what both take together is told. */
static void let_go__struct_inode_goes_with_its_records(void **state)
{
	enum { MANY = 3000, THEIRS = MANY / 256 * 256 };
	struct table *t = *state;
	uint64_t few, few_private;

	limit(t, MANY);
	make_many(t, 1);
	few = itable_bytes(t->t);
	few_private = itable_private_bytes(t->t);
	assert_in_range(few_private, 256 * sizeof(struct inode), 256 * sizeof(struct inode) + 64);
	for (unsigned round = 1; round < 4; round++) {
		make_many(t, MANY);
		assert_true(itable_private_bytes(t->t) >= few_private + THEIRS * sizeof(struct inode));
		assert_true(itable_bytes(t->t) >= few + THEIRS * (sizeof(struct inode) + sizeof(struct inode_record)));
		assert_non_null(get(t, (uint64_t)(round - 1) << 32 | 2900));
		bury_all_but_the_first(t);
		reclaim_all(t);
		assert_false(itable_has_leaving(t->t));
		assert_true(itable_private_bytes(t->t) <= few_private + MANY / 8);
		assert_true(itable_bytes(t->t) <= few + MANY / 8);
	}
	assert_int_equal(reopen(t), 0);
	assert_true(itable_private_bytes(t->t) <= few_private + MANY / 8);
}

/* Who is inside can use what he holds, and shares it with who makes another in its place. */
static void let_go__not_what_somebody_inside_may_hold(void **state)
{
	struct table *t = *state;
	struct inode *held;
	struct stay stay;
	uint64_t ino, full;

	make_many(t, 600);
	full = itable_private_bytes(t->t);
	stay = grace_enter(itable_grace(t->t));
	held = get(t, 600);
	ino = inode_ino(held);
	bury_all_but_the_first(t);
	reclaim_all(t);
	assert_true(itable_has_leaving(t->t));
	assert_true(itable_private_bytes(t->t) >= full - 600);
	assert_int_equal(held->number, 600);
	assert_false(inode_is_live(held, ino));
	(void)inode_attr_get(held);
	assert_null(get(t, ino));
	make_many(t, 600);
	assert_ptr_equal(get(t, UINT64_C(1) << 32 | 600), held);
	assert_false(inode_is_live(held, ino));
	bury_all_but_the_first(t);
	grace_leave(&stay);
	reclaim_all(t);
	assert_false(itable_has_leaving(t->t));
	assert_true(itable_private_bytes(t->t) < full / 2);
	make_many(t, 600);
	assert_int_equal(inode_ino(get(t, UINT64_C(2) << 32 | 600)), UINT64_C(2) << 32 | 600);
}

struct onlookers {
	struct table *t;
	atomic_bool stop;
	atomic_uint wrong, met;
};

/* A look at each, and at some by the numbers that they had. */
static void look_at_all(struct onlookers *o, uint64_t *last)
{
	HOLDS_INODES(o->t->t);
	struct inode *i;

	for (uint32_t number = 0; (i = itable_next(o->t->t, &number));) {
		struct inode_attr is = inode_attr_get(i);
		struct inode *again = itable_get(o->t->t, *last);

		if (i->number != number - 1 || !i->record || (again && again->number != (uint32_t)*last))
			atomic_fetch_add(&o->wrong, 1);
		if (is.mode == attr.mode)
			atomic_fetch_add(&o->met, 1);
		*last = inode_ino(i);
	}
}

static void *look_all_the_time(void *arg)
{
	struct onlookers *o = arg;
	uint64_t last = 1;

	while (!o->stop) {
		look_at_all(o, &last);
		sched_yield(); /* where there are few CPUs, not only inside */
	}
	return NULL;
}

/* Chunks come and go beside those who look: what has gone without its time would be a record that is NULL. */
static void let_go__beside_others_who_look(void **state)
{
	enum { THREADS = 3, MANY = 900, RUN_MS = 300 };
	struct table *t = *state;
	struct onlookers o = { .t = t };
	pthread_t thread[THREADS];
	int64_t end = clock_ms(CLOCK_MONOTONIC) + RUN_MS;
	unsigned gone = 0;
	uint64_t full;

	make_many(t, MANY);
	for (unsigned n = 0; n < THREADS; n++)
		assert_int_equal(pthread_create(&thread[n], NULL, look_all_the_time, &o), 0);
	while (clock_ms(CLOCK_MONOTONIC) < end || gone < 3) {
		make_many(t, MANY);
		full = itable_private_bytes(t->t);
		bury_all_but_the_first(t);
		do
			reclaim_all(t);
		while (gone % 2 && itable_has_leaving(t->t)); /* the other times they are used again on their way */
		gone += itable_private_bytes(t->t) < full / 2 || !(gone % 2);
	}
	o.stop = true;
	for (unsigned n = 0; n < THREADS; n++)
		pthread_join(thread[n], NULL);
	assert_int_equal(o.wrong, 0);
	assert_true(o.met > 0);
}

/* T1: nobody sees that the memory of records had gone, and their numbers go on from what they were. */
static void reclaim__numbers_do_not_recur(void **state)
{
	enum { MANY = 3000, KEPT = 10 };
	static uint64_t ino[MANY + 1];
	struct table *t = *state;
	uint64_t empty, full, left;
	uint32_t number = 0;

	limit(t, 2 * MANY);
	ino[1] = inode_ino(new(t));
	empty = memory_bytes(t);
	for (unsigned n = 2; n <= MANY; n++)
		new(t);
	bury(t, get(t, 900));
	bury(t, new(t)); /* that number for the third time */
	new(t);
	full = memory_bytes(t);
	assert_true(full > empty + (MANY - 256) * sizeof(struct inode_record));
	for (unsigned n = 1; n <= MANY; n++) {
		ino[n] = inode_ino(get(t, n == 900 ? UINT64_C(2) << 32 | n : n));
		if (n > KEPT)
			bury(t, get(t, ino[n]));
	}
	reclaim_all(t);
	left = memory_bytes(t);
	assert_true(left <= empty + PAGE_BYTES);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned n = 1; n <= MANY; n++)
			assert_int_equal(!get(t, ino[n]), n > KEPT);
		for (number = 0; next(t, &number);)
			assert_true(number <= KEPT + 1);
		assert_int_equal(itable_used(t->t), KEPT);
		assert_int_equal(memory_bytes(t), left); /* to look brings nothing back */
		assert_int_equal(reopen(t), 0);
		limit(t, 2 * MANY);
	}
	for (unsigned n = KEPT + 1; n <= MANY; n++) {
		struct inode *i = new(t);

		assert_int_equal(i->number, n);
		assert_true(inode_ino(i) > ino[n]);
		assert_int_equal(inode_size(i), attr.size);
	}
	assert_true(memory_bytes(t) >= full);
}

/* Those in use stay, wherever they are; and a chunk can go again and again. */
static void reclaim__takes_no_chunk_that_is_in_use(void **state)
{
	struct table *t = *state;
	uint64_t last = 0;
	struct inode *i;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned n = (unsigned)itable_used(t->t); n < 700; n++)
			new(t);
		for (uint32_t number = 0; (i = next(t, &number));)
			if (i->number != 1 && i->number != 600)
				bury(t, i);
		reclaim_all(t);
		assert_int_equal(itable_used(t->t), 2);
		for (uint32_t number = 2; number < 601;) {
			i = next(t, &number);
			assert_non_null(i);
			assert_int_equal(i->number, 600);
			assert_true(!last || last == inode_ino(i));
			last = inode_ino(i);
		}
		assert_int_equal(itable_header(t->t)->records, 701);
	}
}

/* Killed between the word that outlives a chunk and the end of its memory. */
static void reclaim__may_be_killed(void **state)
{
	struct table *t = *state;
	int status;
	pid_t pid;

	for (unsigned n = 0; n < 900; n++)
		new(t);
	for (unsigned n = 2; n <= 900; n++)
		bury(t, get(t, n));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) { /* it shares the memfd, and nothing else */
		if (reopen(t) == 0) {
			failpoint_kill_arm(KILL_inode_chunk_empty, 2);
			reclaim_all(t);
		}
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(reopen(t), 0);
	assert_int_equal(itable_used(t->t), 1);
	for (unsigned n = 2; n <= 900; n++)
		assert_int_equal(inode_ino(new(t)), UINT64_C(1) << 32 | n);
}

static void reclaim__without_memory_there_are_no_new_ones(void **state)
{
	struct table *t = *state;
	struct inode *i;

	for (unsigned n = 0; n < 600; n++)
		new(t);
	for (unsigned n = 2; n <= 600; n++)
		bury(t, get(t, n));
	reclaim_all(t);
	for (unsigned n = 2; n < 256; n++)
		new(t);
	for (unsigned nth = 1; nth <= 3; nth++) {
		failpoint_arm(FAIL_ALLOC, nth);
		assert_int_equal(try_new(t, &i), -ENOMEM);
		failpoint_arm(FAIL_ALLOC, 0);
		assert_int_equal(itable_used(t->t), 255);
	}
	assert_int_equal(inode_ino(new(t)), UINT64_C(1) << 32 | 256);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reclaim__numbers_do_not_recur),
		TEST(reclaim__takes_no_chunk_that_is_in_use),
		TEST(let_go__struct_inode_goes_with_its_records),
		TEST(let_go__not_what_somebody_inside_may_hold),
		TEST(reclaim__may_be_killed),
		TEST(reclaim__without_memory_there_are_no_new_ones),
		TEST(let_go__beside_others_who_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
