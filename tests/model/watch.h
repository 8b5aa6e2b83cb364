/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/watch.h - comparing both sides: after an operation what it was about, now and then everything.
 *
 * Keeps    what is not compared is left out at one place each, for a reason that stands there.
 * Fails    false: they differ, and *why says how, for people.
 */
#pragma once

#include "side.h"

enum { WHY_BYTES = 1024, WATCHED = 6 };

struct why {
	char text[WHY_BYTES];
	bool may_settle; /* it may be the same a moment later */
};

bool differ(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What an operation names: its paths, the directories they are in, its open files. */
struct watch {
	struct stat st[WATCHED];
	int err[WATCHED]; /* 0, or why there is no st */
};

void watch_take(const struct side *s, const struct op *op, struct watch *ret);

/* Attributes of one file on both sides. */
bool same_attributes(const struct side *model, const struct side *subject, const struct stat *m,
		     const struct stat *s, const char *what, struct why *why);
/* After an operation; `before` tells which times it has moved, if it waited for the clock. */
bool same_watched(const struct side sides[static 2], const struct op *op, const struct watch before[static 2],
		  const struct watch after[static 2], struct why *why);

/* The whole tree: names, types, links, attributes, contents, holes, extended attributes. */
bool same_tree(struct side sides[static 2], struct why *why);
/* Remove what is in the tree. */
void tree_remove(int root);
