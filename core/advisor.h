/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/advisor.h - how many pages to scan at a time, so that a pass takes as long as it should.
 *
 * Told after each pass how long it took, it answers with the pages_to_scan of the next.  The rule is that of KSM's
 * scan-time advisor, in whole numbers rounded down, in which nothing overflows:
 *
 *  seconds  what the pass took, at least 1
 *  factor   advisor_target_scan_time in percent of that, at least 1
 *  change   seconds in percent of the pass before (of the first: 100), at least 1; of all these a running average, to
 *           which the newest gives 30 %
 *  cost     pages for one percent of a CPU: pages_to_scan by the percent of a CPU that the pass took, each at least 1
 *  pages    pages_to_scan * 100 / factor * change / 100, then within cost * 10 and cost * advisor_max_cpu, then
 *           within advisor_min_pages_to_scan and advisor_max_pages_to_scan
 *
 * It differs from KSM in three ways.  The average starts with the first change, where KSM's starts with 0 and makes the
 * first passes too slow.  An advisor_max_cpu below 10 holds, where KSM's lower bound of 10 goes before it.  And
 * advisor_min_pages_to_scan bounds each advice, where KSM only starts with it.
 *
 * Owns     two numbers: the caller keeps them, all zero before the first pass.
 * Keeps    D1 what it says is settings_advisable().
 * Threads  the scanner's alone.
 * Fails    never.
 */
#pragma once

#include "settings.h"

struct advisor {
	uint64_t seconds; /* of the pass before; 0: there was none */
	uint64_t change;  /* the average, in percent */
};

/* The pass took `ms`, and `cpu_ms` of them a CPU. */
uint64_t advisor_pages(struct advisor *a, const struct settings *s, uint64_t ms, uint64_t cpu_ms) must_check;
