/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/range.h - many slots of a file at once: truncate, punch, reserve, seek.
 *
 * Owns     nothing.
 * Keeps    G1 slots that are taken away are gone from the table before their references are put.
 *          G2 each batch under the exclusive map lock grows the inode's sequence count.
 *          G3 bytes beyond the end of a file are zero, in whatever page.
 *          G4 nodes that hold nothing go with the last slot that was in them.
 * Threads  called inside the gate with no lock; takes the map lock exclusive, a batch at a time.
 * Fails    -ENOSPC.
 */
#pragma once

#include "pool.h"
#include "ptab.h"

/* Make holes of pages [from, end). */
void range_clear(struct pool *p, struct inode *i, uint64_t from, uint64_t end);

/* The same, but what fallocate reserved stays. */
void range_drop(struct pool *p, struct inode *i, uint64_t from, uint64_t end);

/* Zeroes from now on: parts of pages are written, whole pages become holes. */
int range_zero(struct pool *p, struct inode *i, uint64_t offset, uint64_t len) must_check;

/* G3 in the page that the end lies in.  Where there are zeroes already nothing is written, which takes no frame. */
int range_end_at(struct pool *p, struct inode *i, uint64_t size) must_check;

/* Reserve the holes of [index, index + count); what is lent to nobody, as he has closed, is given back at once.
 * -ENOSPC: none of them; but for lack of memory, while others take nodes away that were there for it, those before
 * that. */
int range_reserve(struct pool *p, struct inode *i, uint64_t index, uint64_t count, enum slot as) must_check;

/* Give back what reads reserved: nobody can store into it any more. */
void range_return_lent(struct pool *p, struct inode *i);

/* The first byte at or after `offset` that is data (or hole); false if there is none before `size`. */
bool range_seek(struct pool *p, struct inode *i, uint64_t offset, uint64_t size, bool data,
		uint64_t *ret_offset);
