/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/tenants.h - directories in the root that have limits of their own.
 *
 * Owns     struct tenant: limits, and what is charged against them.
 * Keeps    L1 an inode's tenant is the record number of a directory, 0 for none; that directory is its own.
 *          L2 what is charged is what its inodes have: pages (pool.h), inodes, names and extended attributes (inode.h).
 *          L3 a tenant's directory outlives all other inodes of it, removed or not: so limits hold to the end.
 * Threads  made and ended under NAMES, or when nobody knows its directory any more; charging takes no lock.  A struct
 *          tenant is never freed while the volume is open: who looks at one that has ended finds figures.
 * Fails    -ENOMEM; false or -ENOSPC at a limit.
 *
 * Limits are said by extended attributes of the directory (volume_tenants.c), which names.db keeps; what is charged is
 * counted again by whoever takes over.
 */
#pragma once

#include "inode.h"

#define TENANT_NO_LIMIT UINT64_MAX

struct tenant {
	struct inode *dir; /* its first inode */
	_Atomic uint64_t size_pages, nr_inodes; /* TENANT_NO_LIMIT */
	_Atomic uint64_t pages;  /* charged */
	_Atomic uint64_t space;  /* in bytes: an inode or a name has INODE_SPACE */
	_Atomic uint64_t inodes; /* that are not free yet */
	struct tenant *next;     /* of all, or of those that have ended */
	struct {
		uint64_t pages, space, inodes;
	} found; /* check.c's, with the gate closed */
};

struct tenants;

int tenants_new(struct tenants **ret) must_check;
void tenants_free(struct tenants *ts); /* NULL is fine */

/* Directory `dir` is a tenant from now on, without limits, and its first inode. */
int tenants_make(struct tenants *ts, struct inode *dir, struct tenant **ret) must_check;
/* It is none any more; nobody else is in it. */
void tenants_end(struct tenants *ts, struct inode *dir);
unsigned tenants_count(const struct tenants *ts);
/* Of those, by when they were made, the last first; NULL at the end. With the gate closed. */
struct tenant *tenants_next(const struct tenants *ts, const struct tenant *t);

static inline bool tenant_is_dir(const struct inode *i)
{
	return i->record->tenant == i->number;
}

/* L3: it may not go yet. */
static inline bool tenant_keeps(const struct inode *i)
{
	const struct tenant *t = i->tenant;

	return t && t->dir == i && t->inodes > 1;
}

/* A new inode is in it, which has been charged; one that was has gone. */
void tenant_enter(struct tenant *t, struct inode *i);
void tenant_leave(struct tenant *t);

/* Everybody below takes NULL for no tenant.  With `force` beyond the limit. */
bool tenant_charge_slowly(struct tenant *t, uint64_t pages, bool force) must_check;
int tenant_take_slowly(struct tenant *t, uint64_t bytes, bool force) must_check;

static inline bool tenant_charge(struct tenant *t, uint64_t pages, bool force)
{
	return !t || tenant_charge_slowly(t, pages, force);
}

static inline void tenant_uncharge(struct tenant *t, uint64_t pages)
{
	if (t)
		atomic_fetch_sub(&t->pages, pages);
}

static inline int tenant_take(struct tenant *t, uint64_t bytes, bool force)
{
	return t ? tenant_take_slowly(t, bytes, force) : 0;
}

static inline void tenant_give(struct tenant *t, uint64_t bytes)
{
	if (t)
		atomic_fetch_sub(&t->space, bytes);
}

/* What the limit of inodes holds for, in inodes. */
static inline uint64_t tenant_inodes(uint64_t space)
{
	return (space + INODE_SPACE - 1) / INODE_SPACE;
}
