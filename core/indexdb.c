/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/indexdb.c - the page index in SQLite.
 *
 *   CLOSED  -> OPEN     nobody holds a lock                                  [open_file]
 *   OPEN    -> WRITING  the path still leads to it, its log is below the cap [begin]
 *   WRITING -> OPEN     tables made equal, committed                         [join]
 *   any     -> CLOSED   damaged, moved away, log above its cap: removed      [drop]
 *
 * People look at this file while it is written, with any program and for any length of time. SQLite
 * lets them: a writer's lock makes our BEGIN fail at once, and the batch is skipped; a reader does
 * not hinder us, but as long as he looks, the log cannot be used from its start again and only
 * grows.  Then the files are unlinked: he goes on reading what he has open, we start anew, and the
 * next batches fill the tables again.  So nothing that anybody does to this file is ever waited
 * for.
 *
 * A table is made equal to what is wanted by one pass over both in the order of the key, as in a
 * merge: what is only wanted is put in, what is only there goes, what differs is replaced.  Rows
 * are changed at or behind the place the pass has come to, never before it, so it sees each row as
 * it was.
 */
#include "indexdb.h"

#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog.h"
#include "failpoint.h"
#include "log.h"

/* What the log may grow to.  Tests have less patience. */
#ifndef INDEXDB_LOG_BYTES_MAX
#define INDEXDB_LOG_BYTES_MAX (UINT64_C(16) << 20)
#endif

#define ROWS_UNKNOWN UINT64_MAX

enum { COLUMNS_MAX = 5 };

struct indexdb {
	struct catalog *catalog; /* NULL: CLOSED */
	uint64_t max_rows;
	uint64_t rows; /* of page; ROWS_UNKNOWN until counted */
	unsigned starts;
	struct stat opened;
	char path[PATH_MAX - 8]; /* room for "-journal" */
};

static const struct catalog_schema schema = {
    .format = 1,
    .sql = "CREATE TABLE page ( -- one row per page of content (4096 bytes) that is shared\n"
	   "	frame INTEGER PRIMARY KEY, -- where it is kept: byte offset in the store / 4096\n"
	   "	digest BLOB NOT NULL, -- 16 bytes, keyed: says nothing about other mounts\n"
	   "	refs INTEGER NOT NULL, -- how many pages of files it stands for\n"
	   "	domain INTEGER NOT NULL -- only files of one domain share with each other\n"
	   ");\n"
	   "CREATE TABLE file_cost ( -- one row per file\n"
	   "	ino INTEGER PRIMARY KEY, -- inode number, as ls -i shows it\n"
	   "	path TEXT NOT NULL, -- from the root of the mount; a BLOB if it is no UTF-8\n"
	   "	data_pages INTEGER NOT NULL, -- pages of 4096 bytes that hold data\n"
	   "	shared_pages INTEGER NOT NULL, -- of these, pages kept once for several\n"
	   "	proportional_bytes INTEGER NOT NULL -- memory, each page divided by those who "
	   "share it\n"
	   ");\n"
	   "CREATE TABLE sharer ( -- who uses the most shared pages\n"
	   "	frame INTEGER NOT NULL, -- page.frame\n"
	   "	ino INTEGER NOT NULL, -- file_cost.ino\n"
	   "	n INTEGER NOT NULL, -- how many pages of the file it stands for\n"
	   "	PRIMARY KEY (frame, ino)\n"
	   ") WITHOUT ROWID;\n",
};

/* --- rows, whatever their table --------------------------------------------------------------- */

struct cell {
	int type; /* SQLITE_INTEGER, SQLITE_TEXT or SQLITE_BLOB */
	int len;
	int64_t number;
	const void *bytes;
};

struct row {
	struct cell cell[COLUMNS_MAX];
	uint64_t digest[2]; /* as it is stored: most significant byte first */
};

struct table {
	const char
	    *select;	 /* all columns, those of the key first, ?1 <= first column <= ?2, by key */
	const char *put; /* all columns: insert or replace */
	const char *remove; /* the key */
	int columns, keys;
	void (*fill)(const void *wanted, unsigned i, struct row *ret);
};

static struct cell number(uint64_t n)
{
	return (struct cell){.type = SQLITE_INTEGER, .number = (int64_t)n};
}

/* Length of the UTF-8 sequence at `s` (as the RFC has it: shortest form, no surrogates), 0 if none.
 */
static unsigned utf8_len(const unsigned char *s)
{
	unsigned len = s[0] < 0x80   ? 1
		       : s[0] < 0xc2 ? 0
		       : s[0] < 0xe0 ? 2
		       : s[0] < 0xf0 ? 3
		       : s[0] < 0xf5 ? 4
				     : 0;

	for (unsigned i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80) /* also stops at the end of the string */
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static struct cell text(const char *path)
{
	const unsigned char *s = (const unsigned char *)path;

	while (*s) {
		unsigned len = utf8_len(s);

		if (!len)
			return (struct cell){
			    .type = SQLITE_BLOB, .len = (int)strlen(path), .bytes = path};
		s += len;
	}
	return (struct cell){.type = SQLITE_TEXT, .len = (int)strlen(path), .bytes = path};
}

static void fill_page(const void *wanted, unsigned i, struct row *ret)
{
	const struct indexdb_page *p = (const struct indexdb_page *)wanted + i;

	ret->digest[0] = htobe64(p->digest[0]);
	ret->digest[1] = htobe64(p->digest[1]);
	ret->cell[0] = number(p->frame);
	ret->cell[1] =
	    (struct cell){.type = SQLITE_BLOB, .len = sizeof(ret->digest), .bytes = ret->digest};
	ret->cell[2] = number(p->refs);
	ret->cell[3] = number(p->domain);
}

/* Files come in any order: `wanted` is a sorted list of pointers to them. */
static void fill_cost(const void *wanted, unsigned i, struct row *ret)
{
	const struct indexdb_cost *f = ((const struct indexdb_cost *const *)wanted)[i];

	ret->cell[0] = number(f->ino);
	ret->cell[1] = text(f->path);
	ret->cell[2] = number(f->data_pages);
	ret->cell[3] = number(f->shared_pages);
	ret->cell[4] = number(f->proportional_bytes);
}

static void fill_sharer(const void *wanted, unsigned i, struct row *ret)
{
	const struct indexdb_sharer *s = ((const struct indexdb_sharer *const *)wanted)[i];

	ret->cell[0] = number(s->frame);
	ret->cell[1] = number(s->ino);
	ret->cell[2] = number(s->n);
}

static const struct table page_table = {
    .select =
	"SELECT frame, digest, refs, domain FROM page WHERE frame BETWEEN ?1 AND ?2 ORDER BY frame",
    .put = "INSERT OR REPLACE INTO page (frame, digest, refs, domain) VALUES (?1, ?2, ?3, ?4)",
    .remove = "DELETE FROM page WHERE frame = ?1",
    .columns = 4,
    .keys = 1,
    .fill = fill_page,
};

static const struct table cost_table = {
    .select = "SELECT ino, path, data_pages, shared_pages, proportional_bytes FROM file_cost"
	      " WHERE ino BETWEEN ?1 AND ?2 ORDER BY ino",
    .put =
	"INSERT OR REPLACE INTO file_cost (ino, path, data_pages, shared_pages, proportional_bytes)"
	" VALUES (?1, ?2, ?3, ?4, ?5)",
    .remove = "DELETE FROM file_cost WHERE ino = ?1",
    .columns = 5,
    .keys = 1,
    .fill = fill_cost,
};

static const struct table sharer_table = {
    .select = "SELECT frame, ino, n FROM sharer WHERE frame BETWEEN ?1 AND ?2 ORDER BY frame, ino",
    .put = "INSERT OR REPLACE INTO sharer (frame, ino, n) VALUES (?1, ?2, ?3)",
    .remove = "DELETE FROM sharer WHERE frame = ?1 AND ino = ?2",
    .columns = 3,
    .keys = 2,
    .fill = fill_sharer,
};

/* --- the merge-join --------------------------------------------------------------------------- */

struct join {
	struct catalog *catalog;
	const struct table *table;
	const void *wanted;
	unsigned count;
	int64_t first, last; /* of the first column: the rows to look at */
	uint64_t rows, max_rows;
	unsigned written;
};

static int compare_keys(const struct table *t, const struct row *row, sqlite3_stmt *there)
{
	for (int i = 0; i < t->keys; i++) {
		int64_t a = row->cell[i].number, b = sqlite3_column_int64(there, i);

		if (a != b)
			return a < b ? -1 : 1;
	}
	return 0;
}

static bool row_is_equal(const struct table *t, const struct row *row, sqlite3_stmt *there)
{
	for (int i = t->keys; i < t->columns; i++) {
		const struct cell *c = &row->cell[i];

		if (sqlite3_column_type(there, i) != c->type)
			return false;
		if (c->type == SQLITE_INTEGER) {
			if (sqlite3_column_int64(there, i) != c->number)
				return false;
			continue;
		}
		if (sqlite3_column_bytes(there, i) != c->len)
			return false;
		if (c->len && memcmp(sqlite3_column_blob(there, i), c->bytes, (size_t)c->len) != 0)
			return false;
	}
	return true;
}

static int put(struct join *j, const struct row *row)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	r = catalog_prepare(j->catalog, j->table->put, &stmt);
	if (r < 0)
		return r;
	for (int i = 0; i < j->table->columns; i++) {
		const struct cell *c = &row->cell[i];

		if (c->type == SQLITE_INTEGER)
			sqlite3_bind_int64(stmt, i + 1, c->number);
		else if (c->type == SQLITE_TEXT)
			sqlite3_bind_text(stmt, i + 1, c->bytes, c->len, SQLITE_STATIC);
		else
			sqlite3_bind_blob(stmt, i + 1, c->bytes, c->len, SQLITE_STATIC);
	}
	j->written++;
	return catalog_step(j->catalog, stmt);
}

/* X3. */
static int put_new(struct join *j, const struct row *row)
{
	if (j->rows >= j->max_rows)
		return 0;
	j->rows++;
	return put(j, row);
}

static int remove_row(struct join *j, sqlite3_stmt *there)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	r = catalog_prepare(j->catalog, j->table->remove, &stmt);
	if (r < 0)
		return r;
	for (int i = 0; i < j->table->keys; i++)
		sqlite3_bind_int64(stmt, i + 1, sqlite3_column_int64(there, i));
	j->written++;
	j->rows -= j->rows > 0;
	return catalog_step(j->catalog, stmt);
}

static int join(struct join *j)
{
	_cleanup_(catalog_reset) sqlite3_stmt *there = NULL;
	struct row row;
	unsigned i = 0;
	int r, there_r, order;

	r = catalog_prepare(j->catalog, j->table->select, &there);
	if (r < 0)
		return r;
	sqlite3_bind_int64(there, 1, j->first);
	sqlite3_bind_int64(there, 2, j->last);
	there_r = catalog_step(j->catalog, there);
	while (there_r == CATALOG_ROW || (there_r == CATALOG_DONE && i < j->count)) {
		if (i < j->count)
			j->table->fill(j->wanted, i, &row);
		if (there_r == CATALOG_ROW && i < j->count)
			order = compare_keys(j->table, &row, there);
		else
			order = there_r == CATALOG_ROW ? 1 : -1;
		if (order < 0)
			r = put_new(j, &row);
		else if (order > 0)
			r = remove_row(j, there);
		else
			r = row_is_equal(j->table, &row, there) ? 0 : put(j, &row);
		if (r < 0)
			return r;
		i += order <= 0;
		if (order >= 0)
			there_r = catalog_step(j->catalog, there);
	}
	return there_r < 0 ? there_r : 0;
}

/* --- the file --------------------------------------------------------------------------------- */

/* To CLOSED, and nothing is left.  Closed first: SQLite unlinks by name when the last one goes. */
static void drop(struct indexdb *x)
{
	static const char *const suffix[] = {"", "-wal", "-shm", "-journal"};
	char path[PATH_MAX];

	x->starts++;
	catalog_close(TAKE(x->catalog));
	for (unsigned i = 0; i < ARRAY_SIZE(suffix); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", x->path, suffix[i]);
		(void)unlink(path);
	}
}

/* To OPEN.  -EBUSY: it stays CLOSED. */
static int open_file(struct indexdb *x)
{
	int r;

	r = catalog_open(x->path, CATALOG_SHARED, &schema, &x->catalog);
	if (r == -EUCLEAN) {
		log_warning("%s is damaged or of another version: started anew", x->path);
		drop(x);
		r = catalog_open(x->path, CATALOG_SHARED, &schema, &x->catalog);
	}
	if (r < 0)
		return r;
	x->rows = ROWS_UNKNOWN;
	if (stat(x->path, &x->opened) < 0)
		return -errno;
	return 0;
}

static bool was_moved(const struct indexdb *x)
{
	struct stat st;

	return stat(x->path, &st) < 0 || st.st_ino != x->opened.st_ino ||
	       st.st_dev != x->opened.st_dev;
}

/* A log above its cap is put away; when somebody's reading forbids that, the file is given up. */
static int bound_log(struct indexdb *x)
{
	int r;

	if (catalog_log_bytes(x->catalog) <= INDEXDB_LOG_BYTES_MAX)
		return 0;
	r = catalog_checkpoint(x->catalog);
	if (r != -EBUSY)
		return r;
	log_info("%s has been read for long and its log has grown too large: started anew",
		 x->path);
	drop(x);
	return open_file(x);
}

static int count_rows(struct indexdb *x)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	if (x->rows != ROWS_UNKNOWN)
		return 0;
	r = catalog_prepare(x->catalog, "SELECT count(*) FROM page", &stmt);
	if (r < 0)
		return r;
	r = catalog_step(x->catalog, stmt);
	if (r < 0)
		return r;
	if (r != CATALOG_ROW)
		return -EUCLEAN;
	x->rows = (uint64_t)sqlite3_column_int64(stmt, 0);
	return 0;
}

static int begin(struct indexdb *x)
{
	int r;

	if (x->catalog && was_moved(x)) {
		log_warning("%s was moved or removed by somebody: started anew", x->path);
		drop(x);
	}
	if (!x->catalog) {
		r = open_file(x);
		if (r < 0)
			return r;
	}
	r = bound_log(x);
	if (r < 0)
		return r;
	r = catalog_begin(x->catalog);
	if (r < 0)
		return r;
	return count_rows(x); /* an error ends the transaction */
}

/* What an attempt came to, in the words of the header. */
static int finish(struct indexdb *x, int r)
{
	if (r == -EUCLEAN) {
		log_warning("%s is damaged: started anew", x->path);
		drop(x);
		return INDEXDB_SKIPPED;
	}
	return r == -EBUSY ? INDEXDB_SKIPPED : r;
}

int indexdb_open(const char *dir, uint64_t max_rows, struct indexdb **ret)
{
	struct indexdb *x;
	int r;

	x = mem_alloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->max_rows = max_rows;
	if (snprintf(x->path, sizeof(x->path), "%s/index.db", dir) >= (int)sizeof(x->path))
		r = -ENAMETOOLONG;
	else
		r = open_file(x);
	if (r < 0 && r != -EBUSY) {
		indexdb_close(x);
		return r;
	}
	*ret = x;
	return 0;
}

void indexdb_close(struct indexdb *x)
{
	if (!x)
		return;
	catalog_close(x->catalog);
	mem_free(x);
}

/* --- what the housekeeper says ---------------------------------------------------------------- */

static int sync_pages(struct indexdb *x, struct join *j)
{
	int r;

	r = begin(x);
	if (r < 0)
		return r;
	j->catalog = x->catalog;
	j->rows = x->rows;
	r = join(j);
	if (r < 0)
		return r;
	r = catalog_commit(x->catalog);
	if (r < 0)
		return r;
	x->rows = j->rows;
	return 0;
}

int indexdb_sync_pages(struct indexdb *x, uint32_t first, uint32_t end,
		       const struct indexdb_page *pages, unsigned count, unsigned *ret_written)
{
	struct join j = {
	    .table = &page_table,
	    .wanted = pages,
	    .count = count,
	    .first = first,
	    .last = (int64_t)end - 1,
	    .max_rows = x->max_rows,
	};
	int r;

	r = finish(x, sync_pages(x, &j));
	if (r)
		return r;
	*ret_written = j.written;
	return INDEXDB_OK;
}

static int by_ino(const void *a, const void *b)
{
	int64_t i = (int64_t)(*(const struct indexdb_cost *const *)a)->ino;
	int64_t k = (int64_t)(*(const struct indexdb_cost *const *)b)->ino;

	return i < k ? -1 : i > k;
}

static int by_frame_and_ino(const void *a, const void *b)
{
	const struct indexdb_sharer *s = *(const struct indexdb_sharer *const *)a;
	const struct indexdb_sharer *t = *(const struct indexdb_sharer *const *)b;

	if (s->frame != t->frame)
		return s->frame < t->frame ? -1 : 1;
	return (int64_t)s->ino < (int64_t)t->ino ? -1 : (int64_t)s->ino > (int64_t)t->ino;
}

/* Pointers to `count` things of `size` bytes, sorted; NULL: no memory. */
static const void **sorted(const void *things, unsigned count, size_t size,
			   int (*order)(const void *, const void *))
{
	const void **p = mem_alloc(MAX(count, 1U), sizeof(*p));

	if (!p)
		return NULL;
	for (unsigned i = 0; i < count; i++)
		p[i] = (const char *)things + i * size;
	qsort(p, count, sizeof(*p), order);
	return p;
}

static int replace_files(struct indexdb *x, struct join *costs, struct join *sharers)
{
	int r;

	r = begin(x);
	if (r < 0)
		return r;
	costs->catalog = sharers->catalog = x->catalog;
	r = join(costs);
	if (r < 0)
		return r;
	r = join(sharers);
	if (r < 0)
		return r;
	r = catalog_commit(x->catalog);
	return r < 0 ? r : catalog_rest(x->catalog);
}

int indexdb_replace_files(struct indexdb *x, const struct indexdb_cost *costs, unsigned costs_count,
			  const struct indexdb_sharer *sharers, unsigned sharers_count,
			  unsigned *ret_written)
{
	_cleanup_(mem_cleanup) const void **cost =
	    sorted(costs, costs_count, sizeof(*costs), by_ino);
	_cleanup_(mem_cleanup) const void **sharer =
	    sorted(sharers, sharers_count, sizeof(*sharers), by_frame_and_ino);
	struct join c = {.table = &cost_table, .wanted = cost, .count = costs_count};
	struct join s = {.table = &sharer_table, .wanted = sharer, .count = sharers_count};
	int r;

	if (!cost || !sharer)
		return -ENOMEM;
	c.first = s.first = INT64_MIN;
	c.last = s.last = INT64_MAX;
	c.max_rows = s.max_rows = UINT64_MAX;
	r = finish(x, replace_files(x, &c, &s));
	if (r)
		return r;
	*ret_written = c.written + s.written;
	return INDEXDB_OK;
}

uint64_t indexdb_bytes(struct indexdb *x)
{
	return x->catalog ? catalog_bytes(x->catalog) : 0;
}

unsigned indexdb_starts(const struct indexdb *x)
{
	return x->starts;
}
