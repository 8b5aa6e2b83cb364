/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names_xattr.c - one row for each, in a table that is its own index.
 *
 * One attribute is found, changed or removed by one walk down a b-tree, and those of an inode stand side by side in
 * the order of their names.  Each call changes rows by one statement, which is one transaction by itself.
 */
#include "names_xattr.h"

#include <string.h>

#include "names_inside.h"

enum {
	WALK_BATCH = 64,
	DROP_BATCH = 64, /* and, as each of them may be long, not many more bytes than: */
	DROP_BYTES = 1 << 16,
};

/* ?1 is an inode number, ?2 a name; both where the statement has them. */
static int prepare(struct names *n, const char *sql, uint64_t ino, const struct name *name,
		   sqlite3_stmt **ret) REQUIRES(n->lock)
{
	int r;

	lock_assert_held(&n->lock);
	r = catalog_prepare(n->catalog, sql, ret);
	if (r < 0)
		return r;
	sqlite3_bind_int64(*ret, 1, (int64_t)ino);
	if (name)
		sqlite3_bind_blob(*ret, 2, name->bytes, (int)name->len, SQLITE_STATIC);
	return 0;
}

static int change(struct names *n, const char *sql, uint64_t ino, const struct name *name)
    REQUIRES(n->lock)
{
	sqlite3_stmt *stmt = NULL;
	int r = prepare(n, sql, ino, name, &stmt);

	return r < 0 ? r : catalog_step(n->catalog, stmt);
}

/* --- one attribute ---------------------------------------------------------------------------- */

/* The one row that `sql` has of an attribute, or NAMES_ABSENT. */
static int ask(struct names *n, const char *sql, uint64_t ino, struct name name, sqlite3_stmt **ret)
    REQUIRES(n->lock)
{
	int r;

	r = prepare(n, sql, ino, &name, ret);
	if (r < 0)
		return r;
	r = catalog_step(n->catalog, *ret);
	return r < 0 ? r : r == CATALOG_ROW ? NAMES_OK : NAMES_ABSENT;
}

static int get_locked(struct names *n, uint64_t ino, struct name name, void *buf, size_t size,
		      size_t *ret_len) REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	size_t len;
	int r;

	r = ask(n, "SELECT value FROM xattr WHERE ino = ?1 AND name = ?2", ino, name, &stmt);
	if (r != NAMES_OK)
		return r;
	len = (size_t)sqlite3_column_bytes(stmt, 0);
	if (size && len > size)
		return -ERANGE;
	if (size && len)
		memcpy(buf, sqlite3_column_blob(stmt, 0), len);
	*ret_len = len;
	return NAMES_OK;
}

int names_xattr_get(struct names *n, uint64_t ino, struct name name, void *buf, size_t size,
		    size_t *ret_len)
{
	int r;

	lock_take(&n->lock);
	r = get_locked(n, ino, name, buf, size, ret_len);
	lock_drop(&n->lock);
	return r;
}

/* Space of the one that is there; NAMES_ABSENT: 0. */
static int find_space(struct names *n, uint64_t ino, struct name name, uint64_t *ret)
    REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	*ret = 0;
	r = ask(n, "SELECT length(value) FROM xattr WHERE ino = ?1 AND name = ?2", ino, name, &stmt);
	if (r != NAMES_OK)
		return r;
	*ret = names_xattr_space(name.len, (size_t)sqlite3_column_int64(stmt, 0));
	return NAMES_OK;
}

static int set_locked(struct names *n, uint64_t ino, struct name name, struct name value,
		      uint64_t *ret_freed) REQUIRES(n->lock)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	r = find_space(n, ino, name, ret_freed);
	if (r < 0)
		return r;
	r = prepare(n, "INSERT OR REPLACE INTO xattr (ino, name, value) VALUES (?1, ?2, ?3)", ino,
		    &name, &stmt);
	if (r < 0)
		return r;
	if (value.len)
		sqlite3_bind_blob(stmt, 3, value.bytes, (int)value.len, SQLITE_STATIC);
	else
		sqlite3_bind_zeroblob(stmt, 3, 0); /* no bytes, which is not NULL */
	return catalog_step(n->catalog, stmt);
}

int names_xattr_set(struct names *n, uint64_t ino, struct name name, struct name value, uint64_t *ret_freed)
{
	int r;

	if (!name.len || name.len > XATTR_NAME_BYTES_MAX || memchr(name.bytes, 0, name.len) ||
	    value.len > XATTR_VALUE_BYTES_MAX)
		return -EINVAL;
	lock_take(&n->lock);
	r = ballast_hold(&n->ballast) ? set_locked(n, ino, name, value, ret_freed) : -ENOSPC;
	lock_drop(&n->lock);
	return r;
}

static int remove_locked(struct names *n, uint64_t ino, struct name name, uint64_t *ret_freed)
    REQUIRES(n->lock)
{
	int r = find_space(n, ino, name, ret_freed);

	if (r != NAMES_OK)
		return r;
	return change(n, "DELETE FROM xattr WHERE ino = ?1 AND name = ?2", ino, &name);
}

int names_xattr_remove(struct names *n, uint64_t ino, struct name name, uint64_t *ret_freed)
{
	int r;

	lock_take(&n->lock);
	r = remove_locked(n, ino, name, ret_freed);
	if (r == -ENOSPC && ballast_release(&n->ballast))
		r = remove_locked(n, ino, name, ret_freed);
	lock_drop(&n->lock);
	return r;
}

/* --- all of an inode -------------------------------------------------------------------------- */

/* Of a row (ino, name, length(value)). */
static int read_row(sqlite3_stmt *stmt, struct names_xattr *ret)
{
	ret->ino = (uint64_t)sqlite3_column_int64(stmt, 0);
	ret->len = (size_t)sqlite3_column_bytes(stmt, 1);
	if (!ret->len || ret->len > XATTR_NAME_BYTES_MAX)
		return -EUCLEAN;
	memcpy(ret->name, sqlite3_column_blob(stmt, 1), ret->len);
	ret->name[ret->len] = '\0';
	ret->space = names_xattr_space(ret->len, (size_t)sqlite3_column_int64(stmt, 2));
	return 0;
}

/* The first of an inode's, as many as go in one transaction: *ret_last is the last of them.  1: there may be more. */
static int find_first(struct names *n, uint64_t ino, struct names_xattr *ret_last, uint64_t *ret_space)
    REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	unsigned count;
	int r;

	*ret_space = 0;
	r = prepare(n, "SELECT ino, name, length(value) FROM xattr WHERE ino = ?1 ORDER BY name", ino, NULL, &stmt);
	if (r < 0)
		return r;
	for (count = 0; count < DROP_BATCH && *ret_space < DROP_BYTES; count++) {
		r = catalog_step(n->catalog, stmt);
		if (r != CATALOG_ROW)
			return r;
		r = read_row(stmt, ret_last);
		if (r < 0)
			return r;
		*ret_space += ret_last->space;
	}
	return 1;
}

static int drop_locked(struct names *n, uint64_t ino, uint64_t *ret_freed) REQUIRES(n->lock)
{
	struct names_xattr last;
	int more = find_first(n, ino, &last, ret_freed), r;

	if (more < 0 || !*ret_freed)
		return more;
	r = change(n, "DELETE FROM xattr WHERE ino = ?1 AND name <= ?2", ino, &(struct name){last.name, last.len});
	return r < 0 ? r : more;
}

int names_xattr_drop(struct names *n, uint64_t ino, uint64_t *ret_freed)
{
	int r;

	lock_take(&n->lock);
	r = drop_locked(n, ino, ret_freed);
	if (r == -ENOSPC && ballast_release(&n->ballast))
		r = drop_locked(n, ino, ret_freed);
	lock_drop(&n->lock);
	return r;
}

static int space_locked(struct names *n, uint64_t ino, uint64_t *ret) REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	struct names_xattr x;
	int r;

	*ret = 0;
	r = prepare(n, "SELECT ino, name, length(value) FROM xattr WHERE ino = ?1", ino, NULL, &stmt);
	while (!r && (r = catalog_step(n->catalog, stmt)) == CATALOG_ROW) {
		r = read_row(stmt, &x);
		*ret += r < 0 ? 0 : x.space;
	}
	return r;
}

int names_xattr_space_of(struct names *n, uint64_t ino, uint64_t *ret)
{
	int r;

	lock_take(&n->lock);
	r = space_locked(n, ino, ret);
	lock_drop(&n->lock);
	return r;
}

static bool begins_with(const void *bytes, size_t len, struct name with)
{
	return with.len && len >= with.len && memcmp(bytes, with.bytes, with.len) == 0;
}

struct list {
	struct name first, hidden;
	char *buf;
	size_t size, used;
};

static int list_one(struct list *l, const void *name, size_t len)
{
	if (begins_with(name, len, l->hidden))
		return 0;
	if (l->size && l->used + len + 1 > l->size)
		return -ERANGE;
	if (l->size) {
		memcpy(l->buf + l->used, name, len);
		l->buf[l->used + len] = '\0';
	}
	l->used += len + 1;
	return 0;
}

/* Those below `behind` that begin with `first`, or all others.  Each kind lies together in the table, or around the
 * other: nothing is sorted, and nothing read of a list that is too long already. */
static int list_kind(struct names *n, uint64_t ino, struct list *l, struct name behind, bool first) REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	r = prepare(n, "SELECT name FROM xattr WHERE ino = ?1 AND name < ?2 ORDER BY name DESC", ino, &behind, &stmt);
	while (!r && l->used <= XATTR_LIST_BYTES_MAX) {
		const void *name;
		size_t len;

		r = catalog_step(n->catalog, stmt);
		if (r != CATALOG_ROW)
			return r;
		name = sqlite3_column_blob(stmt, 0);
		len = (size_t)sqlite3_column_bytes(stmt, 0);
		if (begins_with(name, len, l->first) == first)
			r = list_one(l, name, len);
		else if (first)
			return 0;
		else
			r = 0;
	}
	return r;
}

static int list_locked(struct names *n, uint64_t ino, struct list *l) REQUIRES(n->lock)
{
	char behind[XATTR_NAME_BYTES_MAX + 1];
	int r = 0;

	if (l->first.len) {
		memcpy(behind, l->first.bytes, l->first.len);
		behind[l->first.len - 1]++;
		r = list_kind(n, ino, l, (struct name){behind, l->first.len}, true);
	}
	memset(behind, 0xff, sizeof(behind));
	return r ? r : list_kind(n, ino, l, (struct name){behind, sizeof(behind)}, false);
}

int names_xattr_list(struct names *n, uint64_t ino, struct name first, struct name hidden, char *buf,
		     size_t size, size_t *ret_len)
{
	struct list l = {.first = first, .hidden = hidden, .buf = buf, .size = size};
	int r;

	ASSERT(first.len <= XATTR_NAME_BYTES_MAX);
	lock_take(&n->lock);
	r = list_locked(n, ino, &l);
	lock_drop(&n->lock);
	*ret_len = l.used;
	return r;
}

/* --- all -------------------------------------------------------------------------------------- */

/* Up to WALK_BATCH behind `*behind`, in the order of inode numbers and names. */
static int batch_locked(struct names *n, const struct names_xattr *behind, struct names_xattr *ret,
			unsigned *ret_count) REQUIRES(n->lock)
{
	const struct name name = {behind->name, behind->len};
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	*ret_count = 0;
	r = prepare(n,
		    "SELECT ino, name, length(value) FROM xattr WHERE (ino, name) > (?1, ?2) "
		    "ORDER BY ino, name",
		    behind->ino, &name, &stmt);
	if (r < 0)
		return r;
	while (*ret_count < WALK_BATCH && (r = catalog_step(n->catalog, stmt)) == CATALOG_ROW) {
		r = read_row(stmt, &ret[*ret_count]);
		if (r < 0)
			return r;
		++*ret_count;
	}
	return r < 0 ? r : 0;
}

int names_xattr_walk(struct names *n, names_xattr_visit *visit, void *arg)
{
	struct names_xattr batch[WALK_BATCH], behind = {.ino = (uint64_t)INT64_MIN};
	unsigned count;
	int r;

	do {
		lock_take(&n->lock);
		r = batch_locked(n, &behind, batch, &count);
		lock_drop(&n->lock);
		for (unsigned i = 0; !r && i < count; i++)
			r = visit(arg, &batch[i]);
		if (r)
			return r;
		if (count)
			behind = batch[count - 1];
	} while (count == WALK_BATCH);
	return 0;
}
