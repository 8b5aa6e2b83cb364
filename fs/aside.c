/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/aside.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fs/poison.h"

enum { ASIDE_THREADS = 64, ASIDE_NICE = 5 /* as the scanner: it is work of its kind */ };

static struct {
	pthread_mutex_t mutex; /* of all below */
	unsigned threads;
	struct aside *first, **last;
} aside = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.last = &aside.first,
};

/* NULL: there is none, and the caller's thread is no more. */
static struct aside *next_or_end(void)
{
	struct aside *a;

	pthread_mutex_lock(&aside.mutex);
	a = aside.first;
	if (a) {
		aside.first = a->next;
		if (!aside.first)
			aside.last = &aside.first;
	} else {
		aside.threads--;
	}
	pthread_mutex_unlock(&aside.mutex);
	return a;
}

static void *serve(void *arg)
{
	struct aside *a = arg;

	pthread_setname_np(pthread_self(), "ksmfs-aside");
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), ASIDE_NICE);
	while (a) {
		poison_go_on(a->request);
		a->run(a);
		poison_leave();
		a = next_or_end();
	}
	return NULL;
}

/* Is there to be one more thread for it?  Else one of those that are there takes it. */
static bool count_or_queue(struct aside *a)
{
	bool start;

	a->next = NULL;
	pthread_mutex_lock(&aside.mutex);
	start = aside.threads < ASIDE_THREADS;
	if (start) {
		aside.threads++;
	} else {
		*aside.last = a;
		aside.last = &a->next;
	}
	pthread_mutex_unlock(&aside.mutex);
	return start;
}

void aside_run(struct aside *a)
{
	pthread_t thread;

	a->request = poison_request();
	if (!count_or_queue(a))
		return;
	if (!pthread_create(&thread, NULL, serve, a)) {
		pthread_detach(thread);
		return;
	}
	while (a) {
		poison_go_on(a->request);
		a->run(a);
		a = next_or_end();
	}
}
