/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/fault_copy.c - a batch of writes whose content is there already.
 *
 *   FRAME, not in the index -> UNSHARED, SHARED   digested at last: the first to be copied pays  [find_frame]
 *   any -> FRAME of the source, ZERO              it is referred to                              [publish_swing]
 *   any -> as by a write of its bytes             where the rules forbid to share                [fault_run]
 *
 * The source's frames are pinned under their page locks, and its map lock is dropped before that of the destination is
 * taken: so no store is seen half, whoever stores into one from then on splits, and two copies in opposite
 * directions never wait for each other.
 *
 * Whether the source may share is asked once, behind the pins and inside the gate.  If it is taken out of
 * merging while the batch waits outside, it leaves what is pinned to us, as a split always goes towards who has to
 * leave: the destination is alone with it then.  What the destination may do is asked again after each wait (F5).
 */
#include "fault_inside.h"

#include "advice.h"

static const uint8_t zeroes[PAGE_BYTES];

/* What slot `index`, whose pinned frame (0: zeroes) this is, has to give. */
static struct fault begin_page(struct pool *p, uint64_t to_index, uint32_t frame, bool shares)
{
	struct fault f = { .index = to_index, .data = zeroes, .len = PAGE_BYTES };

	if (frame)
		f.data = frames_data(p->frames, frame);
	if (shares)
		f.given = frame ? frame : SLOT_ZERO;
	return f;
}

static unsigned collect(struct batch *b, struct inode *from, uint64_t from_index, uint64_t to_index, unsigned count,
			uint32_t *ret_frame)
{
	struct pool *p = b->pool;
	bool plain, same = from->record->domain == b->inode->record->domain;

	count = fault_pin(p, from, from_index, count, ret_frame);
	rwlock_take_shared(&from->map);
	plain = advice_is_plain(from);
	for (unsigned n = 0; n < count; n++)
		b->fault[n] = begin_page(p, to_index + n, ret_frame[n],
					 same && (plain || advice_may_merge(from, p->frames, from_index + n)));
	rwlock_drop_shared(&from->map);
	return count;
}

/* A frame that enters the index now may find its like there. */
static bool find_frame(struct batch *b, struct fault *f)
{
	struct pool *p = b->pool;
	uint16_t domain = b->inode->record->domain;

	if (frames_is_full(p->frames, f->given))
		return false;
	if (!frames_look(p->frames, f->given).indexed &&
	    content_find(p->content, digest_tag(digest_page(p->key, domain, f->data)), domain, f->data, f->given,
			 &f->next) == CONTENT_FOUND)
		return true;
	if (!frames_pin(p->frames, f->given))
		return false;
	f->next = f->given;
	return true;
}

bool fault_prepare_given(struct batch *b, struct fault *f)
{
	bool known = slot_is_frame(f->given) && frames_look(b->pool->frames, f->given).indexed;

	if (!known && b->find_zeroes && page_is_zero(f->data)) {
		f->next = SLOT_ZERO;
		f->referred = true;
	} else if (slot_is_frame(f->given)) {
		f->referred = find_frame(b, f);
	}
	return f->referred;
}

int fault_copy(struct pool *p, struct inode *from, uint64_t from_index, struct inode *to, uint64_t to_index,
	       unsigned count, unsigned *ret_copied)
{
	uint32_t frame[BATCH_PAGES];
	struct batch b;
	unsigned all;
	int r;

	ASSERT(count && count <= BATCH_PAGES);
	fault_begin(&b, p, to, 0);
	all = b.count = collect(&b, from, from_index, to_index, count, frame);
	r = fault_run(&b);
	fault_finish(&b, all);
	for (unsigned n = 0; n < all; n++)
		if (frame[n])
			content_unpin(p->content, frame[n]);
	pool_changed(p);
	if (r < 0)
		return r;
	*ret_copied = b.count;
	return 0;
}
