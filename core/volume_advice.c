/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_advice.c - what may be merged, and what merging has done, for a file or a tree.
 *
 * What is said counts from the moment the gate has been closed: whoever prepared a merge by what held before has
 * finished it, or looks again (fault.h, F5).  Splitting what is merged comes after that and may take long.
 */
#include "advice.h"
#include "failpoint.h"
#include "fault.h"
#include "unmerge.h"
#include "volume_inside.h"

_Static_assert((int)VOLUME_UNMERGEABLE == (int)ADVICE_UNMERGEABLE &&
		       (int)VOLUME_MERGEABLE == (int)ADVICE_MERGEABLE && (int)VOLUME_KEEP == (int)ADVICE_KEEP,
	       "one word in two headers");

enum { LOOK_SLOTS = 4096 };

/* --- saying ----------------------------------------------------------------------------------- */

int volume_advice(struct volume *v, uint64_t ino, enum volume_advice *ret)
{
	struct inode *i = volume_inode(v, ino);

	if (!i)
		return -ESTALE;
	*ret = (enum volume_advice)advice_of_whole(i);
	return 0;
}

/* Now that it counts: what may be merged is found, what was merged is split.  First what is alone leaves the
 * index, which needs no memory and does not take long: then nobody merges with it any more, however the splitting
 * ends.  The scanner looks in any case: what is split here may be of a file that somebody has put back into
 * merging meanwhile. */
static int follow(struct volume *v, struct inode *i, uint64_t from, uint64_t end, enum volume_advice advice,
		  const struct interrupt *interrupt)
{
	int r = 0;

	if (advice != VOLUME_MERGEABLE)
		r = unmerge_range(&v->pool, i, from, end, FAULT_KEEP_SHARED, NULL);
	if (!r && advice == VOLUME_UNMERGEABLE)
		r = unmerge_range(&v->pool, i, from, end, 0, interrupt);
	pool_changed(&v->pool);
	return r;
}

int volume_advise(struct volume *v, uint64_t ino, enum volume_advice advice, const struct interrupt *interrupt)
{
	struct inode *i;

	gate_close(&v->gate);
	i = volume_inode(v, ino);
	if (i) {
		advice_set_whole(&v->pool, i, (enum advice)advice);
		v->pool.rules++;
	}
	gate_open(&v->gate);
	if (!i)
		return -ESTALE;
	return follow(v, i, 0, FILE_PAGES_MAX, advice, interrupt);
}

static int advise_range_closed(struct volume *v, uint64_t ino, uint64_t from, uint64_t *io_end,
			       enum volume_advice advice, struct inode **ret)
{
	struct inode *i = volume_inode(v, ino);
	struct inode_attr attr;
	int r = 0;

	if (!i)
		return -ESTALE;
	attr = inode_attr_get(i);
	if (!S_ISREG(attr.mode))
		return S_ISDIR(attr.mode) ? -EISDIR : -ENOTTY;
	*ret = i;
	*io_end = MIN(*io_end, pages_of(attr.size));
	if (from < *io_end)
		r = advice_set_range(&v->pool, i, from, *io_end, (enum advice)advice);
	v->pool.rules += r == 0;
	return r;
}

int volume_advise_range(struct volume *v, uint64_t ino, uint64_t offset, uint64_t len, enum volume_advice advice,
			const struct interrupt *interrupt)
{
	uint64_t from = offset >> PAGE_SHIFT, end, last;
	struct inode *i = NULL;
	int r;

	if (offset % PAGE_BYTES || len % PAGE_BYTES || __builtin_add_overflow(offset, len, &last) ||
	    advice == VOLUME_KEEP)
		return -EINVAL;
	if (!len)
		return 0;
	end = last >> PAGE_SHIFT;
	gate_close(&v->gate);
	r = advise_range_closed(v, ino, from, &end, advice, &i);
	gate_open(&v->gate);
	if (r > 0 && advice == VOLUME_MERGEABLE)
		r = 0; /* nothing new */
	else if (r >= 0 && from < end)
		r = follow(v, i, from, end, advice, interrupt);
	return r < 0 ? r : end < last >> PAGE_SHIFT ? -ENOMEM : 0;
}

/* --- figures ---------------------------------------------------------------------------------- */

struct sums {
	struct volume_pages pages;
	uint64_t parts; /* of proportional_bytes, each a 2^16th of a byte */
	const struct interrupt *interrupt;
};

static void look_slot(struct pool *p, struct sums *s, uint32_t slot)
{
	struct frame_info info;

	if (slot == SLOT_ZERO) {
		s->pages.zero++;
		return;
	}
	if (!slot_is_frame(slot))
		return;
	info = frames_look(p->frames, slot);
	s->pages.merged += info.refs > 1;
	s->pages.unshared += info.refs <= 1 && info.indexed;
	s->pages.untracked += info.refs <= 1 && !info.indexed && info.untracked;
	s->pages.changing += info.refs <= 1 && !info.indexed && !info.untracked;
	s->parts += ((uint64_t)PAGE_BYTES << 16) / MAX(info.refs, 1u);
}

/* Up to LOOK_SLOTS from *io_from on; false at the end. */
static bool look_some(struct volume *v, struct inode *i, uint64_t *io_from, uint64_t end, struct sums *s)
{
	_Atomic uint32_t *slot = NULL;

	gate_enter(&v->gate);
	rwlock_take_shared(&i->map);
	for (unsigned n = 0; n < LOOK_SLOTS; n++, ++*io_from) {
		slot = ptab_next(i, v->pool.frames, *io_from, end, io_from);
		if (!slot)
			break;
		look_slot(&v->pool, s, *slot);
	}
	rwlock_drop_shared(&i->map);
	gate_leave(&v->gate);
	return slot != NULL;
}

static int look_at(struct volume *v, struct inode *i, uint64_t from, uint64_t end, struct sums *s)
{
	uint64_t at = from;

	end = MIN(end, pages_of(inode_size(i)));
	if (from >= end)
		return 0;
	rwlock_take_shared(&i->map);
	s->pages.left_out += advice_left_out(i, v->pool.frames, from, end);
	rwlock_drop_shared(&i->map);
	while (look_some(v, i, &at, end, s))
		if (interrupted(s->interrupt))
			return -EINTR;
	return 0;
}

static void add_up(struct sums *s, struct volume_pages *ret)
{
	uint64_t cost;

	*ret = s->pages;
	ret->slots = ret->merged + ret->unshared + ret->zero + ret->changing + ret->untracked;
	ret->proportional_bytes = s->parts >> 16;
	ret->saved_bytes = (ret->slots << PAGE_SHIFT) - ret->proportional_bytes;
	cost = (ret->proportional_bytes >> PAGE_SHIFT) * (FRAMES_COST_BYTES + sizeof(uint64_t)); /* and its entry */
	ret->profit_bytes = (int64_t)ret->saved_bytes - (int64_t)cost;
}

/* --- trees ------------------------------------------------------------------------------------ */

struct tree {
	struct volume *v;
	struct sums sums;
	uint64_t *seen; /* a bit for each record */
	uint64_t records;
	uint64_t *dir;  /* still to be listed */
	size_t dirs, size;
};

static bool first_time(struct tree *t, uint32_t number)
{
	uint64_t bit = UINT64_C(1) << (number % 64);
	bool first = number < t->records && !(t->seen[number / 64] & bit);

	if (first)
		t->seen[number / 64] |= bit;
	return first;
}

static int push_dir(struct tree *t, uint64_t ino)
{
	if (t->dirs == t->size) {
		size_t size = MAX(t->size * 2, (size_t)64);
		uint64_t *dir = mem_alloc(size, sizeof(*dir));

		if (!dir)
			return -ENOMEM;
		for (size_t n = 0; n < t->dirs; n++)
			dir[n] = t->dir[n];
		mem_free(t->dir);
		t->dir = dir;
		t->size = size;
	}
	t->dir[t->dirs++] = ino;
	return 0;
}

static int look_entry(struct tree *t, uint64_t ino)
{
	struct inode *i = volume_inode(t->v, ino);
	mode_t mode = i ? inode_attr_get(i).mode : 0;

	if (!i || !first_time(t, i->number))
		return 0;
	if (S_ISDIR(mode))
		return push_dir(t, ino);
	if (interrupted(t->sums.interrupt))
		return -EINTR;
	return S_ISREG(mode) ? look_at(t->v, i, 0, FILE_PAGES_MAX, &t->sums) : 0;
}

static int look_dir(struct tree *t, uint64_t dir)
{
	struct names_entry entry[16];
	uint64_t offset = 0;
	unsigned count;
	int r;

	do {
		r = volume_list(t->v, dir, offset, entry, ARRAY_SIZE(entry), &count);
		for (unsigned n = 0; !r && n < count; n++) {
			offset = entry[n].offset;
			r = look_entry(t, entry[n].ino);
		}
	} while (!r && count);
	return r;
}

static int tree_pages(struct volume *v, uint64_t ino, const struct interrupt *interrupt, struct volume_pages *ret)
{
	struct tree t = { .v = v, .sums.interrupt = interrupt,
			  .records = itable_header(v->pool.itable)->records };
	int r;

	t.seen = mem_alloc(t.records / 64 + 1, sizeof(*t.seen));
	r = t.seen ? push_dir(&t, ino) : -ENOMEM;
	while (!r && t.dirs)
		r = look_dir(&t, t.dir[--t.dirs]);
	if (!r)
		add_up(&t.sums, ret);
	mem_free(t.seen);
	mem_free(t.dir);
	return r;
}

int volume_pages(struct volume *v, uint64_t ino, uint64_t offset, uint64_t len, const struct interrupt *interrupt,
		 struct volume_pages *ret)
{
	struct inode *i = volume_inode(v, ino);
	struct sums s = { .interrupt = interrupt };
	uint64_t end;
	mode_t mode;
	int r = 0;

	if (!i)
		return -ESTALE;
	mode = inode_attr_get(i).mode;
	if (__builtin_add_overflow(offset, len, &end))
		end = UINT64_MAX;
	if (offset % PAGE_BYTES || (end != UINT64_MAX && end % PAGE_BYTES) ||
	    (S_ISDIR(mode) && (offset || len != UINT64_MAX)))
		return -EINVAL;
	if (S_ISDIR(mode))
		return tree_pages(v, ino, interrupt, ret);
	if (S_ISREG(mode))
		r = look_at(v, i, offset >> PAGE_SHIFT, end >> PAGE_SHIFT, &s);
	if (!r)
		add_up(&s, ret);
	return r;
}
