/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/unmerge.h - taking pages out of merging, a batch at a time, for as long as it takes.
 *
 * Owns     nothing.
 * Keeps    U1 the gate is held for a batch at most, and no lock from one batch to the next.
 *          U2 what was split stays split, however it ends.
 * Threads  called outside the gate, with no lock.  The rules by which pages may be merged have changed before:
 *          behind it nothing is merged again.
 * Fails    -ENOMEM: the room that others need is all that is left.  -EINTR: whoever waits for it has been
 *          interrupted, or `run` has been set meanwhile.
 */
#pragma once

#include "pool.h"

/* Pages [from, end) of an inode.  flags: 0, or FAULT_KEEP_SHARED. */
int unmerge_range(struct pool *p, struct inode *i, uint64_t from, uint64_t end, unsigned flags,
		  const struct interrupt *interrupt) must_check;

/* Everything; `run_stores` is the pool's after `run` was set to 2. */
int unmerge_all(struct pool *p, uint32_t run_stores, const struct interrupt *interrupt) must_check;
