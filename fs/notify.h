/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/notify.h - the process that looks into the kernel's page cache of the mount, and drops pages from it.
 *
 * Pages are dropped by posix_fadvise(2), which is what the kernel's own reclaim does: what is mapped, locked, dirty, or
 * in somebody's hands stays.  (To notify the kernel that an inode is invalid takes pages from whoever has mapped or
 * pinned them.)  For that, and for cachestat(2), a file must be open.  And where all pages of a file that nobody can
 * store into must go before somebody can (purge.h), it opens that file.
 *
 * Owns     a clone of the mount that is in no tree, through which files are opened: the mount that people see is
 *          never busy for it.
 * Keeps    N1 the clone goes as soon as the mount is gone from the tree: it keeps no file system alive.
 *          N2 it has /dev/fuse not open, so the connection ends without it.
 *          N3 nothing is lost when it is killed, and nobody waits for it but who gives it errands (errand.h), and those
 *             who open a file that is to be purged: for as long as there is a notifier.
 *          N4 it sleeps until there is an errand, a file is to be purged, the table of mounts changes, or memory is
 *             short.
 * Threads  one.
 * Fails    by its exit status: 0 when there is nothing more for it to do, now or ever; else another one may try.
 */
#pragma once

#include "fs/errand.h"
#include "fs/mountinfo.h"
#include "fs/session.h"

struct notify_start {
	struct session *session;
	int errand_fd;   /* an eventfd: there are errands */
	int pressure_fd; /* tells when memory is short; -1: nothing does */
	const struct mountinfo *mount;
	const char *mountpoint;
	pid_t supervisor;
};

/* In the new process. */
_Noreturn void notify_run(const struct notify_start *start);
