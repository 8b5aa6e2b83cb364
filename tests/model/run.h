/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/run.h - a sequence of operations on tmpfs and on ksmfs, side by side. */
#pragma once

#include "watch.h"

struct world {
	const char *mounts[2]; /* tmpfs, ksmfs */
	bool full;             /* they are small, or their tenants; nobody else uses them: what is free is compared */
	bool tops;             /* directories in their roots may be tenants; nobody else uses them */
	bool apart;            /* such directories have domains of their own */
};

/* In new directories `name` of both (`tops`: in their roots), which are removed after.  Both trees are compared every
 * `tree_every` operations (0: not) and at the end.  False: they differ; *ret_at is the operation that told. */
bool run(const struct world *w, const char *name, const struct op *ops, size_t count, size_t tree_every,
	 size_t *ret_at, struct why *why);

/* A sequence that differs, smaller: as small as it gets within `seconds`.  Returns how many are left in `ops`. */
size_t minimise(const struct world *w, struct op *ops, size_t count, unsigned seconds);
