/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/backoff.h"

static bool is_oom_enough(struct backoff *b, int64_t now_ms, bool oom)
{
	if (!oom || now_ms - b->last_oom_ms > BACKOFF_OOM_MS)
		b->oom_deaths = 0;
	if (!oom)
		return false;
	b->last_oom_ms = now_ms;
	return ++b->oom_deaths >= BACKOFF_OOM_DEATHS;
}

enum backoff_says backoff_death(struct backoff *b, int64_t now_ms, int64_t served_ms, bool oom)
{
	if (served_ms >= BACKOFF_SERVED_MS)
		b->deaths = 0;
	b->deaths++;
	if (is_oom_enough(b, now_ms, oom))
		return BACKOFF_REST_OOM;
	return b->deaths > BACKOFF_DEATHS ? BACKOFF_REST : BACKOFF_REPLACE;
}

void backoff_forget(struct backoff *b)
{
	b->deaths = b->oom_deaths = 0;
}
