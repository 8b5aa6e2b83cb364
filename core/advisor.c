/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/advisor.c - the rule of advisor.h, with products that stop at the largest number. */
#include "advisor.h"

enum { NEWEST_WEIGHT = 30 /* percent */, LEAST_CPU = 10 /* percent */ };

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* a / b, at least 1. */
static uint64_t over(uint64_t a, uint64_t b)
{
	return MAX(a / b, UINT64_C(1));
}

/* How this pass compares with those before, in percent. */
static uint64_t learn(struct advisor *a, uint64_t seconds)
{
	uint64_t change = over(times(seconds, 100), a->seconds ? a->seconds : seconds);

	if (a->seconds)
		change = plus(times(100 - NEWEST_WEIGHT, a->change), times(NEWEST_WEIGHT, change)) / 100;
	a->seconds = seconds;
	a->change = change;
	return change;
}

uint64_t advisor_pages(struct advisor *a, const struct settings *s, uint64_t ms, uint64_t cpu_ms)
{
	uint64_t pages_to_scan = settings_get(s, ATTR_pages_to_scan);
	uint64_t most_cpu = settings_get(s, ATTR_advisor_max_cpu), least_cpu = MIN(most_cpu, (uint64_t)LEAST_CPU);
	uint64_t seconds = over(ms, 1000);
	uint64_t factor = over(times(settings_get(s, ATTR_advisor_target_scan_time), 100), seconds);
	uint64_t cost = over(pages_to_scan, over(times(cpu_ms, 100), times(seconds, 1000)));
	uint64_t pages = times(times(pages_to_scan, 100) / factor, learn(a, seconds)) / 100;

	pages = MIN(pages, times(cost, most_cpu));
	pages = MAX(pages, times(cost, least_cpu));
	return settings_advisable(s, pages);
}
