/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/keeper.h - the housekeeper: takes frames ahead of demand, gives freed ones back, writes index.db.
 *
 * Owns     a thread for each of the three, and one that ends when it has filled the content index.
 * Keeps    H1 what was freed beyond the reserve is back with the system within two seconds.
 *          H2 index.db is at most two seconds behind once things are quiet, ten where they never are; where
 *             writing it took longer than a tenth of a second, twenty times as long: it gets a twentieth
 *             of a CPU.  Not before all is recalled.
 *          H3 without a reason it does not wake.
 *          H4 filling the index takes a quarter of a CPU.
 * Threads  keeper_low(), keeper_surplus() and keeper_change() from anywhere, under any lock.
 * Fails    starting a thread: -errno.
 */
#pragma once

#include "base.h"

struct keeper;

struct keeper_jobs {
	void *arg;
	bool (*refill)(void *arg);  /* a part of it; true: there is more */
	bool (*reclaim)(void *arg); /* a part of it; true: there may be more */
	bool (*pressing)(void *arg); /* it cannot wait until somebody may have taken again what was freed */
	void (*index)(void *arg);   /* bring index.db up to date */
	bool (*recall)(void *arg);  /* a part of filling the content index; true: there is more */
};

int keeper_new(const struct keeper_jobs *jobs, struct keeper **ret) must_check;
int keeper_start(struct keeper *k) must_check;
void keeper_free(struct keeper *k); /* stops the thread first */

/* Before it starts: there is something to recall. */
void keeper_recall(struct keeper *k);

void keeper_low(struct keeper *k);     /* frames are being used up */
void keeper_surplus(struct keeper *k); /* frames were freed */
void keeper_change(struct keeper *k);  /* index.db is behind */
bool keeper_is_idle(struct keeper *k);
