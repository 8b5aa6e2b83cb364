/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/worker.h - the process that serves a mount.
 *
 * Owns     the volume, and the threads.
 * Keeps    W1 it never outlives its supervisor.
 *          W2 privileges are gone before databases are opened or threads started.
 *          W3 it tells exactly once whether it is ready, before it serves, if somebody waits for that.
 * Threads  see transport.h and volume.h.
 * Fails    by a struct why on the pipe, and by its exit status: 0 only when the mount has ended, WORKER_DRAINED
 *          when it was asked to leave the mount to another (TRANSPORT_DRAIN) and no request was in the middle.
 */
#pragma once

#include "core/volume.h"
#include "fs/mountinfo.h"
#include "fs/options.h"
#include "fs/session.h"
#include "fs/why.h"

struct worker_start {
	struct session *session;
	int fuse_fd;
	int ready_fd; /* a struct why: error 0 when ready; -1: nobody waits, the log is told of a failure */
	bool resend; /* the kernel can send again what a worker before has left unanswered */
	struct volume_config volume;
	enum control_mode control;
	const char *mountpoint;
	const struct mountinfo *mount;
	int session_fd; /* of `session` */
	int errand_fd; /* wakes the notifier; -1: there is none */
	unsigned max_ratio; /* of dirty pages, where no cgroup asks for less */
	pid_t supervisor;
	bool rests; /* does not serve, but stands in for who would (rest.h) */
};

enum { WORKER_DRAINED = 3 };

/* Would a worker of this program answer INIT as the first one did? `copy` of the session is spoilt.  -EPROTO: no. */
int worker_fits(struct session *copy) must_check;

/* In the new process. */
_Noreturn void worker_run(const struct worker_start *start);
