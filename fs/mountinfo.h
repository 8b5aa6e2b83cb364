/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/mountinfo.h - what is mounted where, without touching it.
 *
 * Owns     nothing.
 * Keeps    asks the kernel only: a stat() of our own mount would wait for ourselves.
 * Threads  one (the supervisor): it uses static buffers, so that nothing is allocated late.
 * Fails    -errno; -ENOENT: no such mount.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "core/base.h"

struct mountinfo {
	unsigned long id; /* of this mount in this namespace; a later one may get it again */
	uint64_t unique;  /* no other mount ever has it; 0 where nobody can be asked (before Linux 6.8) */
	unsigned major, minor;
	uid_t owner;  /* who mounted it: the user_id of a FUSE file system */
	bool is_root; /* of its file system, not of a directory in it */
};

/* The topmost mount of type "fuse.*" at `path` (absolute, resolved). */
int mountinfo_find(const char *path, struct mountinfo *ret) must_check;

/* Fill in m->unique, if it is to be had, of the topmost mount at `path`: of any file system. */
void mountinfo_identify(struct mountinfo *m, const char *path);

/* Where that very mount is, which was made at `path`: it may have been moved, or a directory above it renamed.
 * -ENOENT: it has gone.  Any other error says nothing about it. */
int mountinfo_where(const struct mountinfo *m, const char *path, char ret[PATH_MAX]) must_check;

/* Is it another one, mounted over it or before it, that is met at `at`? */
bool mountinfo_is_hidden(const struct mountinfo *m, const char *at);

/* Is the file system with this st_dev mounted as `type`, like "fuse.ksmfs"? */
bool mountinfo_is_type(dev_t dev, const char *type);
