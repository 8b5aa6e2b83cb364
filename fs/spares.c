/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/spares.h"

struct spare {
	pthread_cond_t called;
	bool is_called; /* and in the list no more */
	struct spare *before;
};

static void leave(struct spares *s, const struct spare *who)
{
	struct spare **at = &s->last;

	while (*at != who)
		at = &(*at)->before;
	*at = who->before;
	s->count--;
}

bool spares_rest(struct spares *s, pthread_mutex_t *mutex, const struct timespec *until)
{
	struct spare me = {.called = PTHREAD_COND_INITIALIZER, .before = s->last};
	int r = 0;

	s->last = &me;
	s->count++;
	while (!me.is_called && !r) {
		if (until)
			r = pthread_cond_clockwait(&me.called, mutex, CLOCK_MONOTONIC, until);
		else
			r = pthread_cond_wait(&me.called, mutex);
	}
	if (!me.is_called)
		leave(s, &me);
	pthread_cond_destroy(&me.called);
	return me.is_called;
}

bool spares_call(struct spares *s)
{
	struct spare *who = s->last;

	if (!who)
		return false;
	leave(s, who);
	who->is_called = true;
	pthread_cond_signal(&who->called);
	return true;
}
