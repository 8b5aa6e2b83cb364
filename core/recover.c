/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/recover.c - from two memfds and names.db to a volume that works.
 *
 * Believed: inode records, page tables, names.  Rebuilt from them: reference counts, the free list, the page
 * counters, slots of each inode, what is charged (adopt.c, in threads of its own, while names are counted here), link
 * counts.  Dropped: what lies beyond the end of a file that was being written or truncated (a write that was to extend
 * it has stored its pages and not yet its size), holes kept for somebody who could store into them and has closed the
 * file, inodes that nobody knows, and inodes that were being freed.  The content index starts empty: pages that are
 * shared stay so, others are found again as they are written or scanned.
 */
#include "adopt.h"
#include "advice.h"
#include "failpoint.h"
#include "log.h"
#include "range.h"
#include "volume_tenants.h"
#include "volume_xattr.h"

/* By record number; its generation is whatever it is now. */
static struct inode *inode_of(struct volume *v, uint32_t number)
{
	return itable_next(v->pool.itable, &number);
}

/* What names say of a record. */
struct tally {
	uint32_t generation, names, parent; /* of the last name */
	uint32_t entries, dirs;             /* in it, if it is a directory; as it is known to be: */
	bool is_dir;
};

struct links {
	struct volume *v;
	uint64_t records, names, names_met;
	struct tally *tally; /* by record number */
};

static int no_such_inode(uint32_t number, uint32_t generation)
{
	log_err("names.db has an entry for inode %llu, which does not exist",
		(unsigned long long)generation << 32 | number);
	return -EUCLEAN;
}

/* In the order of names, which for inodes is none: nothing is touched but the tally. */
static int count_name(void *arg, uint32_t dir, uint64_t ino)
{
	uint32_t number = (uint32_t)ino, generation = (uint32_t)(ino >> 32);
	struct links *l = arg;
	struct tally *t;

	if (number >= l->records || dir >= l->records)
		return no_such_inode(number, generation);
	t = &l->tally[number];
	if (t->names && t->generation != generation)
		return no_such_inode(number, generation);
	t->generation = generation;
	t->names++;
	t->parent = dir;
	l->tally[dir].entries++;
	l->names++;
	return 0;
}

static void set_attr(struct inode *i, const struct inode_attr *attr)
{
	*inode_attr_begin(i) = *attr;
	inode_attr_end(i);
}

/* What a change of names does to inodes (volume_names.c), as the names say: files at once, directories when all have
 * been met. */
static int set_links(struct links *l, struct inode *i)
{
	struct tally *t = &l->tally[i->number];
	struct inode_attr attr = inode_attr_get(i);

	if (t->names && (i->record->used != INODE_USED || i->record->generation != t->generation))
		return no_such_inode(i->number, t->generation);
	l->names_met += t->names;
	if (t->names && (i->record->flags & INODE_LINKABLE))
		atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_LINKABLE);
	if (S_ISDIR(attr.mode)) {
		t->is_dir = true;
		l->tally[t->parent].dirs++;
		return 0;
	}
	if (t->names > 1) {
		(void)!itable_add_names(l->v->pool.itable, t->names - 1, true);
		(void)!tenant_take(i->tenant, (uint64_t)(t->names - 1) * INODE_SPACE, true);
	}
	if (attr.nlink == t->names)
		return 0;
	attr.nlink = t->names;
	set_attr(i, &attr);
	return 0;
}

/* The root has no name, other directories have one; each that is somewhere is one in itself. */
static void set_dir(struct links *l, uint32_t number)
{
	const struct tally *t = &l->tally[number];
	struct inode *i = inode_of(l->v, number);
	struct inode_attr is = inode_attr_get(i), attr = is;
	bool root = inode_ino(i) == ROOT_INO;

	attr.nlink = t->names + t->dirs + (root ? 2 : t->names ? 1 : 0);
	attr.size = volume_dir_size(t->entries);
	if (t->parent && l->tally[t->parent].is_dir)
		attr.parent = inode_ino(inode_of(l->v, t->parent));
	if (attr.nlink != is.nlink || attr.size != is.size || attr.parent != is.parent)
		set_attr(i, &attr);
}

static int recount_links(struct volume *v)
{
	struct links l = { .v = v, .records = itable_header(v->pool.itable)->records };
	_cleanup_(mem_cleanup) struct tally *tally = mem_alloc(l.records, sizeof(*tally));
	uint32_t number = 0;
	struct inode *i;
	int r;

	if (!tally)
		return -ENOMEM;
	l.tally = tally;
	r = names_walk_inos(v->names, count_name, &l);
	while (!r && (i = itable_next(v->pool.itable, &number)))
		r = set_links(&l, i);
	for (number = 1; !r && number < l.records; number++) {
		if (tally[number].is_dir)
			set_dir(&l, number);
		else if (tally[number].entries)
			r = no_such_inode(number, 0);
	}
	if (!r && l.names != l.names_met) {
		log_err("names.db has entries for inodes that do not exist");
		r = -EUCLEAN;
	}
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
	(void)!tenant_take(i->tenant, x->space, true);
	atomic_fetch_or(&i->record->flags, INODE_XATTRS);
	if (volume_is_limit(name))
		return volume_adopt_limit(v, i, name);
	return volume_is_access_acl(name) ? adopt_acl(v, i) : 0;
}

/* A write or a truncation was on its way. */
static int settle_end(struct volume *v, struct inode *i)
{
	struct inode_attr attr = inode_attr_get(i);
	int r;

	range_drop(&v->pool, i, pages_of(attr.size), FILE_PAGES_MAX);
	advice_cut(&v->pool, i, pages_of(attr.size));
	r = S_ISREG(attr.mode) ? range_end_at(&v->pool, i, attr.size) : 0;
	if (!r)
		i->record->resizing = 0;
	return r;
}

static bool is_lent_for_nothing(const struct inode *i)
{
	return (i->record->flags & INODE_LENT) && !i->record->stores;
}

static int settle(struct volume *v, struct inode *i)
{
	int r = 0;

	if (i->record->used == INODE_DYING) {
		range_clear(&v->pool, i, 0, FILE_PAGES_MAX);
		advice_cut(&v->pool, i, 0);
		atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_UNBURIED);
		volume_discard(v, i);
		return 0;
	}
	if (i->record->resizing)
		r = settle_end(v, i);
	if (!r && is_lent_for_nothing(i))
		range_return_lent(&v->pool, i);
	if (!r)
		(void)volume_bury(v, i);
	return r;
}

/* Most are as they should be, and are only looked at. */
static bool is_settled(struct inode *i)
{
	const struct inode_record *record = i->record;

	return record->used == INODE_USED && !record->resizing && !is_lent_for_nothing(i) &&
	       (record->lookups || record->opens || inode_attr_get(i).nlink);
}

/* What was being freed when the last owner ended, what nobody knows, what lies beyond ends, and what is kept for a
 * writer who has gone. */
static int settle_all(struct volume *v)
{
	uint32_t number = 0;
	struct inode *i;
	int r = 0;

	while (!r && (i = itable_next(v->pool.itable, &number))) {
		if (is_settled(i))
			continue;
		gate_enter(&v->gate);
		r = settle(v, i);
		gate_leave(&v->gate);
		failpoint_kill(KILL_recover_dropping);
	}
	return r;
}

int recover(struct volume *v, const struct receipts *receipts)
{
	HOLDS_INODES(v->pool.itable);
	struct adoption a;
	int r, counted;

	if (!volume_inode(v, ROOT_INO)) {
		log_err("the root directory is not there");
		return -EUCLEAN;
	}
	r = settle_receipts(v, receipts);
	if (r < 0)
		return r;
	r = volume_adopt_tenants(v);
	if (r < 0)
		return r;
	r = adopt_begin(&a, &v->pool);
	if (!r)
		r = recount_links(v);
	counted = adopt_end(&a);
	r = r < 0 ? r : counted;
	failpoint_kill(KILL_recover_adopted);
	if (!r)
		r = names_xattr_walk(v->names, adopt_xattr, v);
	failpoint_kill(KILL_recover_linked);
	if (r < 0)
		return r;
	volume_settle_tenants(v);
	return settle_all(v);
}
