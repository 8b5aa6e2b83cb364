/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/catalog.c - one SQLite connection with its prepared statements.
 *
 *   IDLE    -> READING   a statement returned a row       [catalog_step]
 *   READING -> IDLE      it came to its end or was reset  [catalog_step, catalog_reset]
 *   IDLE    -> WRITING   BEGIN IMMEDIATE                  [catalog_begin]
 *   WRITING -> IDLE      committed, or given up           [catalog_commit, catalog_rollback]
 *   any     -> IDLE      an error                         [failed]
 *
 * SQLite itself rolls back on some errors and not on others, and whoever did not notice would go on
 * outside of a transaction.  So here every error ends it (C2): there is one rule to know.
 *
 * The owner's file lies in memory and has one owner, who may be killed at any instant and be
 * followed at once by the next.  Hence no fsync (what was written is in the page cache and stays
 * there), and no file locks (a dying process would keep them until its memory is gone).  Its log's
 * index lives on our heap: there is no -shm file, and nothing of the file is mapped, where a full
 * disk would be a signal instead of an error.
 */
#include "catalog.h"

#include <sys/stat.h>

#include "failpoint.h"
#include "lock.h"
#include "log.h"

enum { STATEMENTS = 64, LOG_KEPT_BYTES = 256 << 10 };

struct statement {
	const char *sql;
	sqlite3_stmt *stmt;
};

struct catalog {
	sqlite3 *db;
	enum catalog_mode mode;
	bool committing;
	struct statement statement[STATEMENTS]; /* open addressing by the address of the text */
};

/* Small pages for the owner: nearly all its transactions change one row, and a transaction writes
 * and checksums whole pages.  locking_mode stands before the first look at the file, as WAL without
 * -shm demands.  auto_vacuum gives memory back as names go away.  The log is cut only when a large
 * transaction made it larger than the checkpoints let it grow.  They are frequent (a quarter of a MiB),
 * which costs nothing in memory and bounds what a removal needs on a full disk: ballast.h. */
static const char owner_setup[] = "PRAGMA locking_mode=EXCLUSIVE;"
				  "PRAGMA page_size=1024;"
				  "PRAGMA auto_vacuum=FULL;"
				  "PRAGMA temp_store=MEMORY;"
				  "PRAGMA mmap_size=0;"
				  "PRAGMA cache_size=-2048;"
				  "PRAGMA secure_delete=OFF;"
				  "PRAGMA synchronous=OFF;"
				  "PRAGMA wal_autocheckpoint=250;"
				  "PRAGMA journal_size_limit=2097152;";

static const char shared_setup[] = "PRAGMA auto_vacuum=FULL;"
				   "PRAGMA temp_store=MEMORY;"
				   "PRAGMA mmap_size=0;"
				   "PRAGMA cache_size=-1024;"
				   "PRAGMA secure_delete=OFF;"
				   "PRAGMA synchronous=OFF;"
				   "PRAGMA wal_autocheckpoint=500;"
				   "PRAGMA journal_size_limit=4194304;";

static const struct {
	const char *vfs, *setup;
	enum kill_point before, committed;
} modes[] = {
    [CATALOG_OWNER] = {"unix-none", owner_setup, KILL_names_before, KILL_names_committed},
    [CATALOG_SHARED] = {"unix", shared_setup, KILL_index_before, KILL_index_committed},
};

/* --- errors ----------------------------------------------------------------------------------- */

static int errno_of(sqlite3 *db, int rc)
{
	int e = sqlite3_system_errno(db);

	if (rc == SQLITE_IOERR_NOMEM)
		return -ENOMEM;
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_IOERR:
		return e == ENOSPC || e == EDQUOT ? -ENOSPC : -EIO;
	case SQLITE_CANTOPEN:
		return e > 0 ? -e : -EIO;
	default:
		return -EIO;
	}
}

static int failed(struct catalog *c, int rc, const char *what)
{
	int r = errno_of(c->db, rc);

	log_debug("sqlite: %s: %s (%d)", what, sqlite3_errmsg(c->db), rc);
	catalog_rollback(c);
	return r;
}

/* Stands before each call of SQLite that may fail. */
static int refused(struct catalog *c, const char *what)
{
	lock_assert_may_sleep();
	return failpoint_hit(FAIL_SQL) ? failed(c, SQLITE_IOERR, what) : 0;
}

/* --- open and close --------------------------------------------------------------------------- */

/* The one number that a query without parameters answers with. */
static int ask_number(struct catalog *c, const char *sql, int *ret)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	r = catalog_prepare(c, sql, &stmt);
	if (r < 0)
		return r;
	r = catalog_step(c, stmt);
	if (r < 0)
		return r;
	if (r != CATALOG_ROW)
		return -EIO;
	*ret = sqlite3_column_int(stmt, 0);
	return 0;
}

/* The pragma answers with the mode it ended up in, and with no error when that is another one. */
static int enter_wal(struct catalog *c)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r;

	r = catalog_prepare(c, "PRAGMA journal_mode=WAL", &stmt);
	if (r < 0)
		return r;
	r = catalog_step(c, stmt);
	if (r < 0)
		return r;
	if (r != CATALOG_ROW ||
	    sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), "wal") != 0)
		return -EIO;
	return 0;
}

static int create_tables(struct catalog *c, const struct catalog_schema *schema)
{
	char mark[48];
	int r;

	r = catalog_begin(c);
	if (r < 0)
		return r;
	r = catalog_exec(c, schema->sql);
	if (r < 0)
		return r;
	sqlite3_snprintf(sizeof(mark), mark, "PRAGMA user_version=%d", schema->format);
	r = catalog_exec(c, mark);
	if (r < 0)
		return r;
	return catalog_commit(c);
}

static int adopt_schema(struct catalog *c, const struct catalog_schema *schema)
{
	int r, format, tables;

	r = ask_number(c, "PRAGMA user_version", &format);
	if (r < 0)
		return r;
	if (format == schema->format)
		return 0;
	r = ask_number(c, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return r;
	if (format != 0 || tables != 0)
		return -EUCLEAN;
	return create_tables(c, schema);
}

/* Explicit or not: nothing of it is in the file yet. */
static int about_to_commit(void *arg)
{
	struct catalog *c = arg;

	failpoint_kill(modes[c->mode].before);
	c->committing = true;
	return 0;
}

/* Nothing that somebody wrote into the file may make us run code of his: no triggers, no views, no
 * functions from the schema. */
static int configure(struct catalog *c)
{
	sqlite3_extended_result_codes(c->db, 1);
	sqlite3_busy_timeout(c->db, 0);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_commit_hook(c->db, about_to_commit, c);
	return catalog_exec(c, modes[c->mode].setup);
}

int catalog_open(const char *path, enum catalog_mode mode, const struct catalog_schema *schema,
		 struct catalog **ret)
{
	_cleanup_(catalog_cleanup) struct catalog *c = NULL;
	int r;

	c = mem_alloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->mode = mode;
	r = refused(c, "open");
	if (r < 0)
		return r;
	r = sqlite3_open_v2(path, &c->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    modes[mode].vfs);
	if (r != SQLITE_OK)
		return failed(c, r, path);
	r = configure(c);
	if (r < 0)
		return r;
	r = enter_wal(c);
	if (r < 0)
		return r;
	if (schema) {
		r = adopt_schema(c, schema);
		if (r < 0)
			return r;
	}
	*ret = TAKE(c);
	return 0;
}

void catalog_close(struct catalog *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(c->statement[i].stmt);
	sqlite3_close_v2(c->db);
	mem_free(c);
}

void catalog_cleanup(struct catalog **c)
{
	catalog_close(*c);
}

/* --- statements ------------------------------------------------------------------------------- */

/* The place of `sql`, or the free one where it belongs. */
static struct statement *find_statement(struct catalog *c, const char *sql)
{
	unsigned at = (unsigned)(((uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15)) >> 58);

	for (unsigned i = 0; i < STATEMENTS; i++) {
		struct statement *s = &c->statement[(at + i) % STATEMENTS];

		if (s->sql == sql || !s->sql)
			return s;
	}
	return NULL;
}

int catalog_prepare(struct catalog *c, const char *sql, sqlite3_stmt **ret)
{
	struct statement *s = find_statement(c, sql);
	int r;

	/* Texts are literals: there are as many as somebody wrote down. */
	ASSERT(s);
	/* Kept or not, so that the nth call is the same one each time. */
	r = refused(c, sql);
	if (r < 0)
		return r;
	if (!s->sql) {
		r = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
		if (r != SQLITE_OK)
			return failed(c, r, sql);
		s->sql = sql;
	} else {
		sqlite3_reset(s->stmt);
		sqlite3_clear_bindings(s->stmt);
	}
	*ret = s->stmt;
	return 0;
}

void catalog_reset(sqlite3_stmt **stmt)
{
	sqlite3_reset(*stmt);
}

int catalog_step(struct catalog *c, sqlite3_stmt *stmt)
{
	int r, rc;

	r = refused(c, sqlite3_sql(stmt));
	if (r < 0) {
		sqlite3_reset(stmt);
		return r;
	}
	c->committing = false;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE && c->committing)
		failpoint_kill(modes[c->mode].committed);
	if (rc == SQLITE_ROW)
		return CATALOG_ROW;
	if (rc != SQLITE_DONE)
		r = failed(c, rc, sqlite3_sql(stmt));
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? CATALOG_DONE : r;
}

int catalog_exec(struct catalog *c, const char *sql)
{
	int r;

	r = refused(c, sql);
	if (r < 0)
		return r;
	r = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
	return r == SQLITE_OK ? 0 : failed(c, r, sql);
}

/* --- transactions ----------------------------------------------------------------------------- */

static int run(struct catalog *c, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	r = catalog_prepare(c, sql, &stmt);
	if (r < 0)
		return r;
	return catalog_step(c, stmt); /* DONE is 0 */
}

int catalog_begin(struct catalog *c)
{
	return run(c, "BEGIN IMMEDIATE");
}

int catalog_commit(struct catalog *c)
{
	ASSERT(!sqlite3_get_autocommit(c->db));
	return run(c, "COMMIT");
}

/* No failpoint: a rollback only forgets, and when SQLite could not even do that it will refuse all
 * that follows. */
void catalog_rollback(struct catalog *c)
{
	if (c->db && !sqlite3_get_autocommit(c->db))
		(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

/* --- the log ---------------------------------------------------------------------------------- */

int catalog_checkpoint(struct catalog *c)
{
	int r;

	r = refused(c, "checkpoint");
	if (r < 0)
		return r;
	r = sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return r == SQLITE_OK ? 0 : failed(c, r, "checkpoint");
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t catalog_log_bytes(struct catalog *c)
{
	return size_of(sqlite3_filename_wal(sqlite3_db_filename(c->db, "main")));
}

uint64_t catalog_bytes(struct catalog *c)
{
	return size_of(sqlite3_db_filename(c->db, "main")) + catalog_log_bytes(c);
}

/* A log that is not cut now goes with what is written next, which may be never. */
int catalog_rest(struct catalog *c)
{
	int r = 0;

	if (catalog_log_bytes(c) > LOG_KEPT_BYTES)
		r = catalog_checkpoint(c);
	(void)sqlite3_db_release_memory(c->db);
	return r == -EBUSY ? 0 : r;
}
