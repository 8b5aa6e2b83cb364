/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/failpoint.h - calls that a test can make fail, places where it can make a thread pause, and others where it
 * can let the process die.
 *
 * Owns     one countdown per kind of failure, one time per place, one countdown per point, for the whole process.
 * Keeps    disarmed (the normal state) it is one relaxed load; nothing fails, nobody pauses and nobody dies.
 * Threads  safe from any thread, arming too.
 * Fails    mem_*: NULL, like malloc.
 */
#pragma once

#include <stdatomic.h>

#include "base.h"

enum failpoint {
	FAIL_ALLOC,
	FAIL_SQL,
	FAILPOINTS, /* up to here a call fails, and whoever made it has to put up with that */

	FAIL_PAGE_LOCK = FAILPOINTS, /* a fault's try of a page lock: it is taken, it says, which is no failure */
	COUNTDOWNS
};

enum pause {
	PAUSE_FAULT_WAIT, /* a fault that met a taken page lock, before it waits: outside of all locks and the gate */
	PAUSE_READ_REPLY, /* a read whose pages are pinned, before it is answered */
	PAUSES
};

enum kill_point {
#define KILL_POINT(name)	  KILL_##name,
#define KILL_POINT_TAKEOVER(name) KILL_##name,
#include "kill_points.def"
#undef KILL_POINT
#undef KILL_POINT_TAKEOVER
	KILL_POINTS
};

/* Let the nth call of this kind from now (1 is the next) fail, once.  0 disarms. */
void failpoint_arm(enum failpoint kind, unsigned nth);

/* True once, for the call that is to fail. */
bool failpoint_hit(enum failpoint kind);
unsigned failpoint_armed(enum failpoint kind); /* how many calls from now, 0: none */

/* Let the next thread that comes to this place sleep there, once.  0 disarms. */
void failpoint_pause_arm(enum pause place, unsigned ms);
void failpoint_pause(enum pause place);
unsigned failpoint_pause_armed(enum pause place);

extern const char *const kill_point_names[KILL_POINTS];
extern _Atomic unsigned *failpoint_kills; /* by kill_point */

/* Let the process die of SIGKILL at `place`, when the nth thread from now comes there.  0 disarms. */
void failpoint_kill_arm(enum kill_point place, unsigned nth);
unsigned failpoint_kill_armed(enum kill_point place);
void failpoint_kill_slowly(enum kill_point place); /* failpoint_kill(), for who has found it armed */

static inline void failpoint_kill(enum kill_point place)
{
	if (atomic_load_explicit(&failpoint_kills[place], memory_order_relaxed))
		failpoint_kill_slowly(place);
}

/* Who forks processes that die calls this before the first: what is armed is then one thing for all of them, and a
 * point at which one has died is not armed any more.  -errno. */
int failpoint_kills_share(void) must_check;
/* And each of them this, first of all: what was armed for the last one dies with it, but for points of a takeover. */
void failpoint_kills_begin(void);

/* How the daemon's own memory is taken, so that every allocation has its failpoint.
 * mem_alloc() returns zeroed memory. */
void *mem_alloc(size_t count, size_t size) must_check;
void *mem_alloc_lines(size_t size) must_check; /* the same, on cache lines of its own */
void mem_free(void *p);
void mem_cleanup(void *pp); /* for _cleanup_() */
