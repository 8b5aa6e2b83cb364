/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_cache.c - what another process is to find out, or to do, about the kernel's page cache: for the sample
 * first, if somebody has asked for one, and then for trimming.
 *
 * A sample is begun only when somebody has read a figure: nobody waits for it, and where nobody reads nothing is
 * asked.  It takes a fiftieth of the time at most.
 */
#include <string.h>

#include "volume_inside.h"
#include "clock.h"

enum {
	SAMPLE_REST = 50,       /* times as long as it took */
	SAMPLE_REST_MS = 1000,  /* at least */
	NO_SAMPLE_REST_MS = 60000,
	PARKED_REST_MS = 1000,
};

void volume_on_errand(struct volume *v, void (*tell)(void *arg), void *arg)
{
	v->cache.served = true;
	trim_on_due(&v->trim, tell, arg);
	if (v->taken_over)
		trim_suspect_all(&v->trim);
}

void volume_ask_sample(struct volume *v)
{
	if (!v->cache.served || clock_ms(CLOCK_MONOTONIC) < v->cache.not_before ||
	    atomic_exchange(&v->cache.asked, true))
		return;
	trim_tell(&v->trim);
}

int64_t volume_cache_age_ms(struct volume *v)
{
	int64_t taken = v->cache.taken;

	return taken ? clock_ms(CLOCK_MONOTONIC) - taken : -1;
}

/* --- errands -------------------------------------------------------------------------------------- */

static void end_sample(struct volume *v)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	v->cache.bytes = sample_pages(&v->cache.sample) << PAGE_SHIFT;
	v->cache.taken = now;
	v->cache.not_before = now + MAX((now - v->cache.began) * SAMPLE_REST, (int64_t)SAMPLE_REST_MS);
	v->cache.sampling = false;
	v->cache.asked = false;
}

/* It is not to be asked for again soon, and says nothing. */
static void drop_sample(struct volume *v)
{
	v->cache.not_before = clock_ms(CLOCK_MONOTONIC) + NO_SAMPLE_REST_MS;
	v->cache.sampling = false;
	v->cache.asked = false;
}

static unsigned questions(struct volume *v, struct volume_errand *ret, unsigned max)
{
	struct sample_question q[VOLUME_ERRANDS];
	unsigned n;

	if (!v->cache.asked)
		return 0;
	if (!v->cache.sampling) {
		v->cache.began = clock_ms(CLOCK_MONOTONIC);
		v->cache.sampling = true;
		sample_begin(&v->cache.sample, v->pool.itable);
	}
	n = sample_next(&v->cache.sample, v->pool.itable, q, max);
	for (unsigned i = 0; i < n; i++)
		ret[i] = (struct volume_errand){ .ino = q[i].ino, .class = q[i].class };
	if (!n)
		end_sample(v);
	return n;
}

static unsigned removals(struct volume *v, bool pressure, struct volume_errand *ret, unsigned max, int64_t *ret_wait_ms)
{
	struct trim_due due[VOLUME_ERRANDS];
	unsigned n = trim_due(&v->trim, pressure, due, max, ret_wait_ms);

	for (unsigned i = 0; i < n; i++)
		ret[i] = (struct volume_errand){ .ino = due[i].ino, .drops = true, .used = due[i].used };
	return n;
}

/* What the kernel says when a file is closed waits behind writebacks that are parked: until then it is open, and if it
 * is removed, no frame of it is given back, which is what they may wait for. */
static bool parks(struct volume *v)
{
	return counters_sum(v->pool.counters, ATTR_fault_parked) > 0;
}

unsigned volume_errands(struct volume *v, bool pressure, struct volume_errand *ret, unsigned max, int64_t *ret_wait_ms)
{
	unsigned n;

	ASSERT(max <= VOLUME_ERRANDS);
	if (parks(v)) {
		*ret_wait_ms = PARKED_REST_MS;
		return 0;
	}
	n = questions(v, ret, max);
	*ret_wait_ms = 0;
	return n ? n : removals(v, pressure, ret, max, ret_wait_ms);
}

void volume_errand_done(struct volume *v, const struct volume_errand *e, uint64_t before, uint64_t after, int error)
{
	const struct trim_outcome outcome = { .before = before, .after = after, .error = error };

	if (!e->drops && error == -EBUSY) {
		v->cache.sampling = false; /* begun anew, when it may be */
		return;
	}
	if (!e->drops && error && error != -ESTALE && error != -ENOENT) {
		drop_sample(v); /* nobody can look */
		return;
	}
	if (!e->drops) {
		sample_answer(&v->cache.sample, e->class, error ? 0 : before);
		return;
	}
	gate_enter(&v->gate);
	trim_done(&v->trim, &(struct trim_due){ .ino = e->ino, .used = e->used }, &outcome);
	gate_leave(&v->gate);
}

bool volume_may_look(struct volume *v, uint64_t ino, bool drops)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	return i && !parks(v) && (!drops || trim_allows(&v->trim, i));
}
