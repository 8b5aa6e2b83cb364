/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/frames_adopt.c - whose frames these are, found again in a memfd that somebody else has left.
 *
 *   unknown -> LIVE, a node   a slot or a table refers to it                    [frames_adopt, frames_adopt_node]
 *   unknown -> unswept        nobody does, and it may have memory all the same  [frames_adopt_end]
 *   unswept -> COLD           its memory, if any, has gone back                 [frames_reclaim]
 *   unswept -> WARM           it is needed before that                          [refill]
 *
 * What is unswept is not warm: nobody knows whether it has memory, and of a large store that has become empty, finding
 * out would take long before the first request is answered.  It is what lies between two numbers, is held
 * (frames_map.c), and has a word of 0.
 */
#include "frames_inside.h"

static void reach(struct frames *f, uint32_t end)
{
	uint32_t now = f->end;

	while (now < end && !atomic_compare_exchange_weak(&f->end, &now, end))
		;
}

int frames_adopt_node(struct frames *f, uint32_t frame)
{
	uint64_t word = 0;

	if (frame < FRAMES_FIRST || frame >= f->capacity ||
	    !atomic_compare_exchange_strong(&f->word[frame], &word, TABLE | REF))
		return -EUCLEAN;
	reach(f, frame + 1);
	return 0;
}

static int adopt(struct frames *f, uint32_t frame, unsigned refs, uint64_t first)
{
	uint64_t word, to;

	if (frame >= f->capacity)
		return -EUCLEAN;
	word = atomic_load_explicit(&f->word[frame], memory_order_relaxed);
	do {
		if ((word & TABLE) || (word & REFS) + refs > REFS)
			return -EUCLEAN;
		to = (word ? word | (first & UNTRACKED) : first) + refs * REF;
	} while (!atomic_compare_exchange_weak_explicit(&f->word[frame], &word, to, memory_order_relaxed,
							memory_order_relaxed));
	return 0;
}

int frames_adopt(struct frames *f, const _Atomic uint32_t *slot, unsigned n, uint16_t domain, bool untracked)
{
	const uint64_t first = (uint64_t)domain << DOMAIN_SHIFT | DIRTY | (untracked ? UNTRACKED : 0);
	uint32_t end = 0;
	unsigned refs;
	int r = 0;

	for (; n && !r; n -= refs, slot += refs) {
		uint32_t frame = atomic_load_explicit(slot, memory_order_relaxed);

		for (refs = 1; refs < n && atomic_load_explicit(slot + refs, memory_order_relaxed) == frame;)
			refs++;
		if (frame < FRAMES_FIRST)
			continue;
		r = adopt(f, frame, refs, first);
		end = MAX(end, r ? 0 : frame + 1);
	}
	reach(f, end);
	return r;
}

/* The sums of all words, so that each counter is added to once. */
static void count(struct frames *f, uint32_t end)
{
	int64_t sum[ATTRS] = { 0 };
	uint64_t used = 0, tables = 0;

	for (uint32_t frame = FRAMES_FIRST; frame < end; frame++) {
		uint64_t word = atomic_load_explicit(&f->word[frame], memory_order_relaxed);
		struct frames_account a;

		used += word != 0;
		tables += word & TABLE ? 1 : 0;
		if (!word || (word & TABLE))
			continue;
		a = frames_account(word);
		sum[a.single] += a.singles;
		sum[ATTR_pages_shared] += a.shared;
		sum[ATTR_pages_sharing] += a.sharing;
		sum[ATTR_store_data_pages] += (int64_t)(word & REFS);
	}
	f->used = used;
	f->tables = tables;
	for (unsigned a = 0; a < ATTRS; a++)
		if (sum[a])
			counters_add(f->counters, a, sum[a]);
}

/* The list is made anew from what it says of pages that are still there. */
static void adopt_damaged(struct frames *f)
{
	for (unsigned n = 0; f->damaged && n < FRAMES_DAMAGED; n++) {
		uint32_t frame = atomic_exchange(&f->damaged[n], 0);
		uint64_t word = frame >= FRAMES_FIRST && frame < f->capacity ? frames_word(f, frame) : 0;

		if ((word & REFS) && !(word & (TABLE | DAMAGED)))
			frames_set_damaged(f, frame);
	}
}

void frames_adopt_end(struct frames *f)
{
	uint32_t used_end = f->end;
	size_t data_end = arena_data_end(f->arena, (size_t)used_end << PAGE_SHIFT) >> PAGE_SHIFT;

	count(f, used_end);
	reach(f, (uint32_t)MIN(data_end, (size_t)f->capacity));
	lock_take(&f->lock);
	f->unswept = FRAMES_FIRST;
	f->unswept_end = f->end;
	frames_map_hold(f, FRAMES_FIRST, f->end);
	lock_drop(&f->lock);
	adopt_damaged(f);
	frames_mark_all_changed(f); /* since whoever wrote down what is shared */
}
