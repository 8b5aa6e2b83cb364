/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_names.c - what a change of names does to inodes.
 *
 * Order: the record is complete (attributes, used, inherited access control lists), then names.db commits, then
 * the effects that the commit implies: link counts, sizes of directories, times.  Whoever dies before the commit
 * leaves a record without a name, which is free; after it, link counts are counted again from the names (recover.c).
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "advice.h"
#include "failpoint.h"
#include "guard.h"
#include "receipt.h"
#include "volume_tenants.h"
#include "volume_xattr.h"

/* Both, as one: enter and leave. */
static void begin(struct volume *v) ACQUIRES(v->names_lock)
{
	gate_enter(&v->gate);
	lock_take(&v->names_lock);
}

static void end(struct volume *v) RELEASES(v->names_lock)
{
	lock_drop(&v->names_lock);
	gate_leave(&v->gate);
}

static bool is_dir(struct inode *i)
{
	return S_ISDIR(inode_attr_get(i).mode);
}

static int get_child(struct volume *v, uint64_t dir, struct name name, struct inode **ret)
{
	uint64_t ino;
	int r = volume_names_errno(names_lookup(v->names, dir, name, &ino));

	if (r < 0)
		return r;
	*ret = volume_inode(v, ino);
	return *ret ? 0 : -ESTALE;
}

static void dir_changed(struct inode *dir, int entries, int links)
{
	struct inode_attr *attr = inode_attr_begin(dir);

	attr->size += volume_dir_size((uint64_t)(int64_t)entries) - volume_dir_size(0);
	attr->nlink += (uint32_t)links;
	inode_stamp(attr, INODE_MTIME | INODE_CTIME);
	inode_attr_end(dir);
}

static void linked(struct inode *i, int links)
{
	struct inode_attr *attr = inode_attr_begin(i);

	attr->nlink += (uint32_t)links;
	inode_stamp(attr, INODE_CTIME);
	inode_attr_end(i);
}

/* The last one goes with its inode. */
static void name_gone(struct volume *v, struct inode *i, bool last)
{
	if (last)
		return;
	itable_drop_name(v->pool.itable);
	tenant_give(i->tenant, INODE_SPACE);
}

/* One more, beyond the first. */
static int name_comes(struct volume *v, struct inode *i)
{
	int r = itable_add_names(v->pool.itable, 1, false);

	if (r < 0)
		return r;
	r = tenant_take(i->tenant, INODE_SPACE, false);
	if (r < 0)
		itable_drop_name(v->pool.itable);
	return r;
}

static void moved(struct inode *i, uint64_t parent)
{
	struct inode_attr *attr = inode_attr_begin(i);

	if (S_ISDIR(attr->mode))
		attr->parent = parent;
	inode_stamp(attr, INODE_CTIME);
	inode_attr_end(i);
}

/* --- new names -------------------------------------------------------------------------------- */

static struct inode_attr new_attr(struct inode *dir, const struct volume_new *new)
{
	struct inode_attr parent = inode_attr_get(dir);
	struct inode_attr attr = {
		.mode = new->mode,
		.uid = new->uid,
		.gid = new->gid,
		.nlink = S_ISDIR(new->mode) ? 2 : 1,
		.rdev = new->rdev,
		.size = new->target ? new->target->len : S_ISDIR(new->mode) ? volume_dir_size(0) : 0,
		.parent = S_ISDIR(new->mode) ? inode_ino(dir) : 0,
	};

	if (parent.mode & S_ISGID) {
		attr.gid = parent.gid;
		if (S_ISDIR(new->mode))
			attr.mode |= S_ISGID;
	}
	inode_stamp(&attr, INODE_ATIME | INODE_MTIME | INODE_CTIME | INODE_BTIME);
	return attr;
}

/* Nobody has found it. */
static void unmake_inode(struct volume *v, struct inode *i)
{
	inode_attr_begin(i)->nlink = 0;
	inode_attr_end(i);
	i->record->used = INODE_DYING;
	volume_discard(v, i);
}

/* It belongs to whom `dir` belongs to. */
static int new_record(struct volume *v, struct inode *dir, const struct inode_attr *attr, struct inode **ret)
    REQUIRES(v->names_lock)
{
	struct tenant *t = dir->tenant;
	uint16_t domain;
	int r = tenant_take(t, INODE_SPACE, false);

	if (r < 0)
		return r;
	r = domains_for(v->domains, dir, attr, &domain);
	if (r >= 0)
		r = itable_new(v->pool.itable, attr, domain, ret);
	if (r < 0) {
		tenant_give(t, INODE_SPACE);
		return r;
	}
	if (t)
		tenant_enter(t, *ret);
	domains_enter(v->domains, domain);
	return 0;
}

/* An inode for a name in `dir` that is still to come. */
static int new_inode(struct volume *v, struct inode *dir, const struct volume_new *new, struct inode **ret)
    REQUIRES(v->names_lock)
{
	struct inode_attr attr = new_attr(dir, new);
	struct inherited_acl acl;
	int r;

	r = volume_acl_inherit(v, dir, new->umask, &acl, &attr.mode);
	if (r < 0)
		return r;
	r = new_record(v, dir, &attr, ret);
	if (r < 0)
		return r;
	advice_inherit(*ret, dir);
	guard_inherit(*ret, dir);
	r = volume_acl_give(v, *ret, &acl);
	if (r == 0)
		return 0;
	unmake_inode(v, *ret);
	return r;
}

static bool can_store(int open_flags)
{
	return open_flags >= 0 && (open_flags & O_ACCMODE) == O_RDWR;
}

/* names.db takes a name, or `i` stays without. */
static int add_name(struct volume *v, struct inode *dir, struct name name, struct inode *i,
		    const struct volume_new *new) REQUIRES(v->names_lock)
{
	int r;

	receipt_doubt(&(struct receipt_names){
			      .how = RECEIPT_ADD, .dir = inode_ino(dir), .ino = inode_ino(i),
			      .opens = new && new->open_flags >= 0, .stores = new && can_store(new->open_flags) },
		      name, name);
	r = volume_names_errno(names_add(v->names, inode_ino(dir), name, inode_ino(i), new ? new->target : NULL));
	if (r < 0)
		receipt_set(RECEIPT_NONE);
	return r;
}

/* The answer is that there is `i` now: it counts as looked up, and as opened if it was to be. */
static int made(struct inode *i, int open_flags, struct volume_entry *ret)
{
	const struct receipt_change change = { .lookups = 1, .opens = open_flags >= 0, .stores = can_store(open_flags),
					       .then = RECEIPT_MADE };

	failpoint_kill(KILL_names_effects);
	if (!receipt_count(i, inode_ino(i), &change, NULL))
		return -ESTALE;
	volume_fill(i, ret);
	return 0;
}

static int made_before(struct volume *v, const struct receipt *r, struct volume_entry *ret)
{
	struct inode *i = volume_inode(v, r->ino);

	if (!i)
		return -ESTALE;
	volume_fill(i, ret);
	return 0;
}

static int create_locked(struct volume *v, uint64_t dir_ino, struct name name,
			 const struct volume_new *new, struct volume_entry *ret) REQUIRES(v->names_lock)
{
	const struct receipt *again = receipt_in(RECEIPT_MADE);
	struct inode *dir, *i;
	int r;

	lock_assert_held(&v->names_lock);
	if (again)
		return made_before(v, again, ret);
	r = volume_get_dir(v, dir_ino, &dir);
	if (!r)
		r = guard_enter(dir);
	if (r < 0)
		return r;
	r = new_inode(v, dir, new, &i);
	if (r < 0)
		return r;
	r = add_name(v, dir, name, i, new);
	if (r < 0) {
		unmake_inode(v, i);
		return r;
	}
	dir_changed(dir, 1, S_ISDIR(new->mode));
	return made(i, new->open_flags, ret);
}

int volume_create(struct volume *v, uint64_t dir, struct name name, const struct volume_new *new,
		  struct volume_entry *ret)
{
	HOLDS_INODES(v->pool.itable);
	int r;

	if (new->target && new->target->len > SYMLINK_BYTES_MAX)
		return -ENAMETOOLONG;
	begin(v);
	r = create_locked(v, dir, name, new, ret);
	end(v);
	return r;
}

static int tmpfile_locked(struct volume *v, uint64_t dir_ino, const struct volume_new *new, struct volume_entry *ret)
	REQUIRES(v->names_lock)
{
	struct inode *dir = volume_inode(v, dir_ino), *i; /* a removed one will do: no name is entered */
	const struct receipt *again = receipt_in(RECEIPT_MADE);
	int r;

	lock_assert_held(&v->names_lock);
	if (again)
		return made_before(v, again, ret);
	if (!dir)
		return -ESTALE;
	r = is_dir(dir) ? guard_enter(dir) : -ENOTDIR;
	if (r < 0)
		return r;
	r = new_inode(v, dir, new, &i);
	if (r < 0)
		return r;
	linked(i, -1); /* nobody else has found it, who might bury it */
	if (!(new->open_flags & O_EXCL))
		atomic_fetch_or(&i->record->flags, (uint32_t)INODE_LINKABLE);
	return made(i, new->open_flags, ret);
}

int volume_tmpfile(struct volume *v, uint64_t dir, const struct volume_new *new, struct volume_entry *ret)
{
	HOLDS_INODES(v->pool.itable);
	int r;

	begin(v);
	r = tmpfile_locked(v, dir, new, ret);
	end(v);
	return r;
}

static int link_locked(struct volume *v, uint64_t ino, uint64_t dir_ino, struct name name,
		       struct volume_entry *ret) REQUIRES(v->names_lock)
{
	struct inode *dir, *i = volume_inode(v, ino);
	const struct receipt *again = receipt_in(RECEIPT_MADE);
	struct inode_attr attr;
	int r;

	lock_assert_held(&v->names_lock);
	if (again)
		return made_before(v, again, ret);
	if (!i)
		return -ESTALE;
	attr = inode_attr_get(i);
	if (S_ISDIR(attr.mode))
		return -EPERM;
	if (!attr.nlink && !(i->record->flags & INODE_LINKABLE))
		return -ENOENT;
	if (attr.nlink == UINT32_MAX)
		return -EMLINK;
	r = volume_get_dir(v, dir_ino, &dir);
	if (!r)
		r = guard_enter(dir);
	if (!r)
		r = guard_attributes(i);
	if (!r && !volume_may_be_in(v, i, dir))
		r = -EXDEV;
	if (!r && attr.nlink)
		r = name_comes(v, i);
	if (r < 0)
		return r;
	r = add_name(v, dir, name, i, NULL);
	if (r < 0) {
		name_gone(v, i, !attr.nlink);
		return r;
	}
	linked(i, 1);
	atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_LINKABLE);
	dir_changed(dir, 1, 0);
	return made(i, -1, ret);
}

int volume_link(struct volume *v, uint64_t ino, uint64_t dir, struct name name, struct volume_entry *ret)
{
	HOLDS_INODES(v->pool.itable);
	int r;

	begin(v);
	r = link_locked(v, ino, dir, name, ret);
	end(v);
	return r;
}

/* --- names that go ---------------------------------------------------------------------------- */

static int must_be_empty(struct volume *v, struct inode *dir)
{
	bool empty;
	int r = volume_names_errno(names_is_empty(v->names, inode_ino(dir), &empty));

	return r < 0 ? r : empty ? 0 : -ENOTEMPTY;
}

static int may_remove(struct volume *v, struct inode *i, bool directory)
{
	if (is_dir(i) != directory)
		return directory ? -ENOTDIR : -EISDIR;
	return directory ? must_be_empty(v, i) : 0;
}

/* `unknown`: only if it is that inode, and nobody knows it; or 0. */
static int remove_locked(struct volume *v, uint64_t dir_ino, struct name name, bool directory, uint64_t unknown,
			 struct inode **ret) REQUIRES(v->names_lock)
{
	struct inode *dir, *i = NULL;
	bool last;
	int r;

	lock_assert_held(&v->names_lock);
	if (receipt_in(RECEIPT_CHANGED))
		return 0;
	r = volume_get_dir(v, dir_ino, &dir);
	if (!r)
		r = get_child(v, dir_ino, name, &i);
	if (!r && unknown && (inode_ino(i) != unknown || i->record->lookups || i->record->opens))
		r = -ESTALE;
	if (!r)
		r = guard_leave(dir, i);
	if (!r)
		r = may_remove(v, i, directory);
	if (r)
		return r;
	last = directory || inode_attr_get(i).nlink == 1;
	receipt_doubt(&(struct receipt_names){ .how = RECEIPT_REMOVE, .dir = dir_ino, .ino = inode_ino(i) }, name,
		      name);
	r = volume_names_errno(names_remove(v->names, dir_ino, name, inode_ino(i), last));
	if (r < 0) {
		receipt_set(RECEIPT_NONE);
		return r;
	}
	name_gone(v, i, last);
	linked(i, directory ? -2 : -1);
	dir_changed(dir, -1, -directory);
	failpoint_kill(KILL_names_effects);
	receipt_set(RECEIPT_CHANGED);
	*ret = i;
	return 0;
}

static int remove_name(struct volume *v, uint64_t dir, struct name name, bool directory, uint64_t unknown)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = NULL;
	int r;

	begin(v);
	r = remove_locked(v, dir, name, directory, unknown, &i);
	lock_drop(&v->names_lock);
	if (i)
		(void)volume_bury(v, i);
	gate_leave(&v->gate);
	return r;
}

int volume_unlink(struct volume *v, uint64_t dir, struct name name)
{
	return remove_name(v, dir, name, false, 0);
}

int volume_rmdir(struct volume *v, uint64_t dir, struct name name)
{
	return remove_name(v, dir, name, true, 0);
}

int volume_unmake_name(struct volume *v, uint64_t dir, struct name name, struct inode *i)
{
	return remove_name(v, dir, name, is_dir(i), inode_ino(i));
}

/* --- rename ----------------------------------------------------------------------------------- */

struct rename {
	struct inode *dir, *new_dir;
	struct inode *i;   /* what is moved */
	struct inode *old; /* what is there: replaced, or exchanged; NULL: nothing */
	enum names_rename how;
	const struct volume_new *whiteout; /* wanted under the old name */
	struct inode *left;                /* that one, made */
};

/* A directory must not end up below itself. */
static bool is_below(struct volume *v, struct inode *i, struct inode *above)
{
	while (i && i != above && inode_ino(i) != ROOT_INO)
		i = volume_inode(v, inode_attr_get(i).parent);
	return i == above;
}

/* Into another tenant's, or another domain's, it would have to be copied. */
static bool crosses(struct volume *v, const struct rename *m)
{
	if (m->dir == m->new_dir)
		return false;
	return !volume_may_be_in(v, m->i, m->new_dir) ||
	       (m->how == NAMES_RENAME_EXCHANGE && m->old && !volume_may_be_in(v, m->old, m->dir));
}

static int may_replace(struct volume *v, const struct rename *m)
{
	int r = crosses(v, m) ? -EXDEV : guard_leave(m->dir, m->i);

	if (!r)
		r = guard_leave(m->new_dir, m->old);
	if (r < 0)
		return r;
	if (m->how == NAMES_RENAME_EXCHANGE)
		return is_dir(m->old) && is_below(v, m->dir, m->old) ? -EINVAL : 0;
	if (!is_dir(m->i))
		return is_dir(m->old) ? -EISDIR : 0;
	return is_dir(m->old) ? must_be_empty(v, m->old) : -ENOTDIR;
}

static int find_rename(struct volume *v, uint64_t dir, struct name name, uint64_t new_dir,
		       struct name new_name, struct rename *m)
{
	int r = volume_get_dir(v, dir, &m->dir);

	if (!r)
		r = volume_get_dir(v, new_dir, &m->new_dir);
	if (!r)
		r = get_child(v, dir, name, &m->i);
	if (r < 0)
		return r;
	if (is_dir(m->i) && is_below(v, m->new_dir, m->i))
		return -EINVAL;
	r = get_child(v, new_dir, new_name, &m->old);
	if (r == 0 && m->how == NAMES_RENAME_NOREPLACE)
		return -EEXIST;
	if (r == 0)
		return m->i == m->old ? 0 : may_replace(v, m); /* two names of one file: nothing will happen */
	m->old = NULL;
	if (r == -ENOENT && crosses(v, m))
		return -EXDEV;
	if (r < 0 && (r != -ENOENT || m->how == NAMES_RENAME_EXCHANGE))
		return r;
	r = guard_leave(m->dir, m->i);
	return r < 0 ? r : guard_enter(m->new_dir);
}

/* Link counts of both directories, of what moved, and of what was replaced. */
static void renamed(const struct rename *m)
{
	int moved_dir = is_dir(m->i), old_dir = m->old && is_dir(m->old);

	if (m->how == NAMES_RENAME_EXCHANGE) {
		dir_changed(m->dir, 0, old_dir - moved_dir);
		dir_changed(m->new_dir, 0, moved_dir - old_dir);
		moved(m->old, inode_ino(m->dir));
	} else {
		dir_changed(m->dir, m->left ? 0 : -1, -moved_dir);
		dir_changed(m->new_dir, m->old ? 0 : 1, moved_dir - old_dir);
		if (m->old)
			linked(m->old, old_dir ? -2 : -1);
	}
	moved(m->i, inode_ino(m->new_dir));
}

static int rename_locked(struct volume *v, uint64_t dir, struct name name, uint64_t new_dir,
			 struct name new_name, struct rename *m) REQUIRES(v->names_lock)
{
	bool last;
	int r;

	lock_assert_held(&v->names_lock);
	if (receipt_in(RECEIPT_CHANGED))
		return 0;
	r = find_rename(v, dir, name, new_dir, new_name, m);
	if (r < 0 || m->i == m->old) { /* two names of one file: nothing happens (POSIX) */
		m->old = NULL;
		return r;
	}
	if (m->whiteout)
		r = new_inode(v, m->dir, m->whiteout, &m->left);
	if (r < 0)
		return r;
	last = m->old && (is_dir(m->old) || inode_attr_get(m->old).nlink == 1);
	receipt_doubt(&(struct receipt_names){ .how = RECEIPT_MOVE, .dir = dir, .new_dir = new_dir,
					       .ino = inode_ino(m->i), .replaced = m->old ? inode_ino(m->old) : 0 },
		      name, new_name);
	r = volume_names_errno(names_rename(v->names, &(struct names_move){
		.dir = dir, .name = name, .ino = inode_ino(m->i), .new_dir = new_dir, .new_name = new_name,
		.replaced = m->old ? inode_ino(m->old) : 0, .last = last,
		.how = m->how, .left = m->left ? inode_ino(m->left) : 0 }));
	if (!r && m->old && m->how == NAMES_RENAME_REPLACE)
		name_gone(v, m->old, last);
	if (!r)
		renamed(m);
	failpoint_kill(KILL_names_effects);
	receipt_set(r < 0 ? RECEIPT_NONE : RECEIPT_CHANGED);
	if (r < 0 && m->left)
		unmake_inode(v, m->left);
	return r;
}

int volume_rename(struct volume *v, uint64_t dir, struct name name, uint64_t new_dir,
		  struct name new_name, unsigned flags, const struct volume_new *whiteout)
{
	HOLDS_INODES(v->pool.itable);
	struct rename m = { .whiteout = whiteout, .how = flags & RENAME_EXCHANGE  ? NAMES_RENAME_EXCHANGE :
				   flags & RENAME_NOREPLACE ? NAMES_RENAME_NOREPLACE :
							      NAMES_RENAME_REPLACE };
	int r;

	if (flags & ~(unsigned)(RENAME_EXCHANGE | RENAME_NOREPLACE) ||
	    flags == (RENAME_EXCHANGE | RENAME_NOREPLACE) || (whiteout && (flags & RENAME_EXCHANGE)))
		return -EINVAL;
	begin(v);
	r = rename_locked(v, dir, name, new_dir, new_name, &m);
	lock_drop(&v->names_lock);
	if (!r && m.old && m.how == NAMES_RENAME_REPLACE)
		(void)volume_bury(v, m.old);
	gate_leave(&v->gate);
	return r;
}
