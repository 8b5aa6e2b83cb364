/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/ballast.h - space on a disk that is kept for what makes room.
 *
 * On a full disk rm must work, but a transaction that removes a name writes pages before it frees any.  So a file
 * without a name takes a little of the disk while there is some, and lets go of it when only that helps.  Until it
 * has been taken again nothing is added: others would use up what the next removal needs.
 *
 * Owns     that file.
 * Keeps    K1 while it is held, what it takes is there for nobody else.
 * Threads  whoever uses it brings a lock.
 * Fails    it does not: where no space can be kept, on a disk that knows no such thing, it is always held, and is
 *          of no use.
 */
#pragma once

#include <stdatomic.h>

#include "base.h"

struct ballast {
	int fd; /* -1: useless */
	atomic_bool held;
	uint64_t bytes;
};

/* What it takes now.  Any thread. */
static inline uint64_t ballast_bytes(const struct ballast *b)
{
	return b->held ? b->bytes : 0;
}

/* On the disk that the directory `dir` is on; not held yet. */
void ballast_open(struct ballast *b, const char *dir, uint64_t bytes);
void ballast_close(struct ballast *b);

/* Take it, if it is not held.  False: there is no space. */
bool ballast_hold(struct ballast *b) must_check;

/* Let go: true if it was held, so that there is more space now. */
bool ballast_release(struct ballast *b) must_check;
