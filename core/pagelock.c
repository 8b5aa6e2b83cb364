/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/pagelock.c - a lock bit with a queue for those whom trying has failed too often.
 *
 * The word holds LOCKED, TICKETED (the holder came by ticket), the next ticket to give and the one
 * being served.  While the two numbers differ somebody is queueing, and only he who is served may
 * take the lock: so however many others try, the queue moves on at every drop.
 */
#include "pagelock.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lock.h"

#define LOCKED     UINT64_C(1)
#define TICKETED   UINT64_C(2)

enum { POLITE_ATTEMPTS = 2 };

static uint16_t next_of(uint64_t word)
{
	return (uint16_t)(word >> 16);
}

static uint16_t served_of(uint64_t word)
{
	return (uint16_t)(word >> 32);
}

static uint64_t serve_next(uint64_t word)
{
	uint16_t served = served_of(word) + 1;

	return (word & ~(UINT64_C(0xffff) << 32)) | (uint64_t)served << 32;
}

static uint64_t draw_next(uint64_t word)
{
	uint16_t next = next_of(word) + 1;

	return (word & ~(UINT64_C(0xffff) << 16)) | (uint64_t)next << 16;
}

static struct pagelock *stripe_of(struct pagelocks *p, uint32_t inode, uint64_t index)
{
	uint64_t mix = (index + ((uint64_t)inode << 20)) * UINT64_C(0x9e3779b97f4a7c15);

	return &p->stripe[mix >> 54];
}

_Static_assert(PAGELOCK_STRIPES == 1 << 10, "stripe_of() takes the top ten bits");

bool pagelock_try(struct pagelocks *p, uint32_t inode, uint64_t index, struct pagelock_wait *wait)
{
	struct pagelock *l = stripe_of(p, inode, index);
	uint64_t word = atomic_load_explicit(&l->word, memory_order_relaxed);
	uint64_t to;

	do {
		uint16_t turn = wait->has_ticket ? wait->ticket : next_of(word);

		if ((word & LOCKED) || served_of(word) != turn)
			return false;
		to = word | LOCKED | (wait->has_ticket ? TICKETED : 0);
	} while (!atomic_compare_exchange_weak_explicit(&l->word, &word, to, memory_order_acquire,
							memory_order_relaxed));
	wait->has_ticket = false;
	lock_rank_enter(RANK_PAGE);
	return true;
}

static void wake(struct pagelock *l)
{
	atomic_fetch_add(&l->wakes, 1);
	if (atomic_load(&l->sleepers))
		syscall(SYS_futex, &l->wakes, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

void pagelock_drop(struct pagelocks *p, uint32_t inode, uint64_t index)
{
	struct pagelock *l = stripe_of(p, inode, index);
	uint64_t word = atomic_load_explicit(&l->word, memory_order_relaxed);
	uint64_t to;

	ASSERT(word & LOCKED);
	do
		to = (word & TICKETED ? serve_next(word) : word) & ~(LOCKED | TICKETED);
	while (!atomic_compare_exchange_weak_explicit(&l->word, &word, to, memory_order_seq_cst,
						      memory_order_relaxed));
	lock_rank_leave(RANK_PAGE);
	if (atomic_load(&l->sleepers))
		wake(l);
}

static bool may_try(const struct pagelock *l, const struct pagelock_wait *wait)
{
	uint64_t word = atomic_load(&l->word);
	uint16_t turn = wait->has_ticket ? wait->ticket : next_of(word);

	return !(word & LOCKED) && served_of(word) == turn;
}

static void sleep_until_dropped(struct pagelock *l, const struct pagelock_wait *wait)
{
	uint32_t wakes;

	atomic_fetch_add(&l->sleepers, 1);
	for (;;) {
		wakes = atomic_load(&l->wakes);
		if (may_try(l, wait))
			break;
		syscall(SYS_futex, &l->wakes, FUTEX_WAIT_PRIVATE, wakes, NULL, NULL, 0);
	}
	atomic_fetch_sub(&l->sleepers, 1);
}

void pagelock_wait(struct pagelocks *p, uint32_t inode, uint64_t index, struct pagelock_wait *wait)
{
	struct pagelock *l = stripe_of(p, inode, index);
	uint64_t word;

	lock_assert_may_sleep();
	if (++wait->attempts <= POLITE_ATTEMPTS) {
		sched_yield();
		return;
	}
	if (!wait->has_ticket) {
		word = atomic_load(&l->word);
		while (!atomic_compare_exchange_weak(&l->word, &word, draw_next(word)))
			;
		wait->ticket = next_of(word);
		wait->has_ticket = true;
	}
	sleep_until_dropped(l, wait);
}

void pagelock_forfeit(struct pagelocks *p, uint32_t inode, uint64_t index, struct pagelock_wait *wait)
{
	if (!wait->has_ticket)
		return;
	while (!pagelock_try(p, inode, index, wait))
		sleep_until_dropped(stripe_of(p, inode, index), wait);
	pagelock_drop(p, inode, index);
}
