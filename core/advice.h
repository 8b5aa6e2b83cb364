/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/advice.h - which pages of a file may be merged: what was said of the whole, and of ranges of it.
 *
 * Owns     the frames that hold an inode's ranges; INODE_UNMERGEABLE and INODE_KEEP in its flags.
 * Keeps    O1 ranges are a sorted array of points: what a point says holds up to the next.  The last point gives
 *             back to what holds for the whole file, so pages beyond it are plain.
 *          O2 the array is replaced by one store of the record's word; cut shorter by at most two.
 * Threads  asking needs the map lock shared.  Saying needs the gate closed, so that nobody goes on by what held
 *          before; cutting (truncation) takes the map lock itself.
 * Fails    -ENOMEM: no frames for the array, or more than ADVICE_POINTS_MAX.
 */
#pragma once

#include "pool.h"
#include "ptab.h"

enum advice { ADVICE_UNMERGEABLE, ADVICE_MERGEABLE, ADVICE_KEEP };

/* Two for each range that touches no other.  All of them are copied at each change, with the gate closed: no more than
 * takes some tens of microseconds. */
enum { ADVICE_POINTS_MAX = 1 << 14 };

static inline bool advice_is_plain(const struct inode *i)
{
	return !i->record->ranges && !(i->record->flags & (INODE_UNMERGEABLE | INODE_KEEP)) &&
	       i->record->domain != DOMAIN_ALONE;
}

/* What was said of the whole; of a directory, what its new entries start with. */
enum advice advice_of_whole(const struct inode *i);
void advice_set_whole(struct pool *p, struct inode *i, enum advice advice);
/* A new inode in `dir` starts with what the directory says. */
void advice_inherit(struct inode *i, const struct inode *dir);

bool advice_may_merge(const struct inode *i, const struct frames *f, uint64_t index) REQUIRES_SHARED(i->map);
/* Pages of [from, end) that may not. */
uint64_t advice_left_out(const struct inode *i, const struct frames *f, uint64_t from, uint64_t end)
	REQUIRES_SHARED(i->map);

/* Of pages [from, end): one or the other, never ADVICE_KEEP.  1: that held already. */
int advice_set_range(struct pool *p, struct inode *i, uint64_t from, uint64_t end, enum advice advice) must_check;

/* Forget what was said of ranges from page `end` on. */
void advice_cut(struct pool *p, struct inode *i, uint64_t end);

/* O1, for check.c. */
bool advice_is_sound(const struct inode *i, const struct frames *f) REQUIRES_SHARED(i->map);

/* Every frame that holds ranges. */
int advice_walk_nodes(const struct inode *i, const struct frames *f, ptab_visit *visit, void *arg);
