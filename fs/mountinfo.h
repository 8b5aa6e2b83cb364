/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/mountinfo.h - what is mounted where, without touching it.
 *
 * Owns     nothing.
 * Keeps    reads /proc/self/mountinfo only: a stat() of our own mount would wait for ourselves.
 * Threads  one (the supervisor): it uses a static buffer, so that nothing is allocated late.
 * Fails    -errno; -ENOENT: no such mount.
 */
#pragma once

#include <sys/types.h>

#include "core/base.h"

struct mountinfo {
	unsigned long id; /* of this mount in this namespace */
	unsigned major, minor;
	uid_t owner;  /* who mounted it: the user_id of a FUSE file system */
	bool is_root; /* of its file system, not of a directory in it */
};

/* The topmost mount of type "fuse.*" at `path` (absolute, resolved). */
int mountinfo_find(const char *path, struct mountinfo *ret) must_check;

/* Is that very mount still there? */
bool mountinfo_exists(const struct mountinfo *m, const char *path);

/* Is the file system with this st_dev mounted as `type`, like "fuse.ksmfs"? */
bool mountinfo_is_type(dev_t dev, const char *type);
