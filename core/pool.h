/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/pool.h - what every module above the store has at hand.
 *
 * Owns     nothing: it names what volume.c opened, and counts what `size` limits.
 * Keeps    Z1 charged pages = slots that are not holes, plus what requests in flight have charged; and so for each
 *             tenant, of its inodes.
 * Threads  the pointers never change; the charge is atomic, and changes inside the gate: who closes it knows it.
 * Fails    pool_charge(): false at either limit.
 */
#pragma once

#include "attrs.h"
#include "content.h"
#include "inode.h"
#include "pagelock.h"
#include "settings.h"
#include "tenants.h"

struct pool {
	struct gate *gate;
	struct frames *frames;
	struct content *content;
	struct itable *itable;
	struct settings *settings;
	struct counters *counters;
	const struct digest_key *key;
	struct pagelocks pagelocks;
	_Atomic uint64_t charged;
	_Atomic uint32_t rules;   /* grows, with the gate closed, when what may be merged changes */
	_Atomic uint32_t run_stores; /* how often `run` was set: whoever acts on one sees that it is over */
	_Atomic uint32_t waiting; /* faults outside the gate in the middle of their work */
	void (*on_change)(void *arg); /* contents have changed: the scanner has something to do */
	void *on_change_arg;
	void (*on_starving)(void *arg); /* no frame could be had: told inside the gate, without locks */
	void *on_starving_arg;
};

static inline uint64_t pool_setting(const struct pool *p, enum attr attr)
{
	return settings_get(p->settings, attr);
}

static inline void pool_count(struct pool *p, enum attr attr, int64_t n)
{
	counters_add(p->counters, attr, n);
}

static inline uint64_t pool_size_pages(const struct pool *p)
{
	return pool_setting(p, ATTR_size) >> PAGE_SHIFT;
}

/* Charge `n` pages of `i`, its tenant, too; with `force` also beyond the limits (a writeback is never refused for
 * them). */
static inline bool pool_charge(struct pool *p, struct inode *i, uint64_t n, bool force)
{
	uint64_t charged = atomic_load_explicit(&p->charged, memory_order_relaxed);

	if (!tenant_charge(i->tenant, n, force))
		return false;
	do {
		if (!force && charged + n > pool_size_pages(p)) {
			tenant_uncharge(i->tenant, n);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&p->charged, &charged, charged + n));
	return true;
}

static inline void pool_uncharge(struct pool *p, struct inode *i, uint64_t n)
{
	tenant_uncharge(i->tenant, n);
	atomic_fetch_sub(&p->charged, n);
}

/* Slot of `i` went from `from` to `to`: everything counted of it but what its frame's word counts. */
void pool_slot_changed(struct pool *p, struct inode *i, uint32_t from, uint32_t to);

/* A fault has to wait: let others close the gate meanwhile. */
static inline void pool_step_out(struct pool *p)
{
	atomic_fetch_add(&p->waiting, 1);
	gate_leave(p->gate);
}

static inline void pool_step_in(struct pool *p)
{
	gate_enter(p->gate);
	atomic_fetch_sub(&p->waiting, 1);
}

/* Between two parts of what takes long, with nothing half done. */
static inline void pool_step_aside(struct pool *p)
{
	pool_step_out(p);
	pool_step_in(p);
}

static inline void pool_starves(struct pool *p)
{
	if (p->on_starving)
		p->on_starving(p->on_starving_arg);
}

static inline void pool_changed(struct pool *p)
{
	if (p->on_change)
		p->on_change(p->on_change_arg);
}
