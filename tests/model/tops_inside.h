/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/tops_inside.h - what the files that make up tops.h tell each other.
 *
 * Fails    what has to succeed on tmpfs ends the program.
 */
#pragma once

#include <stdlib.h>

#include "tops.h"

enum { TEXT_BYTES = 32, PATH_BYTES = 320 };

enum limit { SIZE, INODES };
extern const char *const limit_names[];

static inline void must(bool good)
{
	if (!good)
		abort();
}

int top_open_name(const struct side *s, const char *name);
/* An operation on the directory that it names begins, with nothing in it if `emptied`: its name, and itself.  -1: that
 * is what came of the operation. */
int top_begin(struct side *s, const struct op *op, bool emptied, char name[static 3], struct seen *ret);
/* Where what the name means lies on the model. */
void top_body(const struct side *s, const char *name, char body[static PATH_BYTES]);
/* A limit's text; false: there is none. */
bool top_limit(int dir, enum limit which, char text[static TEXT_BYTES]);
bool top_is_empty(int dir);
bool top_is_guarded(int dir);
/* Who has the directory itself open has another one on the model when it becomes a mount, or a record of a removed one
 * on ksmfs: nobody has.  And before it becomes a mount nobody has a removed file open, whose directory it may be. */
void top_let_go(struct side *s, int dir);

/* On the model the directory is the root of a mount of its own; *dir is that. */
void top_make_mount(const char *body, int *dir);
/* A limit of the other kind that was set on a full tenant has taken space beyond that of inodes: tmpfs cannot be
 * beyond, so its limit is what is in use as long as that is so. */
void top_hold_inodes(const char *body, int dir);
/* Is the directory all there is on its mount, with a name or without? */
bool top_is_alone(int dir);
/* What `len` means, to the limit that `flags` says; as fsetxattr(2). */
int top_set_limit(struct side *s, const char *name, int *dir, unsigned flags, int64_t len);

/* Removed ones but for those of which somebody has something open. */
void top_forget_gone(struct side *s);
