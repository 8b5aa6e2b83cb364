/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/merge.c - from volatile to stable.
 *
 *   UNTRACKED       -> VOLATILE       first pass after it may be merged again           [look_at]
 *   VOLATILE, dirty -> VOLATILE       first pass after a store: only the mark goes      [look_at]
 *   VOLATILE        -> UNSHARED       quiet for a pass, nobody has these bytes          [find_place]
 *   VOLATILE        -> SHARED, ZERO   quiet for a pass, somebody has, or they are zero  [merge_swing]
 *   VOLATILE, dirty -> as if it were quiet   no frame can be had: whatever frees one is tried  [look_at]
 *   SHARED, not in the index (it was taken over) -> in the index, or as VOLATILE        [find_place]
 *   UNSHARED        -> SHARED         its like was full when it came, and is not now    [find_place]
 *
 * The kernel's KSM compares checksums of two passes to know whether a page is quiet.  All stores come through
 * fault.c here, so a bit set there says it exactly, and the page is digested once, when it pays.
 *
 * KSM write-protects a page while it compares.  Here the page is pinned under its page lock: whoever
 * writes to it from then on splits, so its bytes stay.
 */
#include "merge.h"

#include "failpoint.h"
#include "ptab.h"

enum merge_hold merge_pin(struct pool *p, struct inode *i, uint64_t index, uint32_t frame)
{
	struct pagelock_wait wait = { 0 };
	enum merge_hold r = MERGE_GONE;
	_Atomic uint32_t *slot;

	rwlock_take_shared(&i->map);
	slot = ptab_slot(i, p->frames, index);
	if (slot && !pagelock_try(&p->pagelocks, i->number, index, &wait)) {
		r = MERGE_BUSY;
	} else if (slot) {
		if (*slot == frame)
			r = frames_pin(p->frames, frame) ? MERGE_HELD : MERGE_BUSY;
		pagelock_drop(&p->pagelocks, i->number, index);
	}
	rwlock_drop_shared(&i->map);
	return r;
}

enum merge_hold merge_swing(struct pool *p, struct inode *i, uint64_t index, uint32_t frame, uint32_t to)
{
	struct pagelock_wait wait = { 0 };
	enum merge_hold r = MERGE_GONE;
	_Atomic uint32_t *slot;

	rwlock_take_shared(&i->map);
	slot = ptab_slot(i, p->frames, index);
	if (slot && !pagelock_try(&p->pagelocks, i->number, index, &wait)) {
		r = MERGE_BUSY;
	} else if (slot) {
		if (*slot == frame && slot_is_frame(to) && !frames_ref(p->frames, to)) {
			r = MERGE_REFUSED;
		} else if (*slot == frame) {
			failpoint_kill(KILL_merge_pinned);
			atomic_store_explicit(slot, to, memory_order_release);
			failpoint_kill(KILL_merge_swung);
			pool_slot_changed(p, i, frame, to);
			content_unref(p->content, frame);
			r = MERGE_HELD;
		}
		pagelock_drop(&p->pagelocks, i->number, index);
	}
	rwlock_drop_shared(&i->map);
	return r;
}

static enum merge_r outcome(enum merge_hold held, enum merge_r done)
{
	return held == MERGE_HELD ? done : held == MERGE_BUSY ? MERGE_LATER : MERGE_NOTHING;
}

/* `frame` is pinned by us, in the slot, and quiet. */
static enum merge_r find_place(struct pool *p, struct inode *i, uint64_t index, uint32_t frame)
{
	const void *page = frames_data(p->frames, frame);
	struct frame_info info = frames_look(p->frames, frame);
	uint32_t tag, found;
	enum merge_hold held;

	if (pool_setting(p, ATTR_use_zero_pages) && page_is_zero(page))
		return outcome(merge_swing(p, i, index, frame, SLOT_ZERO), MERGE_ZEROED);
	tag = info.indexed ? info.tag : digest_tag(digest_page(p->key, info.domain, page));
	switch (content_find(p->content, tag, info.domain, page, frame, &found)) {
	case CONTENT_FOUND:
		held = merge_swing(p, i, index, frame, found);
		content_unpin(p->content, found);
		return outcome(held, MERGE_MERGED);
	case CONTENT_INSERTED:
		frames_set_rewrites(p->frames, frame, 0);
		return MERGE_INDEXED;
	case CONTENT_ABSENT:
		break;
	}
	return info.indexed ? MERGE_NOTHING : MERGE_LATER; /* no memory for its entry */
}

/* What is remembered of a page outside the index: for how many passes, and how many it is left alone now. */
enum { AGE_MAX = 9, SKIPS_SHIFT = 4, AGE_MASK = (1 << SKIPS_SHIFT) - 1 };

/* KSM's numbers. */
static unsigned skips_at(unsigned age)
{
	if (age < 3)
		return 0;
	if (age == 3)
		return 1;
	return age <= 5 ? 2 : age <= 8 ? 4 : 8;
}

/* Whether this pass leaves it alone.  Its age grows with every pass, looked at or not. */
static bool is_skipped(struct frames *f, uint32_t frame)
{
	unsigned history = frames_history(f, frame), age = history & AGE_MASK, skips = history >> SKIPS_SHIFT;
	bool skipped = skips;

	skips = skipped ? skips - 1 : skips_at(age);
	frames_set_history(f, frame, (uint8_t)(MIN(age + 1, (unsigned)AGE_MAX) | skips << SKIPS_SHIFT));
	return skipped;
}

/* Pinned by us, in the slot. */
static enum merge_r look_at(struct pool *p, struct inode *i, uint64_t index, uint32_t frame, enum merge_how how)
{
	struct frame_info info = frames_look(p->frames, frame);
	bool dirty = frames_clear_dirty(p->frames, frame);

	if (info.untracked)
		frames_set_untracked(p->frames, frame, false);
	if (info.indexed) {
		frames_set_rewrites(p->frames, frame, 0); /* quiet for a pass: writes may be digested again */
		if (info.refs > 1 || !content_has_twins(p->content))
			return MERGE_NOTHING;
	}
	if ((dirty || info.untracked) && how != MERGE_URGENT)
		return MERGE_VOLATILE;
	return find_place(p, i, index, frame);
}

enum merge_r merge_page(struct pool *p, struct inode *i, uint64_t index, uint32_t frame, enum merge_how how)
{
	struct frame_info info = frames_look(p->frames, frame);
	enum merge_r r;
	enum merge_hold held;

	if (info.free || info.table || !info.refs || info.damaged || (info.refs > 1 && info.indexed))
		return MERGE_NOTHING;
	if (info.indexed && !info.rewrites && !content_has_twins(p->content))
		return MERGE_NOTHING;
	if (!info.indexed && how == MERGE_SMART && is_skipped(p->frames, frame))
		return MERGE_SKIPPED;
	held = merge_pin(p, i, index, frame);
	if (held != MERGE_HELD)
		return outcome(held, MERGE_NOTHING);
	r = look_at(p, i, index, frame, how);
	content_unpin(p->content, frame);
	return r;
}
