/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/fault_unshare.c - a write of nothing, which leaves each page alone on its frame.
 *
 *   alone, not in the index -> untracked   nothing moves                          [collect, fault_run]
 *   alone, in the index     -> untracked   it is withdrawn, as for a store        [fault_run]
 *   shared, or looked at    -> untracked   a copy is swung in, as for a store     [fault_run]
 *
 * So breaking what was merged knows no way of its own, as KSM does it by faulting the page in for writing.
 */
#include "fault_inside.h"

#include "ptab.h"

enum { UNSHARE_LOOK = 4096 };

/* Slots that still share, or are in the index, or do not count as untracked yet; up to a batch of them. */
static unsigned collect(struct batch *b, uint64_t *io_index, uint64_t end, bool *ret_more, unsigned *ret_shared)
{
	struct pool *p = b->pool;
	_Atomic uint32_t *slot = NULL;
	unsigned n = 0, looked = 0;

	rwlock_take_shared(&b->inode->map);
	while (n < BATCH_PAGES && looked++ < UNSHARE_LOOK &&
	       (slot = ptab_next(b->inode, p->frames, *io_index, end, io_index))) {
		uint32_t frame = *slot;
		struct frame_info info = { 0 };

		if (slot_is_frame(frame))
			info = frames_look(p->frames, frame);
		if (info.refs > 1 ? !(b->flags & FAULT_KEEP_SHARED) : info.refs && !info.untracked)
			b->fault[n++] = (struct fault){ .index = *io_index };
		*ret_shared += info.refs > 1;
		++*io_index;
	}
	rwlock_drop_shared(&b->inode->map);
	*ret_more = slot != NULL;
	return n;
}

int fault_unshare(struct pool *p, struct inode *i, uint64_t *io_index, uint64_t end, unsigned flags)
{
	uint64_t from = *io_index;
	unsigned all;
	struct batch b;
	unsigned shared = 0;
	bool more;
	int r;

	fault_begin(&b, p, i, FAULT_UNSHARE | flags);
	all = b.count = collect(&b, io_index, end, &more, &shared);
	if (!all)
		return more;
	if (shared && !frames_spare(p->frames, shared)) { /* what is alone needs no frame */
		*io_index = from;
		return -ENOMEM;
	}
	r = fault_run(&b);
	fault_finish(&b, all);
	if (r < 0 || b.count < all) {
		*io_index = from;
		return -ENOMEM;
	}
	return more;
}
