/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/clock.h - how much time has passed.
 *
 * Owns     nothing.
 * Keeps    nothing: each call asks the system.
 * Threads  any.
 * Fails    never.
 */
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t clock_us(clockid_t clock)
{
	return clock_ns(clock) / 1000;
}

static inline int64_t clock_ms(clockid_t clock)
{
	return clock_ns(clock) / 1000000;
}

static inline double clock_s(clockid_t clock)
{
	return (double)clock_ns(clock) / 1e9;
}
