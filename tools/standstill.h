/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/standstill.h - processes stopped for the time of a look.
 *
 * Owns     a process of its own that sees to it that they go on, however we end.
 * Keeps    who was stopped before stays so; the supervisor is stopped before its workers, so none comes meanwhile.
 *          Nor are we stopped meanwhile by the terminal (^Z): that is heard when they go on.
 * Threads  one.
 * Fails    -errno.
 */
#pragma once

#include <signal.h>

#include "tools/whereabouts.h"

struct standstill {
	pid_t guard;
	int guard_fd;
	bool served; /* a worker was there, and at work */
	sigset_t before; /* signals that were blocked */
};

/* Is a worker there, and at work? */
bool standstill_is_served(pid_t supervisor);

/* `supervisor` and its workers stand still when this returns.  Balance with standstill_end(), also when it fails. */
int standstill_begin(pid_t supervisor, struct standstill *ret);
void standstill_end(struct standstill *s);
