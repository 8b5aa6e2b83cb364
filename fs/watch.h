/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/watch.h - the life of the processes that serve a mount, as the supervisor sees it.
 *
 * Owns     the worker, and the process that stands in for it (rest.h), until it has been waited for; and the notifier.
 * Keeps    L1 a worker that died is replaced at once, but never before it has ceased to do anything.
 *          L2 when workers die one after the other (backoff.h), none is started until somebody asks for one.
 *          L3 being asked to stop is heard in each state, and ends in time, whoever serves or does not.
 *          L4 nothing is allocated; the only system calls that can take long are made by children.
 * Threads  none: one loop over a signalfd, in a process whose signals are all blocked.
 * Fails    never: it is the end of the mount that it returns with.
 */
#pragma once

#include "fs/backoff.h"
#include "fs/death.h"
#include "fs/mount.h"
#include "fs/session.h"

/* Do what somebody asks for by `order_fd`; the worker may have been drained when it returns. */
typedef void watch_order(void);

/* Fork a worker, or who rests in its place: its process id, or -errno. */
typedef pid_t watch_start(bool rests);

/* Fork a notifier: its process id, or -errno. */
typedef pid_t watch_start_notifier(void);

struct watch {
	/* given */
	const struct mount *mount;
	struct session *session;
	int signal_fd;
	int order_fd; /* tells of orders; -1: there are none */
	bool can_replace; /* the kernel sends again what a worker has left unanswered */
	watch_start *start;
	watch_order *take_order;
	watch_start_notifier *start_notifier; /* NULL: none is wanted, or none any more */

	/* its own */
	pid_t worker; /* 0: none */
	int status;   /* of the last that died */
	bool rests;   /* the worker is one that only waits */
	bool again;   /* is to be followed by one that works */
	bool dying;   /* is to be looked at until it is past */
	unsigned left;    /* workers that are past, and not yet waited for */
	pid_t unmounting; /* who unmounts; 0: nobody */
	pid_t notifier;   /* 0: none */
	pid_t notifier_past; /* one that has been killed, and not yet waited for; 0: none */
	int64_t notifier_ms; /* when it was started */
	int64_t started_ms;
	int64_t stop_ms; /* when patience ends; 0: nobody wants us to stop */
	bool ended;
	struct backoff backoff;
	struct death death;
};

/* All signals but those of a crash are blocked, and those we hear of come from *ret_fd. */
int watch_signals(int *ret_fd) must_check;

/* The next of these signals, 0 when there is none. */
int watch_next_signal(int signal_fd);

/* Start the first worker: 0, or -errno. */
int watch_begin(struct watch *w) must_check;

/* Start a notifier, unless there is one. Without it the mount serves all the same. */
void watch_begin_notifier(struct watch *w);
/* It is killed; for another one there must be asked. */
void watch_end_notifier(struct watch *w);

/* Let the worker finish what it has in hand and end, at the worst kill it.  False: the mount has ended. */
bool watch_drain(struct watch *w) must_check;

/* Until the mount has ended.  The exit status of the supervisor. */
int watch_until_end(struct watch *w) must_check;

/* Kill worker and notifier, and wait for all that have been workers: nobody but us has /dev/fuse open then. */
void watch_end(struct watch *w);

/* When that has been closed: wait for who unmounts, and for the notifier, who may have waited for an answer. */
void watch_fini(struct watch *w);
