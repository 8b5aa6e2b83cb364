/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/death.h - seeing a process die.
 *
 * A process that dies gives back its memory before it can be waited for: 40 ms for a GiB that it has mapped, or as
 * long as it takes to write its core.  But it does nothing any more as soon as all its threads are on their way out.
 *
 * The end of its first thread is told no sooner than its own.  So the process has two threads more, its canaries: they
 * do nothing, and at least one of them is gone before the last thread gives back the memory.
 *
 * Owns     the canaries; fds that tell of their end, and one of /proc/vmstat.
 * Keeps    D1 a process is said to be past only when no thread of it will run code of its own, or a system call.
 *          D2 nothing is allocated.
 * Threads  one: it uses static buffers.
 * Fails    never: where something cannot be seen, waitpid(2) tells it later.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "core/base.h"

enum { DEATH_CANARIES = 2 };

/* In shared memory: what the process tells while it can. */
struct death_signs {
	_Atomic int32_t canary[DEATH_CANARIES]; /* their thread ids, 0 before they live */
	_Atomic uint32_t crashes;               /* 1: it has begun to */
};

struct death {
	struct death_signs *signs;
	int canary_fd[DEATH_CANARIES]; /* can be read when it is time to look whether the process is past; or -1 */
	int vmstat_fd;
	uint64_t oom_kills; /* of the whole machine, when the process was started */
};

/* Once, at the start. */
void death_open(struct death *d);
void death_close(struct death *d);

/* From here on it is about a child that is going to be forked, and will give these signs. */
void death_expect(struct death *d, struct death_signs *signs);

/* The child has sent SIGCHLD. True: it is about to die. */
bool death_sees_crash(struct death *d);

/* In that child: let canaries live, and tell the supervisor of them. */
void death_be_seen(struct death_signs *signs, pid_t supervisor);
/* From the handler of a signal: it is about to die, maybe slowly. */
void death_announce(void);

/* Its status as of waitpid(2) is in *ret_status then: 0 may also mean that it is not to be seen. */
bool death_is_past(pid_t pid, int *ret_status);

/* Whether memory was short: the child died of SIGKILL, and the kernel has killed somebody for want of memory. */
bool death_was_oom(struct death *d, int status);
