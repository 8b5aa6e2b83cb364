/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/fault_inside.h - a batch of faults, for those who make one, the files fault*.c.
 *
 * Owns     struct fault and struct batch.
 * Keeps    see fault.h.
 * Threads  a batch belongs to one thread, which is inside the gate.
 * Fails    see fault.h.
 */
#pragma once

#include "fault.h"

enum { STASH = 32 };

enum stage { LOOK, PUBLISH, DONE };

struct fault {
	uint64_t index;
	const uint8_t *data; /* what is written, `len` bytes `from` the start of the page */
	uint16_t from, len;
	uint8_t stage;
	bool in_place;   /* store into the frame that is there, if it is ours alone */
	bool not_alone;  /* that was tried: it is not */
	bool must_match; /* the content was made from what was seen */
	bool undigested, untracked, fresh, merged, charged, no_merge;
	bool refers;     /* by the rules the slot may say what was given */
	bool referred;   /* and is to */
	uint32_t given;  /* what the slot that is copied says: SLOT_ZERO, or a frame, pinned by who began the
			  * batch, that holds `data`; SLOT_HOLE: only the bytes may be had */
	uint32_t seen;   /* the slot, when looked at */
	uint32_t next;   /* the slot to be: a frame pinned by us, or SLOT_ZERO */
	uint32_t source; /* pinned: the frame that a partial write has to copy */
	struct pagelock_wait wait;
};

struct batch {
	struct pool *pool;
	struct inode *inode;
	unsigned flags;
	unsigned count; /* shrinks when the limit or memory cuts the write short */
	bool again;     /* not the first round: holes are charged beyond the limit */
	bool digest, refer, find_zeroes, track, plain; /* what may be merged, by the rules: */
	uint32_t rules, seq;
	struct fault *busy; /* whose page lock was taken */
	unsigned stashed, stash_end; /* what is left of it, and where it ends */
	uint32_t stash[STASH];
	unsigned padded;
	uint8_t pad[2][PAGE_BYTES] __attribute__((aligned(64)));
	struct fault fault[BATCH_PAGES + 2];
};

/* Empty but for what is asked for; then fill in `fault` and `count`. */
void fault_begin(struct batch *b, struct pool *p, struct inode *i, unsigned flags);
/* Until each page is done, or `count` has become smaller. */
int fault_run(struct batch *b) must_check;
/* A new frame, pinned: -ENOSPC.  `wanted`: how many the batch may still need. */
int fault_take_frame(struct batch *b, unsigned wanted, uint32_t *ret_frame) must_check;
/* No frame could be had for this page: 0 when it can be stored where it is, else -ENOSPC. */
int fault_do_without(struct batch *b, struct fault *f) must_check;
/* Those that were not needed. */
void fault_give_back(struct batch *b);
/* Let `next` be what was given, or what turns out to equal it.  False: the bytes have to be copied after all. */
bool fault_prepare_given(struct batch *b, struct fault *f) must_check;
/* Give back what is left over; `all` is what `count` was. */
void fault_finish(struct batch *b, unsigned all);
