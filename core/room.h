/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/room.h - how much memory may still be taken from the system.
 *
 * Owns     descriptors of /proc/meminfo and of the memory cgroup files of this process and of its
 *          ancestors (v1 and v2), and a small allowance drawn from what they last said.
 * Keeps    R1 nothing is allowed that would have left less than ROOM_RESERVE_BYTES anywhere, ROOM_LOOK_MS ago or
 *             later; what others take meanwhile finds half of that.
 * Threads  takes ROOM itself.
 * Fails    -ENOMEM: no room.  A figure that cannot be read is not a limit.
 *
 * A store into a memfd page that cannot be had is no error: it wakes the OOM killer.  So the only
 * way to be refused is to look first.
 */
#pragma once

#include "base.h"

enum {
	ROOM_RESERVE_BYTES = 32 << 20,
	ROOM_LOOK_MS = 100,
	ROOM_SPARE_BYTES = 8 << 20, /* above that: what the optional leaves to the others */
};

struct room;

int room_new(struct room **ret) must_check;
void room_free(struct room *r);

/* May this many bytes be taken now? */
int room_take(struct room *r, uint64_t bytes) must_check;

/* `call` is told, without locks, of the limit of a memory cgroup above this process: the smallest, when memory is first
 * taken under one and when it has changed; UINT64_MAX when there is none any more. */
void room_on_limit(struct room *r, void (*call)(void *arg, uint64_t bytes), void *arg);
/* Tell it now, moved or not. */
void room_tell_limit(struct room *r);

/* Would this many bytes leave others with more than they need?  Takes nothing. */
bool room_spare(struct room *r, uint64_t bytes);
