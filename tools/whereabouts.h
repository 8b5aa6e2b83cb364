/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/whereabouts.h - where the processes, the memory and the databases of a mount are.
 *
 * Owns     nothing.
 * Keeps    a mount is never touched by its path: a request would wait for as long as nobody serves it.
 *          A process that only says it is the supervisor is not taken for it: it holds memory of who mounted.
 * Threads  one.
 * Fails    -errno; -ENOTDIR: the argument is neither a ksmfs mount nor the directory of one's databases; -ESRCH: there
 *          is a mount, and no process of it.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct whereabouts {
	char mountpoint[PATH_MAX]; /* empty: it was looked for by its directory, and nobody says which it is */
	char databases[PATH_MAX];
	pid_t supervisor;          /* 0: there is none */
};

/* `arg` is a mount point, or a directory with names.db.  Without a supervisor: 0 for a directory only. */
int whereabouts_find(const char *arg, struct whereabouts *ret);

/* Children of the supervisor that serve the mount; not those that use it, and may wait for who serves: who looks after
 * the kernel's page cache, and who unmounts.  Those that have ended are left out. */
enum { WORKERS_MAX = 8 };
unsigned whereabouts_workers(pid_t supervisor, pid_t ret[WORKERS_MAX]);

/* Open, for reading, the memfd of that name that process `pid` holds. */
int whereabouts_memfd(pid_t pid, const char *name, int *ret_fd);

/* Is `path` on a file system that a process has to answer for? */
bool whereabouts_is_fuse(const char *path);
