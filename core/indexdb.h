/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/indexdb.h - the page index in SQLite: for people (sqlite3 -readonly).
 *
 * Owns     index.db.  Nothing in ksmfs believes it.
 * Keeps    X1 rows say what was true when they were written; at most two seconds behind when quiet.
 *          X2 a lock held on the file by others never makes anybody wait: the batch is skipped.
 *          X3 at most `max_rows` rows of `page`: beyond, no row is added, those there are still
 *             corrected.  A log above its cap, a damaged file, one of another format, or one that
 *             somebody moved away means: drop the file, start anew (readers keep what they opened).
 * Threads  one thread at a time (the housekeeper); holds no core lock.
 * Fails    -errno as catalog.h; INDEXDB_SKIPPED: nothing was written, because somebody holds a lock
 *          or the file had to be started anew: try again later.
 */
#pragma once

#include "base.h"

struct indexdb;

enum indexdb_r { INDEXDB_OK, INDEXDB_SKIPPED };

/* A frame that two or more slots refer to and that stayed so for a pass. */
struct indexdb_page {
	uint32_t frame;
	uint32_t refs;
	uint32_t domain;
	uint64_t digest[2];
};

/* What a file costs.  `path` is relative to the root of the mount; "(deleted)" if it has
 * no name. */
struct indexdb_cost {
	uint64_t ino;
	const char *path; /* bytes; stored as a blob if it is no UTF-8 */
	uint64_t data_pages;
	uint64_t shared_pages;
	uint64_t proportional_bytes;
};

/* How many slots of a file refer to one of the most shared frames. */
struct indexdb_sharer {
	uint32_t frame;
	uint64_t ino;
	uint32_t n;
};

/* Open DIR/index.db, created when absent.  A lock that others hold is no error here either: the
 * file is then opened by a later call. */
int indexdb_open(const char *dir, uint64_t max_rows, struct indexdb **ret) must_check;
void indexdb_close(struct indexdb *x); /* NULL is fine */

/* Make the rows of `page` with first <= frame < end equal to `pages` (ascending by frame), in one
 * transaction.  Writes only what differs; *ret_written is the number of rows written or deleted. */
int indexdb_sync_pages(struct indexdb *x, uint32_t first, uint32_t end,
		       const struct indexdb_page *pages, unsigned count,
		       unsigned *ret_written) must_check;

/* Make file_cost and sharer equal to what is given (in any order, each key once), in one
 * transaction. Writes only what differs. */
int indexdb_replace_files(struct indexdb *x, const struct indexdb_cost *costs, unsigned costs_count,
			  const struct indexdb_sharer *sharers, unsigned sharers_count,
			  unsigned *ret_written) must_check;

/* How often the file has been started anew: when this grows, what was written before is gone. */
unsigned indexdb_starts(const struct indexdb *x);

/* Bytes of the database and its log. */
uint64_t indexdb_bytes(struct indexdb *x);
