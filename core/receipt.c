/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/receipt.c - each store below leaves memory from which receipt_finish_counting() and settle_receipts() can
 * go on, so their order matters; a release store keeps the compiler to it.  Who is killed has done all that comes
 * before.
 */
#include "receipt.h"

#include <string.h>

#include "failpoint.h"
#include "inode.h"

static _Thread_local struct {
	struct receipt *receipt;
	uint32_t forgets; /* calls of volume_forget() since the request began */
} mine;

#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_release)

void receipt_use(struct receipt *r)
{
	mine.receipt = r;
	mine.forgets = 0;
}

void receipt_begin(uint64_t request)
{
	struct receipt *r = mine.receipt;

	mine.forgets = 0;
	if (!r || r->request == request)
		return;
	PUT(r->request, 0);
	PUT(r->counting, 0);
	PUT(r->state, RECEIPT_NONE);
	PUT(r->steps, 0);
	PUT(r->answering, 0);
	PUT(r->request, request);
}

void receipt_answer(void)
{
	if (mine.receipt)
		PUT(mine.receipt->answering, 1);
}

void receipt_unanswered(void)
{
	if (mine.receipt)
		PUT(mine.receipt->answering, 0);
}

void receipt_end(void)
{
	if (mine.receipt)
		PUT(mine.receipt->request, 0);
}

struct receipt *receipt_in(enum receipt_state state)
{
	struct receipt *r = mine.receipt;

	return r && r->request && r->state == state ? r : NULL;
}

bool receipt_skips(void)
{
	const struct receipt *r = receipt_in(RECEIPT_FORGOT);

	return mine.forgets++ < (r ? r->steps : 0);
}

void receipt_set(enum receipt_state state)
{
	if (mine.receipt)
		PUT(mine.receipt->state, state);
}

/* --- counts ------------------------------------------------------------------------------------- */

static void put_counts(struct inode_record *record, const struct receipt_counts *counts)
{
	PUT(record->lookups, counts->lookups);
	PUT(record->opens, counts->opens);
	PUT(record->stores, counts->stores);
}

static void finish(struct receipt *r, struct inode_record *record)
{
	put_counts(record, &r->counts);
	failpoint_kill(KILL_receipt_counted);
	PUT(r->steps, r->then_steps);
	PUT(r->state, r->then);
	PUT(r->counting, 0);
}

static uint32_t steps_then(struct receipt *r, const struct receipt_change *change, uint64_t ino)
{
	uint32_t before = r->state == change->then ? r->steps : 0;

	switch (change->then) {
	case RECEIPT_LISTED:
		if (change->lookups < 0)
			return before - 1;
		ASSERT(before < RECEIPT_LISTED_MAX);
		r->listed[before] = ino;
		return before + 1;
	case RECEIPT_FORGOT:
		return mine.forgets;
	default:
		return 0;
	}
}

static void count_with(struct receipt *r, struct inode *i, const struct receipt_counts *to,
		       const struct receipt_change *change)
{
	r->counts = *to;
	r->then = change->then;
	r->then_steps = steps_then(r, change, inode_ino(i));
	if (change->then == RECEIPT_MADE || change->then == RECEIPT_OPENED) {
		r->ino = inode_ino(i);
		r->opens = (uint32_t)change->opens;
		r->stores = (uint32_t)change->stores;
	}
	PUT(r->counting, inode_ino(i));
	failpoint_kill(KILL_receipt_counting);
	finish(r, i->record);
}

bool receipt_count(struct inode *i, uint64_t ino, const struct receipt_change *change,
		   struct receipt_counts *ret_before)
{
	struct receipt *r = mine.receipt;
	struct receipt_counts now, to;
	bool live;

	lock_take(&i->attr);
	live = inode_is_live(i, ino);
	if (live) {
		now = (struct receipt_counts){i->record->lookups, i->record->opens, i->record->stores};
		to = (struct receipt_counts){
			.lookups = change->lookups < 0 ? now.lookups - MIN(now.lookups, (uint64_t)-change->lookups) :
							 now.lookups + (uint64_t)change->lookups,
			.opens = now.opens + (uint32_t)change->opens,
			.stores = now.stores + (uint32_t)change->stores,
		};
		ASSERT((change->opens >= 0 || now.opens) && (change->stores >= 0 || now.stores));
		if (r && r->request)
			count_with(r, i, &to, change);
		else
			put_counts(i->record, &to);
		if (ret_before)
			*ret_before = now;
	}
	lock_drop(&i->attr);
	return live;
}

void receipt_finish_counting(struct receipt *r, struct itable *t)
{
	struct inode *i = r->counting ? itable_get(t, r->counting) : NULL;

	if (i)
		finish(r, i->record);
	PUT(r->counting, 0);
}

/* --- names -------------------------------------------------------------------------------------- */

static uint32_t copy_name(char *to, struct name name)
{
	uint32_t len = (uint32_t)MIN(name.len, (size_t)NAME_BYTES_MAX);

	if (len)
		memcpy(to, name.bytes, len);
	return len;
}

void receipt_doubt(const struct receipt_names *names, struct name name, struct name new_name)
{
	struct receipt *r = mine.receipt;
	struct receipt_names *n;

	if (!r)
		return;
	n = &r->names;
	n->how = names->how;
	n->dir = names->dir;
	n->new_dir = names->new_dir;
	n->ino = names->ino;
	n->replaced = names->replaced;
	n->opens = names->opens;
	n->stores = names->stores;
	n->len = copy_name(n->name, name);
	n->new_len = copy_name(n->new_name, new_name);
	PUT(r->state, RECEIPT_DOUBT);
	failpoint_kill(KILL_receipt_doubt);
}
