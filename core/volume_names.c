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
#include "guard.h"
#include "volume_inside.h"
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

static int to_errno(int r)
{
	switch (r) {
	case NAMES_ABSENT:
		return -ENOENT;
	case NAMES_EXISTS:
		return -EEXIST;
	default:
		return FOLD(r);
	}
}

static bool is_dir(struct inode *i)
{
	return S_ISDIR(inode_attr_get(i).mode);
}

/* A directory that things can be put into or looked up in. */
static int get_dir(struct volume *v, uint64_t ino, struct inode **ret)
{
	struct inode *i = volume_inode(v, ino);
	struct inode_attr attr;

	if (!i)
		return -ESTALE;
	attr = inode_attr_get(i);
	if (!S_ISDIR(attr.mode))
		return -ENOTDIR;
	if (!attr.nlink)
		return -ENOENT; /* removed, but somebody is still in it */
	*ret = i;
	return 0;
}

static int get_child(struct volume *v, uint64_t dir, struct name name, struct inode **ret)
{
	uint64_t ino;
	int r = to_errno(names_lookup(v->names, dir, name, &ino));

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
static void name_gone(struct volume *v, bool last)
{
	if (!last)
		itable_drop_name(v->pool.itable);
}

static void moved(struct inode *i, uint64_t parent)
{
	struct inode_attr *attr = inode_attr_begin(i);

	if (S_ISDIR(attr->mode))
		attr->parent = parent;
	inode_stamp(attr, INODE_CTIME);
	inode_attr_end(i);
}

static void fill(struct inode *i, struct volume_entry *ret)
{
	ret->ino = inode_ino(i);
	inode_stat(i, &ret->attr);
}

/* --- lookups ---------------------------------------------------------------------------------- */

int volume_lookup(struct volume *v, uint64_t dir, struct name name, struct volume_entry *ret)
{
	struct inode *i;
	uint64_t ino;
	int r;

	gate_enter(&v->gate);
	r = get_dir(v, dir, &i);
	if (!r)
		r = to_errno(names_lookup(v->names, dir, name, &ino));
	if (!r) {
		i = volume_inode(v, ino);
		r = i && inode_remember(i, ino) ? 0 : -ENOENT; /* removed just now */
	}
	if (!r)
		fill(i, ret);
	gate_leave(&v->gate);
	return r;
}

int volume_remember(struct volume *v, uint64_t ino, struct volume_entry *ret)
{
	struct inode *i = volume_inode(v, ino);

	if (!i || !inode_attr_get(i).nlink || !inode_remember(i, ino))
		return -ESTALE;
	fill(i, ret);
	return 0;
}

void volume_forget(struct volume *v, uint64_t ino, uint64_t lookups)
{
	struct inode *i = volume_inode(v, ino);

	if (!i || ino == ROOT_INO)
		return;
	gate_enter(&v->gate);
	lookups = MIN(lookups, (uint64_t)i->record->lookups);
	atomic_fetch_sub(&i->record->lookups, lookups);
	volume_bury(v, i);
	gate_leave(&v->gate);
}

int volume_parent(struct volume *v, uint64_t dir, uint64_t *ret_parent)
{
	struct inode *i = volume_inode(v, dir);
	struct inode_attr attr;

	if (!i)
		return -ESTALE;
	attr = inode_attr_get(i);
	if (!S_ISDIR(attr.mode))
		return -ENOTDIR;
	*ret_parent = attr.parent;
	return 0;
}

mode_t volume_type(struct volume *v, uint64_t ino)
{
	struct inode *i = volume_inode(v, ino);

	return i ? inode_attr_get(i).mode & S_IFMT : 0;
}

int volume_list(struct volume *v, uint64_t dir, uint64_t offset, struct names_entry *ret, unsigned max,
		unsigned *ret_count)
{
	int r;

	gate_enter(&v->gate);
	r = to_errno(names_list(v->names, dir, offset, ret, max, ret_count));
	gate_leave(&v->gate);
	return r;
}

int volume_readlink(struct volume *v, uint64_t ino, char *buf)
{
	struct inode *i = volume_inode(v, ino);
	int r;

	if (!i)
		return -ESTALE;
	if (!S_ISLNK(inode_attr_get(i).mode))
		return -EINVAL;
	gate_enter(&v->gate);
	r = to_errno(names_readlink(v->names, ino, buf));
	gate_leave(&v->gate);
	return r;
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
	r = itable_new(v->pool.itable, &attr, dir->record->domain, ret);
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

static int create_locked(struct volume *v, uint64_t dir_ino, struct name name,
			 const struct volume_new *new, struct volume_entry *ret) REQUIRES(v->names_lock)
{
	struct inode *dir, *i;
	bool keep;
	int r;

	lock_assert_held(&v->names_lock);
	r = get_dir(v, dir_ino, &dir);
	if (!r)
		r = guard_enter(dir);
	if (r < 0)
		return r;
	r = new_inode(v, dir, new, &i);
	if (r < 0)
		return r;
	i->record->lookups = 1; /* the caller's; once it has a name others may come */
	r = to_errno(names_add(v->names, dir_ino, name, inode_ino(i), new->target));
	if (r < 0) {
		unmake_inode(v, i);
		return r;
	}
	dir_changed(dir, 1, S_ISDIR(new->mode));
	if (new->open_flags >= 0)
		r = volume_file_open(v, inode_ino(i), new->open_flags, &keep);
	fill(i, ret);
	return r;
}

int volume_create(struct volume *v, uint64_t dir, struct name name, const struct volume_new *new,
		  struct volume_entry *ret)
{
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
	bool keep;
	int r;

	lock_assert_held(&v->names_lock);
	if (!dir)
		return -ESTALE;
	r = is_dir(dir) ? guard_enter(dir) : -ENOTDIR;
	if (r < 0)
		return r;
	r = new_inode(v, dir, new, &i);
	if (r < 0)
		return r;
	i->record->lookups = 1; /* the caller's: from here on it can do without a link */
	linked(i, -1);
	if (!(new->open_flags & O_EXCL))
		atomic_fetch_or(&i->record->flags, (uint32_t)INODE_LINKABLE);
	r = volume_file_open(v, inode_ino(i), new->open_flags, &keep);
	fill(i, ret);
	return r;
}

int volume_tmpfile(struct volume *v, uint64_t dir, const struct volume_new *new, struct volume_entry *ret)
{
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
	struct inode_attr attr;
	int r;

	lock_assert_held(&v->names_lock);
	if (!i)
		return -ESTALE;
	attr = inode_attr_get(i);
	if (S_ISDIR(attr.mode))
		return -EPERM;
	if (!attr.nlink && !(i->record->flags & INODE_LINKABLE))
		return -ENOENT;
	if (attr.nlink == UINT32_MAX)
		return -EMLINK;
	r = get_dir(v, dir_ino, &dir);
	if (!r)
		r = guard_enter(dir);
	if (!r)
		r = guard_attributes(i);
	if (!r && attr.nlink)
		r = itable_add_names(v->pool.itable, 1, false);
	if (r < 0)
		return r;
	r = to_errno(names_add(v->names, dir_ino, name, ino, NULL));
	if (r < 0) {
		name_gone(v, !attr.nlink);
		return r;
	}
	linked(i, 1);
	atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_LINKABLE);
	dir_changed(dir, 1, 0);
	if (!inode_remember(i, ino))
		return -ESTALE;
	fill(i, ret);
	return 0;
}

int volume_link(struct volume *v, uint64_t ino, uint64_t dir, struct name name, struct volume_entry *ret)
{
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
	int r = to_errno(names_is_empty(v->names, inode_ino(dir), &empty));

	return r < 0 ? r : empty ? 0 : -ENOTEMPTY;
}

static int may_remove(struct volume *v, struct inode *i, bool directory)
{
	if (is_dir(i) != directory)
		return directory ? -ENOTDIR : -EISDIR;
	return directory ? must_be_empty(v, i) : 0;
}

static int remove_locked(struct volume *v, uint64_t dir_ino, struct name name, bool directory,
			 struct inode **ret) REQUIRES(v->names_lock)
{
	struct inode *dir, *i;
	bool last;
	int r;

	lock_assert_held(&v->names_lock);
	r = get_dir(v, dir_ino, &dir);
	if (!r)
		r = get_child(v, dir_ino, name, &i);
	if (!r)
		r = guard_leave(dir, i);
	if (!r)
		r = may_remove(v, i, directory);
	if (r < 0)
		return r;
	last = directory || inode_attr_get(i).nlink == 1;
	r = to_errno(names_remove(v->names, dir_ino, name, inode_ino(i), last));
	if (r < 0)
		return r;
	name_gone(v, last);
	linked(i, directory ? -2 : -1);
	dir_changed(dir, -1, -directory);
	*ret = i;
	return 0;
}

static int remove_name(struct volume *v, uint64_t dir, struct name name, bool directory)
{
	struct inode *i = NULL;
	int r;

	begin(v);
	r = remove_locked(v, dir, name, directory, &i);
	lock_drop(&v->names_lock);
	if (!r)
		volume_bury(v, i);
	gate_leave(&v->gate);
	return r;
}

int volume_unlink(struct volume *v, uint64_t dir, struct name name)
{
	return remove_name(v, dir, name, false);
}

int volume_rmdir(struct volume *v, uint64_t dir, struct name name)
{
	return remove_name(v, dir, name, true);
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

static int may_replace(struct volume *v, const struct rename *m)
{
	int r = guard_leave(m->dir, m->i);

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
	int r = get_dir(v, dir, &m->dir);

	if (!r)
		r = get_dir(v, new_dir, &m->new_dir);
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
	r = to_errno(names_rename(v->names, &(struct names_move){
		.dir = dir, .name = name, .ino = inode_ino(m->i), .new_dir = new_dir, .new_name = new_name,
		.replaced = m->old ? inode_ino(m->old) : 0, .last = last,
		.how = m->how, .left = m->left ? inode_ino(m->left) : 0 }));
	if (!r && m->old && m->how == NAMES_RENAME_REPLACE)
		name_gone(v, last);
	if (!r)
		renamed(m);
	else if (m->left)
		unmake_inode(v, m->left);
	return r;
}

int volume_rename(struct volume *v, uint64_t dir, struct name name, uint64_t new_dir,
		  struct name new_name, unsigned flags, const struct volume_new *whiteout)
{
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
		volume_bury(v, m.old);
	gate_leave(&v->gate);
	return r;
}
