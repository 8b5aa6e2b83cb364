/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/catalog.h - one SQLite connection with its prepared statements.
 *
 * Owns     the connection and the statements prepared through it.
 * Keeps    C1 a database opened as `owner` is in WAL mode, exclusively locked without file locks.
 *          C2 a failed transaction is rolled back before the error is returned: after an error of
 * any call no transaction is open, and callers just return. C3 the log stays bounded
 * (CATALOG_SHARED: unless somebody reads for long), and the database is never mapped. Threads none:
 * whoever uses it brings a lock (names: CATALOG; the page index: its own thread). Fails    -ENOSPC
 * for a full disk, -ENOMEM, -EBUSY, -EUCLEAN for a damaged file or one of another format, the
 * system's errno for a file that cannot be opened, -EIO for the rest; the text of SQLite's message
 * goes to the debug log.  Every call has its FAIL_SQL.
 */
#pragma once

#include <sqlite3.h>

#include "base.h"

struct catalog;

enum catalog_mode {
	CATALOG_OWNER, /* nobody else opens it: locking_mode=EXCLUSIVE, no file locks (unix-none) */
	CATALOG_SHARED, /* people read it meanwhile: ordinary locks, busy at once instead of waiting
			 */
};

/* What a database of ours looks like.  `format` (> 0) is written to PRAGMA user_version. */
struct catalog_schema {
	int format;
	const char *sql;
};

/* Open the database at `path`.  An empty one gets the schema, in one transaction; one with tables
 * and another format gives -EUCLEAN and is left alone.  `schema` NULL: it is not looked at. */
int catalog_open(const char *path, enum catalog_mode mode, const struct catalog_schema *schema,
		 struct catalog **ret) must_check;
void catalog_close(struct catalog *c); /* NULL is fine */
void catalog_cleanup(struct catalog **c);

/* A statement, prepared when first asked for and kept; `sql` must be a string that lives as long
 * (a literal): its address is the key. It comes back reset, with its bindings cleared. */
int catalog_prepare(struct catalog *c, const char *sql, sqlite3_stmt **ret) must_check;

/* A statement that is not stepped to its end must be reset, or it keeps the log from being reused:
 * _cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL; */
void catalog_reset(sqlite3_stmt **stmt);

enum catalog_r { CATALOG_DONE, CATALOG_ROW };

/* One step. CATALOG_ROW: columns may be read. After DONE or an error the statement is reset. */
int catalog_step(struct catalog *c, sqlite3_stmt *stmt) must_check;

/* BEGIN IMMEDIATE: -EBUSY at once when somebody else writes. */
int catalog_begin(struct catalog *c) must_check;
int catalog_commit(struct catalog *c) must_check; /* on failure: rolled back */
void catalog_rollback(struct catalog *c);	  /* outside of a transaction: nothing */

int catalog_exec(struct catalog *c, const char *sql) must_check;

/* Put the log into the database and cut it to nothing.  -EBUSY when readers are in the way. */
int catalog_checkpoint(struct catalog *c) must_check;

/* Nothing is written for a while: what is cached goes, and the log's memory, unless somebody reads. */
int catalog_rest(struct catalog *c) must_check;

/* Bytes of the database and of its log, and of the log alone. */
uint64_t catalog_bytes(struct catalog *c);
uint64_t catalog_log_bytes(struct catalog *c);
