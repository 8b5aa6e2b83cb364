/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/order.h - what a command asks of the supervisor of a mount.
 *
 * Owns     a socket beside the private directories (rundir.h), named for the device of the mount: 0:52.
 * Keeps    Q1 only root and who mounted are heard, and only who serves that very mount is asked.
 *          Q2 the mount is not touched: it may be that nobody serves it.
 *          Q3 whoever asks is told what became of it, in words.
 * Threads  one on each side; the supervisor's part allocates nothing.
 * Fails    -errno and a line in `why`.
 */
#pragma once

#include <limits.h>

#include "fs/mountinfo.h"
#include "fs/why.h"

enum { ORDER_WORD_BYTES = 32 };
#define ORDER_UPGRADE "upgrade" /* to the program that comes with it */

struct order {
	char word[ORDER_WORD_BYTES]; /* what to do */
	int client_fd;               /* waits for order_answer() */
	int program_fd;              /* that came with it, or -1 */
};

/* --- the supervisor's side ----------------------------------------------------------------------- */

/* Be reachable.  `ret_path` is where, for order_close(). */
int order_open(const struct mountinfo *mount, int *ret_fd, char ret_path[PATH_MAX], struct why *why) must_check;
void order_close(int *fd, const char *path);

/* The next one, without waiting for any: -EAGAIN when there is none, or when it was not to be heard.  What is open in
 * `ret` is the caller's. */
int order_take(int fd, struct order *ret) must_check;

/* `why->error` 0: it was done, and `why->text` may say more.  Closes the fd. */
void order_answer(int *client_fd, const struct why *why);

/* --- the command's side -------------------------------------------------------------------------- */

/* The process that serves this mount, whatever else is mounted at the same place for others.  0: it has no number
 * here. */
int order_find(const struct mountinfo *mount, pid_t *ret) must_check;

/* Ask who serves the mount at `path` for `word`, with the open file `program_fd` (or -1), and wait.  What was said
 * when it was done is in `why`, too. */
int order_give(const char *path, const char *word, int program_fd, struct why *why) must_check;
