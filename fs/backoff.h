/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/backoff.h - when a worker that died is not replaced by another.
 *
 * Owns     how often workers have died in a row.
 * Keeps    K1 who has served for a second has ended every row.
 *          K2 killed for want of memory counts for itself, and sooner: each new worker takes memory from others.
 * Threads  none; a pure function of what it is told.
 * Fails    never.
 */
#pragma once

#include "core/base.h"

enum {
	BACKOFF_DEATHS = 10,      /* in a row are replaced; after one more it is enough */
	BACKOFF_SERVED_MS = 1000, /* who served for less is of the row */
	BACKOFF_OOM_DEATHS = 3,   /* it is enough with the third */
	BACKOFF_OOM_MS = 60000,   /* between two of them */
};

struct backoff {
	unsigned deaths;
	unsigned oom_deaths;
	int64_t last_oom_ms;
};

enum backoff_says { BACKOFF_REPLACE, BACKOFF_REST, BACKOFF_REST_OOM };

/* A worker died that has served for `served_ms`. */
enum backoff_says backoff_death(struct backoff *b, int64_t now_ms, int64_t served_ms, bool oom) must_check;

/* Somebody says that things are better now. */
void backoff_forget(struct backoff *b);
