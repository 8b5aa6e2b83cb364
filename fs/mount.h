/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/mount.h - the mount itself: made, tuned, taken away.
 *
 * Owns     the fd of /dev/fuse, and for an ordinary user the process that will unmount.
 * Keeps    M1 the mount point is never looked at again by path once it is mounted on: only mount
 *             tables and umount2(2), which asks the file system nothing.
 *          M2 what is unmounted is this mount, not one that came later to the same place.
 * Threads  one (the supervisor).
 * Fails    -errno and a line in `why`; nothing is mounted then.
 */
#pragma once

#include <limits.h>

#include "fs/mountinfo.h"
#include "fs/options.h"
#include "fs/why.h"

struct mount {
	char path[PATH_MAX];
	int fuse_fd;      /* -1: none */
	int unmounter_fd; /* when it is closed the unmounter sets to work; -1: mounted by mount(2) */
	pid_t unmounter;
	struct mountinfo info;
};

/* `mountpoint` is absolute and resolved. */
int mount_make(struct mount *m, const struct options *o, const char *source, const char *mountpoint,
	       struct why *why) must_check;

/* Read-ahead and dirty ratio of the backing device, which the kernel only takes after INIT has been
 * answered; at a remount those that were given.  What cannot be had is said in the log. */
/* How many bytes of pages may be dirty (UINT64_MAX: as many as mount_tune() says by `max_ratio`).  As root only. */
void mount_bound_dirty(const struct mountinfo *info, uint64_t bytes, unsigned max_ratio);
void mount_tune(const struct mount *m, const struct options *o);

/* Ask for the end: the mount goes from the tree, files in use work on.  A child does it, whose status is 0 when it is
 * done: it may have to wait for pages to be written back.  -EPERM for ordinary users. */
int mount_detach(const struct mount *m, pid_t *ret_pid) must_check;

/* Close /dev/fuse, which ends a connection that nobody else holds, and leave nothing mounted. */
void mount_end(struct mount *m);
