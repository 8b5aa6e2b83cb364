/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/profit.h - what sharing is worth in bytes: two sums, from the figures they are made of.
 *
 * Owns     nothing.
 * Keeps    P1 each term of a sum is a row of attrs.def of its own: whoever reads `stats` can add it up himself.
 * Threads  pure functions of their arguments.
 * Fails    never.
 */
#pragma once

#include "attrs.h"

/* KSM's general_profit: (pages_sharing + ksm_zero_pages) * PAGE_BYTES less what is spent to know what may be merged.
 * There that is an rmap_item for each page looked at, here it is store/tracking_bytes. */
int64_t profit_general(const int64_t figure[ATTRS]) must_check;

/* store/net_saving: what a tmpfs would hold for the same files, less all that is held for them here.  (Not taken off:
 * store/kernel_tree_bytes, for a tmpfs has such a tree, of more pages; nor the text of the program, which is a file.)
 * The page cache is as somebody found it store/cache_age_ms ago; with nobody to look (-1) nothing is known of it,
 * nothing taken off, and the sum is the most that can be saved. */
int64_t profit_net(const int64_t figure[ATTRS]) must_check;
