/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/side.h - one of the two file systems, as a sequence of operations sees it.
 *
 * Owns     descriptors and mappings that operations have made.
 * Threads  one thread a side at a time; users and umask are the thread's own (side_begin_thread()).
 * Fails    what an operation says is what it is for: in struct seen.
 */
#pragma once

#include <sys/stat.h>

#include "op.h"

struct world;

enum { SEEN_SIGBUS = 1000 }; /* instead of an errno */

/* What a program sees of an operation. */
struct seen {
	int64_t result; /* -1: failed with */
	int err;
	uint64_t hash; /* of bytes, names, attributes that it got */
};

struct map {
	char *at; /* NULL: none */
	size_t len;
	int64_t off;
	int file; /* O_PATH: who is mapped, without having it open */
	bool shared, writable;
};

/* Removed directories that had limits, while somebody has a file of them open. */
enum { TOPS_GONE = OP_FDS + OP_MAPS + 1 };

enum { TAINT_BLOCKS = 1, TAINT_TIMES = 2, TAINT_RESERVED = 4, TAINT_HOLES = 8, TAINT_PRIVILEGES = 16 };
enum { TAINTS = 1 << 16 };

struct side {
	int root;
	bool is_model; /* tmpfs */
	const struct world *world;
	int fds[OP_FDS];
	struct map maps[OP_MAPS];
	uint8_t taint[TAINTS]; /* by side_taint(): what must not be compared, and why is said where it is set */
	/* tops.h: where directories in the root are tenants */
	unsigned made; /* directories of the model, each with a number of its own */
	int gone[TOPS_GONE];
	unsigned gone_count;
};

/* A thread that may become other users, with a umask and SIGBUS handling of its own. */
void side_begin_thread(void);
void side_become(unsigned who);

/* In an empty directory. */
void side_open(struct side *s, const struct world *w, int root, bool is_model);
void side_close(struct side *s);
void side_sync_maps(struct side *s);
struct seen side_do(struct side *s, const struct op *op);

bool side_is_same(const struct stat *a, const struct stat *b);
/* What of a file must not be compared. */
uint8_t *side_taint(const struct side *s, const struct stat *st);

/* Whether an lseek asks for data or holes; it then leaves the position alone, which would follow from what it found. */
bool side_is_seek(const struct op *op);
/* Is the file open by somebody who may store into it through a mapping?  Then holes that are read take pages until he
 * closes it.  May he have stored already?  Then blocks are those of the last writeback. */
bool side_lends(const struct side *s, const struct stat *st);
bool side_stores(const struct side *s, const struct stat *st);

/* Whether the file's holes must be those of tmpfs. */
bool side_knows_holes(const struct side *s, const struct stat *st);

/* How executors say it: of the last call, and of bytes. */
void seen_result(struct seen *seen, int64_t result);
void seen_bytes(struct seen *seen, const void *bytes, size_t len);
/* A buffer of the thread's own, aligned for O_DIRECT; filled with what `data` says for a place in a file. */
enum { SIDE_BUFFER = 1 << 17 };
char *side_buffer(void);
void side_fill(char *to, unsigned data, int64_t off, size_t len);
/* Copy while pages of a mapping may not be there. False: SIGBUS. */
bool side_copy(void *to, const void *from, size_t len);

#define KIND(name, weight, fields) void do_##name(struct side *s, const struct op *op, struct seen *ret);
#include "kinds.def"
#undef KIND
