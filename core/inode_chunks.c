/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/inode_chunks.c - places that never change, and memory in them that comes and goes.
 *
 * What was given back reads as zeroes: whoever holds a struct inode against the rules meets a record that is NULL.
 */
#include "inode_chunks.h"

#include "bulk.h"
#include "failpoint.h"

int inode_chunks_new(uint32_t count, struct inode_chunks **ret)
{
	struct inode_chunks *c = mem_alloc_lines(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->count = count;
	c->slabs = (count + INODE_SLAB - 1) / INODE_SLAB;
	c->chunk = mem_alloc(count, sizeof(*c->chunk));
	c->slab = mem_alloc(c->slabs, sizeof(struct inode *));
	if (!c->chunk || !c->slab) {
		inode_chunks_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

static void fini(struct inode_chunks *c, uint32_t chunk)
{
	struct inode *inode = inode_chunks_at(c, chunk << INODE_CHUNK_BITS);

	for (unsigned n = 0; n < INODE_CHUNK; n++) {
		rwlock_fini(&inode[n].map);
		lock_fini(&inode[n].attr);
	}
}

static void free_slab(struct inode_chunks *c, uint32_t slab)
{
	uint32_t first = slab * INODE_SLAB, end = MIN(first + INODE_SLAB, c->count);

	if (!c->slab[slab])
		return;
	for (uint32_t chunk = first; chunk < end; chunk++)
		if (c->chunk[chunk].state != INODE_CHUNK_NONE)
			fini(c, chunk);
	bulk_unmap(c->slab[slab], INODE_SLAB * INODE_CHUNK_BYTES);
}

void inode_chunks_free(struct inode_chunks *c)
{
	if (!c)
		return;
	for (uint32_t slab = 0; c->chunk && c->slab && slab < c->slabs; slab++)
		free_slab(c, slab);
	mem_free(c->chunk);
	mem_free(c->slab);
	mem_free(c);
}

int inode_chunks_reserve(struct inode_chunks *c, uint32_t chunk)
{
	struct inode **slab = &c->slab[chunk / INODE_SLAB];

	if (!*slab)
		*slab = bulk_map(INODE_SLAB * INODE_CHUNK_BYTES);
	return *slab ? 0 : -ENOMEM;
}

static void make(struct inode_chunks *c, uint32_t chunk)
{
	uint32_t first = chunk << INODE_CHUNK_BITS;
	struct inode *inode = inode_chunks_at(c, first);

	for (unsigned n = 0; n < INODE_CHUNK; n++) {
		inode[n].number = first + n;
		inode[n].record = &c->record[first + n];
		rwlock_init(&inode[n].map, RANK_MAP);
		lock_init(&inode[n].attr, RANK_ATTR);
	}
}

void inode_chunks_use(struct inode_chunks *c, uint32_t chunk)
{
	if (c->chunk[chunk].state == INODE_CHUNK_LEAVING) {
		c->leaving--;
	} else {
		make(c, chunk);
		c->made++;
	}
	atomic_store(&c->chunk[chunk].state, INODE_CHUNK_USED);
}

void inode_chunks_leave(struct inode_chunks *c, uint32_t chunk)
{
	atomic_store(&c->chunk[chunk].state, INODE_CHUNK_LEAVING);
	c->leaving++;
	c->chunk[chunk].asked = grace_ask(&c->grace);
}

void inode_chunks_forget(struct inode_chunks *c, uint32_t chunk)
{
	if (c->chunk[chunk].state != INODE_CHUNK_LEAVING || !grace_over(&c->grace, c->chunk[chunk].asked))
		return;
	fini(c, chunk);
	bulk_forget(inode_chunks_at(c, chunk << INODE_CHUNK_BITS), INODE_CHUNK_BYTES);
	c->chunk[chunk].state = INODE_CHUNK_NONE;
	c->leaving--;
	c->made--;
}

uint64_t inode_chunks_bytes(const struct inode_chunks *c)
{
	return c->made * INODE_CHUNK_BYTES;
}
