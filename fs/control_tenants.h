/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control_tenants.h - .ksmfs/tenants/: a directory for each tenant, there as long as the tenant is.
 *
 * Owns     inode numbers from INO_END on, to the end of CONTROL_TENANTS_GENERATIONS.
 * Keeps    V1 a number follows from the tenant's own directory: whichever worker is asked, it is the same, and one
 *             whose tenant has ended is stale.
 *          V2 a place in the listing is that of one tenant, whoever comes and goes.
 *          V3 a tenant's figures are for root, and for the owner of the tenant's directory.
 * Threads  any.
 * Fails    -ENOENT: no such name, or the end of the listing.  -ESTALE: there is no tenant any more that the number
 *          belongs to.
 */
#pragma once

#include <stdio.h>

#include "core/volume.h"

#define CONTROL_TENANTS_GENERATIONS UINT64_C(0x8000)

static inline bool control_tenants_own(uint64_t ino)
{
	return ino >= INO_END && ino < INO_END + (CONTROL_TENANTS_GENERATIONS << 32);
}

/* Mode, owner, number and links of a node; its times are the caller's affair. */
int control_tenants_getattr(struct volume *v, uint64_t ino, struct stat *ret) must_check;
bool control_tenants_is_directory(uint64_t ino);
/* The directory that a file is in; 0 of a directory: that is the one which has them all. */
uint64_t control_tenants_parent(uint64_t ino);

/* By name: a tenant's directory (`dir` 0), or a file of it. */
int control_tenants_lookup(struct volume *v, uint64_t dir, const char *name, struct stat *ret) must_check;
/* The first entry at or behind *io_place (0: from the start), which goes behind it. */
int control_tenants_list(struct volume *v, uint64_t dir, uint64_t *io_place, char ret_name[static NAME_BYTES_MAX + 1],
			 struct stat *ret) must_check;

/* Has the text to be made by looking at all that the tenant has? */
bool control_tenants_is_long(uint64_t ino);
int control_tenants_print(struct volume *v, uint64_t ino, const struct interrupt *interrupt, FILE *out) must_check;
/* Of all tenants, for OpenMetrics. */
int control_tenants_print_metrics(struct volume *v, const struct interrupt *interrupt, FILE *out) must_check;
