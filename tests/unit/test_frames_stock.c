/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/frames_store.h"

#include "core/failpoint.h"

static void table__a_node_is_zeroed_and_no_page(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s), node[4];

	memset(frames_data(s->f, frame), 'x', PAGE_BYTES);
	assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
	assert_int_equal(frames_take_table(s->f, 4, node), FRAMES_OK);
	assert_int_equal(frames_tables(s->f), 4);
	for (unsigned n = 0; n < 4; n++) {
		assert_true(frames_look(s->f, node[n]).table);
		for (unsigned k = 0; k < PAGE_BYTES; k++)
			assert_int_equal(((uint8_t *)frames_data(s->f, node[n]))[k], 0);
		frames_put_table(s->f, node[n]);
	}
	assert_int_equal(sum(s, ATTR_store_data_pages), 0);
	assert_int_equal(frames_used(s->f), 0);
}

static void take__until_it_is_full(void **state)
{
	static uint32_t frame[CAPACITY];
	struct store *s = *state;
	unsigned n = 0;

	while (frames_take(s->f, 0, 1, FRAMES_ORDINARY, &frame[n]) == FRAMES_OK)
		n++;
	assert_true(n > CAPACITY / 2 && n < CAPACITY - FRAMES_FIRST); /* a reserve is left */
	while (frames_take(s->f, 0, 1, FRAMES_URGENT, &frame[n]) == FRAMES_OK)
		n++;
	assert_int_equal(n, CAPACITY - FRAMES_FIRST - FRAMES_FOR_TABLES);
	for (unsigned i = 0; i < FRAMES_FOR_TABLES; i++)
		assert_int_equal(frames_take_table(s->f, 1, &frame[n]), FRAMES_OK);
	assert_int_equal(frames_take_table(s->f, 1, &frame[n]), FRAMES_FULL);
	frames_put_table(s->f, frame[n]);
	assert_int_equal(frames_take(s->f, 0, 1, FRAMES_FREEING, &frame[n]), FRAMES_OK);
	for (unsigned i = 0; i < FRAMES_FOR_TABLES; i++)
		assert_int_equal(frames_unpin(s->f, frame[--n]), FRAMES_OK);
	assert_int_equal(frames_unpin(s->f, frame[--n]), FRAMES_OK);
	assert_int_equal(frames_take(s->f, 0, 2, FRAMES_URGENT, &frame[n]), FRAMES_FULL); /* all or none */
	assert_int_equal(frames_take(s->f, 0, 1, FRAMES_URGENT, &frame[n]), FRAMES_OK);
}

static void take__fails_without_memory(void **state)
{
	struct store *s = *state;
	uint32_t frame;

	for (unsigned nth = 1; nth <= 3; nth++) {
		failpoint_arm(FAIL_ALLOC, nth);
		assert_int_equal(frames_take(s->f, 0, 1, FRAMES_ORDINARY, &frame), FRAMES_FULL);
		failpoint_arm(FAIL_ALLOC, 0);
		assert_int_equal(frames_used(s->f), 0);
	}
	(void)take_one(s);
}

/* Asking the system may take as long as it takes to write what the urgent have in hand. */
static void take__the_urgent_ask_nobody_while_there_is_a_reserve(void **state)
{
	enum { RESERVE = 2048 };
	struct store *s = *state;
	uint32_t frame;

	frames_reserve(s->f, RESERVE);
	while (frames_refill_ahead(s->f))
		;
	while (frames_warm(s->f) > RESERVE)
		assert_int_equal(frames_take(s->f, 0, 1, FRAMES_ORDINARY, &frame), FRAMES_OK);
	for (unsigned n = FRAMES_FOR_TABLES; n < RESERVE; n++) {
		failpoint_arm(FAIL_ALLOC, 2); /* the first is the call itself */
		assert_int_equal(frames_take(s->f, 0, 1, FRAMES_URGENT, &frame), FRAMES_OK);
	}
	failpoint_arm(FAIL_ALLOC, 0);
	assert_int_equal(frames_warm(s->f), FRAMES_FOR_TABLES);
}

static void on_surplus(void *arg)
{
	((struct store *)arg)->surplus++;
}

static void reclaim__what_was_freed_goes_back(void **state)
{
	static uint32_t frame[6000];
	struct store *s = *state;

	frames_on_surplus(s->f, on_surplus, s);
	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++)
		frame[n] = take_one(s);
	assert_true(memory_pages(s) >= ARRAY_SIZE(frame));
	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++)
		assert_int_equal(frames_unpin(s->f, frame[n]), FRAMES_OK);
	assert_int_equal(s->surplus, 1); /* told once until it is looked after */
	while (frames_reclaim(s->f))
		;
	assert_true(memory_pages(s) < 2048);
	assert_int_equal(memory_pages(s), frames_warm(s->f));
	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++)
		frame[n] = take_one(s);
	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++)
		assert_int_equal(frames_unpin(s->f, frame[n]), FRAMES_OK);
	assert_int_equal(s->surplus, 2);
	assert_true(frames_end(s->f) <= ARRAY_SIZE(frame) + 1024); /* used again, not used up */
}

static void take__what_the_scanner_remembers_is_of_another_frame(void **state)
{
	struct store *s = *state;
	uint32_t frame[600];

	assert_int_equal(frames_take(s->f, 0, 256, FRAMES_ORDINARY, frame), FRAMES_OK);
	for (unsigned n = 0; n < 256; n++) {
		frames_set_history(s->f, frame[n], 99);
		assert_int_equal(frames_unpin(s->f, frame[n]), FRAMES_OK);
	}
	assert_int_equal(frames_take(s->f, 0, 256, FRAMES_ORDINARY, frame), FRAMES_OK);
	for (unsigned n = 0; n < 256; n++)
		assert_int_equal(frames_history(s->f, frame[n]), 0);
}

static void spare__asks_for_more_than_is_taken(void **state)
{
	struct store *s = *state;

	assert_true(frames_spare(s->f, 1));
	assert_true(frames_spare(s->f, 256));
	assert_false(frames_spare(s->f, UINT32_MAX)); /* no machine has 16 TiB to spare */
	assert_int_equal(frames_used(s->f), 0);
	assert_int_equal(frames_warm(s->f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(table__a_node_is_zeroed_and_no_page),
		STORE_TEST(take__until_it_is_full),
		STORE_TEST(take__fails_without_memory),
		STORE_TEST(take__the_urgent_ask_nobody_while_there_is_a_reserve),
		STORE_TEST(reclaim__what_was_freed_goes_back),
		STORE_TEST(take__what_the_scanner_remembers_is_of_another_frame),
		STORE_TEST(spare__asks_for_more_than_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
