/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/caller.h - who asks, where the kernel leaves it to us to check.
 *
 * Owns     nothing.
 * Keeps    C1 in doubt nobody is taken for the owner, for one of the group, or for more.
 * Threads  any, while the request is not answered yet: until then its caller stays as he is.
 * Fails    never: not to know is "no".
 */
#pragma once

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <sys/types.h>

/* Is the caller `owner`, or root? */
bool caller_is(fuse_req_t req, uid_t owner);
/* Is he known to be neither, and not to have a capability to read what is others' either? The one question where
 * doubt is for him: the kernel has looked already. */
bool caller_is_stranger(fuse_req_t req, uid_t owner);
/* Is he in `group`, or has he CAP_FSETID, in the first user namespace? */
bool caller_is_in(fuse_req_t req, gid_t group);
/* Has he CAP_SYS_ADMIN, in the first user namespace? */
bool caller_is_admin(fuse_req_t req);
/* Is `thread` to be killed? */
bool caller_is_killed(pid_t thread);
