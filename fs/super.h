/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/super.h - the supervisor: small, without threads, and after its start without allocations.
 *
 * Owns     /dev/fuse, the memfds, the private directory, and the worker.
 * Keeps    U1 the mount never is left dead: when no worker serves it any more, it is unmounted.
 *          U2 when it exits, nothing of the mount is left: no process, directory, mount or memory.
 *          U3 it never touches the mount by path.
 * Threads  none.
 * Fails    -errno and a line in `why`; super_start() with everything undone.
 */
#pragma once

#include "fs/options.h"
#include "fs/why.h"

/* Mount, and return once a worker serves. `mountpoint` is absolute and resolved. */
int super_start(const struct options *o, const char *source, const char *mountpoint, struct why *why)
	must_check;

/* Until the mount has ended. The process's exit status: 0 unless the worker failed. */
int super_serve(void) must_check;

/* --- after another program ----------------------------------------------------------------------- */

/* What it has handed over; and how the log was to be written, for which mount. */
int super_receive(int handover_fd, bool *ret_foreground, const char **ret_mountpoint, struct why *why) must_check;
/* Could we go on with it?  Only looks. */
int super_can_take_over(struct why *why) must_check;
/* Go on with it, as super_serve(). */
int super_take_over(void) must_check;
