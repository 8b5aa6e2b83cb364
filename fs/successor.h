/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/successor.h - another program that is to go on with a mount.
 *
 * Owns     nothing: the open file is the caller's.
 * Keeps    N1 it is run only if nobody but root and who mounted can have written it.
 *          N2 it is tried before anything is given up for it: a process of its own says whether it can take over.
 * Threads  one (the supervisor); nothing is allocated.
 * Fails    -errno and a line in `why`.
 */
#pragma once

#include "fs/handover.h"

/* What a successor is called with; behind it the number of the fd of what is handed over, and the mount point. */
#define SUCCESSOR_TRY "--can-take-over"
#define SUCCESSOR_RUN "--take-over"
/* What it answers on its standard output when it is tried; else the reason why not, as a line. */
#define SUCCESSOR_YES "can take over"

/* The program that this process runs, whatever became of its file. */
int successor_self(struct why *why) must_check;

/* `seen` are the fds that it may look into. */
int successor_try(int program_fd, int handover_fd, const int *seen, unsigned count, struct why *why) must_check;

/* Become it.  Returns only when that failed. */
int successor_run(int program_fd, const char *mountpoint, int handover_fd, const struct handover_row *rows,
		  unsigned count, struct why *why) must_check;
