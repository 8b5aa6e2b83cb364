/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/park.c - parked writebacks are run again in the order in which they came, all of them each time: one that
 * needs fewer frames, or none (its pages can be written in place), need not wait for those before it.
 *
 *   run, all written              -> answered                        [run_once]
 *   run, no memory for the rest   -> parked with its slot            [park_writeback]
 *   a frame was freed, or 100 ms  -> run again where it had ended    [run_all]
 *
 * Core tells when a frame was freed; memory of the system comes back without a word, hence the time.
 */
#include "fs/park.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "fs/poison.h"
#include "fs/reply.h"
#include "fs/slots.h"
#include "fs/transport.h"

enum { RETRY_MS = 100, SLOTS_REST_MS = 1000 };

struct writeback {
	fuse_req_t req;
	struct session_slot *slot;
	uint64_t request; /* poison.h */
	const char *data;
	uint64_t ino, offset;
	size_t size, done;
	unsigned flags;
};

static struct {
	struct volume *volume;
	sem_t told; /* look: something was parked, or a frame was freed */

	pthread_mutex_t mutex; /* of the count; entries below it are the thread's own */
	unsigned count;
	struct writeback queue[SESSION_SLOTS]; /* each has a slot */
} park = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
};

static const struct timespec retry = {.tv_nsec = RETRY_MS * 1000000L};

/* True when there is an answer: *ret is what volume_write() would have said to all of it. */
static bool run_once(struct writeback *w, ssize_t *ret)
{
	ssize_t n;

	n = volume_write(park.volume, w->ino, w->offset + w->done, w->data + w->done, w->size - w->done,
			 w->flags);
	if (n == -EAGAIN)
		return false;
	if (n < 0) {
		*ret = n;
		return true;
	}
	w->done += (size_t)n;
	*ret = (ssize_t)w->size;
	return w->done == w->size;
}

static void answer(fuse_req_t req, ssize_t n)
{
	if (n < 0)
		reply_result(req, (int)n);
	else
		reply_written(req, (size_t)n);
}

/* --- the thread ---------------------------------------------------------------------------------- */

static unsigned parked(void)
{
	unsigned n;

	pthread_mutex_lock(&park.mutex);
	n = park.count;
	pthread_mutex_unlock(&park.mutex);
	return n;
}

static void remove_entry(unsigned n)
{
	pthread_mutex_lock(&park.mutex);
	park.count--;
	memmove(&park.queue[n], &park.queue[n + 1], (park.count - n) * sizeof(park.queue[0]));
	pthread_mutex_unlock(&park.mutex);
}

/* It leaves the figures before it is answered: whoever waited for it finds none parked. */
static void finish(struct writeback *w, ssize_t n)
{
	volume_count_parked(park.volume, -1);
	transport_resume(w->slot);
	answer(w->req, n);
	transport_answered();
}

static void run_all(void)
{
	unsigned n = 0;
	ssize_t result;

	while (n < parked()) {
		poison_go_on(park.queue[n].request);
		if (!run_once(&park.queue[n], &result)) {
			n++;
			continue;
		}
		finish(&park.queue[n], result);
		remove_entry(n);
	}
	poison_leave();
}

static bool told_within(int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_clockwait(&park.told, CLOCK_MONOTONIC, &until) == 0;
}

static void wait_until_told(void)
{
	while (sem_wait(&park.told) < 0)
		;
}

/* Those that are parked no more leave slots behind. */
static void wait_for_more(void)
{
	if (parked()) {
		(void)told_within(RETRY_MS);
	} else if (!told_within(SLOTS_REST_MS)) {
		slots_rest();
		wait_until_told();
	}
	while (!sem_trywait(&park.told))
		; /* told often, one look */
}

static _Thread_local bool runs_parked;

static void *run_parked(void *arg)
{
	runs_parked = true;
	pthread_setname_np(pthread_self(), "ksmfs-parked");
	wait_until_told();
	for (;;) {
		run_all();
		wait_for_more();
	}
	return NULL;
}

/* What this thread itself gives back, having taken too little, is no news to it. */
static void tell(void *arg)
{
	if (!runs_parked)
		sem_post(&park.told);
}

/* The thread is there from the start: when it is needed there is no memory to make it with. */
int park_start(struct volume *v)
{
	pthread_t thread;
	int r;

	park.volume = v;
	sem_init(&park.told, 0, 0);
	r = -pthread_create(&thread, NULL, run_parked, NULL);
	if (r < 0)
		return r;
	pthread_detach(thread);
	volume_on_room(v, tell, NULL);
	return 0;
}

/* --- requests ------------------------------------------------------------------------------------ */

/* All threads may be here, and none see the end of the mount. */
static ssize_t stay_until_done(struct writeback *w)
{
	ssize_t n;

	while (!run_once(w, &n)) {
		if (transport_has_ended())
			return -ENOTCONN;
		nanosleep(&retry, NULL);
	}
	return n;
}

static void say_why(void)
{
	if (volume_is_at_store_limit(park.volume))
		log_warning("store_limit is reached while pages are written back: writers to mappings wait; remove other "
			    "files, or raise it");
	else
		log_warning("no memory for pages written back: writers to mappings wait; remove other files, or give "
			    "the daemon more memory");
}

static void add_entry(const struct writeback *w)
{
	pthread_mutex_lock(&park.mutex);
	ASSERT(park.count < ARRAY_SIZE(park.queue));
	park.queue[park.count++] = *w;
	pthread_mutex_unlock(&park.mutex);
}

void park_writeback(fuse_req_t req, uint64_t ino, const char *data, size_t size, uint64_t offset,
		    unsigned flags)
{
	struct writeback w = {
		.req = req, .ino = ino, .data = data, .size = size, .offset = offset, .flags = flags,
	};
	ssize_t n;

	if (run_once(&w, &n)) {
		answer(req, n);
		return;
	}
	say_why();
	volume_count_parked(park.volume, 1);
	w.slot = transport_leave();
	if (!w.slot) {
		n = stay_until_done(&w);
		volume_count_parked(park.volume, -1);
		answer(req, n);
		return;
	}
	w.request = poison_request();
	add_entry(&w);
	tell(NULL); /* from here on it comes by time, too; and a frame freed just before is seen */
}
