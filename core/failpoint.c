/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "failpoint.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lock.h"

enum { CACHE_LINE = 64 };

static atomic_uint countdown[COUNTDOWNS], pause_ms[PAUSES];

void failpoint_arm(enum failpoint kind, unsigned nth)
{
	atomic_store(&countdown[kind], nth);
}

bool failpoint_hit(enum failpoint kind)
{
	unsigned left = atomic_load_explicit(&countdown[kind], memory_order_relaxed);

	while (left) {
		if (atomic_compare_exchange_weak(&countdown[kind], &left, left - 1))
			return left == 1;
	}
	return false;
}

unsigned failpoint_armed(enum failpoint kind)
{
	return atomic_load(&countdown[kind]);
}

void failpoint_pause_arm(enum pause place, unsigned ms)
{
	atomic_store(&pause_ms[place], ms);
}

unsigned failpoint_pause_armed(enum pause place)
{
	return atomic_load(&pause_ms[place]);
}

void failpoint_pause(enum pause place)
{
	struct timespec t;
	unsigned ms;

	if (!atomic_load_explicit(&pause_ms[place], memory_order_relaxed))
		return;
	ms = atomic_exchange(&pause_ms[place], 0);
	lock_assert_may_sleep();
	ASSERT(!lock_rank_held(RANK_VOLUME)); /* the gate */
	t = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
	while (nanosleep(&t, &t) < 0)
		;
}

void *mem_alloc(size_t count, size_t size)
{
	if (failpoint_hit(FAIL_ALLOC))
		return NULL;
	return calloc(count, size);
}

void *mem_alloc_lines(size_t size)
{
	void *p;

	if (failpoint_hit(FAIL_ALLOC) || posix_memalign(&p, CACHE_LINE, size))
		return NULL;
	return memset(p, 0, size);
}

void mem_free(void *p)
{
	free(p);
}

void mem_cleanup(void *pp)
{
	free(*(void **)pp);
}
