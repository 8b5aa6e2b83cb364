/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names_inside.h - what names.c, names_inos.c, names_xattr.c and remains.c share.
 *
 * Owns     struct names.
 * Keeps    see names.h and names_xattr.h.
 * Threads  everything below `lock` under it.
 * Fails    never.
 */
#pragma once

#include "ballast.h"
#include "catalog.h"
#include "lock.h"
#include "names.h"

extern const struct catalog_schema names_schema;

enum { NAMES_PLACE_BITS = 31 /* of an entry's key: the rest is its directory's record number */ };

struct names {
	struct lock lock;
	struct catalog *catalog GUARDED_BY(lock);
	struct ballast ballast GUARDED_BY(lock);
	uint64_t secret;
};
