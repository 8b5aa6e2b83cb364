/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/tenants.c - figures that many threads change, each by one word.
 *
 *   none  -> first inode    its directory becomes one      [tenants_make]
 *   inodes come and go      each charged before it is      [tenant_take, tenant_enter, tenant_leave]
 *   first -> none           its directory is alone, and free or no tenant any more   [tenants_end]
 *
 * Whoever is charged adds under the limit by comparing and swapping, so two of them never go beyond it together.  Who
 * had read a limit that is lowered meanwhile may still be let in, as if he had come before.
 */
#include "tenants.h"

#include "failpoint.h"

struct tenants {
	struct lock lock;
	struct tenant *all GUARDED_BY(lock);
	struct tenant *ended GUARDED_BY(lock);
	atomic_uint count;
};

int tenants_new(struct tenants **ret)
{
	struct tenants *ts = mem_alloc(1, sizeof(*ts));

	if (!ts)
		return -ENOMEM;
	lock_init(&ts->lock, RANK_TENANTS);
	*ret = ts;
	return 0;
}

static void free_all(struct tenant *t)
{
	while (t) {
		struct tenant *next = t->next;

		mem_free(t);
		t = next;
	}
}

void tenants_free(struct tenants *ts)
{
	if (!ts)
		return;
	free_all(ts->all);
	free_all(ts->ended);
	lock_fini(&ts->lock);
	mem_free(ts);
}

static struct tenant *take_ended(struct tenants *ts)
{
	struct tenant *t;

	lock_take(&ts->lock);
	t = ts->ended;
	if (t)
		ts->ended = t->next;
	lock_drop(&ts->lock);
	return t;
}

int tenants_make(struct tenants *ts, struct inode *dir, struct tenant **ret)
{
	struct tenant *t = take_ended(ts);

	if (!t)
		t = mem_alloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->dir = dir;
	t->size_pages = t->nr_inodes = TENANT_NO_LIMIT;
	t->pages = t->inodes = 0;
	t->space = INODE_SPACE;
	tenant_enter(t, dir);
	lock_take(&ts->lock);
	t->next = ts->all;
	ts->all = t;
	lock_drop(&ts->lock);
	atomic_fetch_add(&ts->count, 1);
	*ret = t;
	return 0;
}

void tenants_end(struct tenants *ts, struct inode *dir)
{
	struct tenant *t = dir->tenant, **at;

	ASSERT(t && t->dir == dir);
	dir->record->tenant = 0;
	dir->tenant = NULL;
	lock_take(&ts->lock);
	for (at = &ts->all; *at != t; at = &(*at)->next)
		;
	*at = t->next;
	t->next = ts->ended;
	ts->ended = t;
	lock_drop(&ts->lock);
	atomic_fetch_sub(&ts->count, 1);
}

unsigned tenants_count(const struct tenants *ts)
{
	return ts->count;
}

struct tenant *tenants_next(const struct tenants *ts, const struct tenant *t)
{
	return t ? t->next : ts->all;
}

void tenant_enter(struct tenant *t, struct inode *i)
{
	i->record->tenant = t->dir->number;
	i->tenant = t;
	atomic_fetch_add(&t->inodes, 1);
}

void tenant_leave(struct tenant *t)
{
	tenant_give(t, INODE_SPACE);
	atomic_fetch_sub(&t->inodes, 1);
}

/* Add `n` to `*figure`, unless that goes beyond `limit`. */
static bool add(_Atomic uint64_t *figure, uint64_t n, uint64_t limit, bool force)
{
	uint64_t now = atomic_load_explicit(figure, memory_order_relaxed);

	do {
		if (!force && (n > limit || now > limit - n))
			return false;
	} while (!atomic_compare_exchange_weak(figure, &now, now + n));
	return true;
}

bool tenant_charge_slowly(struct tenant *t, uint64_t pages, bool force)
{
	return add(&t->pages, pages, t->size_pages, force);
}

int tenant_take_slowly(struct tenant *t, uint64_t bytes, bool force)
{
	uint64_t limit = t->nr_inodes;

	limit = limit == TENANT_NO_LIMIT ? limit : limit * INODE_SPACE;
	return add(&t->space, bytes, limit, force) ? 0 : -ENOSPC;
}
