/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/super_inside.h - for the files that make up the supervisor: super.c and upgrade.c.
 *
 * Owns     its state: there is one in a process.
 * Keeps    U4 whatever must outlive this program has a row in upgrade.c.
 * Threads  none.
 * Fails    as super.h.
 */
#pragma once

#include "fs/mount.h"
#include "fs/rundir.h"
#include "fs/session.h"
#include "fs/super.h"
#include "fs/watch.h"

struct super {
	struct options options;
	struct rundir rundir;
	struct mount mount;
	struct session *session;
	int session_fd, frames_fd, inodes_fd;
	int ready_fd; /* for the first worker */
	int errand_fd;   /* wakes the notifier; -1: this mount has none */
	int pressure_fd; /* what tells it that memory is short; -1: nothing */
	struct watch watch;
	char order_path[PATH_MAX];

	/* Between two programs: */
	int client_fd;      /* who waits for the outcome */
	int predecessor_fd; /* the program to go back to */
	struct why refusal; /* of the program that could not take over */
};
extern struct super super;

/* Start the first worker of this program, and wait until it serves.  -ECANCELED: we were asked to stop meanwhile. */
int super_run_worker(struct why *why) must_check;
/* Before the worker, who gives the notifier errands. */
void super_make_errands(void);
/* And the first notifier: it has the mount in hand when this returns, or never will. */
void super_run_notifier(void);
void super_clean_up(void);
/* All that it maps stays in memory, if it may; the log says if not. */
void super_lock_memory(void);

/* --- upgrade.c ----------------------------------------------------------------------------------- */

/* A watch_order.  It may be that this process runs another program then, and this one is over. */
void upgrade_take_order(void);
