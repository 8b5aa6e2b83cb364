/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/recover.c - from two memfds and names.db to a volume that works.
 *
 * Believed: inode records, page tables, names.  Rebuilt from them: reference counts, the free list, the page
 * counters, slots of each inode, what is charged, link counts.  Dropped: what lies beyond the end of a file
 * (a write that was to extend it has stored its pages and not yet its size), inodes that nobody knows,
 * and inodes that were being freed.  The content index starts empty: pages that are shared
 * stay so, others are found again as they are written or scanned.
 */
#include "advice.h"
#include "failpoint.h"
#include "log.h"
#include "ptab.h"
#include "range.h"
#include "volume_inside.h"
#include "volume_xattr.h"

static int adopt_node(void *arg, uint32_t node)
{
	struct volume *v = arg;

	return frames_adopt_node(v->pool.frames, node);
}

static int adopt_slots(struct volume *v, struct inode *i) REQUIRES_SHARED(i->map)
{
	struct pool *p = &v->pool;
	bool plain = advice_is_plain(i), unmerged = pool_setting(p, ATTR_run) == 2;
	uint64_t index = 0;
	_Atomic uint32_t *slot;

	i->record->slots = 0;
	for (; (slot = ptab_next(i, p->frames, index, FILE_PAGES_MAX, &index)); index++) {
		bool untracked = unmerged || !(plain || advice_may_merge(i, p->frames, index));
		int r = frames_adopt(p->frames, slot, 1, i->record->domain, untracked);

		if (r < 0)
			return r;
		pool_slot_changed(p, i, SLOT_HOLE, *slot);
		(void)pool_charge(p, 1, true);
	}
	return 0;
}

static int adopt_nodes(struct volume *v, struct inode *i)
{
	int r = ptab_walk_nodes(i, v->pool.frames, adopt_node, v);

	return r ? r : advice_walk_nodes(i, v->pool.frames, adopt_node, v);
}

static int adopt_inode(struct volume *v, struct inode *i)
{
	int r;

	rwlock_take_shared(&i->map);
	r = adopt_slots(v, i);
	rwlock_drop_shared(&i->map);
	return r;
}

/* By record number; its generation is whatever it is now. */
static struct inode *inode_of(struct volume *v, uint32_t number)
{
	return itable_next(v->pool.itable, &number);
}

struct links {
	struct volume *v;
	uint32_t *count;   /* names, and for a directory its subdirectories; by record number */
	uint32_t *entries; /* in a directory */
	uint32_t *parent;  /* of a directory */
	uint64_t records;
};

static int count_name(void *arg, uint32_t dir, const struct names_entry *e)
{
	struct links *l = arg;
	struct inode *i = volume_inode(l->v, e->ino);

	if (!i || dir >= l->records) {
		log_err("names.db has an entry for inode %llu, which does not exist",
			(unsigned long long)e->ino);
		return -EUCLEAN;
	}
	l->count[i->number]++;
	l->entries[dir]++;
	if (S_ISDIR(inode_attr_get(i).mode)) {
		l->count[dir]++;
		l->parent[i->number] = dir;
	}
	return 0;
}

/* What a change of names does to inodes (volume_names.c), as the names say.  The root has no name, other
 * directories have one and are one in themselves. */
static void set_links(struct links *l, struct inode *i)
{
	struct inode_attr *attr = inode_attr_begin(i);
	uint32_t parent = l->parent[i->number];

	attr->nlink = l->count[i->number];
	if (attr->nlink)
		atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_LINKABLE);
	if (S_ISDIR(attr->mode)) {
		if (attr->nlink || inode_ino(i) == ROOT_INO)
			attr->nlink += inode_ino(i) == ROOT_INO ? 2 : 1;
		attr->size = volume_dir_size(l->entries[i->number]);
		if (parent)
			attr->parent = inode_ino(inode_of(l->v, parent));
	} else if (attr->nlink > 1) {
		(void)!itable_add_names(l->v->pool.itable, attr->nlink - 1, true);
	}
	inode_attr_end(i);
}

static int recount_links(struct volume *v)
{
	uint64_t records = itable_header(v->pool.itable)->records;
	_cleanup_(mem_cleanup) uint32_t *count = mem_alloc(records, sizeof(*count));
	_cleanup_(mem_cleanup) uint32_t *entries = mem_alloc(records, sizeof(*entries));
	_cleanup_(mem_cleanup) uint32_t *parent = mem_alloc(records, sizeof(*parent));
	struct links l = { .v = v, .count = count, .entries = entries, .parent = parent,
			   .records = records };
	uint32_t number = 0;
	struct inode *i;
	int r;

	if (!count || !entries || !parent)
		return -ENOMEM;
	r = names_walk(v->names, count_name, &l);
	while (!r && (i = itable_next(v->pool.itable, &number)))
		set_links(&l, i);
	return r;
}

/* Whoever has an access list has the permissions that it says. */
static int adopt_acl(struct volume *v, struct inode *i)
{
	struct inode_attr *attr;
	mode_t mode;
	int r = volume_access_mode(v, i, &mode);

	if (r < 0)
		return r;
	attr = inode_attr_begin(i);
	attr->mode = mode;
	inode_attr_end(i);
	return 0;
}

static int adopt_xattr(void *arg, const struct names_xattr *x)
{
	const struct name name = {x->name, x->len};
	struct volume *v = arg;
	struct inode *i = inode_of(v, (uint32_t)x->ino); /* a dying one's go with it */
	uint64_t freed;

	if (!i || inode_ino(i) != x->ino)
		return FOLD(names_xattr_remove(v->names, x->ino, name, &freed));
	(void)!itable_take_space(v->pool.itable, x->space, true);
	atomic_fetch_or(&i->record->flags, INODE_XATTRS);
	return volume_is_access_acl(name) ? adopt_acl(v, i) : 0;
}

/* G3 again, in the page that the end lies in. */
static int zero_tail(struct volume *v, struct inode *i, uint64_t size)
{
	uint64_t from = size % PAGE_BYTES;
	_Atomic uint32_t *slot;
	const uint8_t *page = NULL;

	rwlock_take_shared(&i->map);
	slot = ptab_slot(i, v->pool.frames, size >> PAGE_SHIFT);
	if (slot && slot_is_frame(*slot))
		page = frames_data(v->pool.frames, *slot);
	rwlock_drop_shared(&i->map);
	for (uint64_t n = from; page && n < PAGE_BYTES; n++)
		if (page[n])
			return range_zero(&v->pool, i, size, PAGE_BYTES - from);
	return 0;
}

static int drop_beyond_end(struct volume *v, struct inode *i)
{
	struct inode_attr attr = inode_attr_get(i);

	range_drop(&v->pool, i, pages_of(attr.size), FILE_PAGES_MAX);
	advice_cut(&v->pool, i, pages_of(attr.size));
	return S_ISREG(attr.mode) && attr.size % PAGE_BYTES ? zero_tail(v, i, attr.size) : 0;
}

static int drop_inode(struct volume *v, struct inode *i)
{
	int r = 0;

	if (i->record->used == INODE_DYING) {
		range_clear(&v->pool, i, 0, FILE_PAGES_MAX);
		advice_cut(&v->pool, i, 0);
		atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_UNBURIED);
		volume_discard(v, i);
	} else {
		r = drop_beyond_end(v, i);
		volume_bury(v, i);
	}
	return r;
}

/* What was being freed when the last owner ended, what nobody knows, and what lies beyond ends. */
static int drop_the_dead(struct volume *v)
{
	uint32_t number = 0;
	struct inode *i;
	int r = 0;

	while (!r && (i = itable_next(v->pool.itable, &number))) {
		gate_enter(&v->gate);
		r = drop_inode(v, i);
		gate_leave(&v->gate);
		failpoint_kill(KILL_recover_dropping);
	}
	return r;
}

int recover(struct volume *v, const struct receipts *receipts)
{
	uint32_t number = 0;
	struct inode *i;
	int r = settle_receipts(v, receipts);

	while (!r && (i = itable_next(v->pool.itable, &number)))
		r = adopt_nodes(v, i);
	for (number = 0; !r && (i = itable_next(v->pool.itable, &number));)
		r = adopt_inode(v, i);
	if (r < 0)
		return r;
	frames_adopt_end(v->pool.frames);
	failpoint_kill(KILL_recover_adopted);
	r = recount_links(v);
	if (!r)
		r = names_xattr_walk(v->names, adopt_xattr, v);
	failpoint_kill(KILL_recover_linked);
	return r < 0 ? r : drop_the_dead(v);
}
