/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/pressure.h - what lets a process of ours go on when memory is short.
 *
 * Owns     nothing.
 * Keeps    M1 whoever is forked later is marked as this process is, and so is the program that it becomes: the kernel
 *             hands marks on.
 *          M2 nothing is brought into memory for being locked; what is touched stays.
 * Threads  before there are others.
 * Fails    never: what is not allowed is told, and done without.
 */
#pragma once

#include "core/base.h"

/* As one that memory waits for: an I/O flusher, and the last that is killed for want of memory. Before capabilities are
 * dropped: CAP_SYS_RESOURCE is needed once. What is not allowed is said in the log. */
void pressure_mark(void);

/* Have all that this process maps, now and later, stay in memory once it is there; what arena_stay_swappable() is
 * called for does not; what is large, and freed, goes back all the same.  False: not allowed (neither CAP_IPC_LOCK nor
 * an RLIMIT_MEMLOCK without end). */
bool pressure_lock(void);
