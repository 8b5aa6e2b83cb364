/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_tenants.h - what tenants mean to the other files that make up core/volume.
 *
 * Owns     nothing: limits are rows of names.db, what they hold for is counted in tenants.h.
 * Keeps    L4 a directory has limits exactly if it is a tenant's, from one change to the next.
 * Threads  limits change under NAMES.
 * Fails    as volume.h.
 */
#pragma once

#include "volume_inside.h"

enum limit { LIMIT_SIZE, LIMIT_INODES };
#define LIMIT_OTHER(which) ((which) == LIMIT_SIZE ? LIMIT_INODES : LIMIT_SIZE)

/* Is it a name of ours, whether it means a limit or nothing? */
bool volume_is_limit(struct name name);

struct limit_change {
	struct name name;
	size_t text_len;
	enum limit which;
	uint64_t value, before;
	bool made; /* a tenant of what was none */
};

/* Around the change of names.db by which `i` gets a limit.  An error: it is not to be begun.  `r` is what
 * became of it. */
int volume_limit_begin(struct volume *v, struct inode *i, struct name name, struct name text, struct limit_change *c)
	must_check;
void volume_limit_end(struct volume *v, struct inode *i, const struct limit_change *c, int r);
/* Before and after one is removed. */
int volume_limit_may_go(struct inode *i, struct name name) must_check;
void volume_limit_gone(struct volume *v, struct inode *i, struct name name);

/* One that is found in names.db when that is taken over. */
int volume_adopt_limit(struct volume *v, struct inode *i, struct name name) must_check;
/* Before anything is charged: whose inodes are whose. */
int volume_adopt_tenants(struct volume *v) must_check;
/* And when limits are known: who is alone and has none is no tenant. */
void volume_settle_tenants(struct volume *v);

/* May `i` be in `dir`, as far as tenants and domains go? */
bool volume_may_be_in(struct volume *v, struct inode *i, const struct inode *dir);
