/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/errand.c - a thread of the worker's asks core for errands, writes them down, and sleeps until they are done.
 *
 *   idle   -> given   the list first, then `batch`; the eventfd wakes the notifier   [give]
 *   given  -> given   one more is done                                                [errand_ended]
 *   given  -> done    all are; `news` wakes the thread                                [errand_next]
 *   done   -> idle    core is told what came of them                                  [take]
 */
#include "fs/errand.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

enum { ERRAND_NICE = 5 };

static struct {
	struct errands *shared;
	struct volume *volume;
	int fd;
	uint32_t pressed; /* of shared->pressed, what has been heeded */
	struct volume_errand list[VOLUME_ERRANDS];
} errand;

static void tell(struct errands *e)
{
	atomic_fetch_add(&e->news, 1);
	(void)syscall(SYS_futex, &e->news, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* --- the worker ---------------------------------------------------------------------------------- */

/* Until there are others than `known`; ms < 0: however long that takes. */
static void await_news(uint32_t known, int64_t ms)
{
	const struct timespec most = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)syscall(SYS_futex, &errand.shared->news, FUTEX_WAIT, known, ms < 0 ? NULL : &most, NULL, 0);
}

static void await_done(void)
{
	struct errands *e = errand.shared;
	uint32_t news = e->news;

	while (e->done != e->batch) {
		await_news(news, -1);
		news = e->news;
	}
}

static void give(unsigned count)
{
	struct errands *e = errand.shared;
	const uint64_t one = 1;

	for (unsigned i = 0; i < count; i++) {
		e->list[i].ino = errand.list[i].ino;
		e->list[i].drops = errand.list[i].drops;
	}
	e->count = count;
	e->at = 0;
	atomic_fetch_add(&e->batch, 1);
	if (write(errand.fd, &one, sizeof(one)) < 0)
		log_warning("cannot wake the notifier: %m");
}

static void take(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct errand *e = &errand.shared->list[i];

		volume_errand_done(errand.volume, &errand.list[i], e->before, e->after, e->error);
	}
}

static bool is_pressed(void)
{
	uint32_t pressed = errand.shared->pressed;
	bool is = pressed != errand.pressed;

	errand.pressed = pressed;
	return is;
}

static void *run(void *arg)
{
	int64_t wait_ms;
	uint32_t news;
	unsigned n;

	pthread_setname_np(pthread_self(), "ksmfs-errands");
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), ERRAND_NICE);
	await_done(); /* what a worker before us had given is of no use, but it is in the list */
	for (;;) {
		news = errand.shared->news;
		n = volume_errands(errand.volume, is_pressed(), errand.list, VOLUME_ERRANDS, &wait_ms);
		if (n) {
			give(n);
			await_done();
			take(n);
		} else if (wait_ms) {
			await_news(news, wait_ms);
		}
	}
	return NULL;
}

static void tell_thread(void *arg)
{
	tell(arg);
}

int errand_start(struct errands *e, int fd, struct volume *v)
{
	pthread_t thread;
	int r;

	errand.shared = e;
	errand.fd = fd;
	errand.volume = v;
	errand.pressed = e->pressed;
	volume_on_errand(v, tell_thread, e);
	r = -pthread_create(&thread, NULL, run, NULL);
	if (r == 0)
		pthread_detach(thread);
	return r;
}

void errand_press(struct errands *e)
{
	atomic_fetch_add(&e->pressed, 1);
	tell(e);
}

void errand_press_now(void)
{
	if (errand.shared)
		errand_press(errand.shared);
}

enum errand_kind errand_of(pid_t opener, uint64_t ino)
{
	const struct errands *e = errand.shared;
	uint32_t at;

	if (!e || opener <= 0 || opener != e->notifier || e->done == e->batch)
		return ERRAND_NONE;
	at = e->at;
	if (at >= e->count || e->list[at].ino != ino)
		return ERRAND_NONE;
	return e->list[at].drops ? ERRAND_DROP : ERRAND_LOOK;
}

/* --- the notifier -------------------------------------------------------------------------------- */

struct errand *errand_next(struct errands *e)
{
	if (e->done == e->batch)
		return NULL;
	if (e->at < MIN(e->count, (uint32_t)VOLUME_ERRANDS))
		return &e->list[e->at];
	atomic_store(&e->done, e->batch);
	tell(e);
	return NULL;
}

void errand_ended(struct errands *e)
{
	atomic_fetch_add(&e->at, 1);
}
