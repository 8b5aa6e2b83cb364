/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/errand.h - what the worker has the notifier do, and what came of it.
 *
 * Who looks into the page cache of a file, or drops pages of it, must open the file, and so waits for the worker: hence
 * the notifier, a process of its own (notify.h).
 *
 * Owns     in shared memory, one batch of errands; in the worker, the thread that gives them and takes the outcome.
 * Keeps    R1 there is one batch at a time.  It outlives both: a worker that dies leaves it to be finished, a notifier
 *             that dies to be gone on with.
 *          R2 nobody but the worker's own thread waits for the notifier, whatever becomes of it.
 *          R3 while there is nothing to do neither wakes.
 * Threads  errand_start() once; errand_press() and errand_of() from any.  The rest is the notifier's.
 * Fails    errand_start(): -errno.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "core/volume.h"

struct errand {
	_Atomic uint64_t ino;
	_Atomic uint32_t drops;
	int32_t error;          /* this and what follows: of a batch that is done */
	uint64_t before, after; /* pages */
};

/* In the session. */
struct errands {
	_Atomic int32_t notifier; /* its process id; 0: none is to be known by it */
	_Atomic uint32_t batch;   /* how many have been given, */
	_Atomic uint32_t done;    /* and done: one less, or equal */
	_Atomic uint32_t at;      /* of the list, while it is being done */
	_Atomic uint32_t news;    /* a futex: grows with all that the worker's thread ought to look at, */
	_Atomic uint32_t pressed; /* and this when memory is short */
	_Atomic uint32_t count;
	struct errand list[VOLUME_ERRANDS];
};

/* In the worker: wake the notifier by `fd`, an eventfd. */
int errand_start(struct errands *e, int fd, struct volume *v) must_check;

/* Memory is short: there is no time to wait until a file is old. */
void errand_press(struct errands *e);
/* As a test has it, in the worker. */
void errand_press_now(void);

/* Who opens `ino` so that he can run an errand; the file must not be counted as open then. */
enum errand_kind { ERRAND_NONE, ERRAND_LOOK, ERRAND_DROP };
enum errand_kind errand_of(pid_t opener, uint64_t ino) must_check;

/* --- the notifier -------------------------------------------------------------------------------- */

/* The next to be run; NULL: there is none.  */
struct errand *errand_next(struct errands *e);
void errand_ended(struct errands *e);
