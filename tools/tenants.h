/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/tenants.h - limits of directories, as ksmfsctl(1) sets and shows them.
 *
 * Owns     nothing.
 * Keeps    what a program can do with extended attributes (ksmfs/xattr.h) and MOUNT/.ksmfs/tenants, and no more.
 * Threads  one: it prints to stdout.
 * Fails    -errno.
 */
#pragma once

#include <stdbool.h>

struct limits {
	const char *size, *inodes; /* NULL: stays as it is; "none": there shall be none */
	const char *failed;        /* the name of the one that could not be set */
};

/* Read "size=512m,inodes=10k", or one of them, which is cut into pieces for it.  False for all else. */
bool limits_read(char *text, struct limits *ret);
int limits_set(const char *directory, struct limits *l);
/* What such an error means, in words. */
const char *limits_reason(const struct limits *l, int error);

/* All tenants of a mount, by name: a table, or with 'r' raw, with 'j' objects of a JSON array. */
int tenants_print(const char *mount, char form);
