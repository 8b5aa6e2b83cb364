/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/merge.h - what the scanner does with one page.
 *
 * Owns     nothing.
 * Keeps    M1 a page that changed since it was last looked at is left alone for one more pass.
 *          M2 a slot is swung to another frame only when the bytes of both have been compared and neither
 *             can have changed since: the slot's is pinned, the other is in the index.
 * Threads  inside the gate, with no lock; waits for nothing.
 * Fails    it does not: what could not be done now is met again in the next pass.
 */
#pragma once

#include "pool.h"

enum merge_r {
	MERGE_NOTHING,  /* shared, in the index, gone, or somebody else is at it */
	MERGE_VOLATILE, /* it changed: next pass */
	MERGE_INDEXED,  /* unique; others can find it from now on */
	MERGE_MERGED,   /* refers to an equal frame now */
	MERGE_ZEROED,   /* is a page of zeroes now, without a frame */
};

/* Look at slot `index`, which referred to `frame` a moment ago. */
enum merge_r merge_page(struct pool *p, struct inode *i, uint64_t index, uint32_t frame);
