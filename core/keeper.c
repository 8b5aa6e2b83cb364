/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/keeper.c - three jobs of one shape: asleep until somebody wishes, then at it until nobody does.
 *
 * A wish is a flag; whoever sets it first posts the job's semaphore, which needs no lock and so may be done
 * under any.  Frames are taken at once, while their writer digests what it has: on a second CPU that costs
 * nothing.  Freed ones are kept for most of a second, so that what is taken again at once never leaves.
 */
#include "keeper.h"

#include <semaphore.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "failpoint.h"
#include "lock.h"

enum { STEP_MS = 50, RECLAIM_MS = 700, QUIET_MS = 700, BUSY_MS = 10000, INDEX_SHARE = 20, KEEPER_NICE = 5 };
enum { RECALL_US = 2000, RECALL_REST_US = 3 * RECALL_US, RECALL_NICE = 10 };

struct job {
	const char *name;
	void (*run)(struct keeper *k); /* takes the wish back before it looks */
	struct keeper *keeper;
	int nice;
	bool once; /* the thread ends then */
	bool started;
	pthread_t thread;
	sem_t wishes;
	atomic_bool wished, busy;
};

struct keeper {
	struct keeper_jobs jobs;
	struct job refill, reclaim, index, recall;
	atomic_bool stop;
	int64_t index_not_before, index_due; /* ms; the index thread's own */
};

/* Let time pass, but not a request to stop. */
static void pass_ms(struct keeper *k, int64_t ms)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000 * 1000 };

	for (int64_t end = clock_ms(CLOCK_MONOTONIC) + ms; !k->stop && clock_ms(CLOCK_MONOTONIC) < end;)
		nanosleep(&step, NULL);
}

static void refill(struct keeper *k)
{
	k->refill.wished = false;
	while (!k->stop && k->jobs.refill(k->jobs.arg))
		;
}

static void reclaim(struct keeper *k)
{
	for (unsigned ms = 0; ms < RECLAIM_MS && !k->stop && !k->jobs.pressing(k->jobs.arg); ms += STEP_MS)
		pass_ms(k, STEP_MS);
	k->reclaim.wished = false;
	while (!k->stop && k->jobs.reclaim(k->jobs.arg))
		;
}

/* What changes now would only be written again, and the CPU is somebody else's: so once it is quiet,
 * or every ten seconds where it never is. */
static void index_changes(struct keeper *k)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (!k->index_due)
		k->index_due = now + BUSY_MS;
	k->index.wished = false;
	pass_ms(k, MAX((int64_t)QUIET_MS, k->index_not_before - now));
	now = clock_ms(CLOCK_MONOTONIC);
	if (k->recall.wished) /* what is not in the content index yet would lose its row */
		k->index.wished = true;
	if (k->stop || (k->index.wished && now < k->index_due) || k->recall.wished)
		return;
	k->index_due = 0;
	k->jobs.index(k->jobs.arg);
	k->index_not_before = now + (clock_ms(CLOCK_MONOTONIC) - now) * INDEX_SHARE;
}

/* At work for a while, and three times as long not: whoever waits for an answer has not been killed for this. */
static void recall(struct keeper *k)
{
	const struct timespec rest = { .tv_nsec = RECALL_REST_US * 1000 };
	int64_t end = clock_us(CLOCK_MONOTONIC) + RECALL_US;

	while (k->jobs.recall(k->jobs.arg)) {
		if (k->stop)
			return;
		if (clock_us(CLOCK_MONOTONIC) < end)
			continue;
		nanosleep(&rest, NULL);
		end = clock_us(CLOCK_MONOTONIC) + RECALL_US;
	}
	k->recall.wished = false;
}

static void job_init(struct job *j, struct keeper *k, const char *name, int nice_value,
		     void (*run)(struct keeper *k))
{
	j->keeper = k;
	j->name = name;
	j->nice = nice_value;
	j->run = run;
	sem_init(&j->wishes, 0, 0);
}

static void *job_thread(void *arg)
{
	struct job *j = arg;
	struct keeper *k = j->keeper;

	pthread_setname_np(pthread_self(), j->name);
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), j->nice);
	for (bool go_on = true; go_on; go_on = !k->stop && !j->once) {
		while (sem_wait(&j->wishes) < 0)
			;
		while (!sem_trywait(&j->wishes))
			; /* several wishes, one look: the flag is set already */
		j->busy = true;
		while (!k->stop && j->wished)
			j->run(k);
		j->busy = false;
	}
	return NULL;
}

static int job_start(struct job *j)
{
	int r = pthread_create(&j->thread, NULL, job_thread, j);

	j->started = !r;
	return -r;
}

static void job_fini(struct job *j)
{
	sem_post(&j->wishes);
	if (j->started)
		pthread_join(j->thread, NULL);
	sem_destroy(&j->wishes);
}

static void wish(struct job *j)
{
	if (!atomic_load_explicit(&j->wished, memory_order_relaxed) &&
	    !atomic_exchange(&j->wished, true))
		sem_post(&j->wishes);
}

void keeper_low(struct keeper *k)
{
	wish(&k->refill);
}

void keeper_surplus(struct keeper *k)
{
	wish(&k->reclaim);
}

void keeper_change(struct keeper *k)
{
	wish(&k->index);
}

void keeper_recall(struct keeper *k)
{
	wish(&k->recall);
}

bool keeper_is_idle(struct keeper *k)
{
	return !k->reclaim.wished && !k->reclaim.busy && !k->index.wished && !k->index.busy && !k->recall.wished;
}

int keeper_new(const struct keeper_jobs *jobs, struct keeper **ret)
{
	struct keeper *k = mem_alloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->jobs = *jobs;
	job_init(&k->refill, k, "ksmfs-refill", 0, refill);
	job_init(&k->reclaim, k, "ksmfs-reclaim", KEEPER_NICE, reclaim);
	job_init(&k->index, k, "ksmfs-index", KEEPER_NICE, index_changes);
	job_init(&k->recall, k, "ksmfs-recall", RECALL_NICE, recall);
	k->recall.once = true;
	*ret = k;
	return 0;
}

int keeper_start(struct keeper *k)
{
	int r = job_start(&k->refill);

	if (!r)
		r = job_start(&k->reclaim);
	if (!r)
		r = job_start(&k->index);
	if (!r && k->recall.wished)
		r = job_start(&k->recall);
	return r;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	k->stop = true;
	job_fini(&k->refill);
	job_fini(&k->reclaim);
	job_fini(&k->index);
	job_fini(&k->recall);
	mem_free(k);
}
