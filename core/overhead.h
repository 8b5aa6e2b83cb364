/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/overhead.h - memory that nobody counts as he takes it: this process's, and what the kernel spends on it.
 *
 * Owns     nothing.
 * Keeps    nothing.
 * Threads  any.
 * Fails    never: 0 where nobody tells.
 */
#pragma once

#include "base.h"

/* Memory of this process that is in no file: heap, stacks, tables. */
uint64_t overhead_anonymous(void);

/* Page tables of this process. */
uint64_t overhead_page_tables(void);

/* The tree in which the kernel keeps the pages of a file in memory: an estimate, of pages that lie close together. */
uint64_t overhead_tree(uint64_t pages);
