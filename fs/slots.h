/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/slots.h - which receive buffers are free.
 *
 * Owns     the list of the session's free slots.
 * Keeps    R1 what is taken is present (session.h, E2), and nobody else's.
 *          R2 what was used lately is taken first.
 *          R3 after slots_rest() no free slot has memory for a request's data, but for FORGETs of a worker that
 *             has died, until they are done.
 * Threads  any; one lock for all, of which nobody knows outside.
 * Fails    -errno.
 */
#pragma once

#include "fs/session.h"

/* All are free. */
void slots_open(struct session *s);

/* -EBUSY: all are in use, which only happens when max_background was raised in /sys/fs/fuse/connections. */
int slots_take(struct session_slot **ret) must_check;
void slots_give_back(struct session_slot *slot);

/* Load has ended.  The next who takes one waits until it has memory again: some 0.1 ms. */
void slots_rest(void);
