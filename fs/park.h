/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/park.h - pages written back, which may not be refused: without memory they wait, and keep no thread.
 *
 * Owns     the queue of parked writebacks, and the one thread that runs them again.
 * Keeps    K1 a parked writeback is answered when all of it is in the store, or is no longer part of the
 *             file; never before.
 *          K2 it keeps its slot of the session, and nothing else. What was written of it is not written again.
 *          K3 while nothing is parked the thread does not wake.
 * Threads  park_start() once, before requests are read; the rest from request threads.
 * Fails    by the answer.
 */
#pragma once

#include <fuse_lowlevel.h>

#include "core/volume.h"

int park_start(struct volume *v) must_check;

/* Write, and answer: at once, or when there is memory. `data` lies in the slot of the calling thread, which
 * has another slot when this returns, if it had to be parked. `flags` are those of volume_write(). */
void park_writeback(fuse_req_t req, uint64_t ino, const char *data, size_t size, uint64_t offset,
		    unsigned flags);
