/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/shadow.h - what a tree on the mount must look like: nodes, and the names that lead to them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { NODES = 200, NAMES = 12, DEPTH = 4, XATTRS = 4, PATH = 256 };

struct node {
	mode_t type; /* S_IFREG and its like, 0: free */
	mode_t mode;
	unsigned nlink, opens; /* names of what is no directory; descriptors that keep it */
	uid_t uid;
	gid_t gid;
	ino_t ino;
	long long mtime;	 /* as it was set, or -1 */
	unsigned xattr[XATTRS];	 /* which value, 0: there is none */
	unsigned stamp;		 /* says what the bytes are; of a symbolic link, where it leads */
	size_t size, filled;	 /* zeroes from `filled` on */
	struct node *parent;	 /* of a directory */
	unsigned name;		 /* ... and its name there */
	struct node *entry[NAMES];
};

struct place {
	struct node *dir;
	unsigned name;
};

extern struct node nodes[NODES]; /* the first is the root */

bool shadow_is_full(void);
unsigned shadow_directories(void); /* how many there are */
struct node *shadow_new(mode_t type, mode_t mode); /* not when it is full */
struct node *shadow_at(struct place p);
void shadow_put(struct place p, struct node *n); /* one more name */
void shadow_take(struct place p);                /* one less */
void shadow_swap(struct place a, struct place b);
void shadow_release(struct node *n); /* free what has neither name nor descriptor */

struct place shadow_draw(void); /* any directory, any name */
bool shadow_is_empty(const struct node *dir);
bool shadow_is_within(const struct node *n, const struct node *above); /* it is, or lies below it */
unsigned shadow_links(const struct node *n);                           /* st_nlink */
const char *shadow_path(struct place p, char path[PATH]);
