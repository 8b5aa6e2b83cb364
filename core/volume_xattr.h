/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_xattr.h - what extended attributes mean to the other files that make up core/volume.
 *
 * Owns     nothing: rows are names.db's, what they take is charged in the inode table.
 * Keeps    X1 a row belongs to an inode that is used or dying and has INODE_XATTRS; bytes charged are those of all
 *             rows.
 *          X2 the permission bits of a mode are what the access list says, if there is one.
 * Threads  changes are made under NAMES.  Every call may sleep.
 * Fails    as volume.h.
 */
#pragma once

#include "acl.h"
#include "names_xattr.h"
#include "volume_inside.h"

/* chmod, before the mode itself is changed: so does its access list, if it has one.  Inside the gate. */
int volume_chmod_acl(struct volume *v, struct inode *i, mode_t mode) must_check;

/* What a new inode gets from its directory. */
struct inherited_acl {
	size_t access_len, default_len;
	char access[ACL_BYTES_MAX], inherited[ACL_BYTES_MAX];
};

/* *mode is what was asked for: it becomes what is allowed, by the directory's default list or, without one, by
 * `umask`. */
int volume_acl_inherit(struct volume *v, struct inode *dir, mode_t umask, struct inherited_acl *ret,
		       mode_t *mode) must_check;
/* To an inode that nobody can find yet.  After an error it may have one of two. */
int volume_acl_give(struct volume *v, struct inode *i, const struct inherited_acl *acl) must_check;

/* The mode with the permission bits that the access list says. */
int volume_access_mode(struct volume *v, struct inode *i, mode_t *ret) must_check;
bool volume_is_access_acl(struct name name);

/* All that a dying inode has.  False: not now, and this is logged.  If these are more than are inherited the gate is
 * left in between, so who may hold a lock has an inode that is new. */
bool volume_drop_xattrs(struct volume *v, struct inode *i) must_check;
