/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/why.h - why a start failed, as one line for people.
 *
 * Owns     nothing: the text lies with the caller.
 * Keeps    one line: what does not print becomes '?'.
 * Threads  pure functions.
 * Fails    never.
 */
#pragma once

#include "core/base.h"

struct why {
	int error; /* -errno, 0 while nothing has failed */
	char text[508];
};

/* Say what failed and return `error`, for `return why_say(...)`. The text says no errno by itself. */
int why_say(struct why *why, int error, const char *fmt, ...) printf_like(3, 4);

/* The same with ": strerror" appended. */
int why_errno(struct why *why, int error, const char *fmt, ...) printf_like(3, 4);
