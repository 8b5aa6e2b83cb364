/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_xattr.c - extended attributes and, as two of them, access control lists.
 *
 * Nearly all inodes have none, and the kernel asks each of them for one before its first write: INODE_XATTRS is set
 * before the first row is, so whoever finds it clear need not ask names.db.
 *
 * An access list and the permission bits of its inode's mode say the same, in two places.  The list is believed: it is
 * changed first and then the mode, but a list that goes, goes after the mode has changed.  So whoever takes
 * over in between and makes modes what lists say (recover.c) finds the change done, or not begun.
 *
 * A change may be asked for again after a death (receipt.h). Its conditions (CREATE, REPLACE, that there is something
 * to remove, that there is room) are looked at once, then the receipt says ALLOWED; then it is made, whatever is there.
 */
#include "volume_xattr.h"

#include <string.h>
#include <sys/xattr.h>

#include "acl.h"
#include "guard.h"
#include "log.h"
#include "receipt.h"
#include "volume_tenants.h"

#define NAME(text) ((struct name){text, sizeof(text) - 1})

static const struct name access_acl = NAME("system.posix_acl_access"), default_acl = NAME("system.posix_acl_default");
static const struct name trusted = NAME("trusted."), acls_first = NAME("system."), nothing = NAME("");

static bool is(struct name a, struct name b)
{
	return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

bool volume_is_access_acl(struct name name)
{
	return is(name, access_acl);
}

static bool is_acl(struct name name)
{
	return is(name, access_acl) || is(name, default_acl);
}

/* Is it of a namespace that there is? */
static int check_name(struct name name)
{
	static const struct name spaces[] = {NAME("user."), NAME("trusted."), NAME("security.")};

	if (is_acl(name))
		return 0;
	for (unsigned k = 0; k < ARRAY_SIZE(spaces); k++)
		if (name.len >= spaces[k].len && memcmp(name.bytes, spaces[k].bytes, spaces[k].len) == 0)
			return name.len == spaces[k].len ? -EINVAL : name.len > XATTR_NAME_BYTES_MAX ? -ERANGE : 0;
	return -EOPNOTSUPP;
}

static int to_errno(int r)
{
	switch (r) {
	case NAMES_ABSENT:
		return -ENODATA;
	case NAMES_EXISTS:
		return -EEXIST;
	default:
		return FOLD(r);
	}
}

static bool may_have_any(struct inode *i)
{
	return i->record->flags & INODE_XATTRS;
}

static int get(struct volume *v, struct inode *i, struct name name, void *buf, size_t size, size_t *ret_len)
{
	if (!may_have_any(i))
		return -ENODATA;
	return to_errno(names_xattr_get(v->names, inode_ino(i), name, buf, size, ret_len));
}

int volume_getxattr(struct volume *v, uint64_t ino, struct name name, void *buf, size_t size, size_t *ret_len)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	int r = check_name(name);

	if (!i)
		return -ESTALE;
	if (r < 0)
		return r;
	gate_enter(&v->gate);
	r = get(v, i, name, buf, size, ret_len);
	gate_leave(&v->gate);
	return r;
}

int volume_listxattr(struct volume *v, uint64_t ino, bool all, char *buf, size_t size, size_t *ret_len)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	int r = 0;

	if (!i)
		return -ESTALE;
	*ret_len = 0;
	gate_enter(&v->gate);
	if (may_have_any(i))
		r = names_xattr_list(v->names, ino, acls_first, all ? nothing : trusted, buf, size, ret_len);
	gate_leave(&v->gate);
	return FOLD(r);
}

/* --- changing, under NAMES -------------------------------------------------------------------- */

/* Is there, or is there not, one before, as VOLUME_XATTR_CREATE and _REPLACE ask for? */
static int may_put(struct volume *v, struct inode *i, struct name name, unsigned flags)
{
	size_t len;
	int r;

	if (!(flags & (VOLUME_XATTR_CREATE | VOLUME_XATTR_REPLACE)))
		return 0;
	r = get(v, i, name, NULL, 0, &len);
	if (flags & VOLUME_XATTR_REPLACE)
		return r;
	return r == 0 ? -EEXIST : r == -ENODATA ? 0 : r;
}

static int put_allowed(struct volume *v, struct inode *i, struct name name, struct name value, uint64_t *ret_freed)
{
	receipt_set(RECEIPT_ALLOWED);
	atomic_fetch_or(&i->record->flags, INODE_XATTRS);
	return to_errno(names_xattr_set(v->names, inode_ino(i), name, value, ret_freed));
}

static void give_space(struct volume *v, struct inode *i, uint64_t bytes)
{
	itable_give_space(v->pool.itable, bytes);
	tenant_give(i->tenant, bytes);
}

/* A tenant that is full can still be given another limit. */
static int take_space(struct volume *v, struct inode *i, struct name name, uint64_t bytes, bool force)
{
	int r = itable_take_space(v->pool.itable, bytes, force);

	if (r < 0)
		return r;
	r = tenant_take(i->tenant, bytes, force || volume_is_limit(name));
	if (r < 0)
		itable_give_space(v->pool.itable, bytes);
	return r;
}

/* Charged before anything else is looked at, as by tmpfs: what it replaces is given back after. */
static int put_charged(struct volume *v, struct inode *i, struct name name, struct name value, unsigned flags,
		       bool force)
{
	uint64_t freed = 0, space = names_xattr_space(name.len, value.len);
	int r;

	r = take_space(v, i, name, space, force);
	if (r < 0)
		return r;
	r = force ? 0 : may_put(v, i, name, flags);
	if (!r)
		r = put_allowed(v, i, name, value, &freed);
	give_space(v, i, r < 0 ? space : freed);
	return r;
}

static int put(struct volume *v, struct inode *i, struct name name, struct name value, unsigned flags)
{
	return put_charged(v, i, name, value, flags, receipt_in(RECEIPT_ALLOWED));
}

static int take(struct volume *v, struct inode *i, struct name name)
{
	bool again = receipt_in(RECEIPT_ALLOWED);
	uint64_t freed;
	size_t len;
	int r = get(v, i, name, NULL, 0, &len);

	if (r < 0)
		return r == -ENODATA && again ? 0 : r;
	receipt_set(RECEIPT_ALLOWED);
	r = to_errno(names_xattr_remove(v->names, inode_ino(i), name, &freed));
	if (!r)
		give_space(v, i, freed);
	return r;
}

static void set_mode(struct inode *i, mode_t mode)
{
	struct inode_attr *attr = inode_attr_begin(i);

	attr->mode = mode;
	inode_attr_end(i);
}

static void stamp(struct inode *i)
{
	inode_stamp(inode_attr_begin(i), INODE_CTIME);
	inode_attr_end(i);
}

static int set_access_acl(struct volume *v, struct inode *i, struct name acl, unsigned flags)
{
	mode_t mode = inode_attr_get(i).mode, was = mode;
	int says = acl_to_mode(acl.bytes, acl.len, &mode), r;

	if (says < 0)
		return says;
	if (flags & VOLUME_XATTR_KILL_SGID)
		mode &= ~(mode_t)S_ISGID;
	if (says == ACL_IS_MORE) {
		r = put(v, i, access_acl, acl, flags);
		if (!r)
			set_mode(i, mode);
		return r;
	}
	set_mode(i, mode);
	r = take(v, i, access_acl);
	if (r == -ENODATA)
		return 0;
	if (r < 0)
		set_mode(i, was);
	return r;
}

static int set_acl(struct volume *v, struct inode *i, struct name name, struct name acl, unsigned flags)
{
	mode_t mode = inode_attr_get(i).mode;

	if (S_ISLNK(mode))
		return -EOPNOTSUPP;
	if (acl.len > ACL_BYTES_MAX)
		return -E2BIG;
	if (is(name, access_acl))
		return set_access_acl(v, i, acl, flags);
	if (!S_ISDIR(mode))
		return -EACCES;
	return acl_to_mode(acl.bytes, acl.len, &mode) < 0 ? -EINVAL : put(v, i, default_acl, acl, flags);
}

static int set_limit(struct volume *v, struct inode *i, struct name name, struct name text, unsigned flags)
{
	struct limit_change change;
	int r = volume_limit_begin(v, i, name, text, &change);

	if (r < 0)
		return r;
	r = put(v, i, name, text, flags);
	volume_limit_end(v, i, &change, r);
	return r;
}

static int set_locked(struct volume *v, struct inode *i, struct name name, struct name value, unsigned flags)
    REQUIRES(v->names_lock)
{
	int r;

	if (receipt_in(RECEIPT_CHANGED))
		return 0;
	if (is_acl(name))
		r = set_acl(v, i, name, value, flags);
	else if (volume_is_limit(name))
		r = set_limit(v, i, name, value, flags);
	else
		r = put(v, i, name, value, flags);
	if (!r)
		stamp(i);
	receipt_set(r < 0 ? RECEIPT_NONE : RECEIPT_CHANGED);
	return r;
}

static int may_change(struct inode *i, struct name name)
{
	int r = i ? check_name(name) : -ESTALE;

	return r < 0 ? r : guard_attributes(i);
}

int volume_setxattr(struct volume *v, uint64_t ino, struct name name, struct name value, unsigned flags)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	int r = may_change(i, name);

	if (r < 0)
		return r;
	if (value.len > XATTR_VALUE_BYTES_MAX)
		return -E2BIG;
	gate_enter(&v->gate);
	lock_take(&v->names_lock);
	r = set_locked(v, i, name, value, flags);
	lock_drop(&v->names_lock);
	gate_leave(&v->gate);
	return r;
}

static int remove_locked(struct volume *v, struct inode *i, struct name name) REQUIRES(v->names_lock)
{
	int r;

	if (receipt_in(RECEIPT_CHANGED))
		return 0;
	r = volume_limit_may_go(i, name);
	if (!r)
		r = take(v, i, name);
	if (!r)
		volume_limit_gone(v, i, name);
	if (r == -ENODATA && is_acl(name))
		r = 0; /* then the mode is the list */
	if (!r)
		stamp(i);
	receipt_set(r < 0 ? RECEIPT_NONE : RECEIPT_CHANGED);
	return r;
}

int volume_removexattr(struct volume *v, uint64_t ino, struct name name)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	int r = may_change(i, name);

	if (r < 0)
		return r;
	gate_enter(&v->gate);
	lock_take(&v->names_lock);
	r = remove_locked(v, i, name);
	lock_drop(&v->names_lock);
	gate_leave(&v->gate);
	return r;
}

/* --- for the rest of the volume --------------------------------------------------------------- */

static int chmod_locked(struct volume *v, struct inode *i, mode_t mode) REQUIRES(v->names_lock)
{
	char acl[ACL_BYTES_MAX];
	size_t len;
	int r = get(v, i, access_acl, acl, sizeof(acl), &len);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	r = acl_chmod(acl, len, mode);
	if (r < 0)
		return -EUCLEAN;
	/* It takes as much as before, so there is room for it. */
	return put_charged(v, i, access_acl, (struct name){acl, len}, 0, true);
}

int volume_chmod_acl(struct volume *v, struct inode *i, mode_t mode)
{
	int r;

	if (!may_have_any(i))
		return 0;
	lock_take(&v->names_lock);
	r = chmod_locked(v, i, mode);
	lock_drop(&v->names_lock);
	return r;
}

int volume_acl_inherit(struct volume *v, struct inode *dir, mode_t umask, struct inherited_acl *ret, mode_t *mode)
{
	int r;

	ret->access_len = ret->default_len = 0;
	if (S_ISLNK(*mode))
		return 0;
	r = get(v, dir, default_acl, ret->inherited, sizeof(ret->inherited), &ret->default_len);
	if (r == -ENODATA) {
		*mode &= ~(umask & 0777);
		return 0;
	}
	if (r < 0)
		return r;
	memcpy(ret->access, ret->inherited, ret->default_len);
	r = acl_create(ret->access, ret->default_len, mode);
	if (r < 0)
		return -EUCLEAN;
	if (r == ACL_IS_MORE)
		ret->access_len = ret->default_len;
	if (!S_ISDIR(*mode))
		ret->default_len = 0;
	return 0;
}

int volume_acl_give(struct volume *v, struct inode *i, const struct inherited_acl *acl)
{
	int r = 0;

	if (acl->access_len)
		r = put_charged(v, i, access_acl, (struct name){acl->access, acl->access_len}, 0, false);
	if (!r && acl->default_len)
		r = put_charged(v, i, default_acl, (struct name){acl->inherited, acl->default_len}, 0, false);
	return r;
}

int volume_access_mode(struct volume *v, struct inode *i, mode_t *ret)
{
	char acl[ACL_BYTES_MAX];
	size_t len;
	int r = get(v, i, access_acl, acl, sizeof(acl), &len);

	*ret = inode_attr_get(i).mode;
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	return acl_to_mode(acl, len, ret) < 0 ? -EUCLEAN : 0;
}

bool volume_drop_xattrs(struct volume *v, struct inode *i)
{
	uint64_t freed;
	int r;

	if (!may_have_any(i))
		return true;
	while ((r = names_xattr_drop(v->names, inode_ino(i), &freed)) > 0) {
		give_space(v, i, freed);
		pool_step_aside(&v->pool);
	}
	if (r < 0) {
		log_warning("extended attributes of a removed file cannot be dropped yet: %s", strerror(-r));
		return false;
	}
	give_space(v, i, freed);
	return true;
}
