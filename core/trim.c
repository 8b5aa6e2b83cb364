/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/trim.c - one word an inode, and a thread that goes through all of them when the first may be due.
 *
 *   NOTHING -> CACHED    read or written                                [trim_use]
 *   CACHED  -> GONE      it was old enough, and the kernel let go        [trim_done]
 *   GONE    -> CACHED    read or written again; soon: a refault         [trim_use]
 *   CACHED  -> CACHED    the kernel keeps pages (mapped, locked): later   [trim_done]
 *   CACHED  -> STAYS     it still does after the longest wait            [trim_done]
 *   STAYS   -> CACHED    released                                        [trim_use]
 *
 * Uses are stored without regard for others who store at the same moment: that both are about this second.  But the
 * thread's verdict is about what it has seen, so it is swapped in.
 */
#include "trim.h"

#include <time.h>

enum state { NOTHING, CACHED, GONE, STAYS };
enum { EXPONENT_MAX = 7, LOOKS_AN_AGE = 8 /* at most */ };
_Static_assert(1 << EXPONENT_MAX == TRIM_TIMES_MAX, "as promised");

struct word {
	uint32_t used; /* seconds; of what is GONE: since when */
	uint8_t exponent;
	uint8_t state;
	uint16_t unused_;
};
_Static_assert(sizeof(struct word) == sizeof(uint64_t), "one store");

static struct word unpack(uint64_t bits)
{
	return (struct word){ .used = (uint32_t)bits,
			      .exponent = (uint8_t)(bits >> 32),
			      .state = (uint8_t)(bits >> 40) };
}

static uint64_t pack(struct word w)
{
	return w.used | (uint64_t)w.exponent << 32 | (uint64_t)w.state << 40;
}

static uint32_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)now.tv_sec;
}

static uint64_t delay_s(const struct trim *t, unsigned exponent)
{
	return pool_setting(t->pool, ATTR_trim_age) << exponent;
}

void trim_init(struct trim *t, struct pool *pool)
{
	t->pool = pool;
	t->cursor = 0;
	t->asleep = false;
}

void trim_on_due(struct trim *t, void (*tell)(void *arg), void *arg)
{
	t->tell_arg = arg;
	t->tell = tell;
}

void trim_tell(struct trim *t)
{
	t->asleep = false;
	if (t->tell)
		t->tell(t->tell_arg);
}

static void tell_sleeper(struct trim *t)
{
	if (atomic_load(&t->asleep) && atomic_exchange(&t->asleep, false))
		trim_tell(t);
}

/* --- uses ----------------------------------------------------------------------------------------- */

/* Pages that had gone are there again. */
static void come_back(struct trim *t, struct word *w, uint32_t now)
{
	if (now - w->used > delay_s(t, w->exponent)) {
		w->exponent = 0;
		return;
	}
	w->exponent = (uint8_t)MIN(w->exponent + 1, (int)EXPONENT_MAX);
	pool_count(t->pool, ATTR_trim_refaults, 1);
}

static bool becomes_cached(enum state state, enum trim_use use)
{
	return use == TRIM_READ || use == TRIM_WRITTEN || (use == TRIM_RELEASED && state == STAYS);
}

void trim_use(struct trim *t, struct inode *i, enum trim_use use)
{
	struct word w = unpack(atomic_load_explicit(&i->cached, memory_order_relaxed));
	enum state was = w.state;
	uint32_t now = now_s();

	if (was == CACHED && w.used == now && use != TRIM_RELEASED)
		return;
	if (was == GONE && use == TRIM_READ)
		come_back(t, &w, now);
	if (becomes_cached(was, use))
		w.state = CACHED;
	if (w.state != CACHED)
		return;
	w.used = now;
	atomic_store(&i->cached, pack(w));
	if (was != CACHED || use == TRIM_RELEASED)
		tell_sleeper(t);
}

void trim_suspect_all(struct trim *t)
{
	HOLDS_INODES(t->pool->itable);
	uint32_t number = 0;
	struct inode *i;

	while ((i = itable_next(t->pool->itable, &number)))
		if (i->record->lookups && S_ISREG(inode_attr_get(i).mode))
			atomic_store(&i->cached, pack((struct word){ .state = CACHED, .used = now_s() }));
}

/* --- looking -------------------------------------------------------------------------------------- */

bool trim_allows(const struct trim *t, const struct inode *i)
{
	switch ((enum trim_mode)pool_setting(t->pool, ATTR_trim_mode)) {
	case TRIM_CLOSED:
		return i->record->opens == 0;
	case TRIM_COLD:
		return i->record->stores == 0;
	default:
		return false;
	}
}

/* How old it must be to go, in seconds. */
static uint64_t age_due(const struct trim *t, struct word w)
{
	if (!t->pressed)
		return delay_s(t, w.exponent);
	return w.exponent ? delay_s(t, w.exponent - 1) : 0;
}

static bool is_due(struct trim *t, struct inode *i, uint32_t now, struct trim_due *ret)
{
	struct word w = unpack(i->cached);
	int64_t age = (int32_t)(now - w.used); /* below 0: used since we began to look */

	if (w.state != CACHED || !trim_allows(t, i))
		return false;
	if (i->record->lookups == 0) {
		atomic_store(&i->cached, 0); /* the kernel has forgotten it, pages and all */
		return false;
	}
	if (age < (int64_t)age_due(t, w)) {
		t->next = MIN(t->next, now + delay_s(t, w.exponent) - (uint64_t)age);
		return false;
	}
	*ret = (struct trim_due){ .ino = inode_ino(i), .used = w.used };
	return true;
}

static void begin_look(struct trim *t, bool pressure)
{
	t->pressed = pressure;
	t->next = UINT64_MAX;
	t->asleep = true; /* what becomes due behind the cursor is told */
}

/* Not for each file that becomes due: a look goes through all of them. */
static int64_t wait_ms(struct trim *t, uint32_t now)
{
	uint64_t age = pool_setting(t->pool, ATTR_trim_age), least = MAX(age / LOOKS_AN_AGE, UINT64_C(1));
	uint64_t wait = t->next - MIN(t->next, (uint64_t)now);

	if (t->next == UINT64_MAX)
		return -1;
	wait = MAX(wait, least);
	if (wait <= age)
		t->asleep = false; /* nothing else will be due any sooner */
	return (int64_t)wait * 1000;
}

unsigned trim_due(struct trim *t, bool pressure, struct trim_due *ret, unsigned max, int64_t *ret_wait_ms)
{
	HOLDS_INODES(t->pool->itable);
	uint32_t now = now_s();
	struct inode *i = NULL;
	unsigned n = 0;

	if (!t->cursor || (pressure && !t->pressed)) {
		t->cursor = 0;
		begin_look(t, pressure);
	}
	while (n < max && (i = itable_next(t->pool->itable, &t->cursor)))
		n += is_due(t, i, now, &ret[n]);
	*ret_wait_ms = 0;
	if (n == max)
		return n;
	t->cursor = 0;
	*ret_wait_ms = wait_ms(t, now);
	return n;
}

/* --- outcomes ------------------------------------------------------------------------------------- */

static struct word judge(struct word w, const struct trim_outcome *o)
{
	w.used = now_s();
	if (o->error == -ESTALE || (!o->error && !o->before)) {
		w.state = NOTHING;
	} else if (o->error) {
		w.state = o->error == -EBUSY ? CACHED : STAYS;
	} else if (!o->after) {
		w.state = GONE;
	} else if (w.exponent == EXPONENT_MAX) {
		w.state = STAYS;
	} else {
		w.exponent++;
	}
	return w;
}

void trim_done(struct trim *t, const struct trim_due *due, const struct trim_outcome *o)
{
	HOLDS_INODES(t->pool->itable);
	struct inode *i = itable_get(t->pool->itable, due->ino);
	struct word w;
	uint64_t bits;

	if (!o->error && o->before > o->after) {
		pool_count(t->pool, ATTR_trim_ranges, 1);
		pool_count(t->pool, ATTR_trim_bytes, (int64_t)(o->before - o->after) << PAGE_SHIFT);
	}
	if (!i)
		return;
	bits = atomic_load(&i->cached);
	w = unpack(bits);
	if (w.state == CACHED && w.used == due->used) /* else it has been used since */
		(void)atomic_compare_exchange_strong(&i->cached, &bits, pack(judge(w, o)));
}
