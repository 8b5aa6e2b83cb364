/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/frames_stock.c - frames nobody uses.
 *
 *   never used, COLD -> WARM   memory taken from the system          [refill]
 *   WARM -> HELD, a node       for whoever fills it                  [frames_take, frames_take_table]
 *   in use -> WARM             the last holder has let go            [frames_release]
 *   WARM -> COLD               memory given back to the system       [frames_reclaim]
 *
 * Which frames these are is frames_map.c's affair.
 */
#include "frames_inside.h"

#include <string.h>

#include "failpoint.h"
#include "log.h"

enum {
	WARM_RESERVE = 256,   /* frames that only the urgent may take, at least */
	WARM_SURPLUS = 1024,  /* beyond the reserve: not worth giving back */
	WARM_LOW = WARM_SURPLUS / 2, /* fewer beyond the reserve: somebody else takes more meanwhile */
	WARM_PRESSING = 256 * 1024, /* a GiB is not going to be taken again at once */
	REFILL = 512,         /* frames taken from the system at a time */
	RECLAIM = 16 * 1024,  /* and given back */
};

/* Frames without memory, or not known to have any: those that had some before, then those never used. */
static unsigned take_cold(struct frames *f, uint32_t frame[REFILL])
{
	unsigned n = 0;

	lock_take(&f->lock);
	n = frames_map_take_cold(f, MIN(f->end, f->capacity), REFILL, frame);
	n += frames_map_take_unswept(f, REFILL - n, frame + n);
	if (n < REFILL) {
		n += frames_map_take_cold(f, f->capacity, REFILL - n, frame + n);
		f->end = n ? MAX(f->end, frame[n - 1] + 1) : f->end;
	}
	lock_drop(&f->lock);
	return n;
}

static void give(struct frames *f, void (*as)(struct frames *f, uint32_t frame), const uint32_t *frame, unsigned n)
{
	lock_take(&f->lock);
	for (unsigned i = 0; i < n; i++)
		as(f, frame[i]);
	lock_drop(&f->lock);
}

/* Length of the run of neighbours that begins at frame[0]. */
static unsigned run_length(const uint32_t *frame, unsigned n)
{
	unsigned len = 1;

	while (len < n && frame[len] == frame[len - 1] + 1)
		len++;
	return len;
}

static int refill(struct frames *f)
{
	uint32_t frame[REFILL];
	unsigned n = take_cold(f, frame), done = 0;
	int r = n ? room_take(f->room, (uint64_t)n << PAGE_SHIFT) : -ENOMEM;

	while (!r && done < n) {
		unsigned len = run_length(frame + done, n - done);

		r = arena_zero(f->arena, (size_t)frame[done] << PAGE_SHIFT, (size_t)len << PAGE_SHIFT);
		if (!r)
			done += len;
	}
	give(f, frames_map_cold, frame + done, n - done);
	give(f, frames_map_warm, frame, done);
	return done ? 0 : r;
}

static bool take_warm(struct frames *f, unsigned n, unsigned floor, uint32_t *ret_frame)
{
	bool enough;

	lock_take(&f->lock);
	enough = f->warm >= n + floor;
	if (enough)
		frames_map_take_warm(f, n, ret_frame);
	lock_drop(&f->lock);
	return enough;
}

/* What is refilled is for all, so another thread may be quicker: then refill again.  The urgent take what is there
 * first: it may be that memory is there for nobody until their pages are written. */
static int take_charged(struct frames *f, unsigned n, unsigned floor, uint32_t *ret_frame)
{
	lock_assert_may_sleep();
	if (failpoint_hit(FAIL_ALLOC))
		return FRAMES_FULL;
	if (f->on_low && f->warm < f->reserve + WARM_LOW + n && !atomic_exchange(&f->low_told, true))
		f->on_low(f->on_low_arg);
	while (!take_warm(f, n, floor, ret_frame))
		if (refill(f))
			return FRAMES_FULL;
	return FRAMES_OK;
}

/* How many are left to others. */
static unsigned floor_of(const struct frames *f, enum frames_urgency urgency)
{
	if (urgency == FRAMES_ORDINARY)
		return f->reserve;
	return urgency == FRAMES_FREEING ? 0 : FRAMES_FOR_TABLES;
}

static int take(struct frames *f, unsigned n, enum frames_urgency urgency, unsigned floor, uint32_t *ret_frame)
{
	int r;

	if (!frames_charge(f, n, urgency))
		return FRAMES_FULL;
	r = take_charged(f, n, floor, ret_frame);
	if (r) {
		frames_uncharge(f, n);
		frames_tell_room(f); /* somebody may have been refused for the sake of these */
	}
	return r;
}

void frames_reserve(struct frames *f, unsigned n)
{
	f->reserve = MAX(n, (unsigned)WARM_RESERVE);
}

bool frames_spare(struct frames *f, unsigned n)
{
	return frames_left(f, FRAMES_ORDINARY) >= n && room_spare(f->room, (uint64_t)n << PAGE_SHIFT);
}

bool frames_refill_ahead(struct frames *f)
{
	atomic_store(&f->low_told, false);
	return f->warm < f->reserve + WARM_SURPLUS - REFILL && !refill(f);
}

void frames_on_low(struct frames *f, void (*call)(void *arg), void *arg)
{
	f->on_low_arg = arg;
	f->on_low = call;
}

int frames_take(struct frames *f, uint16_t domain, unsigned n, enum frames_urgency urgency,
		uint32_t *ret_frame)
{
	int r = take(f, n, urgency, floor_of(f, urgency), ret_frame);

	for (unsigned i = 0; !r && i < n; i++) {
		if (frames_history(f, ret_frame[i]))
			frames_set_history(f, ret_frame[i], 0);
		atomic_store_explicit(&f->word[ret_frame[i]],
				      PIN | (uint64_t)domain << DOMAIN_SHIFT, memory_order_release);
	}
	failpoint_kill(KILL_frames_taken);
	return r;
}

int frames_take_table(struct frames *f, unsigned n, uint32_t *ret_frame)
{
	int r = take(f, n, FRAMES_URGENT, 0, ret_frame);

	if (r)
		return r;
	for (unsigned i = 0; i < n; i++) {
		memset(frames_data(f, ret_frame[i]), 0, PAGE_BYTES);
		atomic_store_explicit(&f->word[ret_frame[i]], REF | TABLE, memory_order_release);
	}
	atomic_fetch_add(&f->tables, n);
	return FRAMES_OK;
}

void frames_tell_room(struct frames *f)
{
	if (f->awaited && f->on_room && atomic_exchange(&f->awaited, false))
		f->on_room(f->on_room_arg);
}

void frames_release(struct frames *f, uint32_t frame)
{
	bool surplus;

	frames_uncharge(f, 1);
	lock_take(&f->lock);
	frames_map_warm(f, frame);
	surplus = f->warm > f->reserve + WARM_SURPLUS;
	lock_drop(&f->lock);
	if (surplus && f->on_surplus && !atomic_exchange(&f->surplus_told, true))
		f->on_surplus(f->on_surplus_arg);
	frames_tell_room(f);
}

void frames_put_table(struct frames *f, uint32_t frame)
{
	ASSERT(frames_word(f, frame) & TABLE);
	atomic_store_explicit(&f->word[frame], FREE, memory_order_release);
	atomic_fetch_sub(&f->tables, 1);
	frames_release(f, frame);
}

static unsigned take_surplus(struct frames *f, uint32_t *frame)
{
	unsigned n;

	lock_take(&f->lock);
	n = frames_map_take_surplus(f, f->reserve + WARM_SURPLUS / 2, RECLAIM, frame);
	n += frames_map_take_unswept(f, RECLAIM - n, frame + n);
	lock_drop(&f->lock);
	return n;
}

bool frames_reclaim(struct frames *f)
{
	_cleanup_(mem_cleanup) uint32_t *frame = mem_alloc(RECLAIM, sizeof(*frame));
	unsigned n;

	atomic_store(&f->surplus_told, false);
	if (!frame)
		return false; /* the next free tells again */
	n = take_surplus(f, frame);
	for (unsigned i = 0, len; i < n; i += len) {
		len = run_length(frame + i, n - i);
		if (arena_release(f->arena, (size_t)frame[i] << PAGE_SHIFT,
				  (size_t)len << PAGE_SHIFT) < 0)
			log_warning("%u free frames could not be given back to the system", len);
	}
	failpoint_kill(KILL_frames_punched);
	give(f, frames_map_cold, frame, n);
	return n > 0;
}

bool frames_pressing(const struct frames *f)
{
	return f->warm > WARM_PRESSING;
}

void frames_on_surplus(struct frames *f, void (*call)(void *arg), void *arg)
{
	f->on_surplus_arg = arg;
	f->on_surplus = call;
}

void frames_await(struct frames *f)
{
	f->awaited = true;
}

void frames_on_room(struct frames *f, void (*call)(void *arg), void *arg)
{
	f->on_room_arg = arg;
	f->on_room = call;
}
