/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/keeper.c - wishes and semaphores.
 *
 * A wish is a flag; whoever sets it first posts the semaphore, which needs no lock and so may be done under
 * any.  Frames are taken at once, while their writer digests what it has: on a second CPU that is for nothing.
 * For the rest the keeper lets most of a second pass, so that what is freed and taken again never leaves.
 */
#include "keeper.h"

#include <semaphore.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "failpoint.h"
#include "lock.h"

enum { DELAY_MS = 700, QUIET_MS = 300, BUSY_MS = 10000, INDEX_SHARE = 20, KEEPER_NICE = 5 };

struct keeper {
	struct keeper_jobs jobs;
	pthread_t thread, refiller;
	bool started, refiller_started;
	sem_t wishes, lows;
	atomic_bool surplus, change, stop, busy;
	int64_t index_not_before, index_due; /* ms; the thread's own */
};

int keeper_new(const struct keeper_jobs *jobs, struct keeper **ret)
{
	struct keeper *k = mem_alloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->jobs = *jobs;
	sem_init(&k->wishes, 0, 0);
	sem_init(&k->lows, 0, 0);
	*ret = k;
	return 0;
}

static void wish(struct keeper *k, atomic_bool *flag)
{
	if (!atomic_exchange(flag, true))
		sem_post(&k->wishes);
}

void keeper_low(struct keeper *k)
{
	sem_post(&k->lows); /* the frames tell once until they are looked after */
}

void keeper_surplus(struct keeper *k)
{
	wish(k, &k->surplus);
}

void keeper_change(struct keeper *k)
{
	if (!atomic_load_explicit(&k->change, memory_order_relaxed))
		wish(k, &k->change);
}

bool keeper_is_idle(struct keeper *k)
{
	return !k->surplus && !k->change && !k->busy;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Let time pass, but not a request to stop. */
static void pass_ms(struct keeper *k, int64_t ms)
{
	const struct timespec step = { .tv_nsec = 50 * 1000 * 1000 };

	for (int64_t end = now_ms() + ms; !k->stop && now_ms() < end;)
		nanosleep(&step, NULL);
}

/* What changes now would only be written again, and the CPU is somebody else's: so once it is quiet,
 * or every ten seconds where it never is. */
static void index_job(struct keeper *k)
{
	int64_t now = now_ms();

	if (now < k->index_not_before)
		return;
	if (!k->index_due)
		k->index_due = now + BUSY_MS;
	k->change = false;
	pass_ms(k, QUIET_MS);
	now = now_ms();
	if (k->stop || (k->change && now < k->index_due))
		return;
	k->index_due = 0;
	k->jobs.index(k->jobs.arg);
	k->index_not_before = now + (now_ms() - now) * INDEX_SHARE;
}

static void *keep(void *arg)
{
	struct keeper *k = arg;

	pthread_setname_np(pthread_self(), "ksmfs-keeper");
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), KEEPER_NICE);
	while (!k->stop) {
		while (sem_wait(&k->wishes) < 0)
			;
		while (!sem_trywait(&k->wishes))
			; /* several wishes, one look: their flags are set already */
		k->busy = true;
		do {
			pass_ms(k, DELAY_MS);
			if (!k->stop && atomic_exchange(&k->surplus, false))
				while (!k->stop && k->jobs.reclaim(k->jobs.arg))
					;
			if (!k->stop && k->change)
				index_job(k);
		} while (!k->stop && (k->surplus || k->change));
		k->busy = false;
	}
	return NULL;
}

static void *refill(void *arg)
{
	struct keeper *k = arg;

	pthread_setname_np(pthread_self(), "ksmfs-refill");
	while (!k->stop) {
		while (sem_wait(&k->lows) < 0)
			;
		while (!k->stop && k->jobs.refill(k->jobs.arg))
			;
	}
	return NULL;
}

int keeper_start(struct keeper *k)
{
	int r = pthread_create(&k->thread, NULL, keep, k);

	k->started = !r;
	if (!r)
		r = pthread_create(&k->refiller, NULL, refill, k);
	k->refiller_started = !r;
	return -r;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	k->stop = true;
	sem_post(&k->wishes);
	sem_post(&k->lows);
	if (k->started)
		pthread_join(k->thread, NULL);
	if (k->refiller_started)
		pthread_join(k->refiller, NULL);
	sem_destroy(&k->wishes);
	sem_destroy(&k->lows);
	mem_free(k);
}
