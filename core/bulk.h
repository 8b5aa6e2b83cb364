/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/bulk.h - the daemon's own memory in large pieces, of which parts can be given back.
 *
 * Owns     nothing: a piece is its taker's.
 * Keeps    K1 a piece takes no memory where nobody has stored into it, nor where it was forgotten since.
 * Threads  any; forgetting one part and using another, too.
 * Fails    bulk_map(): NULL, as malloc does (and FAIL_ALLOC).
 */
#pragma once

#include "base.h"

/* Zeroed, on pages of its own. */
void *bulk_map(size_t bytes) must_check;
void bulk_unmap(void *p, size_t bytes); /* NULL is fine */

/* Whole pages: they read as zeroes then. */
void bulk_forget(void *p, size_t bytes);
