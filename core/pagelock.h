/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/pagelock.h - one slot of a file, held for the few instructions that look at it and change it.
 *
 * Owns     a striped table of locks: two slots may share one, which costs a retry, nothing else.
 * Keeps    P1 under a map lock a page lock is only ever tried.
 *          P2 who has waited with a ticket gets it before whoever comes later, in the order of tickets.
 * Threads  rank PAGE while held.  Waiting is done with no lock at all.
 * Fails    never; trying may say no.
 */
#pragma once

#include <stdatomic.h>

#include "base.h"

enum { PAGELOCK_STRIPES = 1024 };

struct pagelocks {
	struct pagelock {
		_Atomic uint64_t word;
		_Atomic uint32_t wakes;
		_Atomic uint32_t sleepers;
	} stripe[PAGELOCK_STRIPES];
};

/* What a fault that meets a taken page lock carries with it. Zero it before the first try. */
struct pagelock_wait {
	unsigned attempts;
	bool has_ticket;
	uint16_t ticket;
};

bool pagelock_try(struct pagelocks *p, uint32_t inode, uint64_t index, struct pagelock_wait *wait);
void pagelock_drop(struct pagelocks *p, uint32_t inode, uint64_t index);

/* After a try failed and all locks were dropped: wait until trying again is worth it.  Politely at
 * first; from the third time on with a ticket. */
void pagelock_wait(struct pagelocks *p, uint32_t inode, uint64_t index, struct pagelock_wait *wait);

/* Give up waiting (the slot is beyond the end now): a ticket is passed on. */
void pagelock_forfeit(struct pagelocks *p, uint32_t inode, uint64_t index, struct pagelock_wait *wait);
