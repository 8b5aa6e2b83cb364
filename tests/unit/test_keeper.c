/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "core/failpoint.h"

struct jobs {
	atomic_uint refills, reclaims, indexes, recalls, recalls_before_index;
	atomic_bool presses;
};

static bool refill(void *arg)
{
	return atomic_fetch_add(&((struct jobs *)arg)->refills, 1) % 3 != 2;
}

static bool reclaim(void *arg)
{
	return atomic_fetch_add(&((struct jobs *)arg)->reclaims, 1) % 3 != 2;
}

static bool pressing(void *arg)
{
	return ((struct jobs *)arg)->presses;
}

static void index_(void *arg)
{
	struct jobs *j = arg;

	j->recalls_before_index = j->recalls;
	j->indexes++;
}

static void rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

static bool recall(void *arg)
{
	rest();
	return atomic_fetch_add(&((struct jobs *)arg)->recalls, 1) < 150;
}

static struct keeper *keeper(struct jobs *j)
{
	const struct keeper_jobs jobs = { .arg = j, .refill = refill, .reclaim = reclaim,
					   .pressing = pressing, .index = index_, .recall = recall };
	struct keeper *k;

	assert_int_equal(keeper_new(&jobs, &k), 0);
	return k;
}

static void thread__does_what_is_wished_for_until_all_is_done(void **state)
{
	struct jobs j = { 0 };
	struct keeper *k = keeper(&j);

	(void)state;
	assert_true(keeper_is_idle(k));
	keeper_surplus(k); /* before it runs, too */
	keeper_surplus(k);
	keeper_change(k);
	assert_false(keeper_is_idle(k));
	assert_int_equal(keeper_start(k), 0);
	for (unsigned n = 0; n < 600 && !keeper_is_idle(k); n++) /* once, not once a wish */
		rest();
	assert_true(keeper_is_idle(k));
	assert_int_equal(j.reclaims, 3);
	assert_int_equal(j.indexes, 1);
	assert_int_equal(j.refills, 0);
	keeper_free(k);
}

static void thread__takes_frames_at_once(void **state)
{
	struct jobs j = { 0 };
	struct keeper *k = keeper(&j);

	(void)state;
	assert_int_equal(keeper_start(k), 0);
	keeper_low(k);
	for (unsigned n = 0; n < 100 && j.refills < 3; n++)
		rest();
	assert_int_equal(j.refills, 3);
	keeper_free(k);
	assert_int_equal(j.indexes + j.reclaims, 0);
}

/* A row of index.db is of a frame in the content index. */
static void recall__once_and_before_index_db_is_written(void **state)
{
	struct jobs j = { 0 };
	struct keeper *k = keeper(&j);

	(void)state;
	keeper_recall(k);
	keeper_change(k);
	assert_false(keeper_is_idle(k));
	assert_int_equal(keeper_start(k), 0);
	for (unsigned n = 0; n < 3000 && !keeper_is_idle(k); n++)
		rest();
	assert_true(keeper_is_idle(k));
	assert_int_equal(j.recalls, 151);
	assert_int_equal(j.recalls_before_index, 151);
	assert_int_equal(j.indexes, 1);
	keeper_free(k);
}

static void free__does_not_wait_for_wishes(void **state)
{
	struct jobs j = { 0 };
	struct keeper *k = keeper(&j);

	(void)state;
	assert_int_equal(keeper_start(k), 0);
	keeper_surplus(k);
	keeper_change(k);
	keeper_free(k);
	assert_int_equal(j.reclaims, 0);
	assert_int_equal(j.recalls, 0);
	keeper_free(NULL);
	keeper_free(keeper(&j)); /* never started */
}

static void new__fails_without_memory(void **state)
{
	const struct keeper_jobs jobs = { 0 };
	struct keeper *k;

	(void)state;
	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(keeper_new(&jobs, &k), -ENOMEM);
}

/* H1: but what presses is not kept at all. */
static void surplus__is_kept_for_a_while_unless_it_presses(void **state)
{
	struct jobs j = { 0 };
	struct keeper *k = keeper(&j);
	struct timespec began, now;

	(void)state;
	assert_int_equal(keeper_start(k), 0);
	clock_gettime(CLOCK_MONOTONIC, &began);
	keeper_surplus(k);
	while (j.reclaims < 3)
		rest();
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true((now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000 >= 700);
	while (!keeper_is_idle(k))
		rest();
	j.presses = true;
	clock_gettime(CLOCK_MONOTONIC, &began);
	keeper_surplus(k);
	while (j.reclaims < 6)
		rest();
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true((now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000 < 500);
	keeper_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread__does_what_is_wished_for_until_all_is_done),
		cmocka_unit_test(surplus__is_kept_for_a_while_unless_it_presses),
		cmocka_unit_test(thread__takes_frames_at_once),
		cmocka_unit_test(recall__once_and_before_index_db_is_written),
		cmocka_unit_test(free__does_not_wait_for_wishes),
		cmocka_unit_test(new__fails_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
