/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/paths.h - where in the tree an inode is, for people: gathered from all names at once.
 *
 * Owns     a copy of the names, each inode's first.
 * Keeps    a path says what was true while it was gathered, and nothing is done by it.
 * Threads  one at a time; takes CATALOG itself while it gathers.
 * Fails    -ENOMEM, or as names.h.
 */
#pragma once

#include "names.h"

enum { PATHS_BYTES = 4096 };

struct paths;

/* Of inodes with record numbers below `records`.  *ret is NULL when it fails. */
int paths_gather(struct names *n, uint64_t records, struct paths **ret) must_check;
void paths_free(struct paths *p); /* NULL is fine */

/* Relative to the root, in or behind `buf`; "(deleted)" when it has no name (or a path longer than that). */
const char *paths_of(const struct paths *p, uint32_t record, char buf[static PATHS_BYTES]);
