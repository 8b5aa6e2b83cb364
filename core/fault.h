/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/fault.h - what reading or writing pages of a file means.
 *
 * Owns     nothing that outlives a call; read: the pins it hands out.
 * Keeps    F1 a slot is swung only to a frame whose content is complete.
 *          F2 the old reference is put after the swing, never before.
 *          F3 nobody sleeps, takes memory, digests or compares under a map lock; what is copied there is
 *             the one page written in place.
 *          F4 a split goes towards the writer, away from whoever looks at the old frame.
 *          F5 nothing is merged by rules that are over: who waited asks again what may be merged.
 * Threads  called inside the gate with no lock; leaves the gate while it waits.
 * Fails    -ENOSPC: the size of the mount, or memory, has run out.  For a writeback it is only memory: what was
 *          written is told, and who called comes back with the rest.
 */
#pragma once

#include "pool.h"

enum fault_flag {
	FAULT_WRITEBACK = 1 << 0, /* never refused for the limit, never extends */
	FAULT_URGENT = 1 << 1,    /* may use the reserve of frames (truncation) */
	FAULT_UNSHARE = 1 << 2,   /* fault_unshare()'s own: nothing is written */
	FAULT_KEEP_SHARED = 1 << 3, /* and what others refer to as well is left alone */
};

/* Write `len` bytes at `offset`: at most BATCH_PAGES whole pages and one partial at each end.  The size is
 * not touched: for a writeback what lies beyond it is dropped; else the caller extends it after.
 * *ret_written is short where the limit was reached; 0 bytes are an error instead. */
int fault_write(struct pool *p, struct inode *i, uint64_t offset, const void *data, size_t len,
		unsigned flags, size_t *ret_written) must_check;

/* Look up `count` slots from `index`, pinning their frames: ret_frame[n] is a pinned frame, or 0 for
 * zeroes.  Holes are reserved first if somebody may store into the file. */
int fault_read(struct pool *p, struct inode *i, uint64_t index, unsigned count,
	       uint32_t *ret_frame) must_check;

/* The same for somebody who keeps nothing of it in a cache: holes are zeroes and stay holes.  At most `count`, at
 * least one: how many there are without a wait once there is one, so who waits here has pinned nothing. */
unsigned fault_pin(struct pool *p, struct inode *i, uint64_t index, unsigned count, uint32_t *ret_frame) must_check;

/* Make `count` pages (<= BATCH_PAGES) of `to` from `to_index` on what those of `from` are: by referring to their
 * frames, where the rules let both files share and `from` is of the same domain; else by a write of the same
 * bytes.  As fault_write() it leaves the size alone.  *ret_copied may be less for no reason; 0 pages are an error
 * instead.  `from` may be `to`. */
int fault_copy(struct pool *p, struct inode *from, uint64_t from_index, struct inode *to, uint64_t to_index,
	       unsigned count, unsigned *ret_copied) must_check;

/* Take some of [*io_index, end) out of merging: each page gets a frame of its own, as if somebody were to
 * write to it (KSM's break_ksm), and counts as untracked.  flags: 0 or FAULT_KEEP_SHARED.  *io_index moves
 * behind what was done; 1: there is more. -ENOMEM: it stops while there is still room for those who must have
 * it. */
int fault_unshare(struct pool *p, struct inode *i, uint64_t *io_index, uint64_t end, unsigned flags) must_check;

/* Pass on a page lock's ticket that was not needed after all. */
void fault_forfeit(struct pool *p, struct inode *i, uint64_t index, struct pagelock_wait *wait);

/* See to it that `index` has a slot; takes no map lock shared for long.  If others take the node away
 * again, the caller finds out when it looks. */
int fault_add_nodes(struct pool *p, struct inode *i, uint64_t index) must_check;
