/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/remains.h - what names.db still tells when the memory of its mount is gone.
 *
 * Owns     nothing; the database is opened as its owner would, so give it a copy.
 * Keeps    looks at what can be seen without inodes: the file itself, and that entries make a tree.
 * Threads  one.
 * Fails    -errno when it could not look; what is wrong with the database itself is no error, but told.
 */
#pragma once

#include "base.h"

/* What is wrong with DIR/names.db goes to `report`, a line each; how many, and in *ret_names the entries there are. */
int remains_examine(const char *dir, void (*report)(void *arg, const char *what), void *arg, uint64_t *ret_names)
	must_check;
