/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/frames_store.h"

#include <pthread.h>
#include <sched.h>

#include "core/failpoint.h"

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
	assert_int_equal(n, (1 << 14) - 1);
	assert_int_equal(frames_look(s->f, frame).refs, 0);
	while (n--)
		assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
	assert_true(frames_look(s->f, frame).free);
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

static void untracked__is_a_class_of_its_own(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);

	frames_set_untracked(s->f, frame, true); /* of a frame without a slot: nothing to count */
	assert_int_equal(sum(s, ATTR_pages_untracked), 0);
	assert_true(frames_look(s->f, frame).untracked);
	assert_true(frames_ref(s->f, frame));
	assert_int_equal(sum(s, ATTR_pages_untracked), 1);
	assert_int_equal(sum(s, ATTR_pages_volatile), 0);
	frames_set_untracked(s->f, frame, false);
	frames_set_untracked(s->f, frame, false);
	assert_int_equal(sum(s, ATTR_pages_untracked), 0);
	assert_int_equal(sum(s, ATTR_pages_volatile), 1);
	frames_set_untracked(s->f, frame, true);
	assert_true(frames_ref(s->f, frame)); /* shared is shared */
	assert_int_equal(sum(s, ATTR_pages_untracked), 0);
	assert_int_equal(sum(s, ATTR_pages_shared), 1);
	assert_int_equal(frames_unref(s->f, frame), FRAMES_OK);
	assert_int_equal(sum(s, ATTR_pages_untracked), 1);
	frames_set_indexed(s->f, frame, 1); /* ends it */
	assert_int_equal(sum(s, ATTR_pages_untracked), 0);
	assert_int_equal(sum(s, ATTR_pages_unshared), 1);
	assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
	assert_true(frames_clear_indexed(s->f, frame, FRAMES_UNINDEX_OWNED));
	assert_false(frames_look(s->f, frame).untracked);
	assert_int_equal(sum(s, ATTR_pages_volatile), 1);
	assert_int_equal(sum(s, ATTR_store_data_pages), 1);
}

static void untracked__goes_with_the_frame(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);

	assert_true(frames_ref(s->f, frame));
	frames_set_untracked(s->f, frame, true);
	frames_set_history(s->f, frame, 77);
	assert_int_equal(frames_history(s->f, frame), 77);
	assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
	assert_int_equal(frames_unref(s->f, frame), FRAMES_OK);
	assert_int_equal(sum(s, ATTR_pages_untracked), 0);
	assert_int_equal(take_one(s), frame); /* the last one freed */
	assert_false(frames_look(s->f, frame).untracked);
	assert_int_equal(frames_history(s->f, frame), 0);
}

static void limit__of_slots_on_a_frame_is_exact(void **state)
{
	struct store *s = *state;
	uint32_t frame = take_one(s);

	frames_limit(s->f, 3, 0);
	for (unsigned n = 0; n < 3; n++) {
		assert_false(frames_is_full(s->f, frame));
		assert_true(frames_ref(s->f, frame));
	}
	assert_true(frames_is_full(s->f, frame));
	assert_false(frames_ref(s->f, frame));
	assert_int_equal(frames_look(s->f, frame).refs, 3);
	assert_int_equal(frames_unref(s->f, frame), FRAMES_OK);
	assert_false(frames_is_full(s->f, frame));
	assert_true(frames_ref(s->f, frame));
	frames_limit(s->f, 2, 0); /* what is there stays */
	assert_true(frames_is_full(s->f, frame));
	assert_int_equal(frames_look(s->f, frame).refs, 3);
	frames_limit(s->f, 0, 0);
	assert_false(frames_is_full(s->f, frame));
	assert_true(frames_ref(s->f, frame));
}

static void limit__of_shared_frames_is_exact(void **state)
{
	struct store *s = *state;
	uint32_t frame[3];

	frames_limit(s->f, 0, 2);
	for (unsigned n = 0; n < 3; n++) {
		frame[n] = take_one(s);
		assert_true(frames_ref(s->f, frame[n])); /* the first slot is never too many */
		assert_int_equal(frames_ref(s->f, frame[n]), n < 2);
	}
	assert_int_equal(sum(s, ATTR_pages_shared), 2);
	assert_false(frames_is_full(s->f, frame[2]));
	assert_true(frames_ref(s->f, frame[0])); /* and what is shared takes more */
	assert_int_equal(frames_unref(s->f, frame[1]), FRAMES_OK);
	assert_true(frames_ref(s->f, frame[2]));
	assert_false(frames_ref(s->f, frame[1]));
	frames_limit(s->f, 0, 0);
	assert_true(frames_ref(s->f, frame[1]));
}

enum { THREADS = 4, ROUNDS = 3000, TRIED = 64, MOST_SHARED = 7, MOST_SLOTS = 5 };

struct refs {
	struct store *s;
	pthread_t thread;
	const uint32_t *frame;
	unsigned random, wrong;
	unsigned mine[TRIED];
};

/* One reference more, or all of one's own of a frame back. */
static void *ref_and_unref(void *arg)
{
	struct refs *r = arg;

	for (unsigned n = 0; n < ROUNDS; n++) {
		unsigned k = ((r->random = r->random * 1664525 + 1013904223) >> 10) % TRIED;

		if (frames_ref(r->s->f, r->frame[k]))
			r->mine[k]++;
		else
			for (; r->mine[k]; r->mine[k]--)
				(void)frames_unref(r->s->f, r->frame[k]);
		r->wrong += frames_look(r->s->f, r->frame[k]).refs > MOST_SLOTS;
	}
	return NULL;
}

static void limit__holds_side_by_side(void **state)
{
	static struct refs r[THREADS];
	struct store *s = *state;
	uint32_t frame[TRIED];
	unsigned shared = 0, slots = 0;

	frames_limit(s->f, MOST_SLOTS, MOST_SHARED);
	for (unsigned n = 0; n < TRIED; n++) {
		frame[n] = take_one(s);
		assert_true(frames_ref(s->f, frame[n]));
	}
	for (unsigned n = 0; n < THREADS; n++) {
		r[n] = (struct refs){ .s = s, .frame = frame, .random = n };
		assert_int_equal(pthread_create(&r[n].thread, NULL, ref_and_unref, &r[n]), 0);
	}
	for (unsigned n = 0; n < THREADS; n++) {
		pthread_join(r[n].thread, NULL);
		assert_int_equal(r[n].wrong, 0);
	}
	for (unsigned n = 0; n < TRIED; n++) {
		shared += frames_look(s->f, frame[n]).refs > 1;
		slots += frames_look(s->f, frame[n]).refs;
	}
	assert_in_range(shared, 1, MOST_SHARED);
	assert_int_equal(sum(s, ATTR_pages_shared), shared);
	assert_int_equal(sum(s, ATTR_store_data_pages), slots);
	assert_int_equal(sum(s, ATTR_pages_volatile) + sum(s, ATTR_pages_sharing) + shared, slots);
}

/* Two frames, one place left: round after round, both ask at once. */
struct race {
	struct store *s;
	pthread_t thread;
	const uint32_t *frame;
	atomic_uint *waiting;
	atomic_bool got;
};

enum { RACE_ROUNDS = 4000 };

static void meet(atomic_uint *waiting, unsigned round)
{
	atomic_fetch_add(waiting, 1);
	while (atomic_load(waiting) < 2 * round)
		sched_yield();
}

static void *race(void *arg)
{
	struct race *r = arg;

	for (unsigned n = 0; n < RACE_ROUNDS; n++) {
		meet(r->waiting, 3 * n + 1);
		r->got = frames_ref(r->s->f, *r->frame);
		meet(r->waiting, 3 * n + 2); /* the other looks */
		meet(r->waiting, 3 * n + 3);
	}
	return NULL;
}

static void limit__the_last_place_is_given_once(void **state)
{
	struct store *s = *state;
	uint32_t frame[2] = { take_one(s), take_one(s) };
	unsigned wrong = 0;
	atomic_uint waiting = 0;
	struct race r = { .s = s, .frame = &frame[0], .waiting = &waiting };

	frames_limit(s->f, 0, 1);
	assert_true(frames_ref(s->f, frame[0]));
	assert_true(frames_ref(s->f, frame[1]));
	assert_int_equal(pthread_create(&r.thread, NULL, race, &r), 0);
	for (unsigned n = 0; n < RACE_ROUNDS; n++) {
		bool got;

		meet(&waiting, 3 * n + 1);
		got = frames_ref(s->f, frame[1]);
		meet(&waiting, 3 * n + 2);
		wrong += got == r.got || sum(s, ATTR_pages_shared) != 1;
		if (got)
			(void)frames_unref(s->f, frame[1]);
		if (r.got)
			(void)frames_unref(s->f, frame[0]);
		meet(&waiting, 3 * n + 3);
	}
	pthread_join(r.thread, NULL);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(take__a_frame_is_pinned_and_nobody_s),
		STORE_TEST(ref__moves_between_the_counters),
		STORE_TEST(own__one_reference_and_nobody_who_looks),
		STORE_TEST(unindex__only_in_the_state_asked_for),
		STORE_TEST(marks__are_kept_apart),
		STORE_TEST(pin__more_than_can_be_counted_are_refused),
		STORE_TEST(new__fails_without_memory),
		STORE_TEST(untracked__is_a_class_of_its_own),
		STORE_TEST(untracked__goes_with_the_frame),
		STORE_TEST(limit__of_slots_on_a_frame_is_exact),
		STORE_TEST(limit__of_shared_frames_is_exact),
		STORE_TEST(limit__holds_side_by_side),
		STORE_TEST(limit__the_last_place_is_given_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
