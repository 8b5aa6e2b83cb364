/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/death.h - seeing a process die.
 *
 * A process that dies gives back its memory before it can be waited for: 40 ms for a GiB that it has mapped, or as
 * long as it takes to write its core.  But it does nothing any more as soon as all its threads are on their way out.
 *
 * Owns     an fd that tells of the end of the process' first thread, and one of /proc/vmstat.
 * Keeps    D1 a process is said to be past only when no thread of it will run code of its own, or a system call.
 *          D2 nothing is allocated.
 * Threads  one: it uses static buffers.
 * Fails    never: where something cannot be seen, waitpid(2) tells it later.
 */
#pragma once

#include <sys/types.h>

#include "core/base.h"

struct death {
	int canary_fd; /* can be read when it is time to look whether the process is past; -1: waitpid tells */
	int vmstat_fd;
	uint64_t oom_kills; /* of the whole machine, when the process was started */
};

/* Once, at the start. */
void death_open(struct death *d);
void death_close(struct death *d);

/* From here on it is about this child. */
void death_watch(struct death *d, pid_t pid);

/* Its status as of waitpid(2) is in *ret_status then: 0 may also mean that it is not to be seen. */
bool death_is_past(pid_t pid, int *ret_status);

/* Whether memory was short: the child died of SIGKILL, and the kernel has killed somebody for want of memory. */
bool death_was_oom(struct death *d, int status);
