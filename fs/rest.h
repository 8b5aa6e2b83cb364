/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/rest.h - standing in for a worker that is not started any more: requests wait.
 *
 * Owns     nothing that outlives it.
 * Keeps    W1 a request that was looked at waits as before: its caller can be killed, and whoever serves next gets it.
 *          W2 umount(8) is not made to wait: it asks for attributes of the root before it unmounts, and is told
 *             that there are none to be had, which is enough for it.
 *          W3 a FORGET, which the kernel says once only, is kept in the session for whoever serves next.
 * Threads  none.
 * Fails    never: what it needs and cannot have now, it asks for again.
 */
#pragma once

#include "fs/mountinfo.h"
#include "fs/session.h"

/* Until the mount has ended, or has gone from the tree, where nobody could ask for another worker any more. */
void rest_until_end(struct session *s, int fuse_fd, const struct mountinfo *mount, const char *mountpoint);
