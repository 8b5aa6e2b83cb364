/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <pthread.h>
#include <stdio.h>

#include "clock.h"

enum { QUIET_MS = 10000, LINE_BYTES = 512 };

static log_sink *sink;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void log_set_sink(log_sink *to)
{
	sink = to;
}

/* Whether this cause may speak again; if so, how often it could not since it last did. */
static bool may_speak(struct log_cause *cause, unsigned *ret_suppressed)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC_COARSE);
	bool may;

	pthread_mutex_lock(&mutex);
	may = !cause->last_ms || now - cause->last_ms >= QUIET_MS;
	if (may) {
		*ret_suppressed = cause->suppressed;
		cause->suppressed = 0;
		cause->last_ms = now;
	} else {
		cause->suppressed++;
	}
	pthread_mutex_unlock(&mutex);
	return may;
}

void log_write(struct log_cause *cause, enum log_level level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	unsigned suppressed;
	va_list args;
	int n;

	if (!sink || !may_speak(cause, &suppressed))
		return;
	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n >= 0 && suppressed && (size_t)n < sizeof(line))
		snprintf(line + n, sizeof(line) - n, " (%u more like this since)", suppressed);
	sink(level, line);
}
