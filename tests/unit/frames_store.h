/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/frames_store.h - frames on a memfd of their own, without a volume, for tests of what frames.h says.
 *
 * For cmocka's setup and teardown: *state is the struct store.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/frames.h"

enum { CAPACITY = 8192 };

struct store {
	struct counters counters;
	struct arena arena;
	struct room *room;
	struct frames *f;
	int fd;
	unsigned surplus;
};

static inline int setup(void **state)
{
	static struct store s;

	memset(&s, 0, sizeof(s));
	*state = &s;
	return arena_memfd("test", &s.fd) || arena_open(s.fd, CAPACITY << PAGE_SHIFT, false, &s.arena) ||
	       room_new(&s.room) || frames_new(&s.arena, s.room, &s.counters, &s.f);
}

static inline int teardown(void **state)
{
	struct store *s = *state;

	frames_free(s->f);
	room_free(s->room);
	arena_close(&s->arena);
	return close(s->fd);
}

static inline uint32_t take_one(struct store *s)
{
	uint32_t frame;

	assert_int_equal(frames_take(s->f, 3, 1, FRAMES_ORDINARY, &frame), FRAMES_OK);
	return frame;
}

static inline int64_t sum(struct store *s, enum attr attr)
{
	return counters_sum(&s->counters, attr);
}

/* What the memfd takes of the system's memory. */
static inline uint64_t memory_pages(struct store *s)
{
	struct stat st;

	assert_int_equal(fstat(s->fd, &st), 0);
	return (uint64_t)st.st_blocks * 512 / PAGE_BYTES;
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
