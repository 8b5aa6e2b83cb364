/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/tenant_figures.h - what a tenant may have, has, and what merging does for it.
 *
 * Owns     the sums of tenants that somebody has asked for within the last second.
 * Keeps    Q1 what is summed is at most TENANT_AGE_MS old when it is told.
 * Threads  any.  What is summed takes as long as it takes to look at each inode of the mount, and at each page of
 *          the tenant: not for threads that read requests.
 * Fails    -errno: -ESTALE, the tenant has ended; -EINTR, -ENOMEM: what is summed.
 */
#pragma once

#include "core/volume.h"

enum { TENANT_AGE_MS = 1000 };

enum tenant_figure {
#define TENANT_KNOWN(name, ...) TENANT_##name,
#define TENANT_SUMMED(name, ...) TENANT_##name,
#include "fs/tenants.def"
#undef TENANT_KNOWN
#undef TENANT_SUMMED
	TENANT_FIGURES
};

struct tenant_row {
	const char *name, *unit, *help;
	bool is_summed;
};

extern const struct tenant_row tenant_rows[TENANT_FIGURES];

struct tenant_told {
	struct volume_tenant tenant;
	uint64_t value[TENANT_FIGURES];
};

/* What is summed only with `summed`, else 0. */
int tenant_figures_get(struct volume *v, const struct volume_tenant *t, bool summed,
		       const struct interrupt *interrupt, uint64_t ret[static TENANT_FIGURES]) must_check;

/* The values of several, each summed now: that takes hardly longer than for one. */
int tenant_figures_get_all(struct volume *v, struct tenant_told *tenant, unsigned count,
			   const struct interrupt *interrupt) must_check;
