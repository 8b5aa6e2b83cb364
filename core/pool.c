/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pool.h"

#include "ptab.h"

static bool is_reserved(uint32_t slot)
{
	return slot == SLOT_RESERVED || slot == SLOT_LENT;
}

/* What stat(2) tells as blocks: the kernel keeps the answer, and would not ask again for what is only lent. */
static bool is_kept(uint32_t slot)
{
	return slot != SLOT_HOLE && slot != SLOT_LENT;
}

void pool_slot_changed(struct pool *p, struct inode *i, uint32_t from, uint32_t to)
{
	int zero = (to == SLOT_ZERO) - (from == SLOT_ZERO);
	int reserved = is_reserved(to) - is_reserved(from);
	int slots = is_kept(to) - is_kept(from);

	if (zero) {
		pool_count(p, ATTR_ksm_zero_pages, zero);
		pool_count(p, ATTR_store_data_pages, zero);
	}
	if (reserved)
		pool_count(p, ATTR_store_reserved_pages, reserved);
	if (to == SLOT_HOLE)
		pool_count(p, ATTR_store_pages_removed, 1);
	if (slots)
		atomic_fetch_add_explicit(&i->record->slots, (uint64_t)(int64_t)slots,
					  memory_order_relaxed);
}
