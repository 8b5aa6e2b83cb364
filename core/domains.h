/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/domains.h - which files may share pages with each other.
 *
 * Owns     which numbers of domains are taken, and by which user (of whom names.db knows, too).
 * Keeps    D1 an inode's domain never changes; frames in its slots are of that domain.
 *          D2 a number has one meaning as long as an inode of it is not free: a user's for ever, a directory's as long
 *             as anything that was made in it lives.
 *          D3 in DOMAIN_ALONE nothing is merged: it is for those who came when all numbers were taken.
 * Threads  domains_for() and domains_enter() under NAMES; domains_leave() anywhere.
 * Fails    -ENOMEM, and as names.h.
 *
 * Numbers are taken in turn: one that is free again waits until all others have been taken.  The last pins of what was
 * in it are gone long before.
 */
#pragma once

#include "inode.h"
#include "names.h"

enum domains_by { DOMAINS_MOUNT, DOMAINS_UID, DOMAINS_DIR }; /* values of ATTR_domain */

struct domains;

int domains_new(enum domains_by by, struct names *n, struct domains **ret) must_check;
void domains_free(struct domains *d); /* NULL is fine */

/* The domain of an inode of `attr` that is about to be made in `dir`. */
int domains_for(struct domains *d, const struct inode *dir, const struct inode_attr *attr, uint16_t *ret) must_check;

/* One more inode has it, or one less. */
void domains_enter(struct domains *d, uint16_t domain);
void domains_leave(struct domains *d, uint16_t domain);
/* How many that are, where it matters; else `unknown`. */
uint32_t domains_inodes(const struct domains *d, uint16_t domain, uint32_t unknown);

/* Is it a directory with a domain of its own? */
bool domains_is_own(const struct domains *d, const struct inode_attr *attr);
/* Can what is in `domain` only be moved within it? */
bool domains_part(const struct domains *d);
