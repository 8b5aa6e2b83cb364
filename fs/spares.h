/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/spares.h - threads that rest until they are called.
 *
 * Owns     who rests, in the order in which they came.
 * Keeps    Q1 who came last is called first: where few are needed the others rest for long, and can end.
 * Threads  one mutex, the caller's, held at each call.
 * Fails    false, as said below.
 */
#pragma once

#include <pthread.h>
#include <time.h>

#include "core/base.h"

struct spares {
	struct spare *last;
	unsigned count;
};

/* Rest, with the mutex free meanwhile.  False: nobody has called `until` then (CLOCK_MONOTONIC; NULL: forever). */
bool spares_rest(struct spares *s, pthread_mutex_t *mutex, const struct timespec *until) must_check;

/* False: nobody rests. */
bool spares_call(struct spares *s) must_check;
