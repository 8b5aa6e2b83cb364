/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/lock.h - locks that know their place.
 *
 * Owns     the rank of each lock (lock_ranks.def) and, per thread, the set of ranks held.
 * Keeps    L1 a thread takes a lock only while every rank it holds is above (asserted, every build).
 *          L2 nobody sleeps holding MAP or anything below it: lock_assert_may_sleep() stands where
 *             memory is taken from the system, a wait begins, or SQL runs.
 * Threads  that is the point.
 * Fails    never: a violated order is a bug and stops the process.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base.h"

#if defined(__clang__)
#define CAPABILITY(x) __attribute__((capability(x)))
#define REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define REQUIRES_SHARED(...) __attribute__((requires_shared_capability(__VA_ARGS__)))
#define ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define ACQUIRES_SHARED(...) __attribute__((acquire_shared_capability(__VA_ARGS__)))
#define RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define RELEASES_SHARED(...) __attribute__((release_shared_capability(__VA_ARGS__)))
#define UNCHECKED_LOCKS __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY(x)
#define REQUIRES(...)
#define REQUIRES_SHARED(...)
#define ACQUIRES(...)
#define ACQUIRES_SHARED(...)
#define RELEASES(...)
#define RELEASES_SHARED(...)
#define UNCHECKED_LOCKS
#endif
#define GUARDED_BY(x) /* read by people: clang 14 does not take a sibling field in C */

enum lock_rank {
#define LOCK_RANK(name, what) RANK_##name,
#include "lock_ranks.def"
#undef LOCK_RANK
	LOCK_RANKS
};

struct CAPABILITY("lock") lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
};

void lock_init(struct lock *l, enum lock_rank rank);
void lock_fini(struct lock *l);
void lock_take(struct lock *l) ACQUIRES(l);
void lock_drop(struct lock *l) RELEASES(l);
void lock_assert_held(const struct lock *l); /* by rank: this thread holds a lock of that rank */

struct CAPABILITY("rwlock") rwlock {
	pthread_rwlock_t rwlock;
	enum lock_rank rank;
};

void rwlock_init(struct rwlock *l, enum lock_rank rank);
void rwlock_fini(struct rwlock *l);
void rwlock_take_shared(struct rwlock *l) ACQUIRES_SHARED(l);
void rwlock_drop_shared(struct rwlock *l) RELEASES_SHARED(l);
void rwlock_take(struct rwlock *l) ACQUIRES(l);
void rwlock_drop(struct rwlock *l) RELEASES(l);

/* For locks built elsewhere (page locks): the same bookkeeping of ranks. */
void lock_rank_enter(enum lock_rank rank);
void lock_rank_leave(enum lock_rank rank);
bool lock_rank_held(enum lock_rank rank);

/* L2.  Call before whatever may sleep: taking memory, waiting, SQL, a reply to the kernel. */
void lock_assert_may_sleep(void);

/* The gate: a lock every operation passes at the cost of one uncontended mutex, and that whoever
 * needs all of them to stand still (a consistent snapshot, a change of `run`) can close.  A thread
 * that waits for long leaves the gate first, and nobody enters a gate that is being closed, so closing it never takes
 * longer than the requests that are inside. */
struct gate {
	pthread_mutex_t turn; /* of those who close it; who finds it closing waits here */
	atomic_bool closing;
	struct {
		pthread_mutex_t mutex;
	} __attribute__((aligned(64))) half[THREAD_SLOTS];
};

void gate_init(struct gate *g);
void gate_fini(struct gate *g);
void gate_enter(struct gate *g) UNCHECKED_LOCKS;
void gate_leave(struct gate *g) UNCHECKED_LOCKS;
void gate_close(struct gate *g) UNCHECKED_LOCKS;
void gate_open(struct gate *g) UNCHECKED_LOCKS;
