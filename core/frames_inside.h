/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/frames_inside.h - a frame's word, bit by bit, for the files that make up core/frames.
 *
 * Owns     struct frames.
 * Keeps    see frames.h.
 * Threads  words by compare-and-swap, lists under `lock`.
 * Fails    see frames.h.
 *
 *   frames.c        counts, flags, and the counters that follow from them
 *   frames_stock.c  frames nobody uses: with memory (warm) and without (cold)
 *   frames_map.c    which these are, and what is remembered about each
 *   frames_limit.c  how many may be in use
 *   frames_adopt.c  all of that again, from what a dead process has left
 */
#pragma once

#include "frames.h"
#include "lock.h"

enum {
	REFS_BITS = 25,
	PINS_SHIFT = REFS_BITS,
	PINS_BITS = 14,
	DOMAIN_SHIFT = PINS_SHIFT + PINS_BITS,
	DOMAIN_BITS = 16,
	FLAGS_SHIFT = DOMAIN_SHIFT + DOMAIN_BITS,
};

#define REF      (UINT64_C(1))
#define REFS     ((UINT64_C(1) << REFS_BITS) - 1)
#define PIN      (UINT64_C(1) << PINS_SHIFT)
#define PINS     (((UINT64_C(1) << PINS_BITS) - 1) << PINS_SHIFT)
#define INDEXED  (UINT64_C(1) << FLAGS_SHIFT)
#define DIRTY    (UINT64_C(2) << FLAGS_SHIFT)
#define TABLE    (UINT64_C(4) << FLAGS_SHIFT)
#define FREE     (UINT64_C(8) << FLAGS_SHIFT)
#define UNTRACKED (UINT64_C(16) << FLAGS_SHIFT)
#define SHELVED (UINT64_C(32) << FLAGS_SHIFT)
#define DAMAGED (UINT64_C(64) << FLAGS_SHIFT)
#define REWRITE_SHIFT (FLAGS_SHIFT + 7)
#define REWRITES (UINT64_C(3) << REWRITE_SHIFT)

_Static_assert(REWRITE_SHIFT + 2 <= 64, "a frame's word is full");
_Static_assert(FRAMES_REFS_MAX == REFS, "refs fill their bits");

/* FRAMES_RANGE frames. */
struct region {
	uint16_t held, warm; /* of them, as in frames_map.c */
	bool known;          /* there may be memory about them */
};

struct frames {
	struct arena *arena;
	struct room *room;
	struct counters *counters;
	_Atomic uint64_t *word; /* by frame number */
	_Atomic uint32_t *tag;
	_Atomic uint8_t *history; /* the scanner's, of frames that are not indexed */
	_Atomic uint8_t *changed; /* by range of frames */
	_Atomic uint32_t *damaged; /* FRAMES_DAMAGED of them, which outlive the process; NULL: they are not kept */
	uint32_t capacity;
	uint32_t sharers_max; /* changed with the gate closed; 0: no limit */
	uint64_t shared_max;
	_Atomic unsigned reserve; /* of the warm ones, for the urgent */
	struct lock lock;
	uint64_t *held GUARDED_BY(lock); /* by frame, and frames_map.c's alone, as all down to cold_from */
	uint64_t *warm_bits GUARDED_BY(lock);
	struct region *region GUARDED_BY(lock);
	uint32_t regions;
	uint32_t warm_from GUARDED_BY(lock); /* regions below have none */
	uint32_t cold_from GUARDED_BY(lock);
	_Atomic uint32_t warm, known; /* how many; changed under the lock, looked at without it, as a hint */
	/* From the one to the other: what is held and has a word of 0 is free, not warm, and may have memory. */
	uint32_t unswept GUARDED_BY(lock);
	uint32_t unswept_end GUARDED_BY(lock);
	_Atomic uint32_t end; /* changed under lock */
	atomic_uint_fast64_t used, tables; /* `used` is changed by frames_limit.c, but when adopted */
	_Atomic uint64_t store_limit; /* 0: none */
	void (*on_surplus)(void *arg);
	void *on_surplus_arg;
	atomic_bool surplus_told;
	void (*on_low)(void *arg);
	void *on_low_arg;
	atomic_bool low_told;
	void (*on_room)(void *arg);
	void *on_room_arg;
	atomic_bool awaited;
};

static inline uint64_t frames_word(const struct frames *f, uint32_t frame)
{
	ASSERT(frame >= FRAMES_FIRST && frame < f->capacity);
	return atomic_load_explicit(&f->word[frame], memory_order_acquire);
}

/* The slots of one frame by the counters they are in: S3. */
struct frames_account {
	enum attr single;
	int64_t singles, shared, sharing;
};

static inline struct frames_account frames_account(uint64_t word)
{
	int64_t refs = (int64_t)(word & REFS);

	return (struct frames_account){
		.single = word & INDEXED   ? ATTR_pages_unshared :
			  word & (UNTRACKED | DAMAGED) ? ATTR_pages_untracked :
					     ATTR_pages_volatile,
		.singles = refs == 1,
		.shared = refs > 1,
		.sharing = refs > 1 ? refs - 1 : 0,
	};
}

/* frames_limit.c: `n` frames more are in use, before they are; false: store_limit. */
bool frames_charge(struct frames *f, unsigned n, enum frames_urgency urgency);
void frames_uncharge(struct frames *f, unsigned n);
/* Who found none may look again. */
void frames_tell_room(struct frames *f);

/* To the warm ones. The word says FREE already. */
void frames_release(struct frames *f, uint32_t frame);

/* frames_map.c, all under the lock but the first two. */
bool frames_map_init(struct frames *f) must_check; /* false: no memory */
void frames_map_fini(struct frames *f);
void frames_map_hold(struct frames *f, uint32_t from, uint32_t end); /* they are not cold */
void frames_map_warm(struct frames *f, uint32_t frame);
void frames_map_cold(struct frames *f, uint32_t frame); /* what was held, and has no memory any more */
/* The lowest; there are so many. */
void frames_map_take_warm(struct frames *f, unsigned n, uint32_t *ret_frame);
/* Of the warm beyond `keep` the highest, of the cold below `end` the lowest: `max` or fewer, in order. */
unsigned frames_map_take_surplus(struct frames *f, unsigned keep, unsigned max, uint32_t *ret_frame);
unsigned frames_map_take_cold(struct frames *f, uint32_t end, unsigned max, uint32_t *ret_frame);
/* What a process that has ended left without an owner: with or without memory, nobody knows. */
unsigned frames_map_take_unswept(struct frames *f, unsigned max, uint32_t *ret_frame);
