/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/profit.c - what sharing is worth.
 *
 * The first sum is KSM's, so that the two can be held against each other, and has KSM's blind spot: it asks what
 * merging brings to somebody who has these pages anyway.  The second asks what the machine has of it that this is
 * no tmpfs: frames, page tables, names, all that the daemon's processes remember and receive, and the copy of a page
 * that the kernel keeps in its page cache are memory like any other.  A mount of unique pages gains nothing and pays
 * all of that.
 */
#include "profit.h"

int64_t profit_general(const int64_t figure[ATTRS])
{
	return (figure[ATTR_pages_sharing] + figure[ATTR_ksm_zero_pages]) * PAGE_BYTES -
	       figure[ATTR_store_tracking_bytes];
}

int64_t profit_net(const int64_t figure[ATTRS])
{
	static const enum attr held[] = {
		ATTR_store_frame_bytes,	      ATTR_store_unswept_bytes,	 ATTR_store_metadata_bytes,
		ATTR_store_process_bytes,     ATTR_store_helper_bytes,	 ATTR_store_kernel_page_table_bytes,
		ATTR_store_buffer_bytes,      ATTR_store_database_bytes, ATTR_store_ballast_bytes,
		ATTR_store_cache_bytes,
	};
	int64_t sum = figure[ATTR_store_data_bytes];

	for (unsigned n = 0; n < ARRAY_SIZE(held); n++)
		sum -= figure[held[n]];
	return sum;
}
