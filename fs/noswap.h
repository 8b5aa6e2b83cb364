/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/noswap.h - memory for files that the kernel never swaps.
 *
 * Owns     nothing once it has returned.
 * Keeps    N1 it is never swapped, whoever maps it, and between two workers, too.
 * Threads  none: before the mount.
 * Fails    -errno, with the reason in words: CAP_SYS_ADMIN and Linux 6.4 are needed.
 */
#pragma once

#include "core/base.h"
#include "fs/why.h"

/* What volume_memfds() makes, of that kind. */
int noswap_memory(int *ret_frames_fd, int *ret_inodes_fd, struct why *why) must_check;
