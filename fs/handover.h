/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/handover.h - what one program tells the next that goes on as the same process.
 *
 * Owns     a memfd of "name=value" records, each with a NUL behind it.
 * Keeps    H1 one table of rows says what is written and what is read: what one program does not know of another's
 *             records it passes over, and what it cannot do without it names.
 *          H2 a name never changes its meaning; whoever needs something else takes another name.
 * Threads  one (the supervisor); nothing is allocated.
 * Fails    -errno and a line in `why`.
 */
#pragma once

#include <sys/types.h>

#include "fs/why.h"

enum handover_kind { HANDOVER_FD, HANDOVER_NUMBER, HANDOVER_TEXT };

struct handover_row {
	const char *name;
	void *at;
	size_t bytes; /* of *at */
	enum handover_kind kind;
	bool may_miss; /* it stays as it is when the other does not know it */
};

#define HANDOVER_ROW(label, what, variable) {label, &(variable), sizeof(variable), what, false}
#define HANDOVER_MORE(label, what, variable) {label, &(variable), sizeof(variable), what, true}

int handover_write(const struct handover_row *rows, unsigned count, int *ret_fd, struct why *why) must_check;
int handover_read(int fd, const struct handover_row *rows, unsigned count, struct why *why) must_check;

/* Whether the fds of the rows stay open over exec. */
void handover_keep(const struct handover_row *rows, unsigned count, bool keep);
