/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/cgroup.h - the control group that this process is in, as a directory.
 *
 * Owns     nothing.
 * Keeps    P1 a directory is told only where /proc/self/mountinfo shows it: wherever the hierarchy is mounted, be it
 *             the only one, beside those of v1, or a part of it in a container.
 * Threads  any.
 * Fails    -ENOENT: there is no such hierarchy, or we are in a group that cannot be seen from here.
 */
#pragma once

#include <limits.h>
#include <stdio.h>

#include "base.h"

enum cgroup_kind { CGROUP_V1_MEMORY, CGROUP_V2 };

struct cgroup {
	char path[2 * PATH_MAX];
	size_t top; /* length of what of it is where the hierarchy is mounted */
};

int cgroup_find(enum cgroup_kind kind, struct cgroup *ret) must_check;
/* The same by other files than /proc/self/cgroup and /proc/self/mountinfo. */
int cgroup_find_in(FILE *groups, FILE *mounts, enum cgroup_kind kind, struct cgroup *ret) must_check;

/* To the group above.  False: that is not to be seen. */
bool cgroup_up(struct cgroup *g);
