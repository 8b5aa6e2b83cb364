/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/failpoint.h - calls that a test can make fail, and places where it can make a thread pause.
 *
 * Owns     one countdown per kind of failure, and one time per place, for the whole process.
 * Keeps    disarmed (the normal state) it is one relaxed load; nothing fails and nobody pauses.
 * Threads  safe from any thread, arming too.
 * Fails    mem_*: NULL, like malloc.
 */
#pragma once

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

/* Let the nth call of this kind from now (1 is the next) fail, once.  0 disarms. */
void failpoint_arm(enum failpoint kind, unsigned nth);

/* True once, for the call that is to fail. */
bool failpoint_hit(enum failpoint kind);
unsigned failpoint_armed(enum failpoint kind); /* how many calls from now, 0: none */

/* Let the next thread that comes to this place sleep there, once.  0 disarms. */
void failpoint_pause_arm(enum pause place, unsigned ms);
void failpoint_pause(enum pause place);
unsigned failpoint_pause_armed(enum pause place);

/* How the daemon's own memory is taken, so that every allocation has its failpoint.
 * mem_alloc() returns zeroed memory. */
void *mem_alloc(size_t count, size_t size) must_check;
void *mem_alloc_lines(size_t size) must_check; /* the same, on cache lines of its own */
void mem_free(void *p);
void mem_cleanup(void *pp); /* for _cleanup_() */
