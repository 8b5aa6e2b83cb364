/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/trim.h - the second copy: what the kernel's page cache may hold of files, and when it is to go.
 *
 * Pages of files that nobody looks at are in memory twice, in the kernel's cache and in a frame.  The kernel does not
 * say what it holds; but all that it holds has been read from us, or written to us.
 *
 * Owns     a word for each inode (inode.h, `cached`): whether there may be pages, since when nobody has used them, how
 *          often they have come back.
 * Keeps    Q1 to be told of a use costs no lock and, within one second, no store.
 *          Q2 a file that somebody has open, or may write to (trim_mode), is never due.
 *          Q3 what was dropped and soon came back is left alone for twice as long as before, at most for
 *             TRIM_TIMES_MAX times as long.
 *          Q4 who sleeps until trim_due() has something is told when it may have something sooner.
 * Threads  trim_use() from any; trim_due() and trim_done() from one.
 * Fails    never: what is forgotten is left to the kernel.
 */
#pragma once

#include "pool.h"

enum { TRIM_TIMES_MAX = 128 };

/* The words of trim_mode, by number. */
enum trim_mode { TRIM_OFF, TRIM_CLOSED, TRIM_COLD };

enum trim_use {
	TRIM_OPENED,
	TRIM_RELEASED,
	TRIM_READ,    /* the kernel has pages from here on */
	TRIM_WRITTEN, /* the same */
};

struct trim {
	struct pool *pool;
	void (*tell)(void *arg); /* Q4 */
	void *tell_arg;
	atomic_bool asleep; /* to be told */
	uint32_t cursor; /* from here on of the one thread: the next record of a look that is not over */
	bool pressed;    /* that look is for memory that is short */
	uint64_t next;   /* when the first of what it has met so far is due, in seconds; UINT64_MAX: nothing is */
};

/* A file whose pages are to go. */
struct trim_due {
	uint64_t ino;
	uint32_t used;
};

/* What became of it: pages there before and after, or an error: -ESTALE, the kernel does not know the file any more;
 * -EBUSY, it is used again. */
struct trim_outcome {
	uint64_t before, after;
	int error;
};

void trim_init(struct trim *t, struct pool *pool);
void trim_on_due(struct trim *t, void (*tell)(void *arg), void *arg);

/* Inside the gate. */
void trim_use(struct trim *t, struct inode *i, enum trim_use use);

/* Whoever had the files before us may have left pages of any that the kernel knows. */
void trim_suspect_all(struct trim *t);

/* Files that are due, at most `max`; `pressure`: memory is short, so their age does not matter.  Fewer than `max`: the
 * look is over, and the next is worth its while after *ret_wait_ms, -1: when somebody tells. */
unsigned trim_due(struct trim *t, bool pressure, struct trim_due *ret, unsigned max, int64_t *ret_wait_ms);
/* Inside the gate. */
void trim_done(struct trim *t, const struct trim_due *due, const struct trim_outcome *outcome);

/* Might it be trimmed now, were it old enough? */
bool trim_allows(const struct trim *t, const struct inode *i);
/* The rules have changed. */
void trim_tell(struct trim *t);
