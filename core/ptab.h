/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/ptab.h - the page table of one inode: from page index to slot.
 *
 * Owns     the slots of an inode: eight in its record, or a radix tree of frames with 1024 entries each.
 * Keeps    B1 whoever follows root and children from one load to the next finds a complete tree: a node is
 *             linked by one store, after all it holds.
 *          B2 the root word says which counts: height 0, the direct slots; else the tree alone.
 * Threads  looking needs the map lock shared; slots themselves are atomic and changed under their page
 *          lock (or the exclusive map lock).  Nodes come and go under the exclusive map lock only.
 * Fails    NULL is a hole without a node.
 */
#pragma once

#include "frames.h"
#include "inode.h"

/* What a slot says.  From FRAMES_FIRST on it is a frame number. */
enum slot {
	SLOT_HOLE = 0,
	SLOT_RESERVED = 1, /* fallocate: counts, reads as zeroes */
	SLOT_ZERO = 2,     /* zeroes that were written */
	SLOT_LENT = 3,     /* as reserved, by the read of a hole that may be stored into */
};

static inline bool slot_is_frame(uint32_t slot)
{
	return slot >= FRAMES_FIRST;
}

/* Levels of nodes to add before ptab_extend() can reach any index (its tree may be of height 4). */
enum { PTAB_LEVELS_MAX = 4, PTAB_SPARES = 2 * PTAB_LEVELS_MAX, PTAB_FANOUT = PAGE_BYTES / 4 };

_Atomic uint32_t *ptab_slot(const struct inode *i, const struct frames *f, uint64_t index)
	REQUIRES_SHARED(i->map);

/* The first slot in [from, end) that is not a hole, its index in *ret_index; NULL if there is none. */
_Atomic uint32_t *ptab_next(const struct inode *i, const struct frames *f, uint64_t from,
			    uint64_t end, uint64_t *ret_index) REQUIRES_SHARED(i->map);

/* All slots side by side that the first leaf from `*io_index` on has, which is moved to the first of them:
 * `*ret_count`, holes among them.  NULL: there is none. */
_Atomic uint32_t *ptab_leaf(const struct inode *i, const struct frames *f, uint64_t *io_index,
			    unsigned *ret_count) REQUIRES_SHARED(i->map);

/* Nodes that ptab_extend() needs for `index`; 0: the slot is there. */
unsigned ptab_missing(const struct inode *i, const struct frames *f, uint64_t index)
	REQUIRES_SHARED(i->map);

/* Add them, from `spare` (from frames_take_table()); the number of those used. */
unsigned ptab_extend(struct inode *i, const struct frames *f, uint64_t index, const uint32_t *spare)
	REQUIRES(i->map);

/* Make holes of [from, end): up to `max` slots that were not, with their indexes' old values in `ret_slot`,
 * and nodes that hold nothing else any more in `ret_node[PTAB_SPARES]`.  Call again unless there was room for
 * more of both. */
unsigned ptab_clear(struct inode *i, const struct frames *f, uint64_t from, uint64_t end,
		    uint32_t *ret_slot, unsigned max, uint32_t *ret_node, unsigned *ret_nodes)
	REQUIRES(i->map);

/* Unlink the nodes on the way to `index` that hold nothing, into `ret_node[PTAB_LEVELS_MAX]`; how many.  Whoever
 * has emptied slots does so for each leaf that he has not cleared as a whole: nodes are charged to nobody, and so
 * there are at most PTAB_LEVELS_MAX for each slot in use. */
unsigned ptab_prune(struct inode *i, const struct frames *f, uint64_t index, uint32_t *ret_node) REQUIRES(i->map);

/* Every node, parents first. */
typedef int ptab_visit(void *arg, uint32_t node);
int ptab_walk_nodes(const struct inode *i, const struct frames *f, ptab_visit *visit, void *arg);
