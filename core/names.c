/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names.c - which name in which directory is which inode.
 *
 * The places of a directory are 1 .. NAME_PLACES.  A name has a first place, from its hash, and may
 * live in that or one of the PROBES - 1 behind it: its window.
 *
 *   absent -> entered    the first free place of its window    [add_locked]
 *   entered -> absent    the row goes, nothing moves up        [remove_locked]
 *   moved                the row gets another key and name     [rename_locked]
 *   swapped              two rows swap inodes                  [exchange]
 *   moved, and replaced  a new row gets the old key and name   [move]
 *
 * F1 a look-up reads the whole window, as there may be a gap before the name it looks for: names
 *    leave without a trace, and nobody moves up into the gap, which would change an offset (N3).
 * F2 first places end PROBES - 1 before the last place, so a window never reaches into the next
 *    directory; place 0 is nobody's, as offset 0 means the start.
 * F3 what one statement does is one transaction by itself; only what also touches a symbolic link's
 *    text says BEGIN and COMMIT.
 */
#include "names.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "ballast.h"
#include "failpoint.h"
#include "names_inside.h"

enum {
	PROBES = 64,
	WALK_BATCH = 64,
	BALLAST_BYTES = 1 << 20, /* log and database may each grow by a log's length: catalog.c */
};

#define PLACE_MASK ((UINT64_C(1) << NAMES_PLACE_BITS) - 1)

/* A test that wants names to meet builds this file with few places. */
#ifndef NAME_PLACES
#define NAME_PLACES PLACE_MASK
#endif
#define FIRST_PLACES (NAME_PLACES - PROBES + 1) /* F2 */

const struct catalog_schema names_schema = {
    .format = NAMES_FORMAT,
    .sql = "CREATE TABLE entry ( -- one row per name\n"
	   "	key INTEGER PRIMARY KEY, -- directory's record number * 2^31 + place in it\n"
	   "	ino INTEGER NOT NULL, -- generation * 2^32 + record number\n"
	   "	name BLOB NOT NULL -- 1 to 255 bytes\n"
	   ");"
	   "CREATE TABLE symlink ( -- one row per symbolic link\n"
	   "	ino INTEGER PRIMARY KEY,\n"
	   "	target BLOB NOT NULL\n"
	   ");"
	   "CREATE TABLE xattr ( -- one row per extended attribute: names_xattr.c\n"
	   "	ino INTEGER NOT NULL,\n"
	   "	name BLOB NOT NULL, -- 1 to 255 bytes, with its namespace\n"
	   "	value BLOB NOT NULL, -- up to 64 KiB\n"
	   "	PRIMARY KEY (ino, name)\n"
	   ") WITHOUT ROWID;"
	   "CREATE TABLE domain (number INTEGER PRIMARY KEY, uid INTEGER NOT NULL); -- where each user has one\n"
	   "CREATE TABLE origin ( -- one row\n"
	   "	secret_check INTEGER NOT NULL -- tells whether places come from the same secret\n"
	   ");",
};

/* Where a name is, and where it could go. */
struct spot {
	int64_t key;	  /* of the name, 0: it is not there */
	int64_t free_key; /* the first free one of its window, 0: none */
	uint64_t ino;
};

static int64_t key_of(uint64_t dir, uint64_t place)
{
	return (int64_t)((dir & UINT32_MAX) << NAMES_PLACE_BITS | place);
}

static uint64_t first_place(const struct names *n, struct name name)
{
	return XXH3_64bits_withSeed(name.bytes, name.len, n->secret) % FIRST_PLACES + 1;
}

static bool name_is_valid(struct name name)
{
	return name.len >= 1 && name.len <= NAME_BYTES_MAX && !memchr(name.bytes, '/', name.len) &&
	       !memchr(name.bytes, 0, name.len);
}

/* All our statements take a number as ?1, and most another as ?2. */
static int prepare(struct names *n, const char *sql, int64_t a, int64_t b, sqlite3_stmt **ret)
    REQUIRES(n->lock)
{
	int r;

	r = catalog_prepare(n->catalog, sql, ret);
	if (r < 0)
		return r;
	sqlite3_bind_int64(*ret, 1, a);
	if (sqlite3_bind_parameter_count(*ret) > 1)
		sqlite3_bind_int64(*ret, 2, b);
	return 0;
}

/* One statement that changes rows; its ?3 are `bytes`, if there are any. */
static int change(struct names *n, const char *sql, int64_t a, int64_t b, const struct name *bytes)
    REQUIRES(n->lock)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	r = prepare(n, sql, a, b, &stmt);
	if (r < 0)
		return r;
	if (bytes)
		sqlite3_bind_blob(stmt, 3, bytes->bytes, (int)bytes->len, SQLITE_STATIC);
	return catalog_step(n->catalog, stmt);
}

static bool column_is(sqlite3_stmt *stmt, int at, struct name name)
{
	return (size_t)sqlite3_column_bytes(stmt, at) == name.len &&
	       memcmp(sqlite3_column_blob(stmt, at), name.bytes, name.len) == 0;
}

/* --- open and close --------------------------------------------------------------------------- */

/* A new file notes which secret its places come from; an old one must come from ours. */
static int adopt_secret(struct names *n) REQUIRES(n->lock)
{
	int64_t check = (int64_t)XXH3_64bits_withSeed("ksmfs", 5, n->secret);
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	r = catalog_prepare(n->catalog, "SELECT secret_check FROM origin", &stmt);
	if (r < 0)
		return r;
	r = catalog_step(n->catalog, stmt);
	if (r < 0)
		return r;
	if (r == CATALOG_ROW)
		return sqlite3_column_int64(stmt, 0) == check ? 0 : -ESTALE;
	return change(n, "INSERT INTO origin (secret_check) VALUES (?1)", check, 0, NULL);
}

static int open_locked(struct names *n, const char *dir) REQUIRES(n->lock)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/names.db", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = catalog_open(path, CATALOG_OWNER, &names_schema, &n->catalog);
	if (r < 0)
		return r;
	r = adopt_secret(n);
	if (r < 0)
		return r;
	ballast_open(&n->ballast, dir, BALLAST_BYTES);
	(void)!ballast_hold(&n->ballast); /* it is tried again before anything is added */
	return 0;
}

int names_open(const char *dir, uint64_t secret, struct names **ret)
{
	struct names *n;
	int r;

	n = mem_alloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	lock_init(&n->lock, RANK_CATALOG);
	n->secret = secret;
	n->ballast.fd = -1;
	lock_take(&n->lock);
	r = open_locked(n, dir);
	lock_drop(&n->lock);
	if (r < 0) {
		names_close(n);
		return r;
	}
	*ret = n;
	return 0;
}

void names_close(struct names *n)
{
	if (!n)
		return;
	catalog_close(n->catalog);
	ballast_close(&n->ballast);
	lock_fini(&n->lock);
	mem_free(n);
}

/* --- one name --------------------------------------------------------------------------------- */

static int find_spot(struct names *n, uint64_t dir, struct name name, struct spot *ret)
    REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int64_t first, next, last;
	int r;

	*ret = (struct spot){0};
	next = first = key_of(dir, first_place(n, name));
	last = first + PROBES - 1;
	r = prepare(n, "SELECT key, ino, name FROM entry WHERE key BETWEEN ?1 AND ?2 ORDER BY key",
		    first, last, &stmt);
	if (r < 0)
		return r;
	while ((r = catalog_step(n->catalog, stmt)) == CATALOG_ROW) {
		int64_t key = sqlite3_column_int64(stmt, 0);

		if (!ret->free_key && key > next)
			ret->free_key = next;
		next = key + 1;
		if (!column_is(stmt, 2, name))
			continue;
		ret->key = key;
		ret->ino = (uint64_t)sqlite3_column_int64(stmt, 1);
		return 0; /* where it could go is nobody's question then */
	}
	if (r < 0)
		return r;
	if (!ret->free_key && next <= last)
		ret->free_key = next;
	return 0;
}

static int lookup_locked(struct names *n, uint64_t dir, struct name name, uint64_t *ret_ino)
    REQUIRES(n->lock)
{
	struct spot spot;
	int r;

	lock_assert_held(&n->lock);
	r = find_spot(n, dir, name, &spot);
	if (r < 0)
		return r;
	if (!spot.key)
		return NAMES_ABSENT;
	*ret_ino = spot.ino;
	return NAMES_OK;
}

int names_lookup(struct names *n, uint64_t dir, struct name name, uint64_t *ret_ino)
{
	int r;

	lock_take(&n->lock);
	r = lookup_locked(n, dir, name, ret_ino);
	lock_drop(&n->lock);
	return r;
}

static const char insert_entry[] = "INSERT INTO entry (key, ino, name) VALUES (?1, ?2, ?3)";

static int add_locked(struct names *n, uint64_t dir, struct name name, uint64_t ino,
		      const struct name *target) REQUIRES(n->lock)
{
	struct spot spot;
	int r;

	lock_assert_held(&n->lock);
	r = find_spot(n, dir, name, &spot);
	if (r < 0)
		return r;
	if (spot.key)
		return NAMES_EXISTS;
	if (!spot.free_key)
		return -ENOSPC;
	if (!target)
		return change(n, insert_entry, spot.free_key, (int64_t)ino, &name);
	r = catalog_begin(n->catalog);
	if (r < 0)
		return r;
	r = change(n, "INSERT OR REPLACE INTO symlink (ino, target) VALUES (?1, ?3)", (int64_t)ino,
		   0, target);
	if (r < 0)
		return r;
	r = change(n, insert_entry, spot.free_key, (int64_t)ino, &name);
	if (r < 0)
		return r;
	return catalog_commit(n->catalog);
}

int names_add(struct names *n, uint64_t dir, struct name name, uint64_t ino,
	      const struct name *target)
{
	int r;

	if (!name_is_valid(name) || (target && target->len > SYMLINK_BYTES_MAX))
		return -EINVAL;
	lock_take(&n->lock);
	r = ballast_hold(&n->ballast) ? add_locked(n, dir, name, ino, target) : -ENOSPC;
	lock_drop(&n->lock);
	return r;
}

/* --- symbolic links --------------------------------------------------------------------------- */

static int ask_target(struct names *n, uint64_t ino, sqlite3_stmt **ret) REQUIRES(n->lock)
{
	int r;

	r = prepare(n, "SELECT target FROM symlink WHERE ino = ?1", (int64_t)ino, 0, ret);
	if (r < 0)
		return r;
	return catalog_step(n->catalog, *ret);
}

/* CATALOG_ROW: there is a text. */
static int has_target(struct names *n, uint64_t ino) REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;

	return ask_target(n, ino, &stmt);
}

static int readlink_locked(struct names *n, uint64_t ino, char *buf) REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r, len;

	lock_assert_held(&n->lock);
	r = ask_target(n, ino, &stmt);
	if (r < 0)
		return r;
	if (r != CATALOG_ROW)
		return NAMES_ABSENT;
	len = sqlite3_column_bytes(stmt, 0);
	if (len > SYMLINK_BYTES_MAX)
		return -EUCLEAN;
	if (len)
		memcpy(buf, sqlite3_column_blob(stmt, 0), (size_t)len);
	buf[len] = 0;
	return NAMES_OK;
}

int names_readlink(struct names *n, uint64_t ino, char *buf)
{
	int r;

	lock_take(&n->lock);
	r = readlink_locked(n, ino, buf);
	lock_drop(&n->lock);
	return r;
}

/* --- names that go and move ------------------------------------------------------------------- */

/* A transaction that begins with the end of the text of `gone`. */
static int begin_and_forget(struct names *n, uint64_t gone) REQUIRES(n->lock)
{
	int r;

	r = catalog_begin(n->catalog);
	if (r < 0)
		return r;
	return change(n, "DELETE FROM symlink WHERE ino = ?1", (int64_t)gone, 0, NULL);
}

/* change(), and with it the end of the text of `gone` (0: of nobody).  Few inodes that go are
 * symbolic links: looking first spares the others the explicit transaction (F3). */
static int change_and_forget(struct names *n, uint64_t gone, const char *sql, int64_t a, int64_t b,
			     const struct name *bytes) REQUIRES(n->lock)
{
	int r;

	r = gone ? has_target(n, gone) : CATALOG_DONE;
	if (r < 0)
		return r;
	if (r == CATALOG_DONE)
		return change(n, sql, a, b, bytes);
	r = begin_and_forget(n, gone);
	if (r < 0)
		return r;
	r = change(n, sql, a, b, bytes);
	if (r < 0)
		return r;
	return catalog_commit(n->catalog);
}

static int remove_locked(struct names *n, uint64_t dir, struct name name, uint64_t ino, bool last)
    REQUIRES(n->lock)
{
	struct spot spot;
	int r;

	lock_assert_held(&n->lock);
	r = find_spot(n, dir, name, &spot);
	if (r < 0)
		return r;
	if (!spot.key || spot.ino != ino)
		return NAMES_ABSENT;
	return change_and_forget(n, last ? ino : 0, "DELETE FROM entry WHERE key = ?1", spot.key, 0,
				 NULL);
}

int names_remove(struct names *n, uint64_t dir, struct name name, uint64_t ino, bool last)
{
	int r;

	lock_take(&n->lock);
	r = remove_locked(n, dir, name, ino, last);
	if (r == -ENOSPC && ballast_release(&n->ballast))
		r = remove_locked(n, dir, name, ino, last);
	lock_drop(&n->lock);
	return r;
}

static int exchange(struct names *n, const struct spot *a, const struct spot *b) REQUIRES(n->lock)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	r = prepare(
	    n, "UPDATE entry SET ino = CASE key WHEN ?1 THEN ?4 ELSE ?3 END WHERE key IN (?1, ?2)",
	    a->key, b->key, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 3, (int64_t)a->ino);
	sqlite3_bind_int64(stmt, 4, (int64_t)b->ino);
	return catalog_step(n->catalog, stmt);
}

/* The row moves with its inode, over the one that is at the new place. */
static int move(struct names *n, const struct names_move *m, int64_t key, int64_t new_key) REQUIRES(n->lock)
{
	static const char update[] = "UPDATE OR REPLACE entry SET key = ?2, name = ?3 WHERE key = ?1";
	uint64_t gone = m->last ? m->replaced : 0;
	int r;

	if (!m->left)
		return change_and_forget(n, gone, update, key, new_key, &m->new_name);
	r = begin_and_forget(n, gone);
	if (r < 0)
		return r;
	r = change(n, update, key, new_key, &m->new_name);
	if (r < 0)
		return r;
	r = change(n, insert_entry, key, (int64_t)m->left, &m->name);
	if (r < 0)
		return r;
	return catalog_commit(n->catalog);
}

static int rename_locked(struct names *n, const struct names_move *m) REQUIRES(n->lock)
{
	struct spot from, to;
	int r;

	lock_assert_held(&n->lock);
	r = find_spot(n, m->dir, m->name, &from);
	if (r < 0)
		return r;
	if (!from.key || from.ino != m->ino)
		return NAMES_ABSENT;
	r = find_spot(n, m->new_dir, m->new_name, &to);
	if (r < 0)
		return r;
	if (to.key && m->how == NAMES_RENAME_NOREPLACE)
		return NAMES_EXISTS;
	if (to.ino != m->replaced || (m->how == NAMES_RENAME_EXCHANGE && !to.key))
		return NAMES_ABSENT;
	if (to.key == from.key)
		return NAMES_OK;
	if (m->how == NAMES_RENAME_EXCHANGE)
		return exchange(n, &from, &to);
	if (!to.key && !to.free_key)
		return -ENOSPC;
	return move(n, m, from.key, to.key ? to.key : to.free_key);
}

int names_rename(struct names *n, const struct names_move *m)
{
	int r;

	if (!name_is_valid(m->new_name))
		return -EINVAL;
	ASSERT(!m->left || m->how != NAMES_RENAME_EXCHANGE);
	lock_take(&n->lock);
	r = ballast_hold(&n->ballast) ? rename_locked(n, m) : -ENOSPC;
	lock_drop(&n->lock);
	return r;
}

/* --- many names ------------------------------------------------------------------------------- */

static int read_entry(sqlite3_stmt *stmt, struct names_entry *ret)
{
	int len = sqlite3_column_bytes(stmt, 2);

	if (len < 1 || len > NAME_BYTES_MAX)
		return -EUCLEAN;
	ret->ino = (uint64_t)sqlite3_column_int64(stmt, 1);
	ret->offset = (uint64_t)sqlite3_column_int64(stmt, 0) & PLACE_MASK;
	ret->len = (size_t)len;
	memcpy(ret->name, sqlite3_column_blob(stmt, 2), ret->len);
	ret->name[ret->len] = 0;
	return 0;
}

/* Up to `max` entries with behind < key <= last, and their keys where asked for (may be NULL). */
static int list_locked(struct names *n, int64_t behind, int64_t last, unsigned max,
		       struct names_entry *ret, int64_t *ret_keys, unsigned *ret_count)
    REQUIRES(n->lock)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	unsigned count;
	int r;

	lock_assert_held(&n->lock);
	r = prepare(n, "SELECT key, ino, name FROM entry WHERE key > ?1 AND key <= ?2 ORDER BY key",
		    behind, last, &stmt);
	if (r < 0)
		return r;
	for (count = 0; count < max; count++) {
		r = catalog_step(n->catalog, stmt);
		if (r < 0)
			return r;
		if (r != CATALOG_ROW)
			break;
		r = read_entry(stmt, &ret[count]);
		if (r < 0)
			return r;
		if (ret_keys)
			ret_keys[count] = sqlite3_column_int64(stmt, 0);
	}
	*ret_count = count;
	return 0;
}

int names_list(struct names *n, uint64_t dir, uint64_t offset, struct names_entry *ret,
	       unsigned max, unsigned *ret_count)
{
	int64_t behind = key_of(dir, MIN(offset, (uint64_t)NAME_PLACES));
	int r;

	lock_take(&n->lock);
	r = list_locked(n, behind, key_of(dir, NAME_PLACES), max, ret, NULL, ret_count);
	lock_drop(&n->lock);
	return r;
}

int names_is_empty(struct names *n, uint64_t dir, bool *ret_empty)
{
	struct names_entry e;
	unsigned count;
	int r;

	r = names_list(n, dir, 0, &e, 1, &count);
	if (r < 0)
		return r;
	*ret_empty = count == 0;
	return 0;
}

int names_walk(struct names *n, names_visit *visit, void *arg)
{
	struct names_entry entry[WALK_BATCH];
	int64_t key[WALK_BATCH], behind = -1;
	unsigned count;
	int r;

	do {
		lock_take(&n->lock);
		r = list_locked(n, behind, INT64_MAX, WALK_BATCH, entry, key, &count);
		lock_drop(&n->lock);
		if (r < 0)
			return r;
		for (unsigned i = 0; i < count; i++) {
			r = visit(arg, (uint32_t)(key[i] >> NAMES_PLACE_BITS), &entry[i]);
			if (r)
				return r;
		}
		if (count)
			behind = key[count - 1];
	} while (count == WALK_BATCH);
	return 0;
}

bool names_have_space(struct names *n)
{
	bool have;

	lock_take(&n->lock);
	have = ballast_hold(&n->ballast);
	lock_drop(&n->lock);
	return have;
}

uint64_t names_bytes(struct names *n, uint64_t *ret_kept)
{
	*ret_kept = ballast_bytes(&n->ballast);
	return catalog_bytes(n->catalog); /* needs no lock: it only looks at the files' sizes */
}
