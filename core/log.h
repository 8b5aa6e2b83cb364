/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/log.h - one line per cause, at most every ten seconds.
 *
 * Owns     the sink and the time of each cause's last line.
 * Keeps    a cause is a call site; what it suppressed is counted in its next line.
 * Threads  any thread; takes no lock of lock_ranks.def.
 * Fails    never.
 */
#pragma once

#include <stdarg.h>

#include "base.h"

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

typedef void log_sink(enum log_level level, const char *line);

/* Where lines go.  NULL (the start) drops them.  Set once, before threads start. */
void log_set_sink(log_sink *sink);

struct log_cause {
	int64_t last_ms;
	unsigned suppressed;
};
void log_write(struct log_cause *cause, enum log_level level, const char *fmt, ...) printf_like(3, 4);

#define LOG_AT(level, ...)                             \
	do {                                           \
		static struct log_cause cause_;        \
		log_write(&cause_, (level), __VA_ARGS__); \
	} while (0)
#define log_err(...) LOG_AT(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warning(...) LOG_AT(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
