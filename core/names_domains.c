/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names_domains.c - which number stands for which user's files. */
#include "names_inside.h"

static int add_locked(struct names *n, uint64_t number, uint64_t uid) REQUIRES(n->lock)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	lock_assert_held(&n->lock);
	r = catalog_prepare(n->catalog, "INSERT INTO domain (number, uid) VALUES (?1, ?2)", &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, (int64_t)number);
	sqlite3_bind_int64(stmt, 2, (int64_t)uid);
	return catalog_step(n->catalog, stmt);
}

int names_domain_add(struct names *n, uint64_t number, uint64_t uid)
{
	int r;

	lock_take(&n->lock);
	r = ballast_hold(&n->ballast) ? add_locked(n, number, uid) : -ENOSPC;
	lock_drop(&n->lock);
	return FOLD(r);
}

static int walk_locked(struct names *n, names_visit_domain *visit, void *arg) REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	lock_assert_held(&n->lock);
	r = catalog_prepare(n->catalog, "SELECT number, uid FROM domain", &stmt);
	while (!r) {
		r = catalog_step(n->catalog, stmt);
		if (r != CATALOG_ROW)
			return r;
		r = visit(arg, (uint64_t)sqlite3_column_int64(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1));
	}
	return r;
}

int names_domain_walk(struct names *n, names_visit_domain *visit, void *arg)
{
	int r;

	lock_take(&n->lock);
	r = walk_locked(n, visit, arg);
	lock_drop(&n->lock);
	return r;
}
