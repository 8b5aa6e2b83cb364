/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/purge.c - one thread aside, while there are OPENs that wait; each is taken in turn.
 *
 *   waiting -> asked     the file is stale still                                      [drop]
 *   asked   -> taken     the notifier's own OPEN has come, and drops the pages       [purge_takes]
 *   taken   -> dropped   it says so                                                   [purge_ended]
 *   taken   -> asked     it has died over it, and another may come                    [await]
 *   asked   -> given up  nobody comes to take it                                      [give_up]
 *
 * What has been taken is waited for, however long: only what nobody has taken can be given up.  And who is asked by a
 * worker that dies may still be at it: the next worker waits for him before it asks for anything.
 */
#include "fs/purge.h"

#include <limits.h>
#include <linux/futex.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "fs/aside.h"
#include "fs/poison.h"
#include "fs/reply.h"
#include "fs/transport.h"

enum {
	LOOK_MS = 100,
	PATIENCE_MS = 3000, /* a notifier that has died is followed by another within one second */
};

struct waiting {
	struct waiting *next;
	uint64_t request; /* poison.h */
	uint64_t ino;
	size_t bytes;
	uint8_t head[]; /* as the kernel sent it */
};

static struct {
	struct purge *shared;
	const _Atomic int32_t *notifier;
	struct volume *volume;
	int fd;
	struct aside aside;

	bool alone;    /* there was no notifier the last time */

	pthread_mutex_t mutex; /* of all below */
	bool running;
	struct waiting *first, **last;
	uint64_t ino; /* asked for; 0: nothing is */
	bool taken;
} purge = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.last = &purge.first,
};

static _Thread_local bool drops_after;

/* --- asking -------------------------------------------------------------------------------------- */

static void set(uint64_t ino, bool taken)
{
	pthread_mutex_lock(&purge.mutex);
	purge.ino = ino;
	purge.taken = taken;
	pthread_mutex_unlock(&purge.mutex);
}

/* False: it is taken. */
static bool give_up(void)
{
	bool gone;

	pthread_mutex_lock(&purge.mutex);
	gone = !purge.taken;
	if (gone)
		purge.ino = 0;
	pthread_mutex_unlock(&purge.mutex);
	return gone;
}

/* Who had taken it is no more, and neither is his open file: another notifier finds it asked for. */
static void forget_taker(void)
{
	set(purge.ino, false);
}

/* Until nothing is asked for any more.  False: nobody has come, or the mount has ended. */
static bool await(void)
{
	const struct timespec most = {.tv_nsec = LOOK_MS * 1000000L};
	struct purge *p = purge.shared;
	int64_t alone_since = 0;
	uint32_t done;

	while ((done = p->done) != p->asked) {
		if (*purge.notifier) {
			alone_since = 0;
		} else {
			forget_taker();
			alone_since = alone_since ? alone_since : clock_ms(CLOCK_MONOTONIC);
		}
		purge.alone = alone_since && (purge.alone || clock_ms(CLOCK_MONOTONIC) - alone_since > PATIENCE_MS);
		if (transport_has_ended() || (purge.alone && give_up()))
			return false;
		(void)syscall(SYS_futex, &p->done, FUTEX_WAIT, done, &most, NULL, 0);
	}
	return true;
}

/* False: it is up to the kernel. */
static bool drop(uint64_t ino)
{
	const uint64_t one = 1;
	bool taken = false;

	if (purge.fd < 0 || !await())
		return false;
	set(ino, false);
	purge.shared->ino = ino;
	atomic_fetch_add(&purge.shared->asked, 1);
	if (write(purge.fd, &one, sizeof(one)) < 0)
		log_warning("cannot wake the notifier: %m");
	if (await()) {
		pthread_mutex_lock(&purge.mutex);
		taken = purge.taken;
		pthread_mutex_unlock(&purge.mutex);
	}
	set(0, false);
	return taken;
}

/* --- opening ------------------------------------------------------------------------------------- */

static void open_now(const struct waiting *w)
{
	bool stale = volume_storer_comes(purge.volume, w->ino);

	poison_go_on(w->request);
	drops_after = stale && !drop(w->ino);
	if (stale)
		volume_cache_dropped(purge.volume, w->ino);
	transport_again(w->head, w->bytes);
	drops_after = false;
	volume_storer_came(purge.volume, w->ino);
}

static struct waiting *next_or_end(void)
{
	struct waiting *w;

	pthread_mutex_lock(&purge.mutex);
	w = purge.first;
	if (w)
		purge.first = w->next;
	if (!purge.first)
		purge.last = &purge.first;
	purge.running = w;
	pthread_mutex_unlock(&purge.mutex);
	return w;
}

static void run(struct aside *a)
{
	struct waiting *w;

	while ((w = next_or_end())) {
		open_now(w);
		free(w);
	}
}

/* True: somebody has to begin. */
static bool add(struct waiting *w)
{
	bool begin;

	pthread_mutex_lock(&purge.mutex);
	*purge.last = w;
	purge.last = &w->next;
	begin = !purge.running;
	purge.running = true;
	pthread_mutex_unlock(&purge.mutex);
	return begin;
}

void purge_then_open(fuse_req_t req, uint64_t ino)
{
	const struct fuse_in_header *head = transport_request();
	struct waiting *w = malloc(sizeof(*w) + head->len);

	if (!w) {
		reply_result(req, -ENOMEM);
		return;
	}
	*w = (struct waiting){.request = poison_request(), .ino = ino, .bytes = head->len};
	memcpy(w->head, head, head->len);
	reply_nothing(req);
	if (add(w)) {
		purge.aside.run = run;
		aside_run(&purge.aside);
	}
}

bool purge_takes(pid_t opener, uint64_t ino)
{
	bool takes;

	if (opener <= 0 || !purge.notifier || opener != *purge.notifier)
		return false;
	pthread_mutex_lock(&purge.mutex);
	takes = purge.ino == ino;
	purge.taken |= takes;
	pthread_mutex_unlock(&purge.mutex);
	return takes;
}

bool purge_keeps_cache(void)
{
	return !drops_after;
}

void purge_start(struct purge *p, int fd, const _Atomic int32_t *notifier, struct volume *v)
{
	purge.shared = p;
	purge.fd = fd;
	purge.notifier = notifier;
	purge.volume = v;
}

/* --- the notifier -------------------------------------------------------------------------------- */

bool purge_next(struct purge *p, uint64_t *ret_ino)
{
	*ret_ino = p->ino;
	return p->done != p->asked;
}

void purge_ended(struct purge *p)
{
	atomic_store(&p->done, p->asked);
	(void)syscall(SYS_futex, &p->done, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
