/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/fault_frames.c - where a batch has its new frames from, and what is done when there are none.
 *
 *   wanted -> stash -> the fault     several at a time, in their order           [fault_take_frame]
 *   none, and the page is ours       stored in place, undigested                 [fault_do_without]
 *   none                             whoever merges is told, the batch ends here [fault_do_without]
 *
 * A page that is written whole gets a new frame, as it has to be digested before anybody may see it; the old one is
 * free after that.  Where none can be had it is stored in place, so what is there can be written at the limit, too.
 *
 * For a writeback to a file without a name there is no store_limit.  Whoever removes a file wants its frames back, and
 * its last user cannot leave before all that he has stored is written, however much that is: so this ends, and that
 * much comes back with it.  Nobody can tell him from one who lives on and reads it again: nor is there one for him.
 */
#include "fault_inside.h"

#include "ptab.h"

static int take(struct batch *b, unsigned n, enum frames_urgency urgency)
{
	int r = frames_take(b->pool->frames, b->inode->record->domain, n, urgency, b->stash);

	b->stashed = b->stash_end = r == FRAMES_OK ? n : 0;
	return r == FRAMES_OK ? 0 : -ENOSPC;
}

static enum frames_urgency urgency_of(const struct batch *b)
{
	if (b->flags & FAULT_URGENT)
		return FRAMES_FREEING;
	if (!(b->flags & FAULT_WRITEBACK))
		return FRAMES_ORDINARY;
	return inode_attr_get(b->inode).nlink ? FRAMES_URGENT : FRAMES_ORPHAN;
}

static int fill_stash(struct batch *b, unsigned wanted)
{
	enum frames_urgency urgency = urgency_of(b);
	int r = take(b, MIN(wanted, (unsigned)STASH), urgency);

	return r < 0 ? take(b, 1, urgency) : r;
}

int fault_take_frame(struct batch *b, unsigned wanted, uint32_t *ret_frame)
{
	int r = b->stashed ? 0 : fill_stash(b, wanted);

	if (r < 0)
		return r;
	/* In their order: neighbours in the file become neighbours in the store, and one piece of a reply. */
	*ret_frame = b->stash[b->stash_end - b->stashed--];
	return 0;
}

void fault_give_back(struct batch *b)
{
	while (b->stashed)
		content_unpin(b->pool->content, b->stash[b->stash_end - b->stashed--]);
}

int fault_do_without(struct batch *b, struct fault *f)
{
	bool alone = f->len && !f->source && !f->not_alone && slot_is_frame(f->seen) &&
		     frames_look(b->pool->frames, f->seen).refs == 1;

	if (alone) {
		f->in_place = true; /* if it is not alone after all, it comes back here as such */
		return 0;
	}
	pool_starves(b->pool);
	if (!(b->flags & (FAULT_WRITEBACK | FAULT_UNSHARE)))
		pool_count(b->pool, ATTR_fault_refused, 1);
	return -ENOSPC;
}
