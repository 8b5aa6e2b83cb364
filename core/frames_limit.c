/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/frames_limit.c - how many frames may be in use: store_limit.
 *
 * A frame is charged before it is taken from the stock, so what is warm, or on its way there, counts for nothing: the
 * limit can be reached to the frame, and is never passed by those whom it binds, however many take at once.
 */
#include "frames_inside.h"

enum {
	ORDINARY_SHARE = 16, ORDINARY_MOST = 256, /* what the ordinary leave: a share of the limit, and not more */
	URGENT_SHARE = 64, URGENT_MOST = 16,      /* and the urgent */
};

static uint64_t bound(uint64_t limit, enum frames_urgency urgency)
{
	switch (urgency) {
	case FRAMES_ORDINARY:
		return limit - MIN(limit / ORDINARY_SHARE, (uint64_t)ORDINARY_MOST);
	case FRAMES_URGENT:
		return limit - MIN(limit / URGENT_SHARE, (uint64_t)URGENT_MOST);
	case FRAMES_FREEING:
		return limit;
	case FRAMES_ORPHAN:
		return UINT64_MAX;
	}
	ASSERT(!"an urgency without a bound");
}

bool frames_charge(struct frames *f, unsigned n, enum frames_urgency urgency)
{
	uint64_t used = f->used, limit = f->store_limit;

	do {
		if (limit && used + n > bound(limit, urgency))
			return false;
	} while (!atomic_compare_exchange_weak(&f->used, &used, used + n));
	return true;
}

void frames_uncharge(struct frames *f, unsigned n)
{
	atomic_fetch_sub(&f->used, n);
}

uint64_t frames_left(const struct frames *f, enum frames_urgency urgency)
{
	uint64_t limit = f->store_limit, most = limit ? bound(limit, urgency) : UINT64_MAX;

	return most - MIN(most, (uint64_t)f->used);
}

void frames_set_store_limit(struct frames *f, uint64_t pages)
{
	uint64_t was = atomic_exchange(&f->store_limit, pages);

	if (was && (!pages || pages > was))
		frames_tell_room(f);
}
