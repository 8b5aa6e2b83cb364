/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_advice.c - what may be merged, and what merging has done, for a file or a tree.
 *
 * What is said counts from the moment the gate has been closed: whoever prepared a merge by what held before has
 * finished it, or looks again (fault.h, F5).  Splitting what is merged comes after that and may take long.
 */
#include <stdlib.h>

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
	HOLDS_INODES(v->pool.itable);
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
	HOLDS_INODES(v->pool.itable);
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
	HOLDS_INODES(v->pool.itable);
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
	uint64_t parts; /* of proportional_bytes: frames_part() */
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
	s->parts += frames_part(&info);
}

/* Up to LOOK_SLOTS of `ino` from *io_from on; false at the end, and when it has gone. */
static bool look_some(struct volume *v, struct inode *i, uint64_t ino, uint64_t *io_from, uint64_t end,
		      struct sums *s)
{
	_Atomic uint32_t *slot = NULL;

	gate_enter(&v->gate);
	rwlock_take_shared(&i->map);
	for (unsigned n = 0; n < LOOK_SLOTS && inode_is_live(i, ino); n++, ++*io_from) {
		slot = ptab_next(i, v->pool.frames, *io_from, end, io_from);
		if (!slot)
			break;
		look_slot(&v->pool, s, *slot);
	}
	rwlock_drop_shared(&i->map);
	gate_leave(&v->gate);
	return slot != NULL;
}

static int look_at(struct volume *v, struct inode *i, uint64_t ino, uint64_t from, uint64_t end, struct sums *s)
{
	uint64_t at = from;

	end = MIN(end, pages_of(inode_size(i)));
	if (from >= end)
		return 0;
	rwlock_take_shared(&i->map);
	if (inode_is_live(i, ino))
		s->pages.left_out += advice_left_out(i, v->pool.frames, from, end);
	rwlock_drop_shared(&i->map);
	while (look_some(v, i, ino, &at, end, s))
		if (interrupted(s->interrupt))
			return -EINTR;
	return 0;
}

static void add_up(struct sums *s, struct volume_pages *ret)
{
	uint64_t cost;

	*ret = s->pages;
	ret->slots = ret->merged + ret->unshared + ret->zero + ret->changing + ret->untracked;
	ret->proportional_bytes = s->parts >> FRAMES_PART_BITS;
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
	return S_ISREG(mode) ? look_at(t->v, i, ino, 0, FILE_PAGES_MAX, &t->sums) : 0;
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

/* --- tenants ---------------------------------------------------------------------------------- */

enum { LOOK_RECORDS = 1024 };

struct member_sums {
	uint32_t tenant; /* 0: none any more */
	unsigned place;  /* among those asked for */
	struct sums sums;
};

static int by_tenant(const void *a, const void *b)
{
	uint32_t one = ((const struct member_sums *)a)->tenant, other = ((const struct member_sums *)b)->tenant;

	return (one > other) - (one < other);
}

/* Whose `i` is, of those asked for. */
static struct member_sums *sums_of(const struct inode *i, struct member_sums *m, unsigned count)
{
	const struct member_sums key = { .tenant = i->record->tenant };

	return key.tenant ? bsearch(&key, m, count, sizeof(*m), by_tenant) : NULL;
}

struct member {
	struct inode *inode;
	uint64_t ino;
	struct member_sums *sums;
};

/* The next that is theirs, of some records from *io_number on, or none of them.  False at the end. */
static bool next_member(struct volume *v, uint32_t *io_number, struct member_sums *m, unsigned count,
			struct member *ret)
{
	struct inode *i = NULL;

	ret->inode = NULL;
	gate_enter(&v->gate);
	for (unsigned n = 0; n < LOOK_RECORDS && !ret->inode; n++) {
		i = itable_next(v->pool.itable, io_number);
		if (!i)
			break;
		ret->ino = inode_ino(i); /* first: who has the record next may be another's */
		ret->sums = sums_of(i, m, count);
		if (ret->sums && S_ISREG(inode_attr_get(i).mode))
			ret->inode = i;
	}
	gate_leave(&v->gate);
	return i != NULL;
}

static int look_at_members(struct volume *v, struct member_sums *m, unsigned count,
			   const struct interrupt *interrupt)
{
	struct member member;
	uint32_t number = 0;
	int r = 0;

	while (!r && next_member(v, &number, m, count, &member)) {
		if (member.inode)
			r = look_at(v, member.inode, member.ino, 0, FILE_PAGES_MAX, &member.sums->sums);
		if (interrupted(interrupt))
			r = -EINTR;
	}
	return r;
}

int volume_tenant_pages(struct volume *v, const uint64_t *dir, unsigned count, const struct interrupt *interrupt,
			struct volume_pages *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct member_sums *m = mem_alloc(count, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	for (unsigned n = 0; n < count; n++) {
		const struct inode *i = volume_inode(v, dir[n]);

		m[n].tenant = i && tenant_is_dir(i) ? i->number : 0;
		m[n].place = n;
		m[n].sums.interrupt = interrupt;
	}
	qsort(m, count, sizeof(*m), by_tenant);
	r = look_at_members(v, m, count, interrupt);
	for (unsigned n = 0; n < count && !r; n++)
		add_up(&m[n].sums, &ret[m[n].place]);
	mem_free(m);
	return r;
}

/* --- either ----------------------------------------------------------------------------------- */

int volume_pages(struct volume *v, uint64_t ino, uint64_t offset, uint64_t len, const struct interrupt *interrupt,
		 struct volume_pages *ret)
{
	HOLDS_INODES(v->pool.itable);
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
		return tenant_is_dir(i) ? volume_tenant_pages(v, &ino, 1, interrupt, ret) :
					  tree_pages(v, ino, interrupt, ret);
	if (S_ISREG(mode))
		r = look_at(v, i, ino, offset >> PAGE_SHIFT, end >> PAGE_SHIFT, &s);
	if (!r)
		add_up(&s, ret);
	return r;
}
