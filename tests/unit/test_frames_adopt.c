/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames that another process has left, some in use, some not. */
#include <pthread.h>

#include "core/frames_inside.h"
#include "tests/unit/frames_store.h"

/* The process that had the store is gone, and what it knew of it. */
static void left_behind(struct store *s)
{
	frames_free(s->f);
	memset(&s->counters, 0, sizeof(s->counters));
	assert_int_equal(frames_new(&s->arena, s->room, &s->counters, &s->f), 0);
}

static int adopt_one(struct store *s, uint32_t frame, uint16_t domain)
{
	_Atomic uint32_t slot = frame;

	return frames_adopt(s->f, &slot, 1, domain, false);
}

static void adopt__counts_references_and_frees_the_rest(void **state)
{
	struct store *s = *state;
	uint32_t frame[3];

	assert_int_equal(frames_adopt_node(s->f, 50), 0);
	assert_int_equal(frames_adopt_node(s->f, 50), -EUCLEAN); /* twice */
	assert_int_equal(adopt_one(s, 50, 0), -EUCLEAN);
	assert_int_equal(adopt_one(s, 100, 5), 0);
	assert_int_equal(adopt_one(s, 100, 5), 0);
	assert_int_equal(frames_adopt_node(s->f, 100), -EUCLEAN);
	assert_int_equal(frames_adopt_node(s->f, FRAMES_FIRST - 1), -EUCLEAN);
	assert_int_equal(frames_adopt_node(s->f, CAPACITY), -EUCLEAN);
	assert_int_equal(adopt_one(s, CAPACITY, 0), -EUCLEAN);
	frames_adopt_end(s->f);
	assert_int_equal(frames_end(s->f), 101);
	assert_int_equal(frames_look(s->f, 100).refs, 2);
	assert_int_equal(frames_look(s->f, 100).domain, 5);
	assert_true(frames_look(s->f, 50).table);
	assert_int_equal(frames_used(s->f), 2);
	assert_int_equal(frames_tables(s->f), 1);
	assert_int_equal(sum(s, ATTR_pages_shared), 1);
	assert_int_equal(frames_take(s->f, 0, 3, FRAMES_ORDINARY, frame), FRAMES_OK);
	for (unsigned n = 0; n < 3; n++)
		assert_true(frame[n] != 100 && frame[n] != 50);
}

static void adopt__slots_side_by_side(void **state)
{
	const _Atomic uint32_t slot[] = { 0, 20, 20, 20, 1, 20, 30, 2, 3, 40, 40 };
	struct store *s = *state;

	assert_int_equal(frames_adopt(s->f, slot, ARRAY_SIZE(slot), 7, false), 0);
	assert_int_equal(frames_adopt(s->f, slot, 1, 7, false), 0); /* a hole */
	assert_int_equal(frames_adopt(s->f, slot + 6, 1, 7, true), 0);
	frames_adopt_end(s->f);
	assert_int_equal(frames_end(s->f), 41);
	assert_int_equal(frames_look(s->f, 20).refs, 4);
	assert_int_equal(frames_look(s->f, 30).refs, 2);
	assert_true(frames_look(s->f, 30).untracked);
	assert_int_equal(frames_look(s->f, 40).refs, 2);
	assert_int_equal(sum(s, ATTR_pages_shared), 3);
	assert_int_equal(sum(s, ATTR_pages_sharing), 5);
	assert_int_equal(sum(s, ATTR_store_data_pages), 8);
}

static void adopt__more_than_can_be_counted_is_no_store_of_ours(void **state)
{
	struct store *s = *state;

	assert_int_equal(adopt_one(s, 20, 0), 0);
	s->f->word[20] += FRAMES_REFS_MAX - 2;
	assert_int_equal(adopt_one(s, 20, 0), 0);
	assert_int_equal(adopt_one(s, 20, 0), -EUCLEAN);
	s->f->word[20] = 0;
}

enum { ADOPTERS = 4, ROUNDS = 2000 };

static void *adopter(void *arg)
{
	_Atomic uint32_t slot[64];
	struct store *s = arg;

	for (unsigned n = 0; n < ARRAY_SIZE(slot); n++)
		slot[n] = FRAMES_FIRST + n / 2;
	for (unsigned n = 0; n < ROUNDS; n++)
		assert_int_equal(frames_adopt(s->f, slot, ARRAY_SIZE(slot), 1, false), 0);
	return NULL;
}

static void adopt__many_at_once(void **state)
{
	pthread_t thread[ADOPTERS];
	struct store *s = *state;

	for (unsigned n = 0; n < ADOPTERS; n++)
		assert_int_equal(pthread_create(&thread[n], NULL, adopter, s), 0);
	for (unsigned n = 0; n < ADOPTERS; n++)
		assert_int_equal(pthread_join(thread[n], NULL), 0);
	frames_adopt_end(s->f);
	for (unsigned n = 0; n < 32; n++)
		assert_int_equal(frames_look(s->f, FRAMES_FIRST + n).refs, ADOPTERS * ROUNDS * 2);
	assert_int_equal(sum(s, ATTR_pages_shared), 32);
	assert_int_equal(frames_used(s->f), 32);
}

/* Warm ones below and above those that stay, and new ones that were about to be referred to. */
static void adopt__memory_of_what_nobody_uses_goes_back(void **state)
{
	static uint32_t frame[4000];
	struct store *s = *state;

	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++)
		frame[n] = take_one(s);
	for (unsigned n = 0; n < 1000; n++)
		assert_int_equal(frames_unpin(s->f, frame[n]), FRAMES_OK);
	assert_true(memory_pages(s) > ARRAY_SIZE(frame));
	left_behind(s);
	for (unsigned n = 500; n < 3000; n += 5)
		assert_int_equal(adopt_one(s, frame[n], 0), 0);
	frames_adopt_end(s->f);
	assert_true(frames_end(s->f) > frame[ARRAY_SIZE(frame) - 1]);
	while (frames_reclaim(s->f))
		;
	assert_int_equal(memory_pages(s), 500);
	assert_int_equal(frames_used(s->f), 500);
	for (unsigned n = 0; n < 500; n++)
		assert_true(take_one(s) < 3000); /* those come first again */
}

static void adopt__what_nobody_uses_can_be_taken_at_once(void **state)
{
	static bool taken[CAPACITY];
	struct store *s = *state;
	uint32_t frame;
	unsigned n = 0;

	for (unsigned k = 0; k < 600; k++)
		(void)take_one(s);
	left_behind(s);
	for (uint32_t k = FRAMES_FIRST; k < 600; k += 2)
		assert_int_equal(adopt_one(s, k, 0), 0);
	frames_adopt_end(s->f);
	while (frames_take(s->f, 0, 1, FRAMES_FREEING, &frame) == FRAMES_OK) {
		assert_false(taken[frame] || (frame < 600 && frame % 2 == 0));
		taken[frame] = true;
		n++;
	}
	assert_int_equal(n, CAPACITY - FRAMES_FIRST - (600 - FRAMES_FIRST) / 2);
	assert_false(frames_reclaim(s->f)); /* nothing is left over */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(adopt__counts_references_and_frees_the_rest),
		STORE_TEST(adopt__slots_side_by_side),
		STORE_TEST(adopt__more_than_can_be_counted_is_no_store_of_ours),
		STORE_TEST(adopt__many_at_once),
		STORE_TEST(adopt__memory_of_what_nobody_uses_goes_back),
		STORE_TEST(adopt__what_nobody_uses_can_be_taken_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
