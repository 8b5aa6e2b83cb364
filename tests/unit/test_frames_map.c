/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/frames_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "tests/unit/frames_store.h"

enum { REGIONS = 10, MANY = 3 * FRAMES_RANGE };

/* A store of several regions. */
static int setup_large(void **state)
{
	static struct store s;

	memset(&s, 0, sizeof(s));
	*state = &s;
	return arena_memfd("test", &s.fd) || arena_open(s.fd, (size_t)REGIONS * FRAMES_RANGE << PAGE_SHIFT, false, &s.arena) ||
	       room_new(&s.room) || frames_new(&s.arena, s.room, &s.counters, &s.f);
}

static uint32_t *take_many(struct store *s)
{
	static uint32_t frame[MANY];

	for (unsigned n = 0; n < MANY; n += 128)
		assert_int_equal(frames_take(s->f, 3, 128, FRAMES_ORDINARY, &frame[n]), FRAMES_OK);
	return frame;
}

static void put(struct store *s, uint32_t frame)
{
	assert_int_equal(frames_unpin(s->f, frame), FRAMES_OK);
}

static void reclaim_all(struct store *s)
{
	while (frames_reclaim(s->f))
		;
}

static unsigned table_kib(void)
{
	char line[128];
	unsigned kib = 0;
	FILE *f = fopen("/proc/self/status", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmPTE:", 6))
			kib = (unsigned)strtoul(line + 6, NULL, 10);
	fclose(f);
	return kib;
}

static bool has_reclaiming_kernel(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       !strcmp(u.machine, "x86_64") && major * 100 + minor >= 614;
}

static void take__the_lowest_first(void **state)
{
	struct store *s = *state;
	uint32_t *frame = take_many(s), again[3];

	for (unsigned n = 1; n < MANY; n++)
		assert_int_equal(frame[n], frame[n - 1] + 1);
	put(s, frame[9000]);
	put(s, frame[20]);
	put(s, frame[6000]);
	assert_int_equal(frames_take(s->f, 3, 3, FRAMES_URGENT, again), FRAMES_OK);
	assert_int_equal(again[0], frame[20]);
	assert_int_equal(again[1], frame[6000]);
	assert_int_equal(again[2], frame[9000]);
}

static void reclaim__the_highest_first(void **state)
{
	struct store *s = *state;
	uint32_t *frame = take_many(s), n;

	for (n = 0; n < MANY; n += 2)
		put(s, frame[n]);
	reclaim_all(s);
	assert_in_range(frames_warm(s->f), 256, 1280);
	for (n = 0; n < MANY; n++) {
		bool low = n < 2 * frames_warm(s->f);
		unsigned char in;

		assert_int_equal(mincore(frames_data(s->f, frame[n]), PAGE_BYTES, &in), 0);
		if (n % 2 || !low)
			assert_int_equal(in & 1, n % 2); /* each alone, and its neighbours stay */
	}
}

/* What is remembered of a frame, and what the kernel spends to find it, goes with the last of many. */
static void reclaim__an_empty_region_costs_nothing(void **state)
{
	struct store *s = *state;
	uint64_t before = frames_metadata_bytes(s->f), full;
	unsigned tables = table_kib();
	uint32_t *frame = take_many(s), last;

	full = frames_metadata_bytes(s->f);
	assert_in_range(full, before + MANY * FRAMES_COST_BYTES, before + 14 * REGIONS * FRAMES_RANGE);
	assert_true(table_kib() >= tables + 64);
	for (unsigned n = 0; n < MANY - 1; n++) {
		frames_set_history(s->f, frame[n], 7);
		put(s, frame[n]);
	}
	last = frame[MANY - 1];
	frames_set_history(s->f, last, 7);
	reclaim_all(s);
	assert_int_equal(s->f->known, 2); /* the first, with the warm ones, and that of the last */
	assert_int_equal(frames_history(s->f, last), 7);
	assert_int_equal(frames_look(s->f, last).pins, 1);
	assert_int_equal(frames_look(s->f, 2 * FRAMES_RANGE).tag, 0);
	assert_true(frames_look(s->f, 2 * FRAMES_RANGE).free);
	put(s, last);
	reclaim_all(s);
	/* It was the lowest warm one, or the highest, which goes. */
	assert_in_range(s->f->known, 1, 1);
	if (has_reclaiming_kernel())
		assert_true(table_kib() <= tables + 40);
	frame = take_many(s);
	assert_int_equal(frames_history(s->f, frame[9000]), 0);
	assert_int_equal(frames_metadata_bytes(s->f), full);
}

/* The first that go back are not all there are, so some regions are empty before those in front of them are swept. */
static void reclaim__what_another_process_left_is_swept_once(void **state)
{
	struct store *s = *state;
	const uint32_t end = (REGIONS - 1) * FRAMES_RANGE;

	for (uint32_t frame = FRAMES_FIRST; frame < end; frame++) {
		_Atomic uint32_t slot = frame;

		assert_int_equal(frames_adopt(s->f, &slot, 1, 0, false), 0);
	}
	frames_adopt_end(s->f);
	for (uint32_t frame = FRAMES_FIRST; frame < end; frame++)
		assert_int_equal(frames_unref(s->f, frame), FRAMES_OK);
	reclaim_all(s);
	assert_int_equal(s->f->unswept, end);
	assert_int_equal(frames_used(s->f), 0);
	assert_in_range(frames_warm(s->f), 1, 2 * FRAMES_RANGE);
	assert_int_equal(s->f->known, 1); /* of those that were empty before the sweep came to them nothing is left */
	assert_int_equal(take_one(s), FRAMES_FIRST);
}

static void hold__many_at_once_are_as_many_one_by_one(void **state)
{
	struct store *s = *state;

	frames_map_hold(s->f, FRAMES_FIRST, 2 * FRAMES_RANGE + 100);
	assert_int_equal(s->f->region[0].held, FRAMES_RANGE);
	assert_int_equal(s->f->region[1].held, FRAMES_RANGE);
	assert_int_equal(s->f->region[2].held, 100);
	assert_int_equal(s->f->known, 3);
	assert_int_equal(take_one(s), 2 * FRAMES_RANGE + 100);
}

/* 16 TiB, less one: numbers have 32 bits. */
static int setup_largest(void **state)
{
	static struct store s;
	int r;

	memset(&s, 0, sizeof(s));
	*state = &s;
	r = arena_memfd("test", &s.fd) || room_new(&s.room);
	if (!r && arena_open(s.fd, (size_t)1 << 44, false, &s.arena) < 0)
		return 0; /* no such address space: the test says so */
	return r || frames_new(&s.arena, s.room, &s.counters, &s.f);
}

static void take__up_to_the_last_number(void **state)
{
	struct store *s = *state;
	uint32_t frame[256], last = 0, n;

	if (!s->f)
		skip();
	s->f->cold_from = s->f->regions - 1; /* as if all others were taken */
	while (frames_take(s->f, 0, 1, FRAMES_FREEING, frame) == FRAMES_OK) {
		assert_true(frame[0] > last);
		last = frame[0];
		if (last >= UINT32_MAX - 4)
			memset(frames_data(s->f, last), (int)(last & 0xff), PAGE_BYTES);
	}
	assert_int_equal(last, UINT32_MAX - 1);
	assert_int_equal(frames_end(s->f), UINT32_MAX);
	assert_int_equal(frames_take(s->f, 0, 256, FRAMES_URGENT, frame), FRAMES_FULL);
	for (n = UINT32_MAX - 4; n < UINT32_MAX; n++)
		assert_int_equal(*(uint8_t *)frames_data(s->f, n), n & 0xff);
	for (n = UINT32_MAX - (FRAMES_RANGE - 1); n < UINT32_MAX; n++)
		put(s, n);
	reclaim_all(s);
	assert_in_range(memory_pages(s), 256, 1280);
	assert_int_equal(frames_used(s->f), 0);
}

#define LARGE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_large, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LARGE_TEST(take__the_lowest_first),
		LARGE_TEST(reclaim__the_highest_first),
		LARGE_TEST(reclaim__an_empty_region_costs_nothing),
		cmocka_unit_test_setup_teardown(take__up_to_the_last_number, setup_largest, teardown),
		LARGE_TEST(reclaim__what_another_process_left_is_swept_once),
		LARGE_TEST(hold__many_at_once_are_as_many_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
