/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/settle.c - receipts of a dead process: afterwards none is in doubt, and no counts are under way.
 *
 * Whoever was killed between telling names.db and saying that he had, held the lock under which names change: so
 * names.db still is as he left it, and whether it has what he was telling it is to be seen.  Link counts and
 * sizes of directories are counted again anyhow (recover.c).
 */
#include "failpoint.h"
#include "receipt.h"
#include "volume_inside.h"

/* 1: `name` in `dir` is inode `ino`; 0: it is not. */
static int is_there(struct volume *v, uint64_t dir, const char *name, uint32_t len, uint64_t ino)
{
	uint64_t found;
	int r = names_lookup(v->names, dir, (struct name){ name, len }, &found);

	if (r == NAMES_ABSENT)
		return 0;
	return r < 0 ? r : found == ino;
}

static int has_happened(struct volume *v, const struct receipt_names *n)
{
	int r;

	switch (n->how) {
	case RECEIPT_ADD:
		return is_there(v, n->dir, n->name, n->len, n->ino);
	case RECEIPT_REMOVE:
		r = is_there(v, n->dir, n->name, n->len, n->ino);
		return r < 0 ? r : !r;
	default:
		return is_there(v, n->new_dir, n->new_name, n->new_len, n->ino);
	}
}

static void stamp(struct volume *v, uint64_t ino, unsigned which)
{
	struct inode *i = volume_inode(v, ino);

	if (!i)
		return;
	inode_stamp(inode_attr_begin(i), which);
	inode_attr_end(i);
}

static void stamp_all(struct volume *v, const struct receipt_names *n)
{
	stamp(v, n->dir, INODE_MTIME | INODE_CTIME);
	stamp(v, n->ino, INODE_CTIME);
	if (n->how != RECEIPT_MOVE)
		return;
	stamp(v, n->new_dir, INODE_MTIME | INODE_CTIME);
	stamp(v, n->replaced, INODE_CTIME);
}

static void count_made(struct volume *v, struct receipt *r)
{
	const struct receipt_change change = { .lookups = 1, .opens = r->names.opens, .stores = r->names.stores,
					       .then = RECEIPT_MADE };
	struct inode *i = volume_inode(v, r->names.ino);

	receipt_use(r);
	if (!i || !receipt_count(i, r->names.ino, &change, NULL))
		receipt_set(RECEIPT_NONE);
	receipt_use(NULL);
}

static int settle_doubt(struct volume *v, struct receipt *r)
{
	int happened = has_happened(v, &r->names);

	if (happened < 0)
		return FOLD(happened);
	if (happened)
		stamp_all(v, &r->names);
	failpoint_kill(KILL_settle_stamped);
	if (happened && r->names.how == RECEIPT_ADD)
		count_made(v, r);
	else
		r->state = happened ? RECEIPT_CHANGED : RECEIPT_NONE;
	return 0;
}

/* Counts that were under way first, all of them: what they become was said before what is in doubt is counted. */
int settle_receipts(struct volume *v, const struct receipts *receipts)
{
	int r = 0;

	for (unsigned n = 0; n < receipts->count; n++)
		if (receipt_at(receipts, n)->request)
			receipt_finish_counting(receipt_at(receipts, n), v->pool.itable);
	for (unsigned n = 0; n < receipts->count && !r; n++) {
		struct receipt *receipt = receipt_at(receipts, n);

		if (receipt->request && receipt->state == RECEIPT_DOUBT)
			r = settle_doubt(v, receipt);
	}
	return r;
}
