/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/pressure.h - what lets a process of ours go on when memory is short, and who tells that it is.
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

/* A descriptor for poll(2), POLLPRI, that tells when somebody waits for memory: on the machine, or else in our control
 * group.  -1: the kernel does not tell, which is said in the log.  Before capabilities are dropped: before Linux 6.4
 * only those with CAP_SYS_RESOURCE are told, at this one open. */
int pressure_watch(void);

/* Have all that this process maps, now and later, stay in memory once it is there; what arena_stay_swappable() is
 * called for does not; what is large, and freed, goes back all the same.  False: not allowed (neither CAP_IPC_LOCK nor
 * an RLIMIT_MEMLOCK without end). */
bool pressure_lock(void);
