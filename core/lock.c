/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lock.h"

static _Thread_local unsigned held; /* ranks of this thread, as bits */

void lock_rank_enter(enum lock_rank rank)
{
	ASSERT(held >> rank == 0); /* neither this one nor anything further down */
	held |= 1u << rank;
}

void lock_rank_leave(enum lock_rank rank)
{
	ASSERT(lock_rank_held(rank));
	held &= ~(1u << rank);
}

bool lock_rank_held(enum lock_rank rank)
{
	return held & (1u << rank);
}

void lock_assert_may_sleep(void)
{
	ASSERT((held >> RANK_MAP) == 0);
}

void lock_init(struct lock *l, enum lock_rank rank)
{
	pthread_mutex_init(&l->mutex, NULL);
	l->rank = rank;
}

void lock_fini(struct lock *l)
{
	pthread_mutex_destroy(&l->mutex);
}

void lock_take(struct lock *l) UNCHECKED_LOCKS
{
	lock_rank_enter(l->rank);
	pthread_mutex_lock(&l->mutex);
}

void lock_drop(struct lock *l) UNCHECKED_LOCKS
{
	pthread_mutex_unlock(&l->mutex);
	lock_rank_leave(l->rank);
}

void lock_assert_held(const struct lock *l)
{
	ASSERT(lock_rank_held(l->rank));
}

void rwlock_init(struct rwlock *l, enum lock_rank rank)
{
	pthread_rwlockattr_t attr;

	/* A truncate must not wait for as long as faults keep coming. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&l->rwlock, &attr);
	pthread_rwlockattr_destroy(&attr);
	l->rank = rank;
}

void rwlock_fini(struct rwlock *l)
{
	pthread_rwlock_destroy(&l->rwlock);
}

void rwlock_take_shared(struct rwlock *l) UNCHECKED_LOCKS
{
	lock_rank_enter(l->rank);
	pthread_rwlock_rdlock(&l->rwlock);
}

void rwlock_drop_shared(struct rwlock *l) UNCHECKED_LOCKS
{
	pthread_rwlock_unlock(&l->rwlock);
	lock_rank_leave(l->rank);
}

void rwlock_take(struct rwlock *l) UNCHECKED_LOCKS
{
	lock_rank_enter(l->rank);
	pthread_rwlock_wrlock(&l->rwlock);
}

void rwlock_drop(struct rwlock *l) UNCHECKED_LOCKS
{
	pthread_rwlock_unlock(&l->rwlock);
	lock_rank_leave(l->rank);
}

void gate_init(struct gate *g)
{
	pthread_mutex_init(&g->turn, NULL);
	g->closing = false;
	for (unsigned i = 0; i < THREAD_SLOTS; i++)
		pthread_mutex_init(&g->half[i].mutex, NULL);
}

void gate_fini(struct gate *g)
{
	pthread_mutex_destroy(&g->turn);
	for (unsigned i = 0; i < THREAD_SLOTS; i++)
		pthread_mutex_destroy(&g->half[i].mutex);
}

/* A mutex goes to whoever is running when it is dropped, which is who has just dropped it: without `closing`, those who
 * enter again at once would keep who closes out of half after half. */
void gate_enter(struct gate *g)
{
	pthread_mutex_t *half = &g->half[thread_slot()].mutex;

	lock_rank_enter(RANK_VOLUME);
	pthread_mutex_lock(half);
	while (atomic_load_explicit(&g->closing, memory_order_relaxed)) {
		pthread_mutex_unlock(half);
		pthread_mutex_lock(&g->turn);
		pthread_mutex_unlock(&g->turn);
		pthread_mutex_lock(half);
	}
}

void gate_leave(struct gate *g)
{
	pthread_mutex_unlock(&g->half[thread_slot()].mutex);
	lock_rank_leave(RANK_VOLUME);
}

void gate_close(struct gate *g)
{
	lock_rank_enter(RANK_VOLUME);
	pthread_mutex_lock(&g->turn);
	atomic_store_explicit(&g->closing, true, memory_order_relaxed);
	for (unsigned i = 0; i < THREAD_SLOTS; i++)
		pthread_mutex_lock(&g->half[i].mutex);
}

void gate_open(struct gate *g)
{
	atomic_store_explicit(&g->closing, false, memory_order_relaxed);
	for (unsigned i = THREAD_SLOTS; i-- > 0;)
		pthread_mutex_unlock(&g->half[i].mutex);
	pthread_mutex_unlock(&g->turn);
	lock_rank_leave(RANK_VOLUME);
}
