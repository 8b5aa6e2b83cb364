/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "failpoint.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lock.h"

enum { CACHE_LINE = 64 };

static atomic_uint countdown[COUNTDOWNS], pause_ms[PAUSES];

/* True for the one who takes it from 1 to 0. */
static bool count_down(_Atomic unsigned *counter)
{
	unsigned left = atomic_load_explicit(counter, memory_order_relaxed);

	while (left) {
		if (atomic_compare_exchange_weak(counter, &left, left - 1))
			return left == 1;
	}
	return false;
}

void failpoint_arm(enum failpoint kind, unsigned nth)
{
	atomic_store(&countdown[kind], nth);
}

bool failpoint_hit(enum failpoint kind)
{
	return count_down(&countdown[kind]);
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

/* --- dying ------------------------------------------------------------------------------------ */

const char *const kill_point_names[KILL_POINTS] = {
#define KILL_POINT(name)	  [KILL_##name] = #name,
#define KILL_POINT_TAKEOVER(name) [KILL_##name] = #name,
#include "kill_points.def"
#undef KILL_POINT
#undef KILL_POINT_TAKEOVER
};

static const bool of_takeover[KILL_POINTS] = {
#define KILL_POINT(name)
#define KILL_POINT_TAKEOVER(name) [KILL_##name] = true,
#include "kill_points.def"
#undef KILL_POINT
#undef KILL_POINT_TAKEOVER
};

static _Atomic unsigned own_kills[KILL_POINTS];
_Atomic unsigned *failpoint_kills = own_kills;

void failpoint_kill_arm(enum kill_point place, unsigned nth)
{
	atomic_store(&failpoint_kills[place], nth);
}

unsigned failpoint_kill_armed(enum kill_point place)
{
	return atomic_load(&failpoint_kills[place]);
}

/* The signal is ours before kill() returns: this thread does nothing more. */
void failpoint_kill_slowly(enum kill_point place)
{
	if (!count_down(&failpoint_kills[place]))
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

int failpoint_kills_share(void)
{
	void *shared = mmap(NULL, sizeof(own_kills), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return -errno;
	failpoint_kills = shared;
	return 0;
}

void failpoint_kills_begin(void)
{
	for (unsigned place = 0; place < KILL_POINTS; place++)
		if (!of_takeover[place])
			failpoint_kill_arm(place, 0);
}

/* --- memory ----------------------------------------------------------------------------------- */

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
