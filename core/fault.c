/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/fault.c - the heart: a batch of pages, prepared without locks and published under them.
 *
 *   HOLE, RESERVED, LENT -> FRAME   first write                                     [publish_swing]
 *   any                  -> ZERO    zeroes were written while merging               [publish_swing]
 *   FRAME -> FRAME (same)           reuse: nobody else sees it                      [publish_in_place]
 *   FRAME -> FRAME (own)            split: others see the old one                   [publish_swing]
 *   FRAME -> FRAME (shared)         merge: equal bytes were in the index            [publish_swing]
 *   any -> FRAME, ZERO (given)      copy: what another slot says, as fault_copy.c found it   [publish_swing]
 *
 * Each page goes LOOK -> PUBLISH -> DONE.  LOOK reads the slot under the map lock and then, with no
 * lock, prepares what the slot shall say: nothing (store in place), zero, an equal frame found and pinned,
 * or a new frame with its whole content.  PUBLISH takes the map lock shared, tries the page lock,
 * checks that what was prepared still fits, and swings the slot.  What does not fit goes back to
 * LOOK.  A taken page lock is waited for with everything dropped: if the inode's sequence count has not moved
 * meanwhile, what was prepared is still good (resumed); else it is looked at again (restarted).
 *
 * A page that was written whole REWRITES_VOLATILE times without a quiet pass between is not digested any
 * more: it would only be taken out of the index again.  The scanner finds it once it is quiet.
 */
#include "fault_inside.h"

#include <string.h>

#include "advice.h"
#include "failpoint.h"

enum { REWRITES_VOLATILE = 2 };

static bool is_whole(const struct fault *f)
{
	return f->len == PAGE_BYTES;
}

/* --- looking ---------------------------------------------------------------------------------- */

static void look_one(struct batch *b, struct fault *f, uint64_t size_pages, bool *ret_missing)
	REQUIRES_SHARED(b->inode->map)
{
	_Atomic uint32_t *slot = ptab_slot(b->inode, b->pool->frames, f->index);
	struct frame_info info;

	if ((b->flags & FAULT_WRITEBACK) && f->index >= size_pages) {
		pool_count(b->pool, ATTR_fault_beyond_eof, 1);
		f->stage = DONE;
		return;
	}
	f->seen = slot ? *slot : SLOT_HOLE;
	f->in_place = false;
	if ((b->flags & FAULT_UNSHARE) && !slot_is_frame(f->seen)) {
		f->stage = DONE;
		return;
	}
	*ret_missing |= !slot;
	f->untracked = !b->track || !(b->plain || advice_may_merge(b->inode, b->pool->frames, f->index));
	f->undigested = !b->digest || f->untracked;
	f->refers = f->given && b->refer && !f->untracked && !f->no_merge;
	if (!slot_is_frame(f->seen) || f->not_alone || f->refers)
		return;
	info = frames_look(b->pool->frames, f->seen); /* a hint: it may change until we publish */
	if (is_whole(f))
		f->undigested |= info.refs == 1 && info.rewrites >= REWRITES_VOLATILE;
	f->in_place = (!is_whole(f) || f->undigested) && info.refs == 1;
}

/* F5 */
static void read_rules(struct batch *b) REQUIRES_SHARED(b->inode->map)
{
	struct pool *p = b->pool;
	uint64_t run_setting = pool_setting(p, ATTR_run);

	b->rules = p->rules;
	b->refer = run_setting == 1; /* nothing is looked for: merge_on_write says nothing about it */
	b->digest = b->refer && pool_setting(p, ATTR_merge_on_write);
	b->track = run_setting != 2 && !(b->flags & FAULT_UNSHARE);
	b->find_zeroes = pool_setting(p, ATTR_use_zero_pages);
	b->plain = advice_is_plain(b->inode);
}

static bool look(struct batch *b)
{
	uint64_t size_pages;
	bool missing = false;

	rwlock_take_shared(&b->inode->map);
	read_rules(b);
	size_pages = pages_of(inode_size(b->inode)); /* a truncation that lowers it later clears later */
	b->seq = b->inode->seq;
	for (unsigned n = 0; n < b->count; n++)
		if (b->fault[n].stage == LOOK)
			look_one(b, &b->fault[n], size_pages, &missing);
	rwlock_drop_shared(&b->inode->map);
	return missing;
}

int fault_add_nodes(struct pool *p, struct inode *i, uint64_t index)
{
	uint32_t spare[PTAB_SPARES];
	unsigned missing, have = 0, used = 0;

	rwlock_take_shared(&i->map);
	missing = ptab_missing(i, p->frames, index);
	rwlock_drop_shared(&i->map);
	if (!missing)
		return 0;
	have = missing;
	if (frames_take_table(p->frames, have, spare) == FRAMES_FULL) {
		pool_starves(p);
		return -ENOSPC;
	}
	rwlock_take(&i->map);
	if (ptab_missing(i, p->frames, index) <= have)
		used = ptab_extend(i, p->frames, index, spare);
	rwlock_drop(&i->map);
	for (unsigned n = used; n < have; n++)
		frames_put_table(p->frames, spare[n]);
	return 0; /* if others were quicker, or took nodes away, publishing finds out */
}

/* Charge for the holes that are about to be filled; what does not fit is cut off. */
static int charge(struct batch *b)
{
	bool force = (b->flags & FAULT_WRITEBACK) || b->again;

	for (unsigned n = 0; n < b->count; n++) {
		struct fault *f = &b->fault[n];

		if (f->stage != LOOK || f->seen != SLOT_HOLE || f->charged)
			continue;
		if (!pool_charge(b->pool, b->inode, 1, force)) {
			b->count = n;
			return n ? 0 : -ENOSPC;
		}
		f->charged = true;
	}
	return 0;
}

/* --- preparing, without a lock ------------------------------------------------------------------ */

/* The content as a page of its own: of partial writes onto nothing, padded with zeroes. */
static const uint8_t *whole_content(struct batch *b, struct fault *f)
{
	uint8_t *pad;

	if (is_whole(f))
		return f->data;
	pad = b->pad[b->padded++ % 2];
	memset(pad, 0, PAGE_BYTES);
	memcpy(pad + f->from, f->data, f->len);
	return pad;
}

static int prepare_frame(struct batch *b, struct fault *f, const uint8_t *page, unsigned wanted)
{
	int r = fault_take_frame(b, wanted, &f->next);

	if (r < 0)
		return r;
	memcpy(frames_data(b->pool->frames, f->next), page, PAGE_BYTES);
	failpoint_kill(KILL_frame_filled);
	if (f->untracked)
		frames_set_untracked(b->pool->frames, f->next, true);
	f->fresh = true;
	return 0;
}

/* Zero, a frame that holds these bytes already, or a new one that others can find from now on. */
static int prepare_digested(struct batch *b, struct fault *f, const uint8_t *page, unsigned wanted)
{
	uint16_t domain = b->inode->record->domain;
	uint32_t tag, found;
	int r;

	if (b->find_zeroes && page_is_zero(page)) {
		f->next = SLOT_ZERO;
		return 0;
	}
	tag = digest_tag(digest_page(b->pool->key, domain, page));
	if (content_find(b->pool->content, tag, domain, page, 0, &f->next) == CONTENT_FOUND) {
		f->merged = true;
		failpoint_kill(KILL_merged_on_write);
		return 0;
	}
	r = prepare_frame(b, f, page, wanted);
	if (r < 0)
		return r;
	if (content_find(b->pool->content, tag, domain, page, f->next, &found) == CONTENT_FOUND) {
		content_unpin(b->pool->content, f->next); /* somebody else wrote the same meanwhile */
		f->next = found;
		f->fresh = false;
		f->merged = true;
	}
	return 0;
}

/* A part of a page that others see as well: a copy, with the part in it. */
static int prepare_split(struct batch *b, struct fault *f)
{
	int r = prepare_frame(b, f, frames_data(b->pool->frames, f->source), 1);

	if (r < 0)
		return r;
	failpoint_kill(KILL_split_copied);
	if (f->len)
		memcpy((uint8_t *)frames_data(b->pool->frames, f->next) + f->from, f->data, f->len);
	frames_mark_dirty(b->pool->frames, f->next);
	f->must_match = true;
	return 0;
}

static int prepare_one(struct batch *b, struct fault *f, unsigned wanted)
{
	int r;

	f->next = SLOT_HOLE;
	f->fresh = f->merged = f->must_match = f->referred = false;
	if (f->refers && fault_prepare_given(b, f)) {
		r = 0;
	} else if (f->source) {
		r = prepare_split(b, f);
	} else if (f->in_place || (!is_whole(f) && slot_is_frame(f->seen))) {
		f->in_place = true;
		r = 0;
	} else {
		const uint8_t *page = whole_content(b, f);

		f->must_match = !is_whole(f);
		if (!f->undigested && !f->no_merge) {
			r = prepare_digested(b, f, page, wanted);
		} else {
			r = prepare_frame(b, f, page, wanted);
			if (!r)
				frames_mark_dirty(b->pool->frames, f->next);
		}
	}
	if (r == -ENOSPC)
		r = fault_do_without(b, f);
	if (!r)
		f->stage = PUBLISH;
	return r;
}

static int prepare(struct batch *b)
{
	for (unsigned n = 0; n < b->count; n++) {
		struct fault *f = &b->fault[n];
		int r;

		if (f->stage != LOOK)
			continue;
		r = prepare_one(b, f, b->count - n);
		if (r < 0) { /* who called comes back with the rest, or fails */
			b->count = n;
			return n ? 0 : r;
		}
	}
	return 0;
}

/* Last of all before publishing: who is refused leaves no nodes behind, which are charged to nobody, and who clears
 * slots meanwhile takes away those that hold nothing yet. */
static int add_missing_nodes(struct batch *b)
{
	const uint64_t leaf = ~(uint64_t)(PTAB_FANOUT - 1);
	uint64_t done = UINT64_MAX;

	for (unsigned n = 0; n < b->count; n++) {
		struct fault *f = &b->fault[n];
		int r;

		if (f->stage != PUBLISH || (f->index & leaf) == done)
			continue;
		r = fault_add_nodes(b->pool, b->inode, f->index);
		if (r < 0) {
			b->count = n;
			return n ? 0 : r;
		}
		done = f->index >= INODE_DIRECT ? f->index & leaf : UINT64_MAX;
	}
	return 0;
}

/* --- publishing, under the map lock and the page lock --------------------------------------------- */

static void unprepare(struct batch *b, struct fault *f)
{
	if (slot_is_frame(f->next))
		content_unpin(b->pool->content, f->next);
	if (f->source)
		content_unpin(b->pool->content, f->source);
	f->next = SLOT_HOLE;
	f->source = 0;
}

static void look_again(struct batch *b, struct fault *f)
{
	unprepare(b, f);
	f->stage = LOOK;
}

static bool own(struct batch *b, uint32_t frame)
{
	struct frames *frames = b->pool->frames;

	return frames_own(frames, frame) ||
	       (frames_look(frames, frame).indexed && content_withdraw(b->pool->content, frame) &&
		frames_own(frames, frame));
}

/* Others see it: a part is written into a copy. */
static void not_alone(struct batch *b, struct fault *f, uint32_t old)
{
	struct frames *frames = b->pool->frames;

	if ((b->flags & FAULT_KEEP_SHARED) && frames_look(frames, old).refs > 1) {
		f->stage = DONE;
		return;
	}
	f->not_alone = true;
	f->stage = LOOK;
	if (!is_whole(f) && frames_pin(frames, old))
		f->source = old;
}

static void publish_in_place(struct batch *b, struct fault *f, uint32_t old)
{
	struct frames *frames = b->pool->frames;
	uint8_t *to = (uint8_t *)frames_data(frames, old) + f->from;
	unsigned half = f->len / 2;

	if (old != f->seen) {
		f->stage = LOOK;
		return;
	}
	if (!own(b, old)) {
		not_alone(b, f, old);
		return;
	}
	if (f->untracked)
		frames_set_untracked(frames, old, true);
	f->stage = DONE;
	if (b->flags & FAULT_UNSHARE)
		return;
	memcpy(to, f->data, half);
	failpoint_kill(KILL_reuse_half);
	memcpy(to + half, f->data + half, f->len - half);
	frames_mark_dirty(frames, old);
	pool_count(b->pool, ATTR_fault_reuses, 1);
	if (is_whole(f))
		pool_count(b->pool, ATTR_fault_undigested, b->digest);
}

static void count_swing(struct batch *b, const struct fault *f, uint32_t old)
{
	struct pool *p = b->pool;

	if (b->flags & FAULT_UNSHARE) {
		pool_count(p, ATTR_fault_unmerged, 1);
		return;
	}
	if (f->next == SLOT_ZERO && !f->referred)
		pool_count(p, ATTR_fault_zeroed, 1);
	if (f->merged)
		pool_count(p, ATTR_fault_merged, 1);
	if (slot_is_frame(old) && (f->not_alone || frames_look(p->frames, old).refs > 1))
		pool_count(p, ATTR_fault_cow_breaks, 1);
}

static void publish_swing(struct batch *b, struct fault *f, _Atomic uint32_t *slot, uint32_t old)
{
	struct frames *frames = b->pool->frames;
	struct frame_info was = { 0 };

	if ((f->must_match && old != (f->source ? f->source : f->seen)) ||
	    (old == SLOT_HOLE && !f->charged)) {
		look_again(b, f);
		return;
	}
	if (slot_is_frame(f->next) && f->next != old) {
		if (!frames_ref(frames, f->next)) {
			f->no_merge = true; /* more slots than it may have */
			look_again(b, f);
			return;
		}
	}
	if (slot_is_frame(old))
		was = frames_look(frames, old);
	if (f->fresh && was.refs == 1)
		frames_set_rewrites(frames, f->next, was.rewrites + 1);
	if (f->next != old) {
		failpoint_kill(KILL_swing_before);
		atomic_store_explicit(slot, f->next, memory_order_release);
		failpoint_kill(KILL_swing_done);
		pool_slot_changed(b->pool, b->inode, old, f->next);
		count_swing(b, f, old);
		f->charged &= old != SLOT_HOLE; /* the slot keeps what was charged */
		failpoint_kill(KILL_swing_put_before);
		if (slot_is_frame(old))
			content_unref(b->pool->content, old);
	}
	if (f->referred)
		pool_count(b->pool, ATTR_fault_copied_by_reference, 1);
	unprepare(b, f);
	f->stage = DONE;
}

static void publish_one(struct batch *b, struct fault *f, uint64_t size_pages)
	REQUIRES_SHARED(b->inode->map)
{
	_Atomic uint32_t *slot = ptab_slot(b->inode, b->pool->frames, f->index);

	if ((b->flags & FAULT_WRITEBACK) && f->index >= size_pages) {
		pool_count(b->pool, ATTR_fault_beyond_eof, 1);
		unprepare(b, f);
		f->stage = DONE;
		return;
	}
	if (!slot) {
		look_again(b, f);
		return;
	}
	if (failpoint_hit(FAIL_PAGE_LOCK) ||
	    !pagelock_try(&b->pool->pagelocks, b->inode->number, f->index, &f->wait)) {
		if (!b->busy)
			b->busy = f;
		return;
	}
	if (f->in_place)
		publish_in_place(b, f, *slot);
	else
		publish_swing(b, f, slot, *slot);
	pool_count(b->pool, ATTR_store_pages_written, f->stage == DONE && !(b->flags & FAULT_UNSHARE));
	pagelock_drop(&b->pool->pagelocks, b->inode->number, f->index);
}

static void publish(struct batch *b)
{
	uint64_t size_pages;

	b->busy = NULL;
	rwlock_take_shared(&b->inode->map);
	size_pages = pages_of(inode_size(b->inode));
	for (unsigned n = 0; n < b->count; n++) {
		struct fault *f = &b->fault[n];

		if (f->stage != PUBLISH)
			continue;
		publish_one(b, f, size_pages);
		if (f->in_place) { /* a page was copied: let who waits for the lock have it (F3) */
			rwlock_drop_shared(&b->inode->map);
			rwlock_take_shared(&b->inode->map);
			size_pages = pages_of(inode_size(b->inode));
		}
	}
	rwlock_drop_shared(&b->inode->map);
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Who waits holds no place in another queue: two who did could wait for each other. */
static void forfeit_all(struct batch *b, const struct fault *but)
{
	for (unsigned n = 0; n < b->count; n++)
		if (&b->fault[n] != but)
			fault_forfeit(b->pool, b->inode, b->fault[n].index, &b->fault[n].wait);
}

static void wait_for_page(struct batch *b)
{
	struct fault *busy = b->busy;

	forfeit_all(b, busy);
	pool_step_out(b->pool);
#ifdef FAULT_KEEPS_MAP_LOCK /* nobody builds this but tests/bench/lock_drop.c, to tell what dropping it is worth */
	pthread_rwlock_rdlock(&b->inode->map.rwlock);
#endif
	failpoint_pause(PAUSE_FAULT_WAIT);
	pagelock_wait(&b->pool->pagelocks, b->inode->number, busy->index, &busy->wait);
#ifdef FAULT_KEEPS_MAP_LOCK
	pthread_rwlock_unlock(&b->inode->map.rwlock);
#endif
	pool_step_in(b->pool);
	if (b->inode->seq == b->seq && b->pool->rules == b->rules) {
		pool_count(b->pool, ATTR_fault_retries_resumed, 1);
		return;
	}
	pool_count(b->pool, ATTR_fault_retries_restarted, 1);
	for (unsigned n = 0; n < b->count; n++)
		if (b->fault[n].stage == PUBLISH)
			look_again(b, &b->fault[n]);
}

static bool unfinished(const struct batch *b)
{
	for (unsigned n = 0; n < b->count; n++)
		if (b->fault[n].stage != DONE)
			return true;
	return false;
}

int fault_run(struct batch *b)
{
	do {
		bool missing = look(b);
		int r = charge(b);

		if (!r)
			r = prepare(b);
		if (!r && missing)
			r = add_missing_nodes(b);
		if (r < 0)
			return r;
		publish(b);
		if (b->busy)
			wait_for_page(b);
		b->again = true;
	} while (unfinished(b));
	return 0;
}

/* --- the calls -------------------------------------------------------------------------------- */

void fault_begin(struct batch *b, struct pool *p, struct inode *i, unsigned flags)
{
	b->pool = p;
	b->inode = i;
	b->flags = flags;
	b->again = false;
	b->stashed = b->padded = 0;
}

static unsigned split_into_pages(struct batch *b, uint64_t offset, const uint8_t *data, size_t len)
{
	unsigned n = 0;

	while (len) {
		struct fault *f = &b->fault[n++];
		unsigned from = offset & (PAGE_BYTES - 1);
		size_t here = MIN(len, (size_t)(PAGE_BYTES - from));

		*f = (struct fault){ .index = offset >> PAGE_SHIFT, .data = data,
				     .from = (uint16_t)from, .len = (uint16_t)here };
		offset += here;
		data += here;
		len -= here;
	}
	return n;
}

void fault_finish(struct batch *b, unsigned all)
{
	unsigned charged = 0;

	for (unsigned n = 0; n < all; n++) {
		struct fault *f = &b->fault[n];

		unprepare(b, f);
		fault_forfeit(b->pool, b->inode, f->index, &f->wait);
		charged += f->charged;
	}
	fault_give_back(b);
	if (charged)
		pool_uncharge(b->pool, b->inode, charged);
}

int fault_write(struct pool *p, struct inode *i, uint64_t offset, const void *data, size_t len,
		unsigned flags, size_t *ret_written)
{
	struct batch b;
	unsigned all;
	int r;

	ASSERT(len && len <= (size_t)BATCH_PAGES << PAGE_SHIFT);
	fault_begin(&b, p, i, flags);
	all = b.count = split_into_pages(&b, offset, data, len);
	r = fault_run(&b);
	fault_finish(&b, all);
	pool_changed(p);
	if (r < 0)
		return r;
	*ret_written = b.count == all ? len :
					((uint64_t)b.fault[b.count].index << PAGE_SHIFT) - offset;
	return 0;
}
