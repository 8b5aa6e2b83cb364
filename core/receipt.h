/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/receipt.h - what an operation leaves behind, so that it is not done twice when it is asked for again.
 *
 * A process that dies may have done what it was asked for and not answered: the request comes again, to the next one.
 * Most operations can simply be done again. Those that cannot (names made and removed, lookups and open files
 * counted) say in the receipt of their request what they are about to do and what became of it.
 *
 * Owns     nothing: a receipt lies where the caller keeps it, in memory that outlives the process.
 * Keeps    J1 the counts of an inode, and the receipt that says so, change as one: the receipt holds
 *             the counts they will be before they change, and only one of an inode's is under way at a time.
 *          J2 of all receipts at most one is in doubt: names.db knows whether it has happened.
 *          J3 no pointers: any process may read it.
 * Threads  a receipt belongs to the thread that said receipt_use(); only that one writes to it.
 * Fails    never.
 *
 *   NONE -> DOUBT   names.db is about to be told                          [receipt_doubt]
 *   DOUBT -> NONE   it refused                                             [receipt_set]
 *   any -> MADE, OPENED, RELEASED, LISTED, FORGOT   with the counts        [receipt_count]
 *   DOUBT -> CHANGED   effects, too                                        [receipt_set]
 *   DOUBT -> MADE, CHANGED, NONE   after a death, as names.db says         [settle_receipts]
 *   NONE -> ALLOWED -> CHANGED     extended attributes (volume_xattr.c)
 */
#pragma once

#include <stdatomic.h>

#include "names.h"

struct inode;
struct itable;

enum receipt_state {
	RECEIPT_NONE,
	RECEIPT_DOUBT,
	RECEIPT_ALLOWED,  /* its conditions were met: it is done, whatever is there by now */
	RECEIPT_MADE,     /* `ino` has the name, or needs none, and is looked up once more, and opened */
	RECEIPT_CHANGED,  /* all is done */
	RECEIPT_OPENED,
	RECEIPT_RELEASED,
	RECEIPT_LISTED,   /* `steps` lookups are counted, of `listed` */
	RECEIPT_FORGOT,   /* `steps` calls of volume_forget() are done */
};

enum { RECEIPT_LISTED_MAX = 512 };

/* What names.db is told. */
struct receipt_names {
	enum { RECEIPT_ADD, RECEIPT_REMOVE, RECEIPT_MOVE } how;
	uint32_t len, new_len;
	uint64_t dir, new_dir;
	uint64_t ino;      /* what is added, removed or moved */
	uint64_t replaced; /* what was there, or 0 */
	int opens, stores; /* of what is added: how it is opened by the same call */
	char name[NAME_BYTES_MAX + 1], new_name[NAME_BYTES_MAX + 1];
};

/* Who knows an inode. */
struct receipt_counts {
	uint64_t lookups;
	uint32_t opens;  /* all, and */
	uint32_t stores; /* those that can map it and store (O_RDWR) */
};

struct receipt {
	_Atomic uint64_t request; /* the caller's number for it; 0: this is nobody's */
	_Atomic uint32_t state;   /* enum receipt_state */
	_Atomic uint32_t steps;
	_Atomic uint64_t counting; /* J1: the inode whose counts become `counts`, and state and steps `then` */
	struct receipt_counts counts;
	uint32_t then, then_steps;
	uint64_t ino;
	uint32_t opens, stores; /* of MADE and OPENED: what of the counts is for the answer */
	uint32_t unused_;
	_Atomic uint32_t answering; /* somebody was about to be told: he may know */
	struct receipt_names names;
	uint64_t listed[RECEIPT_LISTED_MAX];
};

/* Where they lie: `count` of them, `stride` bytes from one to the next. */
struct receipts {
	void *first;
	size_t stride;
	unsigned count;
};

static inline struct receipt *receipt_at(const struct receipts *rs, unsigned n)
{
	return (struct receipt *)((char *)rs->first + n * rs->stride);
}

/* The calling thread's from here on; NULL (at first): what it does leaves none. */
void receipt_use(struct receipt *r);
/* Request number `request` begins. If the receipt is of that one already, it goes on with what it says. */
void receipt_begin(uint64_t request);
/* It is about to be answered. */
void receipt_answer(void);
/* It is asked for again: it was not. */
void receipt_unanswered(void);
/* It has been answered: whatever the receipt says is over. */
void receipt_end(void);

/* The calling thread's, in this state: else NULL. */
struct receipt *receipt_in(enum receipt_state state);
/* Has this call of volume_forget() been done before? */
bool receipt_skips(void);

void receipt_set(enum receipt_state state);

/* How the counts of an inode change. */
struct receipt_change {
	int64_t lookups;
	int opens, stores;
	enum receipt_state then;
};

/* False: `i` is not `ino` any more.  ret_before (may be NULL): the counts as they were. */
bool receipt_count(struct inode *i, uint64_t ino, const struct receipt_change *change,
		   struct receipt_counts *ret_before) must_check;

/* names.db will be told: `names`, with these texts.  Under NAMES. */
void receipt_doubt(const struct receipt_names *names, struct name name, struct name new_name);

/* After a death: counts that were under way (J1) are as they were to become. */
void receipt_finish_counting(struct receipt *r, struct itable *t);
