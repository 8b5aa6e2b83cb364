/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/rundir.h - the private directory in which a mount's databases live.
 *
 * Owns     /run/ksmfs/ID/ with a tmpfs of its own on it (root), ID/ below $XDG_RUNTIME_DIR/ksmfs or
 *          /tmp/ksmfs-UID (everybody else), or the databases in the directory given by index=.
 * Keeps    R1 a directory in use has its lock file locked by the supervisor; what is not locked belongs
 *             to a dead daemon, and the next start removes it.
 *          R2 files that ksmfs did not make are never removed.
 *          R3 it never lies on a ksmfs mount, nor below the mount point it serves.
 * Threads  one (the supervisor).
 * Fails    -errno and a line in `why`; nothing is left behind then.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "fs/why.h"

struct rundir {
	char path[PATH_MAX]; /* where names.db and index.db go */
	char lock[PATH_MAX];
	int lock_fd; /* -1: there is no directory */
	bool mounted;
	bool given;
	bool noswap; /* said by the caller: a tmpfs that is never swapped */
};

/* `given` is the directory of index=, or empty. */
int rundir_make(struct rundir *d, const char *given, const char *mountpoint, struct why *why) must_check;
void rundir_remove(struct rundir *d);

/* The base of who we are, made and locked: fd.  `ret_path` is `name` in it. */
int rundir_open_base(const char *name, char ret_path[PATH_MAX], struct why *why) must_check;
/* Where the base of `owner` may be, the likeliest first.  False: nowhere else. */
bool rundir_base_of(uid_t owner, unsigned i, char ret[PATH_MAX]);
