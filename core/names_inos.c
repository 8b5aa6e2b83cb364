/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names_inos.c - which inodes have names, of all at once: one statement, and no name is copied. */
#include "names_inside.h"

static int walk_locked(struct names *n, names_visit_ino *visit, void *arg) REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	lock_assert_held(&n->lock);
	r = catalog_prepare(n->catalog, "SELECT key, ino FROM entry ORDER BY key", &stmt);
	while (!r) {
		r = catalog_step(n->catalog, stmt);
		if (r != CATALOG_ROW)
			return r;
		r = visit(arg, (uint32_t)(sqlite3_column_int64(stmt, 0) >> NAMES_PLACE_BITS),
			  (uint64_t)sqlite3_column_int64(stmt, 1));
	}
	return r;
}

int names_walk_inos(struct names *n, names_visit_ino *visit, void *arg)
{
	int r;

	lock_take(&n->lock);
	r = walk_locked(n, visit, arg);
	lock_drop(&n->lock);
	return r;
}
