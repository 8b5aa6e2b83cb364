/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/fault_read.c - pages on their way out: looked up, pinned, and nothing copied.
 *
 *   FRAME                        pinned: whoever writes to it splits   [read_one]
 *   HOLE, nobody can store       zeroes, and a mark in the inode       [must_reserve]
 *   HOLE, somebody can           LENT first, as FUSE asks only once    [range_reserve]
 *   HOLE, for who keeps nothing  zeroes                                [fault_pin]
 */
#include "fault.h"

#include "failpoint.h"
#include "range.h"

/* Pass on a ticket that was not needed.  Those before us in the queue may be waiting to enter the
 * gate, so we must not be inside it meanwhile. */
void fault_forfeit(struct pool *p, struct inode *i, uint64_t index, struct pagelock_wait *wait)
{
	if (!wait->has_ticket)
		return;
	pool_step_out(p);
	pagelock_forfeit(&p->pagelocks, i->number, index, wait);
	pool_step_in(p);
}

enum read_r { READ_DONE, READ_HOLE, READ_BUSY };

static enum read_r read_one(struct pool *p, struct inode *i, uint64_t index,
			    struct pagelock_wait *wait, uint32_t *ret_frame)
	REQUIRES_SHARED(i->map)
{
	_Atomic uint32_t *slot = ptab_slot(i, p->frames, index);
	enum read_r r = READ_DONE;
	uint32_t frame;

	*ret_frame = 0;
	if (!slot || *slot == SLOT_HOLE)
		return READ_HOLE;
	if (failpoint_hit(FAIL_PAGE_LOCK) || !pagelock_try(&p->pagelocks, i->number, index, wait))
		return READ_BUSY;
	frame = *slot;
	if (slot_is_frame(frame)) {
		if (frames_pin(p->frames, frame))
			*ret_frame = frame;
		else
			r = READ_BUSY; /* more readers than can be counted: they go away soon */
	}
	pagelock_drop(&p->pagelocks, i->number, index);
	return r;
}

/* A hole that is read while nobody can store into it costs nothing, but is remembered: that page of zeroes must have
 * left the cache before somebody can. The mark first: who comes counts himself, and then looks for it. */
static bool must_reserve(struct inode *i, uint64_t size_pages, uint64_t index)
{
	if (!inode_may_store(i) && !(i->record->flags & INODE_HOLES_SERVED))
		atomic_fetch_or(&i->record->flags, INODE_HOLES_SERVED);
	return inode_may_store(i) && index < size_pages;
}

/* As many as go without a wait; *ret_count of them.  `cached`: the reader keeps what it gets. */
static enum read_r read_some(struct pool *p, struct inode *i, uint64_t index, unsigned count, bool cached,
			     struct pagelock_wait *wait, uint32_t *ret_frame, unsigned *ret_count)
{
	uint64_t size_pages;
	enum read_r r = READ_DONE;
	unsigned n = 0;

	rwlock_take_shared(&i->map);
	size_pages = pages_of(inode_size(i));
	while (n < count) {
		r = read_one(p, i, index + n, wait, &ret_frame[n]);
		if (r == READ_HOLE && !(cached && must_reserve(i, size_pages, index + n)))
			r = READ_DONE;
		if (r != READ_DONE)
			break;
		n++;
		if (wait->has_ticket)
			break; /* not needed after all: it has to be passed on first */
	}
	rwlock_drop_shared(&i->map);
	*ret_count = n;
	return r;
}

static void wait_for_page(struct pool *p, struct inode *i, uint64_t index, struct pagelock_wait *wait)
{
	uint32_t seq = i->seq;

	pool_step_out(p);
	failpoint_pause(PAUSE_FAULT_WAIT);
	pagelock_wait(&p->pagelocks, i->number, index, wait);
	pool_step_in(p);
	pool_count(p, i->seq == seq ? ATTR_fault_retries_resumed : ATTR_fault_retries_restarted, 1);
}

unsigned fault_pin(struct pool *p, struct inode *i, uint64_t index, unsigned count, uint32_t *ret_frame)
{
	struct pagelock_wait wait = { 0 };
	unsigned n;

	while (read_some(p, i, index, count, false, &wait, ret_frame, &n) == READ_BUSY && !n)
		wait_for_page(p, i, index, &wait);
	fault_forfeit(p, i, index, &wait);
	return n;
}

int fault_read(struct pool *p, struct inode *i, uint64_t index, unsigned count, uint32_t *ret_frame)
{
	struct pagelock_wait wait = { 0 };
	unsigned n = 0;
	int r = 0;

	while (n < count && !r) {
		uint64_t waited_for = index + n;
		unsigned some;
		enum read_r got = read_some(p, i, index + n, count - n, true, &wait, ret_frame + n, &some);

		n += some;
		if (got != READ_BUSY)
			fault_forfeit(p, i, waited_for, &wait);
		if (got == READ_HOLE)
			r = range_reserve(p, i, index + n, count - n, SLOT_LENT);
		if (got == READ_BUSY)
			wait_for_page(p, i, index + n, &wait);
	}
	for (unsigned k = 0; r < 0 && k < n; k++)
		if (ret_frame[k])
			content_unpin(p->content, ret_frame[k]);
	return r;
}
