/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names_xattr.h - extended attributes of inodes: their names and values, in names.db.
 *
 * Owns     the table xattr of names.db.
 * Keeps    N1 each call is one transaction: it has happened whole, or not at all.
 *          N6 an inode has an attribute of a name once.  Names are bytes, with their namespace ("user.x"): which
 *             there may be, and who may see them, is decided above.
 *          N5 on a full disk they can be removed; none are set until there is space again.
 * Threads  as names.h.
 * Fails    as names.h; -ERANGE: the buffer is too small.
 *
 * What belongs to an inode number that is gone means nothing and is in nobody's way, as numbers never recur: but
 * it takes room, so whoever frees an inode drops it first.
 */
#pragma once

#include "names.h"

enum { XATTR_NAME_BYTES_MAX = 255, XATTR_VALUE_BYTES_MAX = 1 << 16, XATTR_LIST_BYTES_MAX = 1 << 16 };

/* What tmpfs charges for one, whatever it takes there or here. */
static inline uint64_t names_xattr_space(size_t name_len, size_t value_len)
{
	return 40 + name_len + value_len;
}

/* NAMES_ABSENT, or its length and, if `size` is not 0, its value. */
int names_xattr_get(struct names *n, uint64_t ino, struct name name, void *buf, size_t size,
		    size_t *ret_len) must_check;

/* *ret_freed is the space of what it replaces, or 0. */
int names_xattr_set(struct names *n, uint64_t ino, struct name name, struct name value, uint64_t *ret_freed) must_check;

/* NAMES_ABSENT: there was none. */
int names_xattr_remove(struct names *n, uint64_t ino, struct name name, uint64_t *ret_freed) must_check;

/* What all of an inode's take. */
int names_xattr_space_of(struct names *n, uint64_t ino, uint64_t *ret) must_check;

/* Some of what an inode has, so that it takes little of a full disk, and of the time of others; *ret_freed is their
 * space.  1: there may be more. */
int names_xattr_drop(struct names *n, uint64_t ino, uint64_t *ret_freed) must_check;

/* Names, each with a NUL behind it; with `size` 0 only how long they are together.  As on tmpfs: those that begin with
 * `first` come first, each kind in the falling order of bytes.  Without those that begin with `hidden` (no bytes:
 * without none).  Of more than XATTR_LIST_BYTES_MAX, which nobody can be given, only that it is more. */
int names_xattr_list(struct names *n, uint64_t ino, struct name first, struct name hidden, char *buf,
		     size_t size, size_t *ret_len) must_check;

struct names_xattr {
	uint64_t ino;
	uint64_t space;
	size_t len;
	char name[XATTR_NAME_BYTES_MAX + 1];
};

/* Every attribute, until `visit` returns other than 0, which is then the result.  `visit` is called without a lock, and
 * may remove what it is called with. */
typedef int names_xattr_visit(void *arg, const struct names_xattr *x);
int names_xattr_walk(struct names *n, names_xattr_visit *visit, void *arg) must_check;
