/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/again.h - ksmfs --recover: having a mount served again that nobody serves.
 *
 * Owns     nothing.
 * Keeps    A1 whether it worked is what is answered: a worker that has served for a second.
 *          A2 it asks nothing of the mount.
 * Threads  one.
 * Fails    -errno and a line in `why`.
 */
#pragma once

#include "fs/why.h"

/* `word` is a mount point.  1: somebody serves it, nothing was to be done. */
int again(const char *word, struct why *why) must_check;
