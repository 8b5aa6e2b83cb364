/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/merge.h - what the scanner does with one page.
 *
 * Owns     nothing.
 * Keeps    M1 a page that changed since it was last looked at is left alone for one more pass (but for MERGE_URGENT).
 *          M2 a slot is swung to another frame only when the bytes of both have been compared and neither
 *             can have changed since: the slot's is pinned, the other is in the index.
 *          M3 a page is skipped only after four passes in which it did not come to rest, and for at most eight
 *             (KSM's smart_scan).
 * Threads  inside the gate, with no lock; waits for nothing.
 * Fails    it does not: what could not be done now is met again in the next pass.
 */
#pragma once

#include "pool.h"

enum merge_r {
	MERGE_NOTHING,  /* shared, in the index, or gone */
	MERGE_LATER,    /* somebody else is at it, or there is no memory: another pass is owed */
	MERGE_VOLATILE, /* it changed, or was not tracked: next pass */
	MERGE_SKIPPED,  /* it has changed at every look so far: not worth one now */
	MERGE_INDEXED,  /* unique; others can find it from now on */
	MERGE_MERGED,   /* refers to an equal frame now */
	MERGE_ZEROED,   /* is a page of zeroes now, without a frame */
};

/* For who looks at slots in his own time, as the scanner does: waits for nothing. */
enum merge_hold {
	MERGE_HELD,
	MERGE_GONE,    /* the slot says something else by now */
	MERGE_BUSY,    /* somebody else is at it */
	MERGE_REFUSED, /* `to` may have no slot more */
};

/* Pin the slot's frame if it still is `frame`: balance with content_unpin(). */
enum merge_hold merge_pin(struct pool *p, struct inode *i, uint64_t index, uint32_t frame) must_check;
/* Let the slot, if it still refers to `frame`, refer to `to` (pinned, or SLOT_ZERO), which has equal bytes. */
enum merge_hold merge_swing(struct pool *p, struct inode *i, uint64_t index, uint32_t frame, uint32_t to) must_check;

enum merge_how {
	MERGE_THOROUGH,
	MERGE_SMART,  /* some are skipped: smart_scan */
	MERGE_URGENT, /* nothing is left alone because it may change again */
};

/* Look at slot `index`, which may be merged and referred to `frame` a moment ago. */
enum merge_r merge_page(struct pool *p, struct inode *i, uint64_t index, uint32_t frame, enum merge_how how);
