/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/tops.h - directories in the root of the mount, which may be tenants.
 *
 * Owns     what stands for them on tmpfs: a name in the root is a symbolic link to a directory beside it,
 *          and a tenant's directory is the root of a tmpfs of its own, mounted there with the tenant's limits.
 * Keeps    what is a tenant's on ksmfs is on that tmpfs, also when its name has gone and somebody has a file open.
 * Threads  one at a time: only the root of a mount has tenants.
 * Fails    false: they differ, and *why says how.
 */
#pragma once

#include "run.h"

enum { TOPS = 3 };

/* Operations are done in the root of the mount: s->root. */
bool tops_open(struct side *s, const struct world *w, unsigned n, struct why *why);
/* What is there is removed. */
void tops_close(struct side *s);
/* And nothing is in use any more, when nobody has anything open. */
bool tops_all_gone(const struct world *w, struct why *why);

const char *top_name(unsigned n);
/* The directory of that name, to read it; -1: there is none. */
int top_open(const struct side *s, unsigned n);
bool top_is_tenant(int dir);

/* Limits, and what is in use, of a directory of the model. */
struct top_use {
	uint64_t size_pages, nr_inodes; /* UINT64_MAX: no limit */
	uint64_t pages, inodes;
};
bool top_use(int dir, struct top_use *ret);

/* What statfs says of each tenant and of the whole mount: a moment after they may be the same. */
bool tops_same_use(struct side sides[static 2], struct why *why);

/* .ksmfs/tenants against what the model has, where nothing is still to be given back. */
bool tops_same_figures(const struct side sides[static 2], struct why *why);
