/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/failpoint.h"

enum { CAPACITY = 8192 };

struct store {
	struct counters counters;
	struct arena arena;
	struct room *room;
	struct frames *f;
	int fd;
	unsigned surplus;
};

static int setup(void **state)
{
	static struct store s;

	memset(&s, 0, sizeof(s));
	*state = &s;
	return arena_memfd("test", &s.fd) || arena_open(s.fd, CAPACITY << PAGE_SHIFT, false, &s.arena) ||
	       room_new(&s.room) || frames_new(&s.arena, s.room, &s.counters, &s.f);
}

static int teardown(void **state)
{
	struct store *s = *state;

	frames_free(s->f);
	room_free(s->room);
	arena_close(&s->arena);
	return close(s->fd);
}

static uint32_t take_one(struct store *s)
{
	uint32_t frame;

	assert_int_equal(frames_take(s->f, 3, 1, FRAMES_ORDINARY, &frame), FRAMES_OK);
	return frame;
}

static int64_t sum(struct store *s, enum attr attr)
{
	return counters_sum(&s->counters, attr);
}

static void take__a_frame_is_pinned_and_nobody_s(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);
	struct frame_info info = frames_look(s->f, frame);

	assert_true(frame >= FRAMES_FIRST);
	assert_int_equal(info.pins, 1);
	assert_int_equal(info.refs, 0);
	assert_int_equal(info.domain, 3);
	assert_false(info.indexed || info.dirty || info.table || info.free || info.rewrites);
	assert_int_equal(frames_used(s->f), 1);
	memset(frames_data(s->f, frame), 'x', PAGE_BYTES);
	assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
	assert_true(frames_look(s->f, frame).free);
	assert_int_equal(frames_used(s->f), 0);
}

static void ref__moves_between_the_counters(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);

	assert_true(frames_ref(s->f, frame));
	assert_int_equal(sum(s, ATTR_pages_volatile), 1);
	frames_set_indexed(s->f, frame, 77);
	assert_int_equal(sum(s, ATTR_pages_volatile), 0);
	assert_int_equal(sum(s, ATTR_pages_unshared), 1);
	assert_int_equal(frames_look(s->f, frame).tag, 77);
	assert_true(frames_ref(s->f, frame));
	assert_true(frames_ref(s->f, frame));
	assert_int_equal(sum(s, ATTR_pages_unshared), 0);
	assert_int_equal(sum(s, ATTR_pages_shared), 1);
	assert_int_equal(sum(s, ATTR_pages_sharing), 2);
	assert_int_equal(sum(s, ATTR_store_data_pages), 3);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(frames_unref(s->f, frame), FRAMES_OK);
	assert_int_equal(sum(s, ATTR_store_data_pages), 0);
	assert_int_equal(frames_unpin(s->f, frame), FRAMES_IDLE);
	assert_true(frames_clear_indexed(s->f, frame, FRAMES_UNINDEX_IDLE));
	assert_true(frames_look(s->f, frame).free);
	assert_int_equal(sum(s, ATTR_pages_shared) + sum(s, ATTR_pages_sharing), 0);
}

static void own__one_reference_and_nobody_who_looks(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);

	assert_true(frames_ref(s->f, frame));
	assert_false(frames_own(s->f, frame)); /* pinned */
	assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
	assert_true(frames_own(s->f, frame));
	assert_true(frames_ref(s->f, frame));
	assert_false(frames_own(s->f, frame));
	assert_int_equal(frames_unref(s->f, frame), FRAMES_OK);
	frames_set_indexed(s->f, frame, 1);
	assert_false(frames_own(s->f, frame));
	assert_true(frames_clear_indexed(s->f, frame, FRAMES_UNINDEX_OWNED));
	assert_true(frames_own(s->f, frame));
}

static void unindex__only_in_the_state_asked_for(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);

	assert_false(frames_clear_indexed(s->f, frame, FRAMES_UNINDEX_OWNED));
	frames_set_indexed(s->f, frame, 1);
	assert_false(frames_clear_indexed(s->f, frame, FRAMES_UNINDEX_IDLE));
	assert_false(frames_clear_indexed(s->f, frame, FRAMES_UNINDEX_OWNED));
	assert_true(frames_ref(s->f, frame));
	assert_false(frames_clear_indexed(s->f, frame, FRAMES_UNINDEX_OWNED)); /* the pin */
	assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
	assert_true(frames_clear_indexed(s->f, frame, FRAMES_UNINDEX_OWNED));
}

static void marks__are_kept_apart(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);

	frames_mark_dirty(s->f, frame);
	frames_set_rewrites(s->f, frame, 99);
	assert_int_equal(frames_look(s->f, frame).rewrites, FRAMES_REWRITES_MAX);
	assert_true(frames_clear_dirty(s->f, frame));
	assert_false(frames_clear_dirty(s->f, frame));
	frames_mark_dirty(s->f, frame);
	frames_set_indexed(s->f, frame, 5); /* was digested: not dirty */
	assert_false(frames_look(s->f, frame).dirty);
	frames_set_rewrites(s->f, frame, 0);
	assert_int_equal(frames_look(s->f, frame).rewrites, 0);
	assert_int_equal(frames_look(s->f, frame).pins, 1);
	assert_int_equal(frames_look(s->f, frame).domain, 3);
}

static void pin__more_than_can_be_counted_are_refused(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);
	unsigned n = 1;

	while (frames_pin(s->f, frame))
		n++;
	assert_int_equal(n, (1 << 15) - 1);
	assert_int_equal(frames_look(s->f, frame).refs, 0);
	while (n--)
		assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
	assert_true(frames_look(s->f, frame).free);
}

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
	assert_int_equal(n, CAPACITY - FRAMES_FIRST);
	assert_int_equal(frames_take_table(s->f, 1, &frame[n]), FRAMES_FULL);
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

static void on_surplus(void *arg)
{
	((struct store *)arg)->surplus++;
}

static uint64_t memory_pages(struct store *s)
{
	struct stat st;

	assert_int_equal(fstat(s->fd, &st), 0);
	return (uint64_t)st.st_blocks * 512 / PAGE_BYTES;
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

static void adopt__counts_references_and_frees_the_rest(void **state)
{
	struct store *s = *state;
	uint32_t frame[3];

	assert_int_equal(frames_adopt(s->f, 100, 5, false), 0);
	assert_int_equal(frames_adopt(s->f, 100, 5, false), 0);
	assert_int_equal(frames_adopt(s->f, 50, 0, true), 0);
	assert_int_equal(frames_adopt(s->f, 50, 0, true), -EUCLEAN); /* a node twice */
	assert_int_equal(frames_adopt(s->f, 50, 0, false), -EUCLEAN);
	assert_int_equal(frames_adopt(s->f, 100, 0, true), -EUCLEAN);
	assert_int_equal(frames_adopt(s->f, FRAMES_FIRST - 1, 0, false), -EUCLEAN);
	assert_int_equal(frames_adopt(s->f, CAPACITY, 0, false), -EUCLEAN);
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

static void new__fails_without_memory(void **state)
{
	struct store *s = *state;
	struct frames *f;
	unsigned nth = 0;
	int r;

	do {
		failpoint_arm(FAIL_ALLOC, ++nth);
		r = frames_new(&s->arena, s->room, &s->counters, &f);
		failpoint_arm(FAIL_ALLOC, 0);
	} while (r == -ENOMEM);
	assert_int_equal(r, 0);
	assert_true(nth > 3);
	frames_free(f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(take__a_frame_is_pinned_and_nobody_s),
		TEST(ref__moves_between_the_counters),
		TEST(own__one_reference_and_nobody_who_looks),
		TEST(unindex__only_in_the_state_asked_for),
		TEST(marks__are_kept_apart),
		TEST(pin__more_than_can_be_counted_are_refused),
		TEST(table__a_node_is_zeroed_and_no_page),
		TEST(take__until_it_is_full),
		TEST(take__fails_without_memory),
		TEST(reclaim__what_was_freed_goes_back),
		TEST(adopt__counts_references_and_frees_the_rest),
		TEST(new__fails_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
