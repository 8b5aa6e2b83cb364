/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/frames_store.h"

#include <pthread.h>

/* As many as can be had, one by one. */
static unsigned take_all(struct store *s, enum frames_urgency urgency, uint32_t *frame)
{
	unsigned n = 0;

	while (frames_take(s->f, 0, 1, urgency, &frame[n]) == FRAMES_OK)
		n++;
	return n;
}

static void charge__each_stops_where_the_more_urgent_go_on(void **state)
{
	static uint32_t frame[CAPACITY];
	struct store *s = *state;
	unsigned n;

	frames_set_store_limit(s->f, 1024);
	assert_int_equal(frames_left(s->f, FRAMES_ORDINARY), 960);
	n = take_all(s, FRAMES_ORDINARY, frame);
	assert_int_equal(n, 960);
	assert_int_equal(frames_left(s->f, FRAMES_ORDINARY), 0);
	n += take_all(s, FRAMES_URGENT, frame + n);
	assert_int_equal(n, 1008);
	assert_int_equal(frames_take_table(s->f, 1, frame + n), FRAMES_FULL); /* they count */
	n += take_all(s, FRAMES_FREEING, frame + n);
	assert_int_equal(n, 1024);
	assert_int_equal(frames_used(s->f), n);
	for (; n < 7 * 1024; n += 64)
		assert_int_equal(frames_take(s->f, 0, 64, FRAMES_ORPHAN, frame + n), FRAMES_OK);
	assert_int_equal(frames_used(s->f), n);
	assert_int_equal(frames_left(s->f, FRAMES_FREEING), 0); /* less than none */
	while (n)
		assert_int_equal(frames_unpin(s->f, frame[--n]), FRAMES_OK);
	assert_int_equal(frames_used(s->f), 0);
}

static void charge__small_limits_leave_nothing_to_others(void **state)
{
	static uint32_t frame[CAPACITY];
	struct store *s = *state;

	frames_set_store_limit(s->f, 7);
	assert_int_equal(take_all(s, FRAMES_ORDINARY, frame), 7);
	assert_int_equal(frames_take(s->f, 0, 1, FRAMES_FREEING, &frame[7]), FRAMES_FULL);
}

static void charge__many_at_once_or_none(void **state)
{
	struct store *s = *state;
	uint32_t frame[64];

	frames_set_store_limit(s->f, 64);
	assert_int_equal(frames_take(s->f, 0, 64, FRAMES_ORDINARY, frame), FRAMES_FULL);
	assert_int_equal(frames_used(s->f), 0);
	assert_int_equal(frames_take(s->f, 0, 60, FRAMES_ORDINARY, frame), FRAMES_OK);
	assert_int_equal(frames_take_table(s->f, 4, frame), FRAMES_FULL);
	assert_int_equal(frames_take_table(s->f, 3, frame), FRAMES_OK);
	assert_int_equal(frames_used(s->f), 63);
}

/* What is warm does not make it smaller, nor larger. */
static void charge__warm_frames_count_for_nothing(void **state)
{
	static uint32_t frame[CAPACITY];
	struct store *s = *state;
	unsigned n;

	while (frames_refill_ahead(s->f))
		;
	assert_true(frames_warm(s->f) > 512);
	frames_set_store_limit(s->f, 320);
	n = take_all(s, FRAMES_ORDINARY, frame);
	assert_int_equal(n, 300);
	while (n)
		assert_int_equal(frames_unpin(s->f, frame[--n]), FRAMES_OK);
	assert_int_equal(take_all(s, FRAMES_FREEING, frame), 320);
}

static void limit__none_is_none(void **state)
{
	struct store *s = *state;

	assert_true(frames_left(s->f, FRAMES_ORDINARY) == UINT64_MAX);
	frames_set_store_limit(s->f, 1);
	assert_int_equal(frames_left(s->f, FRAMES_ORDINARY), 1);
	frames_set_store_limit(s->f, 0);
	assert_true(frames_left(s->f, FRAMES_ORDINARY) == UINT64_MAX);
}

static void limit__below_what_is_in_use_adds_none(void **state)
{
	struct store *s = *state;
	uint32_t frame[20], one;

	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++)
		frame[n] = take_one(s);
	frames_set_store_limit(s->f, 10);
	assert_int_equal(frames_left(s->f, FRAMES_FREEING), 0);
	for (unsigned n = 0; n < 10; n++) {
		assert_int_equal(frames_take(s->f, 0, 1, FRAMES_FREEING, &one), FRAMES_FULL);
		assert_int_equal(frames_unpin(s->f, frame[n]), FRAMES_OK);
	}
	assert_int_equal(frames_take(s->f, 0, 1, FRAMES_FREEING, &one), FRAMES_FULL);
	assert_int_equal(frames_unpin(s->f, frame[10]), FRAMES_OK);
	assert_int_equal(frames_take(s->f, 0, 1, FRAMES_FREEING, &one), FRAMES_OK);
}

static void told(void *arg)
{
	++*(unsigned *)arg;
}

static void limit__raised_is_told_to_who_waits(void **state)
{
	struct store *s = *state;
	unsigned calls = 0;

	frames_on_room(s->f, told, &calls);
	frames_set_store_limit(s->f, 10);
	frames_set_store_limit(s->f, 20);
	assert_int_equal(calls, 0); /* nobody waits */
	frames_await(s->f);
	frames_set_store_limit(s->f, 15);
	assert_int_equal(calls, 0);
	frames_set_store_limit(s->f, 16);
	assert_int_equal(calls, 1);
	frames_await(s->f);
	frames_set_store_limit(s->f, 0);
	assert_int_equal(calls, 2);
}

static void spare__is_what_the_limit_leaves(void **state)
{
	struct store *s = *state;

	frames_set_store_limit(s->f, 10);
	assert_true(frames_spare(s->f, 10));
	assert_false(frames_spare(s->f, 11));
}

enum { TAKERS = 4, ROUNDS = 3000, LIMIT = 100 };

struct taker {
	struct store *s;
	pthread_t thread;
	unsigned got, beyond;
};

static void *take_and_give(void *arg)
{
	struct taker *t = arg;
	uint32_t frame[32];

	for (unsigned n = 0; n < ROUNDS; n++) {
		unsigned count = 1 + n % ARRAY_SIZE(frame);

		if (frames_take(t->s->f, 0, count, FRAMES_FREEING, frame) != FRAMES_OK)
			continue;
		t->got++;
		t->beyond += frames_used(t->s->f) > LIMIT;
		while (count)
			(void)frames_unpin(t->s->f, frame[--count]);
	}
	return NULL;
}

static void limit__is_not_passed_by_many_at_once(void **state)
{
	struct taker t[TAKERS];
	struct store *s = *state;

	frames_set_store_limit(s->f, LIMIT);
	for (unsigned n = 0; n < TAKERS; n++) {
		t[n] = (struct taker){ .s = s };
		assert_int_equal(pthread_create(&t[n].thread, NULL, take_and_give, &t[n]), 0);
	}
	for (unsigned n = 0; n < TAKERS; n++) {
		pthread_join(t[n].thread, NULL);
		assert_true(t[n].got > 0);
		assert_int_equal(t[n].beyond, 0);
	}
	assert_int_equal(frames_used(s->f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(charge__each_stops_where_the_more_urgent_go_on),
		STORE_TEST(charge__small_limits_leave_nothing_to_others),
		STORE_TEST(charge__many_at_once_or_none),
		STORE_TEST(charge__warm_frames_count_for_nothing),
		STORE_TEST(limit__none_is_none),
		STORE_TEST(limit__below_what_is_in_use_adds_none),
		STORE_TEST(limit__raised_is_told_to_who_waits),
		STORE_TEST(spare__is_what_the_limit_leaves),
		STORE_TEST(limit__is_not_passed_by_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
