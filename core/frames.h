/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/frames.h - frames: places for a page, counted by the slots that refer to them.
 *
 * Owns     every frame of the frame memfd, its word (counts and flags), its tag and its history.
 * Keeps    S1 a frame is written in place only by whoever frames_own() said yes to, under the page lock
 *             of its one slot: one reference, no pin, not in the content index.
 *             Nor, then, is a damaged one.
 *          S2 a frame is free exactly when nobody refers to it, pins it, or finds it in the index.
 *          S3 a page of a file is in exactly one of the page counters, by what its frame's word says;
 *             whoever changes the word moves the counters, inside the gate.
 * Threads  words change by compare-and-swap; the free lists are under FRAMES.  Taking frames
 *          may ask the system for memory: not under a map lock.
 * Fails    FRAMES_FULL: no memory left.  FRAMES_IDLE: see content.h, which most callers use instead.
 *
 * A reference is a slot.  A pin is somebody looking: a read reply, a candidate being compared, a new
 * frame on its way into a slot.  Frame numbers below FRAMES_FIRST are never frames: slots use them.
 */
#pragma once

#include "arena.h"
#include "attrs.h"
#include "room.h"

enum { FRAMES_FIRST = 8, FRAMES_REFS_MAX = (1 << 25) - 1, FRAMES_REWRITES_MAX = 3 };

struct frames;
enum frames_r { FRAMES_OK, FRAMES_FULL, FRAMES_IDLE };

struct frame_info {
	unsigned refs, pins;
	uint16_t domain;
	bool indexed;      /* in the content index */
	bool shelved;      /* and there, but not to be found: it has slots enough */
	bool dirty;        /* stored into since the scanner last looked */
	bool untracked;    /* left out of merging, or not looked at since all was unmerged; or damaged */
	bool damaged;      /* its bytes have changed by themselves (scrub.h): no slot is added to it, nor is it
			    * written to; it stays until its last slot has gone elsewhere */
	bool table;        /* holds a node of a page table */
	bool free;
	unsigned rewrites; /* whole-page writes since it was last found quiet, up to REWRITES_MAX */
	uint32_t tag;
};

/* What one of its slots takes of a frame, in parts of a byte: so what few take adds up, however many share it. */
enum { FRAMES_PART_BITS = 16 };
static inline uint64_t frames_part(const struct frame_info *info)
{
	return ((uint64_t)PAGE_BYTES << FRAMES_PART_BITS) / MAX(info->refs, 1u);
}

int frames_new(struct arena *arena, struct room *room, struct counters *counters,
	       struct frames **ret) must_check;
void frames_free(struct frames *f);

void *frames_data(const struct frames *f, uint32_t frame);

/* Warm frames that only page tables, and truncations, may take: a hole that is read needs no more. */
enum { FRAMES_FOR_TABLES = 64 };

/* Who may take the last warm frames. */
enum frames_urgency {
	FRAMES_ORDINARY,
	FRAMES_URGENT, /* a writeback: may use up the reserve but for those */
	FRAMES_FREEING, /* a truncation, too, and of store_limit what others leave it */
	FRAMES_ORPHAN, /* a writeback to a file that has no name any more: as the urgent, without a store_limit */
};

/* At most `pages` frames (0: any number) may be in use: what is beyond that is refused as memory is that cannot be had.
 * Of that, the ordinary leave a sixteenth, at most 256, to the urgent, and these a sixty-fourth, at most 16, to those
 * who free.  Page tables count.  With the gate closed; may be fewer than there are, then none is added.
 * Orphans count and are not refused: what they take beyond the limit is bounded by the size alone, nobody else gets a
 * frame meanwhile, and all of it comes back when the last user of the file has gone. */
void frames_set_store_limit(struct frames *f, uint64_t pages);
/* Not more can be had for that; UINT64_MAX without a limit. */
uint64_t frames_left(const struct frames *f, enum frames_urgency urgency);

/* Take `n` frames (<= BATCH_PAGES), all or none, each pinned once, without references, its content
 * undefined.  Give them to a slot, or back by content_unpin(). */
int frames_take(struct frames *f, uint16_t domain, unsigned n, enum frames_urgency urgency,
		uint32_t *ret_frame) must_check;

/* Frames that hold page tables: zeroed; given back by frames_put_table(). */
int frames_take_table(struct frames *f, unsigned n, uint32_t *ret_frame) must_check;
void frames_put_table(struct frames *f, uint32_t frame);

struct frame_info frames_look(const struct frames *f, uint32_t frame);

/* For those who know that it cannot go away meanwhile: it is in a slot whose page lock or exclusive map
 * lock they hold, in the index under its shard's lock, or pinned already.  False: too many. */
bool frames_pin(struct frames *f, uint32_t frame);
bool frames_ref(struct frames *f, uint32_t frame); /* or the limits below say no */
/* For those who know nothing of it.  False: fewer than two slots refer to it.  With two, S1 lets nobody write in place,
 * and with a pin that stays so. */
bool frames_pin_shared(struct frames *f, uint32_t frame);

/* At most `sharers_max` slots refer to one frame, and at most `shared_max` frames have two or more; 0: as many
 * as can be counted.  With the gate closed, `sharers_max` only while nothing is shared. */
void frames_limit(struct frames *f, uint32_t sharers_max, uint64_t shared_max);
bool frames_is_full(const struct frames *f, uint32_t frame);

/* How many of the warm frames are left to the urgent; 0: as many as are enough where nobody is short of memory. */
void frames_reserve(struct frames *f, unsigned n);

/* Is there memory for `n` frames more, and after that as much as ordinary writers want to find left?  For what could
 * as well not be done. */
bool frames_spare(struct frames *f, unsigned n);

/* Take back. FRAMES_IDLE: the last is gone, but the index still finds it; content_unpin() and content_unref()
 * see to that. */
enum frames_r frames_unpin(struct frames *f, uint32_t frame);
enum frames_r frames_unref(struct frames *f, uint32_t frame);

/* S1, but for the index: one reference, no pin, not indexed. */
bool frames_own(const struct frames *f, uint32_t frame);

/* The owner stored into it (in place), or it was filled without being digested. */
void frames_mark_dirty(struct frames *f, uint32_t frame);
bool frames_clear_dirty(struct frames *f, uint32_t frame); /* was it? */
void frames_set_rewrites(struct frames *f, uint32_t frame, unsigned rewrites);
/* Only means anything while it has one slot and is not indexed; entering the index ends it. */
void frames_set_untracked(struct frames *f, uint32_t frame, bool untracked);

/* A byte that the scanner remembers about a frame outside the index; 0 when it is taken. */
uint8_t frames_history(const struct frames *f, uint32_t frame);
void frames_set_history(struct frames *f, uint32_t frame, uint8_t history);

/* For content.c, under the shard's lock: set or clear `indexed`.  Clearing succeeds only when
 * it is idle, or has one reference and no pin; a frame cleared when idle has become free. */
enum frames_unindex { FRAMES_UNINDEX_IDLE, FRAMES_UNINDEX_OWNED };
void frames_set_indexed(struct frames *f, uint32_t frame, uint32_t tag);
void frames_set_shelved(struct frames *f, uint32_t frame, bool shelved);
bool frames_clear_indexed(struct frames *f, uint32_t frame, enum frames_unindex when);
/* Out of the index for good, whoever refers to it or looks: it is `damaged` until it is free.  That is kept in `list`
 * for whoever adopts the frames next (of more, it is forgotten then). */
enum { FRAMES_DAMAGED = 64 };
void frames_keep_damaged(struct frames *f, _Atomic uint32_t list[FRAMES_DAMAGED]);
void frames_set_damaged(struct frames *f, uint32_t frame);

/* Give warm free frames beyond the reserve back to the system, and what others left behind that were killed.  True
 * if there was anything. */
bool frames_reclaim(struct frames *f);
/* So much has been freed that it is not worth waiting for somebody who takes it again. */
bool frames_pressing(const struct frames *f);
/* Called without locks when enough was freed that frames_reclaim() has something to do. */
void frames_on_surplus(struct frames *f, void (*call)(void *arg), void *arg);

/* Somebody found none: `call` is told once, under locks, when one is freed. */
void frames_await(struct frames *f);
void frames_on_room(struct frames *f, void (*call)(void *arg), void *arg);

/* Take memory from the system ahead of demand, so that a writer finds it there; a part of it.  True if there
 * is more to do. */
bool frames_refill_ahead(struct frames *f);
/* Called without locks when warm frames are being used up. */
void frames_on_low(struct frames *f, void (*call)(void *arg), void *arg);

/* Whether the sharing of any of the FRAMES_RANGE frames from `first` on has changed since this was last asked. */
enum { FRAMES_RANGE = 4096 };
bool frames_changed(struct frames *f, uint32_t first);
void frames_mark_changed(struct frames *f, uint32_t first);
void frames_mark_all_changed(struct frames *f);

/* One above the highest frame ever used; figures for the attribute table. */
uint32_t frames_end(const struct frames *f);
uint64_t frames_used(const struct frames *f);
uint64_t frames_tables(const struct frames *f);
uint64_t frames_warm(const struct frames *f);
uint64_t frames_metadata_bytes(const struct frames *f);
enum { FRAMES_COST_BYTES = 8 + 4 + 1 }; /* what the daemon spends on each: word, tag, history */

/* Taking over a memfd that holds a file system, before threads of ours start but for those that adopt: first each
 * node once, then all slots, in any order and by as many threads as like.  frames_adopt_end() counts; all others are
 * free then, and frames_reclaim() gives back what memory they have.  -EUCLEAN: no frame, or a node and more. */
int frames_adopt_node(struct frames *f, uint32_t frame) must_check;
/* `n` slots side by side; those that refer to no frame are passed over. */
int frames_adopt(struct frames *f, const _Atomic uint32_t *slot, unsigned n, uint16_t domain, bool untracked)
	must_check;
void frames_adopt_end(struct frames *f);
