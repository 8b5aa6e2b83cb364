/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/poison.h - requests that crash who serves them, each time they are sent again.
 *
 * Owns     a table in shared memory of the requests that threads were in when they crashed.
 * Keeps    V1 a request counts once for each crash of the thread that was in it; other requests of that worker, and
 *             a worker that somebody kills, count nothing.
 *          V2 with the third it is poison: it is answered EIO, and that is said in the log.
 *          V3 whatever a crash would have done (a core, a sanitizer's report), it does.
 * Threads  poison_catch() before there are any; the rest from any, each about itself.
 * Fails    poison_catch(): -errno.
 */
#pragma once

#include <linux/fuse.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "core/base.h"

enum { POISON_DEATHS = 3, POISON_REQUESTS = 16 /* the oldest make room for others */ };

struct poison {
	_Atomic uint32_t known; /* entries that have been used; 0 in nearly all mounts */
	struct poison_entry {
		_Atomic uint64_t request; /* its number, which never recurs */
		_Atomic uint32_t deaths;
	} entry[POISON_REQUESTS];
	/* Tests alone set these: who writes to this inode crashes, or who goes on with what another thread has read. */
	_Atomic uint32_t crash_ino, crash_aside;
};

/* In a new worker, after death_be_seen(): signals of crashes are caught, and the supervisor is told. */
int poison_catch(struct poison *p) must_check;

/* The thread is in this request from here on.  True: it is poison, which has been said, and must not be touched. */
bool poison_enter(const struct fuse_in_header *head) must_check;
/* It is in none. */
void poison_leave(void);

/* For requests that another thread goes on with: what this one is in, and what that one is in from here on. */
uint64_t poison_request(void);
void poison_go_on(uint64_t request);

#ifdef KSMFS_HOOKS
/* What a test has worked on, for .ksmfs/debug/. */
struct poison *poison_table(void);
#endif
