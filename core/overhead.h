/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/overhead.h - memory that nobody counts as he takes it: this process's, that of those beside it, and what the
 *                  kernel spends on it.
 *
 * Owns     nothing.
 * Keeps    nothing.
 * Threads  any.
 * Fails    never: 0 where nobody tells.
 */
#pragma once

#include <sys/types.h>

#include "base.h"

/* Memory of this process that is in no file: heap, stacks, tables. */
uint64_t overhead_anonymous(void);

/* Page tables of this process. */
uint64_t overhead_page_tables(void);

/* What the process `parent` and its children but this one take: page tables, and memory in no file that is not the
 * parent's.  What the parent has, each child has got from it, too: it is the same memory as long as nobody changes it,
 * and counts once, as this process's.  0 for `parent`: nothing. */
uint64_t overhead_family(pid_t parent);

/* Memory that a file in memory has. */
uint64_t overhead_file(int fd);

/* The tree in which the kernel keeps the pages of a file in memory: an estimate, of pages that lie close together. */
uint64_t overhead_tree(uint64_t pages);
