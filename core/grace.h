/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/grace.h - when what nobody finds any more may be freed: as soon as all have left who may have found it before.
 *
 * Owns     how many are inside, by thread slot and in two halves.
 * Keeps    E1 what was out of reach before grace_ask() is held by nobody when grace_over() says so.
 *          E2 nobody waits for anybody: who is inside for long only delays what would be freed.
 * Threads  grace_enter() and grace_leave() from any, a stay ends on the thread that began it, and stays may nest;
 *          grace_ask() and grace_over() from one at a time.
 * Fails    never.
 *
 * Who looks something up does so inside, and by a sequentially consistent load of what says whether it is there; who
 * takes it out of reach does so by such a store.  A stay costs two atomics in a line of the thread's own.
 */
#pragma once

#include <stdatomic.h>

#include "base.h"

struct grace {
	_Atomic uint64_t turn; /* its lowest bit: in which half they are counted who come now */
	struct {
		_Atomic uint32_t inside[2];
	} __attribute__((aligned(64))) slot[THREAD_SLOTS];
};

struct stay {
	_Atomic uint32_t *inside; /* where it is counted */
};

extern _Thread_local unsigned grace_depth; /* stays of this thread, wherever */

static inline struct stay grace_enter(struct grace *g)
{
	unsigned half = atomic_load_explicit(&g->turn, memory_order_relaxed) & 1;
	struct stay s = { &g->slot[thread_slot()].inside[half] };

	atomic_fetch_add(s.inside, 1);
	grace_depth++;
	return s;
}

/* For _cleanup_(). */
static inline void grace_leave(struct stay *s)
{
	grace_depth--;
	atomic_fetch_sub(s->inside, 1);
}

/* What those must be who look something up. */
static inline bool grace_is_inside(void)
{
	return grace_depth;
}

/* All who are inside now have left when grace_over() is true of what this returns. */
uint64_t grace_ask(const struct grace *g) must_check;
bool grace_over(struct grace *g, uint64_t asked) must_check;
