/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/find.h - the processes of a mount, for who stands outside.
 *
 * Owns     nothing.
 * Keeps    no request is sent to the mount that is looked for: it may be one that nobody serves.
 * Threads  one.
 * Fails    -errno and a line in `why`.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "fs/why.h"

/* `word` as a mount point is written in /proc/self/mountinfo: absolute, and without symbolic links. */
int find_mountpoint(const char *word, char ret[PATH_MAX], struct why *why) must_check;

/* The supervisor of what is mounted at `mountpoint`.  Nobody else's process can pass for it: it belongs to
 * who mounted. */
int find_supervisor(const char *mountpoint, pid_t *ret, uid_t *ret_owner, struct why *why) must_check;

/* Another process of the mount, by its role as title.h has it, that is a child of `parent` (0: of anybody); 0 when
 * there is none. */
pid_t find_process(const char *role, const char *mountpoint, uid_t owner, pid_t parent);
