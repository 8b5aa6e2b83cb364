/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/range.c - the exclusive half of the map lock.
 *
 *   any -> HOLE               truncate, punch, the end of an inode   [clear_some]
 *   HOLE -> RESERVED, LENT    fallocate, read of a hole              [reserve_some]
 *   LENT -> HOLE              the last who could store has closed, maybe before it was lent   [return_some]
 *
 * With the map lock exclusive no fault is inside, so page locks are not needed.  Batches are short,
 * and references are put after the lock is dropped: freeing takes longer than unlinking.
 */
#include "range.h"

#include "failpoint.h"
#include "fault.h"

enum { CLEAR_SLOTS = 512 };

/* Those from `at` on that share a leaf with it. */
static uint64_t leaf_end(uint64_t at, uint64_t end)
{
	return MIN(end, (at | (PTAB_FANOUT - 1)) + 1);
}

static void put_slot(struct pool *p, struct inode *i, uint32_t slot)
{
	pool_slot_changed(p, i, slot, SLOT_HOLE);
	if (slot_is_frame(slot))
		content_unref(p->content, slot);
}

static void put_nodes(struct pool *p, const uint32_t *node, unsigned n)
{
	while (n)
		frames_put_table(p->frames, node[--n]);
}

/* One batch; false when nothing is left. */
static bool clear_some(struct pool *p, struct inode *i, uint64_t from, uint64_t end)
{
	uint32_t slot[CLEAR_SLOTS], node[PTAB_SPARES + 2 * PTAB_LEVELS_MAX];
	unsigned nodes, n;
	bool more;

	rwlock_take(&i->map);
	n = ptab_clear(i, p->frames, from, end, slot, CLEAR_SLOTS, node, &nodes);
	more = n == CLEAR_SLOTS || nodes == PTAB_SPARES;
	if (!more) /* nodes between the two have gone as a whole */
		nodes += ptab_prune(i, p->frames, from, node + nodes);
	if (!more && leaf_end(from, end) < end)
		nodes += ptab_prune(i, p->frames, end - 1, node + nodes);
	failpoint_kill(KILL_nodes_cleared);
	i->seq++;
	rwlock_drop(&i->map);
	for (unsigned k = 0; k < n; k++)
		put_slot(p, i, slot[k]);
	put_nodes(p, node, nodes);
	if (n) {
		pool_uncharge(p, i, n);
		failpoint_kill(KILL_range_clearing);
	}
	return more;
}

void range_clear(struct pool *p, struct inode *i, uint64_t from, uint64_t end)
{
	while (from < end && clear_some(p, i, from, end)) {
		/* whoever wants a snapshot need not wait for all of it */
		pool_step_aside(p);
	}
}

void range_drop(struct pool *p, struct inode *i, uint64_t from, uint64_t end)
{
	_Atomic uint32_t *slot;

	do {
		rwlock_take_shared(&i->map);
		while ((slot = ptab_next(i, p->frames, from, end, &from)) && *slot == SLOT_RESERVED)
			from++;
		rwlock_drop_shared(&i->map);
		if (slot)
			range_clear(p, i, from, from + 1);
	} while (slot);
}

static bool reads_as_zero(struct pool *p, struct inode *i, uint64_t index)
{
	_Atomic uint32_t *slot;
	bool zero;

	rwlock_take_shared(&i->map);
	slot = ptab_slot(i, p->frames, index);
	zero = !slot || !slot_is_frame(*slot);
	rwlock_drop_shared(&i->map);
	return zero;
}

/* Zeroes into a part of one page, if it holds anything else. */
static int zero_part(struct pool *p, struct inode *i, uint64_t offset, size_t len)
{
	static const uint8_t zeroes[PAGE_BYTES];
	size_t written;

	if (!len || reads_as_zero(p, i, offset >> PAGE_SHIFT))
		return 0;
	return fault_write(p, i, offset, zeroes, len, FAULT_URGENT, &written);
}

int range_zero(struct pool *p, struct inode *i, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;
	uint64_t first = pages_of(offset), last = end >> PAGE_SHIFT; /* whole pages between */
	int r;

	if (first > last) /* within one page */
		return zero_part(p, i, offset, len);
	r = zero_part(p, i, offset, (first << PAGE_SHIFT) - offset);
	if (!r)
		r = zero_part(p, i, last << PAGE_SHIFT, end - (last << PAGE_SHIFT));
	failpoint_kill(KILL_range_zeroed);
	if (!r)
		range_clear(p, i, first, last);
	return r;
}

int range_end_at(struct pool *p, struct inode *i, uint64_t size)
{
	unsigned from = size % PAGE_BYTES, n = from;
	const uint8_t *page;
	uint32_t frame;

	if (!from || !fault_pin(p, i, size >> PAGE_SHIFT, 1, &frame) || !frame)
		return 0;
	page = frames_data(p->frames, frame);
	while (n < PAGE_BYTES && !page[n])
		n++;
	content_unpin(p->content, frame);
	return n < PAGE_BYTES ? range_zero(p, i, size, PAGE_BYTES - from) : 0;
}

static uint64_t count_holes(struct pool *p, struct inode *i, uint64_t from, uint64_t end)
{
	uint64_t holes = end - from;

	while (from < end) {
		uint64_t stop = leaf_end(from, end);

		rwlock_take_shared(&i->map);
		while (ptab_next(i, p->frames, from, stop, &from)) {
			holes--;
			from++;
		}
		rwlock_drop_shared(&i->map);
		from = stop;
		if (from < end)
			pool_step_aside(p);
	}
	return holes;
}

/* Nodes that were added, and in which nothing is reserved after all. */
static void prune(struct pool *p, struct inode *i, uint64_t from, uint64_t end)
{
	uint32_t node[PTAB_LEVELS_MAX];

	for (unsigned n; from < end; from = leaf_end(from, end)) {
		rwlock_take(&i->map);
		n = ptab_prune(i, p->frames, from, node);
		i->seq++;
		rwlock_drop(&i->map);
		put_nodes(p, node, n);
		pool_step_aside(p);
	}
}

/* All, or none. */
static int add_nodes(struct pool *p, struct inode *i, uint64_t from, uint64_t end)
{
	int r = 0;

	for (uint64_t at = from; at < end; at = leaf_end(at, end)) {
		r = fault_add_nodes(p, i, leaf_end(at, end) - 1);
		if (r < 0) {
			prune(p, i, from, at);
			break;
		}
		pool_step_aside(p);
	}
	return r;
}

/* Reserve within one leaf; false if its nodes went away meanwhile. */
static bool reserve_some(struct pool *p, struct inode *i, uint64_t from, uint64_t end, enum slot as,
			 uint64_t *io_left)
{
	uint32_t node[PTAB_LEVELS_MAX];
	unsigned nodes = 0;
	bool there = true;

	rwlock_take(&i->map);
	if (as == SLOT_LENT) /* a truncation may have come first */
		end = MIN(end, pages_of(inode_size(i)));
	if (from >= end)
		nodes = ptab_prune(i, p->frames, from, node);
	for (; from < end && there; from++) {
		_Atomic uint32_t *slot = ptab_slot(i, p->frames, from);

		there = slot != NULL;
		if (there && *slot == SLOT_LENT && as == SLOT_RESERVED) { /* charged already, and kept from now on */
			*slot = as;
			pool_slot_changed(p, i, SLOT_LENT, as);
		}
		if (!there || *slot != SLOT_HOLE)
			continue;
		if (*io_left)
			--*io_left;
		else
			(void)pool_charge(p, i, 1, true); /* a hole made since they were counted */
		*slot = as;
		failpoint_kill(KILL_range_reserved);
		pool_slot_changed(p, i, SLOT_HOLE, as);
	}
	rwlock_drop(&i->map);
	put_nodes(p, node, nodes);
	return there;
}

int range_reserve(struct pool *p, struct inode *i, uint64_t index, uint64_t count, enum slot as)
{
	uint64_t end = index + count, left;
	int r;

	if (count > i->record->slots + pool_size_pages(p)) /* no need to count */
		return -ENOSPC;
	left = count_holes(p, i, index, end);

	if (as == SLOT_RESERVED && left > frames_left(p->frames, FRAMES_ORDINARY))
		return -ENOSPC; /* as a write of them would; by the limit there is now, for nothing is kept for them */
	if (!pool_charge(p, i, left, false))
		return -ENOSPC;
	r = add_nodes(p, i, index, end); /* first: what could fail has nothing to take back then */
	while (index < end && !r) {
		uint64_t stop = leaf_end(index, end);

		if (reserve_some(p, i, index, stop, as, &left))
			index = stop;
		else
			r = fault_add_nodes(p, i, stop - 1);
		if (index < end)
			pool_step_aside(p);
	}
	pool_uncharge(p, i, left);
	if (as == SLOT_LENT) { /* said after it is so: who gives back meanwhile may have passed what he did not find */
		atomic_fetch_or(&i->record->flags, INODE_LENT);
		range_return_lent(p, i);
	}
	return r;
}

/* Those of a leaf; false when there is none, or (*ret_stopped) somebody comes to store into it. */
static bool return_some(struct pool *p, struct inode *i, uint64_t *io_index, bool *ret_stopped)
{
	uint32_t node[PTAB_LEVELS_MAX];
	unsigned count = 0, nodes = 0, lent = 0;
	_Atomic uint32_t *slot = NULL;

	rwlock_take(&i->map);
	*ret_stopped = inode_may_store(i);
	if (!*ret_stopped)
		slot = ptab_leaf(i, p->frames, io_index, &count);
	for (unsigned n = 0; slot && n < count; n++) {
		if (slot[n] != SLOT_LENT)
			continue;
		slot[n] = SLOT_HOLE;
		pool_slot_changed(p, i, SLOT_LENT, SLOT_HOLE);
		lent++;
	}
	if (slot)
		nodes = ptab_prune(i, p->frames, *io_index, node);
	i->seq++;
	rwlock_drop(&i->map);
	put_nodes(p, node, nodes);
	pool_uncharge(p, i, lent);
	failpoint_kill(KILL_lent_returned);
	*io_index += count;
	return slot != NULL;
}

/* True when somebody has come. */
static bool return_all(struct pool *p, struct inode *i)
{
	bool stopped = false;
	uint64_t index = 0;

	while (return_some(p, i, &index, &stopped))
		pool_step_aside(p);
	return stopped;
}

void range_return_lent(struct pool *p, struct inode *i)
{
	while (!inode_may_store(i) && (atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_LENT) & INODE_LENT)) {
		/* The kernel may still hold those pages of zeroes.  Said first: who comes meanwhile has to know. */
		failpoint_kill(KILL_lent_before);
		atomic_fetch_or(&i->record->flags, INODE_HOLES_SERVED);
		/* What is lent to somebody who has come stays so until he closes, which he may have done by now. */
		if (return_all(p, i))
			atomic_fetch_or(&i->record->flags, INODE_LENT);
	}
}

/* What is reserved may have been stored into, and not yet written back, while somebody can. */
static bool is_data(const struct inode *i, uint32_t slot)
{
	return slot != SLOT_HOLE && (i->record->stores || (slot != SLOT_RESERVED && slot != SLOT_LENT));
}

static bool seek_data(struct pool *p, struct inode *i, uint64_t at, uint64_t end, uint64_t *ret)
{
	_Atomic uint32_t *slot = NULL;
	bool found = false;

	while (at < end && !found) {
		rwlock_take_shared(&i->map);
		for (unsigned n = 0; n < CLEAR_SLOTS && !found; n++) {
			slot = ptab_next(i, p->frames, at, end, &at);
			if (!slot)
				break;
			found = is_data(i, *slot);
			at += !found;
		}
		rwlock_drop_shared(&i->map);
		if (!slot)
			break;
		if (!found)
			pool_step_aside(p);
	}
	*ret = at;
	return found;
}

/* `end` counts as a hole. */
static uint64_t seek_hole(struct pool *p, struct inode *i, uint64_t at, uint64_t end)
{
	bool hole = false;

	while (at < end && !hole) {
		uint64_t stop = leaf_end(at, end);

		rwlock_take_shared(&i->map);
		while (at < stop && !hole) {
			_Atomic uint32_t *slot = ptab_slot(i, p->frames, at);

			hole = !slot || !is_data(i, *slot);
			at += !hole;
		}
		rwlock_drop_shared(&i->map);
		if (!hole)
			pool_step_aside(p);
	}
	return at;
}

bool range_seek(struct pool *p, struct inode *i, uint64_t offset, uint64_t size, bool data,
		uint64_t *ret_offset)
{
	uint64_t at = offset >> PAGE_SHIFT, end = pages_of(size);

	if (offset >= size)
		return false;
	if (!data)
		at = seek_hole(p, i, at, end);
	else if (!seek_data(p, i, at, end, &at))
		return false;
	at = MAX(offset, at << PAGE_SHIFT);
	*ret_offset = MIN(at, size);
	return true;
}
