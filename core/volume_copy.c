/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_copy.c - from one file to another: pages that lie alike by fault_copy(), all else as bytes.
 *
 * As a write: pages first, then the size, then what an early end has left behind it.  Between two batches the gate is
 * left, so that nobody who closes it waits for more than one.
 */
#include <string.h>

#include "fault.h"
#include "guard.h"
#include "volume_inside.h"

enum {
	BYTES_PAGES = 16, /* copied at once, on the stack */
	CALL_PAGES = 1 << 14, /* 64 MiB: the caller is back in some milliseconds, or some tens where bytes are copied */
};

struct copy {
	struct volume *v;
	struct inode *from, *to;
	uint64_t from_offset, to_offset, len, done;
};

static void gather(struct copy *c, uint64_t index, unsigned pages, uint8_t *ret_bytes)
{
	struct pool *p = &c->v->pool;
	uint32_t frame[BYTES_PAGES + 1];
	unsigned n;

	for (; pages; pages -= n, index += n) {
		n = fault_pin(p, c->from, index, pages, frame);
		for (unsigned k = 0; k < n; k++, ret_bytes += PAGE_BYTES) {
			if (!frame[k]) {
				memset(ret_bytes, 0, PAGE_BYTES);
				continue;
			}
			memcpy(ret_bytes, frames_data(p->frames, frame[k]), PAGE_BYTES);
			content_unpin(p->content, frame[k]);
		}
	}
}

/* Up to the end of a page of the destination: what follows are whole pages. */
static int copy_bytes(struct copy *c, uint64_t from, uint64_t to, uint64_t len, uint64_t *ret_copied)
{
	const unsigned pages = from % PAGE_BYTES == to % PAGE_BYTES ? 1 : BYTES_PAGES;
	uint8_t bytes[(BYTES_PAGES + 1) * PAGE_BYTES];
	size_t written = 0;
	int r;

	len = MIN(len, (uint64_t)pages * PAGE_BYTES - to % PAGE_BYTES);
	gather(c, from >> PAGE_SHIFT, (unsigned)(pages_of(from + len) - (from >> PAGE_SHIFT)), bytes);
	r = fault_write(&c->v->pool, c->to, to, bytes + from % PAGE_BYTES, len, 0, &written);
	*ret_copied = written;
	return r;
}

static int copy_some(struct copy *c, uint64_t *ret_copied)
{
	uint64_t from = c->from_offset + c->done, to = c->to_offset + c->done, len = c->len - c->done;
	unsigned pages = (unsigned)MIN(len >> PAGE_SHIFT, (uint64_t)BATCH_PAGES);
	int r;

	if (from % PAGE_BYTES || to % PAGE_BYTES || !pages)
		return copy_bytes(c, from, to, len, ret_copied);
	r = fault_copy(&c->v->pool, c->from, from >> PAGE_SHIFT, c->to, to >> PAGE_SHIFT, pages, &pages);
	*ret_copied = (uint64_t)pages << PAGE_SHIFT;
	return r;
}

/* What lies beyond the end cannot be stored into, whoever has it mapped. */
static bool may_be_stored(const struct copy *c)
{
	return c->to->record->stores && c->to_offset >> PAGE_SHIFT < pages_of(inode_size(c->to));
}

static ssize_t copy_inside(struct copy *c, unsigned flags, const struct interrupt *interrupt)
{
	int r;

	do {
		uint64_t some;

		if (c->done)
			pool_step_aside(&c->v->pool);
		r = copy_some(c, &some);
		if (r < 0)
			break;
		c->done += some;
		if ((flags & VOLUME_COPY_UNSEEN) && may_be_stored(c))
			break; /* somebody has opened it meanwhile */
	} while (c->done < c->len && !interrupted(interrupt));
	volume_write_ends(c->v, c->to, c->to_offset, c->len, c->done, flags);
	return c->done ? (ssize_t)c->done : r;
}

static int check_files(struct copy *c)
{
	uint32_t from = inode_attr_get(c->from).mode, to = inode_attr_get(c->to).mode;

	if (S_ISDIR(from) || S_ISDIR(to))
		return -EISDIR;
	if (!S_ISREG(from) || !S_ISREG(to))
		return -EINVAL;
	if (c->from == c->to && c->from_offset < c->to_offset + c->len && c->to_offset < c->from_offset + c->len)
		return -EINVAL;
	return 0;
}

/* What there is to be copied, of what was asked for, in one call. */
static int clip(struct copy *c)
{
	uint64_t size = inode_size(c->from), room = 0;

	if (c->to_offset < FILE_BYTES_MAX)
		room = FILE_BYTES_MAX - c->to_offset;
	c->len = c->from_offset < size ? MIN(c->len, size - c->from_offset) : 0;
	if (c->len && !room)
		return -EFBIG;
	c->len = MIN(c->len, room);
	c->len = MIN(c->len, ((uint64_t)CALL_PAGES << PAGE_SHIFT) - c->to_offset % PAGE_BYTES); /* ends with a page */
	return 0;
}

ssize_t volume_copy(struct volume *v, const struct volume_copy *what, unsigned flags, const struct interrupt *interrupt)
{
	HOLDS_INODES(v->pool.itable);
	struct copy c = { .v = v, .from = volume_inode(v, what->from), .to = volume_inode(v, what->to),
			  .from_offset = what->from_offset, .to_offset = what->to_offset, .len = what->len };
	ssize_t n;
	int r;

	if (!c.from || !c.to)
		return -ESTALE;
	r = guard_copy(c.to);
	if (!r)
		r = clip(&c);
	if (!r)
		r = check_files(&c);
	if (r < 0 || !c.len)
		return r;
	if ((flags & VOLUME_COPY_UNSEEN) && may_be_stored(&c))
		return -EXDEV;
	gate_enter(&v->gate);
	inode_resize_begin(c.to);
	n = copy_inside(&c, flags, interrupt);
	inode_resize_end(c.to);
	gate_leave(&v->gate);
	return n;
}
