/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/frames.c - one word says all about a frame.
 *
 *   COLD  -> WARM    memory taken from the system          [refill]
 *   WARM  -> HELD    pinned once, for whoever fills it     [frames_take]
 *   HELD  -> LIVE    the first slot refers to it           [frames_ref]
 *   LIVE  -> HELD    the last slot let go, somebody looks  [frames_unref]
 *   HELD, LIVE -> IDLE   nobody left, but still indexed    [frames_unpin, frames_unref]
 *   HELD, LIVE, IDLE -> WARM   nobody left                 [put, frames_clear_indexed]
 *   WARM  -> COLD    memory given back to the system       [frames_reclaim]
 *
 * WARM and COLD are in frames_stock.c, what happens when a store is taken over in frames_adopt.c.
 *
 * IDLE is short: who made it so goes on to take it out of the index (content_unpin, content_unref), and only the one
 * whose compare-and-swap takes the last count or flag away frees the frame, so it is freed once.
 */
#include "frames_inside.h"

#include "bulk.h"
#include "failpoint.h"

/* In the list once, or not at all. */
static void note_damage(struct frames *f, uint32_t frame, bool is)
{
	for (unsigned n = 0; f->damaged && n < FRAMES_DAMAGED; n++) {
		uint32_t was = is ? 0 : frame;

		if (atomic_compare_exchange_strong(&f->damaged[n], &was, is ? frame : 0))
			return;
	}
}

/* Only differences are added: a frame that stays shared must not look, for a moment, as if it had left its place
 * under max_kernel_pages to another. */
static void transition(struct frames *f, uint32_t frame, uint64_t from, uint64_t to)
{
	const uint64_t what = REFS | INDEXED | UNTRACKED | DAMAGED;
	struct frames_account a, b;

	if ((from & what) == (to & what) || (to & TABLE))
		return;
	a = frames_account(from);
	b = frames_account(to);
	if (a.singles)
		counters_add(f->counters, a.single, -1);
	if (b.singles)
		counters_add(f->counters, b.single, 1);
	if (a.shared != b.shared)
		counters_add(f->counters, ATTR_pages_shared, b.shared - a.shared);
	if (a.sharing != b.sharing)
		counters_add(f->counters, ATTR_pages_sharing, b.sharing - a.sharing);
	if ((from ^ to) & DAMAGED) {
		counters_add(f->counters, ATTR_scrub_damaged, to & DAMAGED ? 1 : -1);
		note_damage(f, frame, to & DAMAGED);
	}
	counters_add(f->counters, ATTR_store_data_pages,
		     (int64_t)(to & REFS) - (int64_t)(from & REFS));
	if ((a.shared || b.shared) && !f->changed[frame / FRAMES_RANGE])
		f->changed[frame / FRAMES_RANGE] = 1;
}

/* Whole regions. */
static size_t numbers(const struct frames *f)
{
	return (size_t)f->regions * FRAMES_RANGE;
}

int frames_new(struct arena *arena, struct room *room, struct counters *counters,
	       struct frames **ret)
{
	struct frames *f = mem_alloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->arena = arena;
	f->room = room;
	f->counters = counters;
	f->capacity = MIN(arena->bytes >> PAGE_SHIFT, (uint64_t)UINT32_MAX);
	f->regions = f->capacity / FRAMES_RANGE + 1;
	f->word = bulk_map(numbers(f) * sizeof(*f->word));
	f->tag = bulk_map(numbers(f) * sizeof(*f->tag));
	f->history = bulk_map(numbers(f) * sizeof(*f->history));
	f->end = FRAMES_FIRST;
	frames_reserve(f, 0);
	lock_init(&f->lock, RANK_FRAMES);
	f->changed = mem_alloc(f->capacity / FRAMES_RANGE + 1, sizeof(*f->changed));
	if (!frames_map_init(f) || !f->word || !f->tag || !f->history || !f->changed) {
		frames_free(f);
		return -ENOMEM;
	}
	*ret = f;
	return 0;
}

void frames_free(struct frames *f)
{
	if (!f)
		return;
	bulk_unmap((void *)f->word, numbers(f) * sizeof(*f->word));
	bulk_unmap((void *)f->tag, numbers(f) * sizeof(*f->tag));
	bulk_unmap((void *)f->history, numbers(f) * sizeof(*f->history));
	frames_map_fini(f);
	lock_fini(&f->lock);
	mem_free((void *)f->changed);
	mem_free(f);
}

void *frames_data(const struct frames *f, uint32_t frame)
{
	return f->arena->base + ((size_t)frame << PAGE_SHIFT);
}

static bool swap(struct frames *f, uint32_t frame, uint64_t *from, uint64_t to)
{
	if (!atomic_compare_exchange_weak_explicit(&f->word[frame], from, to, memory_order_acq_rel,
						   memory_order_acquire))
		return false;
	transition(f, frame, *from, to);
	return true;
}

/* --- counts and flags ------------------------------------------------------------------------- */

struct frame_info frames_look(const struct frames *f, uint32_t frame)
{
	uint64_t word = frames_word(f, frame);

	return (struct frame_info){
		.refs = word & REFS,
		.pins = (word & PINS) >> PINS_SHIFT,
		.domain = (uint16_t)(word >> DOMAIN_SHIFT),
		.indexed = word & INDEXED,
		.shelved = word & SHELVED,
		.dirty = word & DIRTY,
		.table = word & TABLE,
		.free = !word || (word & FREE),
		.untracked = word & (UNTRACKED | DAMAGED),
		.damaged = word & DAMAGED,
		.rewrites = (word & REWRITES) >> REWRITE_SHIFT,
		.tag = atomic_load_explicit(&f->tag[frame], memory_order_relaxed),
	};
}

bool frames_pin(struct frames *f, uint32_t frame)
{
	uint64_t word = frames_word(f, frame);

	do {
		ASSERT(!(word & (FREE | TABLE)));
		if ((word & PINS) == PINS)
			return false;
	} while (!swap(f, frame, &word, word + PIN));
	return true;
}

bool frames_pin_shared(struct frames *f, uint32_t frame)
{
	uint64_t word = frames_word(f, frame);

	do {
		if ((word & REFS) < 2 || (word & PINS) == PINS || (word & TABLE))
			return false;
	} while (!swap(f, frame, &word, word + PIN));
	return true;
}

static bool ref(struct frames *f, uint32_t frame, uint64_t shared_max)
{
	uint64_t word = frames_word(f, frame), refs, most = f->sharers_max ? f->sharers_max : REFS;

	do {
		ASSERT(!(word & (FREE | TABLE)));
		refs = word & REFS;
		if (refs >= most || (word & DAMAGED))
			return false;
		if (refs == 1 && shared_max &&
		    (uint64_t)counters_sum(f->counters, ATTR_pages_shared) >= shared_max)
			return false;
	} while (!swap(f, frame, &word, word + REF));
	return true;
}

bool frames_ref(struct frames *f, uint32_t frame)
{
	bool done;

	if (!f->shared_max)
		return ref(f, frame, 0);
	lock_take(&f->lock); /* one at a time: two could both see the last place */
	done = ref(f, frame, f->shared_max);
	lock_drop(&f->lock);
	return done;
}

bool frames_is_full(const struct frames *f, uint32_t frame)
{
	return f->sharers_max && (frames_word(f, frame) & REFS) >= f->sharers_max;
}

void frames_limit(struct frames *f, uint32_t sharers_max, uint64_t shared_max)
{
	f->sharers_max = sharers_max;
	f->shared_max = shared_max;
}

/* Take one count away; the last one leaves FREE, or IDLE where the index still finds it. */
static enum frames_r put(struct frames *f, uint32_t frame, uint64_t count)
{
	uint64_t word = frames_word(f, frame), to;

	do {
		to = word - count;
		if (!(to & (REFS | PINS | INDEXED)))
			to = FREE;
	} while (!swap(f, frame, &word, to));
	if (to == FREE)
		frames_release(f, frame);
	return to & (REFS | PINS | FREE) ? FRAMES_OK : FRAMES_IDLE;
}

enum frames_r frames_unpin(struct frames *f, uint32_t frame)
{
	ASSERT(frames_word(f, frame) & PINS);
	return put(f, frame, PIN);
}

enum frames_r frames_unref(struct frames *f, uint32_t frame)
{
	ASSERT(frames_word(f, frame) & REFS);
	return put(f, frame, REF);
}

bool frames_own(const struct frames *f, uint32_t frame)
{
	return (frames_word(f, frame) & (REFS | PINS | INDEXED | DAMAGED)) == REF;
}

static void set_bits(struct frames *f, uint32_t frame, uint64_t clear, uint64_t set)
{
	uint64_t word = frames_word(f, frame);

	while (!swap(f, frame, &word, (word & ~clear) | set))
		;
}

void frames_mark_dirty(struct frames *f, uint32_t frame)
{
	if (!(frames_word(f, frame) & DIRTY))
		set_bits(f, frame, 0, DIRTY);
}

bool frames_clear_dirty(struct frames *f, uint32_t frame)
{
	return atomic_fetch_and(&f->word[frame], ~DIRTY) & DIRTY;
}

void frames_set_rewrites(struct frames *f, uint32_t frame, unsigned rewrites)
{
	uint64_t bits = (uint64_t)MIN(rewrites, (unsigned)FRAMES_REWRITES_MAX) << REWRITE_SHIFT;

	if ((frames_word(f, frame) & REWRITES) != bits)
		set_bits(f, frame, REWRITES, bits);
}

void frames_set_untracked(struct frames *f, uint32_t frame, bool untracked)
{
	uint64_t bits = untracked ? UNTRACKED : 0;

	if ((frames_word(f, frame) & UNTRACKED) != bits)
		set_bits(f, frame, UNTRACKED, bits);
}

uint8_t frames_history(const struct frames *f, uint32_t frame)
{
	return atomic_load_explicit(&f->history[frame], memory_order_relaxed);
}

void frames_set_history(struct frames *f, uint32_t frame, uint8_t history)
{
	atomic_store_explicit(&f->history[frame], history, memory_order_relaxed);
}

void frames_set_indexed(struct frames *f, uint32_t frame, uint32_t tag)
{
	atomic_store_explicit(&f->tag[frame], tag, memory_order_relaxed);
	set_bits(f, frame, DIRTY | UNTRACKED, INDEXED);
}

void frames_set_shelved(struct frames *f, uint32_t frame, bool shelved)
{
	set_bits(f, frame, SHELVED, shelved ? SHELVED : 0);
}

bool frames_clear_indexed(struct frames *f, uint32_t frame, enum frames_unindex when)
{
	uint64_t word = frames_word(f, frame), to;

	do {
		uint64_t counts = word & (REFS | PINS);

		if (!(word & INDEXED) || (when == FRAMES_UNINDEX_IDLE && counts) ||
		    (when == FRAMES_UNINDEX_OWNED && counts != REF))
			return false;
		to = counts ? word & ~(INDEXED | SHELVED) : FREE;
	} while (!swap(f, frame, &word, to));
	if (to == FREE)
		frames_release(f, frame);
	return true;
}

void frames_keep_damaged(struct frames *f, _Atomic uint32_t list[FRAMES_DAMAGED])
{
	f->damaged = list;
}

void frames_set_damaged(struct frames *f, uint32_t frame)
{
	set_bits(f, frame, INDEXED | SHELVED, DAMAGED);
}

bool frames_changed(struct frames *f, uint32_t first)
{
	return atomic_exchange(&f->changed[first / FRAMES_RANGE], 0);
}

void frames_mark_changed(struct frames *f, uint32_t first)
{
	f->changed[first / FRAMES_RANGE] = 1;
}

void frames_mark_all_changed(struct frames *f)
{
	for (uint32_t n = 0; n <= f->capacity / FRAMES_RANGE; n++)
		f->changed[n] = 1;
}

/* --- figures ---------------------------------------------------------------------------------- */

uint32_t frames_end(const struct frames *f)
{
	return f->end;
}

uint64_t frames_used(const struct frames *f)
{
	return f->used;
}

uint64_t frames_tables(const struct frames *f)
{
	return f->tables;
}

uint64_t frames_warm(const struct frames *f)
{
	return f->warm; /* a figure: not worth the lock */
}
