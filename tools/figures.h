/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/figures.h - what merging does for one file or directory, read from its extended attributes and printed.
 *
 * Owns     nothing.
 * Keeps    Z1 each figure that the daemon tells is printed raw and as JSON, also one that this program does not know.
 * Threads  one: it prints to stdout.
 * Fails    -errno: -ENODATA where there are no such attributes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FIGURES_MAX = 32, FIGURES_BYTES = 2048 };

struct figures {
	char mergeable[16];
	char text[FIGURES_BYTES]; /* that the names point into */
	unsigned count;
	struct {
		const char *name;
		int64_t value;
	} row[FIGURES_MAX];
};

/* `follow`: of what a symbolic link at the end of `path` points to. */
int figures_read(const char *path, bool follow, struct figures *ret);
/* The same lines in a file; there is no `mergeable`. */
int figures_read_file(const char *file, struct figures *ret);
/* 0 where the daemon does not tell it. */
int64_t figures_value(const struct figures *f, const char *name);

/* For people: all of it, with a few words; or one line of a table. */
void figures_print(const char *path, const struct figures *f);
void figures_print_head(void);
void figures_print_line(const char *path, const struct figures *f);

void figures_print_raw(const char *path, const struct figures *f);
void figures_print_json(const char *path, const struct figures *f); /* one object */
