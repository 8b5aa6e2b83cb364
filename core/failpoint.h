/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/failpoint.h - allocations and SQL calls that a test can make fail.
 *
 * Owns     one countdown per kind of failure, for the whole process.
 * Keeps    disarmed (the normal state) it is one relaxed load and never fails anything.
 * Threads  safe from any thread; arming is for tests, with nothing else running.
 * Fails    mem_*: NULL, like malloc.
 */
#pragma once

#include "base.h"

enum failpoint { FAIL_ALLOC, FAIL_SQL, FAILPOINTS };

/* Let the nth call of this kind from now (1 is the next) fail, once.  0 disarms. */
void failpoint_arm(enum failpoint kind, unsigned nth);

/* True once, for the call that is to fail. */
bool failpoint_hit(enum failpoint kind);

/* How the daemon's own memory is taken, so that every allocation has its failpoint.
 * mem_alloc() returns zeroed memory. */
void *mem_alloc(size_t count, size_t size) must_check;
void *mem_alloc_lines(size_t size) must_check; /* the same, on cache lines of its own */
void mem_free(void *p);
void mem_cleanup(void *pp); /* for _cleanup_() */
