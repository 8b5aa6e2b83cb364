/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/adopt.h - what page tables say, counted again: references, slots, what is charged.
 *
 * Owns     the threads that do it, one for each CPU while there is enough to do.
 * Keeps    Q1 a table is found to be whole before a slot of it is looked at.
 *          Q2 each slot is counted once, whoever counts it.
 * Threads  adopt_begin() and adopt_end() in one thread, before any others but those.  Between them nobody changes
 *          slots, and record->flags only by atomic operations.
 * Fails    -EUCLEAN: these are no tables of ours.  A thread that cannot be had is done without.
 */
#pragma once

#include "pool.h"

enum { ADOPT_THREADS_MAX = 8 };

struct adoption {
	struct pool *pool;
	struct lock lock; /* of the place that all have come to: */
	struct inode *inode GUARDED_BY(lock);
	uint32_t number GUARDED_BY(lock);
	uint64_t index GUARDED_BY(lock);
	atomic_int result;
	unsigned threads;
	pthread_t thread[ADOPT_THREADS_MAX];
};

/* Walk all tables, and let others count what is in them.  Whatever it returns, adopt_end() comes after it. */
int adopt_begin(struct adoption *a, struct pool *p) must_check;

/* Help, and wait until all is counted. */
int adopt_end(struct adoption *a) must_check;
