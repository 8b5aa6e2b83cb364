/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/op.h - one operation, as numbers and names: drawn, printed, read back, done.
 *
 * Owns     nothing: an op has no pointers and is copied freely.
 * Keeps    what op_print() writes op_parse() reads back as the same op: a sequence is a text file.
 * Threads  pure functions.
 * Fails    op_parse() with false for a line that is none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OP_PATH_BYTES = 560, OP_LINE_BYTES = 4 * OP_PATH_BYTES, OP_FDS = 6, OP_MAPS = 4, OP_USERS = 3 };

enum op_kind {
#define KIND(name, weight, fields) OP_##name,
#include "kinds.def"
#undef KIND
	OP_KINDS
};

struct op {
	enum op_kind kind;
	unsigned who;   /* root, a user, a user with one more group */
	unsigned umask;
	unsigned fd, fd2, map;
	unsigned flags, mode;
	unsigned name;  /* of an extended attribute */
	unsigned data;  /* which bytes */
	bool tick;      /* wait for the clock first, so that times tell whether they were moved */
	int64_t off, off2, len;
	char path[OP_PATH_BYTES], path2[OP_PATH_BYTES];
};

extern const char *const op_names[OP_KINDS];

/* One line without its end; of bytes that are not printable only what they are. */
void op_print(const struct op *op, char line[static OP_LINE_BYTES]);
bool op_parse(const char *line, struct op *ret);

/* A whole sequence as a file, one line an operation. */
bool ops_save(const char *path, const char *title, const struct op *ops, size_t count);
/* The caller frees *ret. */
bool ops_load(const char *path, struct op **ret, size_t *ret_count);
