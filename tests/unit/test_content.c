/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/content.h"

#include <pthread.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { A = 1, B = 2 };

static uint8_t page[PAGE_BYTES] __attribute__((aligned(64)));

/* A frame full of `what`, pinned. */
static uint32_t take(struct fixture *f, uint16_t domain, uint64_t what)
{
	uint32_t frame;

	assert_int_equal(frames_take(f->v->pool.frames, domain, 1, FRAMES_ORDINARY, &frame), FRAMES_OK);
	fill_page(frames_data(f->v->pool.frames, frame), what);
	return frame;
}

/* Digests of one tag: what 8 bits make of many pages. */
static enum content_r find(struct fixture *f, uint32_t tag, uint16_t domain, uint64_t what,
			   uint32_t insert, uint32_t *ret_frame)
{
	fill_page(page, what);
	return content_find(f->v->pool.content, tag, domain, page, insert, ret_frame);
}

static void find__equal_bytes_come_back_pinned(void **state)
{
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t frame = take(f, 0, A), found;

	assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_ABSENT);
	assert_int_equal(find(f, 9, 0, A, frame, &found), CONTENT_INSERTED);
	assert_int_equal(content_entries(c), 1);
	assert_int_equal(content_count(c, frame), 1);
	assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_FOUND);
	assert_int_equal(found, frame);
	assert_int_equal(frames_look(f->v->pool.frames, frame).pins, 2);
	content_unpin(c, found);
	content_unpin(c, frame); /* nobody holds it: gone, and out of the index */
	assert_true(frames_look(f->v->pool.frames, frame).free);
	assert_int_equal(content_entries(c), 0);
	assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_ABSENT);
}

static void find__a_tag_alone_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t frame[300], found;

	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++) {
		frame[n] = take(f, 0, A + n);
		assert_int_equal(find(f, 9, 0, A + n, frame[n], &found), CONTENT_INSERTED);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++) {
		assert_int_equal(find(f, 9, 0, A + n, 0, &found), CONTENT_FOUND);
		assert_int_equal(found, frame[n]);
		content_unpin(c, found);
	}
	assert_int_equal(find(f, 9, 0, A + ARRAY_SIZE(frame), 0, &found), CONTENT_ABSENT);
	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++)
		assert_int_equal(frames_look(f->v->pool.frames, frame[n]).pins, 1);
	for (unsigned n = 0; n < ARRAY_SIZE(frame); n++)
		content_unpin(c, frame[n]);
}

static void find__insert_meets_what_is_there_instead(void **state)
{
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t one = take(f, 0, A), two = take(f, 0, A), found;

	assert_int_equal(find(f, 9, 0, A, one, &found), CONTENT_INSERTED);
	assert_int_equal(find(f, 9, 0, A, two, &found), CONTENT_FOUND);
	assert_int_equal(found, one);
	assert_int_equal(content_entries(c), 1);
	content_unpin(c, found);
	content_unpin(c, one);
	content_unpin(c, two);
}

static void find__domains_do_not_meet(void **state)
{
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t one = take(f, 1, A), two = take(f, 2, A), found;

	assert_int_equal(find(f, 9, 1, A, one, &found), CONTENT_INSERTED);
	assert_int_equal(find(f, 9, 2, A, 0, &found), CONTENT_ABSENT);
	assert_int_equal(find(f, 9, 2, A, two, &found), CONTENT_INSERTED);
	assert_int_equal(find(f, 9, 1, A, 0, &found), CONTENT_FOUND);
	assert_int_equal(found, one);
	content_unpin(c, found);
	content_unpin(c, one);
	content_unpin(c, two);
}

static void withdraw__only_by_the_one_owner(void **state)
{
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint64_t ino = make_file(f, "file");
	uint32_t frame;

	put_page(f, ino, 0, A);
	frame = slot_at(f, ino, 0);
	assert_true(content_pin(c, frame));
	assert_false(content_withdraw(c, frame));
	content_unpin(c, frame);
	assert_true(content_withdraw(c, frame));
	assert_int_equal(content_entries(c), 0);
	assert_int_equal(content_count(c, frame), 0);
	assert_false(content_pin(c, frame));
	assert_false(content_withdraw(c, frame));
	put_pages(f, ino, 0, 2, B, 0);
	assert_false(content_withdraw(c, slot_at(f, ino, 0)));
}

static void index__any_order_of_coming_and_going(void **state)
{
	enum { N = 2000 };
	static uint32_t frame[N];
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t random = 1, found;

	for (unsigned n = 0; n < 6 * N; n++) {
		uint32_t which = (random = random * 1664525 + 1013904223) >> 8;

		which %= N;
		if (frame[which]) {
			content_unpin(c, frame[which]);
			frame[which] = 0;
		} else { /* few shards, and homes that crowd at the end of them */
			uint32_t tag = (which % 3) << 24 | (which % 7 ? 0xffff00 + which % 50 : which);

			frame[which] = take(f, 0, A + which);
			assert_int_equal(find(f, tag, 0, A + which, frame[which], &found), CONTENT_INSERTED);
		}
	}
	for (unsigned n = 0; n < N; n++) {
		if (!frame[n])
			continue;
		assert_int_equal(content_count(c, frame[n]), 1);
		content_unpin(c, frame[n]);
		frame[n] = 0;
	}
	assert_int_equal(content_entries(c), 0);
	assert_true(content_bytes(c) < 1 << 20);
}

/* As large as what is in it: at most 10 bytes an entry and a page for each shard. */
static void index__grows_and_shrinks_with_what_is_in_it(void **state)
{
	enum { N = 6000 };
	static uint32_t frame[N];
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint64_t empty = content_bytes(c);
	uint32_t found;

	for (unsigned n = 0; n < N; n++) { /* all in one shard */
		frame[n] = take(f, 0, A + n);
		assert_int_equal(find(f, n << 10, 0, A + n, frame[n], &found), CONTENT_INSERTED);
		assert_in_range(content_bytes(c), empty + n * 8, empty + (n + 1) * 10 + PAGE_BYTES);
	}
	for (unsigned n = 0; n < N; n++) {
		content_unpin(c, frame[n]);
		assert_int_equal(content_entries(c), N - 1 - n);
		content_reclaim(c);
		assert_true(content_bytes(c) <= empty + (N - n) * 20 + PAGE_BYTES);
		if (n % 100 == 0 && n + 1 < N)
			assert_int_equal(content_count(c, frame[n + 1]), 1);
	}
	assert_int_equal(content_bytes(c), empty + PAGE_BYTES);
}

/* To move what is left takes memory: without it nothing is lost but the room. */
static void index__stays_large_without_memory(void **state)
{
	enum { N = 1500 };
	static uint32_t frame[N];
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint64_t full;
	uint32_t found;

	for (unsigned n = 0; n < N; n++) {
		frame[n] = take(f, 0, A + n);
		assert_int_equal(find(f, n << 12, 0, A + n, frame[n], &found), CONTENT_INSERTED);
	}
	full = content_bytes(c);
	for (unsigned n = 0; n < N; n++) {
		content_unpin(c, frame[n]);
		failpoint_arm(FAIL_ALLOC, 1);
		content_reclaim(c);
		failpoint_arm(FAIL_ALLOC, 0);
		if (n + 1 < N)
			assert_int_equal(content_count(c, frame[n + 1]), 1);
	}
	assert_int_equal(content_entries(c), 0);
	assert_int_equal(content_bytes(c), full);
	content_reclaim(c);
	assert_true(content_bytes(c) < full);
}

enum { THREADS = 4, CONTENTS = 150 };

struct inserter {
	struct fixture *f;
	pthread_t thread;
	uint32_t frame[CONTENTS];
};

static void *insert_all(void *arg)
{
	struct inserter *i = arg;
	struct content *c = i->f->v->pool.content;

	for (unsigned n = 0; n < CONTENTS; n++) {
		uint32_t frame = take(i->f, 0, A + n), found;

		i->frame[n] = frame;
		if (content_find(c, 9, 0, frames_data(i->f->v->pool.frames, frame), frame, &found) !=
		    CONTENT_FOUND)
			continue;
		content_unpin(c, frame);
		i->frame[n] = found;
	}
	return NULL;
}

static void insert__side_by_side_no_bytes_enter_twice(void **state)
{
	static struct inserter i[THREADS];
	struct fixture *f = *state;

	for (unsigned n = 0; n < THREADS; n++) {
		i[n].f = f;
		assert_int_equal(pthread_create(&i[n].thread, NULL, insert_all, &i[n]), 0);
	}
	for (unsigned n = 0; n < THREADS; n++)
		pthread_join(i[n].thread, NULL);
	assert_int_equal(content_entries(f->v->pool.content), CONTENTS);
	for (unsigned n = 0; n < THREADS; n++)
		for (unsigned k = 0; k < CONTENTS; k++)
			content_unpin(f->v->pool.content, i[n].frame[k]);
}

static void insert__without_memory_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t frame = take(f, 0, A), found;

	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(find(f, 9, 0, A, frame, &found), CONTENT_ABSENT);
	failpoint_arm(FAIL_ALLOC, 0);
	assert_false(frames_look(f->v->pool.frames, frame).indexed);
	assert_int_equal(find(f, 9, 0, A, frame, &found), CONTENT_INSERTED);
	content_unpin(c, frame);
}

/* --- at most so many slots ------------------------------------------------------------------------ */

static void limit(struct fixture *f, unsigned sharers_max)
{
	gate_close(&f->v->gate);
	frames_limit(f->v->pool.frames, sharers_max, 0);
	gate_open(&f->v->gate);
}

/* A frame of `what` with that many slots, in no file, entered into the index. */
static uint32_t enter(struct fixture *f, uint64_t what, unsigned slots, uint32_t *ret_found)
{
	uint32_t frame = take(f, 0, what);

	for (unsigned n = 0; n < slots; n++)
		assert_true(frames_ref(f->v->pool.frames, frame));
	assert_int_equal(find(f, 9, 0, what, frame, ret_found), CONTENT_INSERTED);
	return frame;
}

static void leave(struct fixture *f, uint32_t frame, unsigned slots)
{
	while (slots--)
		content_unref(f->v->pool.content, frame);
	content_unpin(f->v->pool.content, frame);
}

static void find__full_frames_are_passed_over(void **state)
{
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t one, two, found;

	limit(f, 2);
	one = enter(f, A, 2, &found);
	assert_false(content_has_twins(c));
	assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_ABSENT);
	two = enter(f, A, 1, &found);
	assert_false(content_has_twins(c)); /* one of them cannot be found */
	assert_int_equal(content_entries(c), 2);
	assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_FOUND);
	assert_int_equal(found, two);
	content_unpin(c, found);
	assert_true(frames_ref(f->v->pool.frames, two));
	assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_ABSENT);
	content_unref(c, one); /* place again, in the one that came first */
	assert_true(content_has_twins(c));
	assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_FOUND);
	assert_int_equal(found, one);
	content_unpin(c, found);
	leave(f, one, 1);
	leave(f, two, 2);
	assert_int_equal(content_entries(c), 0);
}

static void find__full_frames_of_another_content_are_no_twins(void **state)
{
	struct fixture *f = *state;
	uint32_t one, two, found;

	limit(f, 2);
	one = enter(f, A, 2, &found);
	two = enter(f, B, 1, &found); /* the same tag */
	assert_int_equal(find(f, 9, 0, B, 0, &found), CONTENT_FOUND);
	assert_int_equal(found, two);
	content_unpin(f->v->pool.content, found);
	assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_ABSENT);
	leave(f, one, 2);
	leave(f, two, 1);
}

static void find__any_number_of_twins(void **state)
{
	enum { TWINS = 300 };
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t frame[TWINS], found;

	limit(f, 2);
	for (unsigned n = 0; n < TWINS; n++)
		frame[n] = enter(f, A, 2, &found);
	for (unsigned n = 0; n < TWINS; n++)
		assert_int_equal(content_count(c, frame[n]), 1);
	for (unsigned n = 0; n < TWINS; n += 7) { /* whichever has place is found */
		content_unref(c, frame[n]);
		assert_int_equal(find(f, 9, 0, A, 0, &found), CONTENT_FOUND);
		assert_int_equal(found, frame[n]);
		assert_true(frames_ref(f->v->pool.frames, found));
		content_unpin(c, found);
	}
	for (unsigned n = 0; n < TWINS; n++)
		leave(f, frame[n], 2);
	assert_int_equal(content_entries(c), 0);
}

static void insert__what_is_in_the_index_is_not_what_is_found(void **state)
{
	struct fixture *f = *state;
	struct content *c = f->v->pool.content;
	uint32_t one, two, found;

	limit(f, 2);
	one = enter(f, A, 1, &found);
	assert_int_equal(find(f, 9, 0, A, one, &found), CONTENT_ABSENT);
	assert_int_equal(content_entries(c), 1);
	assert_int_equal(content_count(c, one), 1);
	assert_true(frames_ref(f->v->pool.frames, one));
	two = enter(f, A, 1, &found);
	assert_int_equal(find(f, 9, 0, A, two, &found), CONTENT_ABSENT); /* the other is full */
	content_unref(c, one);
	assert_int_equal(find(f, 9, 0, A, two, &found), CONTENT_FOUND);
	assert_int_equal(found, one);
	content_unpin(c, found);
	assert_int_equal(content_entries(c), 2);
	leave(f, one, 1);
	leave(f, two, 1);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(find__equal_bytes_come_back_pinned),
	FIXTURE_TEST(find__a_tag_alone_is_not_believed),
	FIXTURE_TEST(find__insert_meets_what_is_there_instead),
	FIXTURE_TEST(find__domains_do_not_meet),
	FIXTURE_TEST(withdraw__only_by_the_one_owner),
	FIXTURE_TEST(index__any_order_of_coming_and_going),
	FIXTURE_TEST(index__grows_and_shrinks_with_what_is_in_it),
	FIXTURE_TEST(index__stays_large_without_memory),
	FIXTURE_TEST(insert__side_by_side_no_bytes_enter_twice),
	FIXTURE_TEST(insert__without_memory_is_forgotten),
	FIXTURE_TEST(find__full_frames_are_passed_over),
	FIXTURE_TEST(find__full_frames_of_another_content_are_no_twins),
	FIXTURE_TEST(find__any_number_of_twins),
	FIXTURE_TEST(insert__what_is_in_the_index_is_not_what_is_found),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
