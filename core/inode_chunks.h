/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/inode_chunks.h - struct inode, in chunks: made before the first record of a chunk is used, and given back after
 * the last.
 *
 * Owns     every struct inode, and the count of those who may hold one: `grace`.
 * Keeps    C1 a record has one struct inode, always in the same place: whoever holds one from before shares its locks
 *             with whoever finds it now.
 *          C2 it goes when its chunk is not in use, and all have left who were inside when it was.
 * Threads  inode_chunks_has() from any who is inside; the others under NAMES, or by one who is alone.
 * Fails    -ENOMEM.
 *
 *   NONE    -> USED      its records are about to be used      [inode_chunks_use]
 *   USED    -> LEAVING   none is: from here on nobody finds it    [inode_chunks_leave]
 *   LEAVING -> USED      one is again, before all have left       [inode_chunks_use]
 *   LEAVING -> NONE      all have left                           [inode_chunks_forget]
 */
#pragma once

#include "grace.h"
#include "inode.h"

enum {
	INODE_CHUNK_BITS = 8,
	INODE_CHUNK = 1 << INODE_CHUNK_BITS, /* records that get memory and locks together */
	INODE_SLAB = 64, /* chunks that are mapped together, for good: that takes no memory */
};

#define INODE_CHUNK_BYTES (INODE_CHUNK * sizeof(struct inode))
_Static_assert(INODE_CHUNK_BYTES % PAGE_BYTES == 0, "a chunk's memory is its own");

enum inode_chunk_state { INODE_CHUNK_NONE, INODE_CHUNK_USED, INODE_CHUNK_LEAVING };

struct inode_chunks {
	struct grace grace;
	struct inode_record *record; /* the first of all */
	struct {
		uint64_t asked; /* leaving: of grace */
		_Atomic uint8_t state;
	} *chunk;
	struct inode **slab;
	uint32_t count, slabs;
	_Atomic uint32_t made, leaving; /* chunks with memory, and those of them that are leaving */
};

int inode_chunks_new(uint32_t count, struct inode_chunks **ret) must_check;
void inode_chunks_free(struct inode_chunks *c); /* NULL is fine */

/* Is it in use? */
static inline bool inode_chunks_has(const struct inode_chunks *c, uint32_t chunk)
{
	return chunk < c->count && atomic_load(&c->chunk[chunk].state) == INODE_CHUNK_USED;
}

/* Of a chunk that is in use. */
static inline struct inode *inode_chunks_at(const struct inode_chunks *c, uint32_t number)
{
	uint32_t chunk = number >> INODE_CHUNK_BITS;

	return &c->slab[chunk / INODE_SLAB][number - ((chunk / INODE_SLAB * INODE_SLAB) << INODE_CHUNK_BITS)];
}

/* A place for it, so that it can be used. */
int inode_chunks_reserve(struct inode_chunks *c, uint32_t chunk) must_check;
void inode_chunks_use(struct inode_chunks *c, uint32_t chunk);
void inode_chunks_leave(struct inode_chunks *c, uint32_t chunk);
/* If it is leaving, and all have left. */
void inode_chunks_forget(struct inode_chunks *c, uint32_t chunk);

uint64_t inode_chunks_bytes(const struct inode_chunks *c);
