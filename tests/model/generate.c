/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/generate.c - operations from a seed.
 *
 * Nothing is known here of what the operations before have left behind: any part of a sequence is a sequence, which
 * is what makes it easy to minimise.  Names, descriptors and offsets are few, so that operations meet.
 */
#include "generate.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "tests/lib/random.h"

enum {
	F_PATH = 1 << 0,
	F_PATH2 = 1 << 1,
	F_FD = 1 << 2,
	F_FD2 = 1 << 3,
	F_MAP = 1 << 4,
	F_OFF = 1 << 5,
	F_OFF2 = 1 << 6,
	F_LEN = 1 << 7,
	F_FLAGS = 1 << 8,
	F_MODE = 1 << 9,
	F_NAME = 1 << 10,
	F_DATA = 1 << 11,
	F_OPEN = 1 << 12,
	F_TOP = 1 << 13,
};

static const struct {
	unsigned weight;
	unsigned fields;
} kinds[OP_KINDS] = {
#define KIND(name, w, f) [OP_##name] = {w, f},
#include "kinds.def"
#undef KIND
};

/* On a full mount (README, Known differences): no mappings, as a load from a hole is SIGBUS on tmpfs, and of a file
 * that nobody writes nothing on ksmfs; and no access control lists, which are inodes to ksmfs. */
static unsigned weight_of(unsigned kind, bool full, bool tops)
{
	if (!tops && (kinds[kind].fields & F_TOP))
		return 0;
	if (full && ((kinds[kind].fields & F_MAP) || kind == OP_setacl))
		return 0;
	return kinds[kind].weight;
}

static enum op_kind draw_kind(uint64_t *r, bool full, bool tops)
{
	unsigned sum = 0, at;

	for (unsigned i = 0; i < OP_KINDS; i++)
		sum += weight_of(i, full, tops);
	at = random_below(r, sum);
	for (unsigned i = 0;; i++) {
		unsigned weight = weight_of(i, full, tops);

		if (at < weight)
			return (enum op_kind)i;
		at -= weight;
	}
}

/* --- names ------------------------------------------------------------------------------------ */

static const char *const dirs[] = {"d0", "d1", "d2", "d0/d1", "d1/d2", "s0"};
static const char *const files[] = {"f0", "f1", "f2", "f3"};
static const char *const others[] = {"s0", "s1", "p0", "d0", "d1", "d2", "missing", "new\nline",
				     "\xff\xfe not utf-8", " ", "..", ".", "f0/x", "s1/x/y", "d0/", "f0/", "d0/..", "d0/.", "s2/", "-",
				     "\\"};

static void add(char *path, const char *more)
{
	size_t len = strlen(path);

	snprintf(path + len, OP_PATH_BYTES - len, "%s%s", len ? "/" : "", more);
}

/* 255 bytes are a name, 256 are too many. */
static void add_long(char *path, size_t bytes)
{
	char name[257];

	memset(name, 'n', bytes);
	name[bytes] = '\0';
	add(path, name);
}

/* `leaf`: the first letter of the names that are most likely. */
static void draw_path(uint64_t *r, char leaf, char *path)
{
	path[0] = '\0';
	if (random_chance(r, 40))
		add(path, dirs[random_below(r, 6)]);
	if (random_chance(r, 6))
		add(path, dirs[random_below(r, 6)]);
	if (random_chance(r, 2))
		add_long(path, 255 + random_below(r, 2));
	else if (random_chance(r, 12))
		add(path, others[random_below(r, sizeof(others) / sizeof(others[0]))]);
	else if (random_chance(r, 80))
		add(path, leaf == 'd' ? dirs[random_below(r, 3)] : files[random_below(r, 4)]);
	else
		add(path, leaf == 'd' ? files[random_below(r, 4)] : dirs[random_below(r, 3)]);
}

static const char *const targets[] = {"f0", "f1", "d0", "d1/f0", "missing", "s0", "s1", "s2", "d0/d1", "f2/"};

/* What a symbolic link says; nothing that leads out of the tree. */
static void draw_target(uint64_t *r, char *path)
{
	unsigned n = random_below(r, 12);

	path[0] = '\0';
	if (n < 10)
		add(path, targets[n]);
	else
		for (unsigned len = n == 10 ? 1 : 150; len > 0; len--)
			add(path, "d0");
}

static bool is_like_dirs(enum op_kind kind)
{
	return kind == OP_mkdir || kind == OP_rmdir || kind == OP_list;
}

static void draw_names(uint64_t *r, struct op *op, unsigned fields)
{
	char leaf = is_like_dirs(op->kind) || (op->kind == OP_rename && random_chance(r, 40)) ? 'd' : 'f';
	static const char *const links[] = {"s0", "s1", "s2"};

	if (fields & F_PATH)
		draw_path(r, leaf, op->path);
	if (op->kind == OP_symlink) {
		draw_target(r, op->path2);
		if (random_chance(r, 80)) {
			op->path[0] = '\0';
			if (random_chance(r, 40))
				add(op->path, dirs[random_below(r, 6)]);
			add(op->path, links[random_below(r, 3)]);
		}
	} else if (fields & F_PATH2) {
		draw_path(r, leaf, op->path2);
	}
}

/* --- numbers ---------------------------------------------------------------------------------- */

static int64_t draw_offset(uint64_t *r, bool full)
{
	static const int64_t far[] = {1 << 20, (1 << 20) + 4095, (int64_t)1 << 32, (int64_t)1 << 40, -1, -4096};
	int64_t page = (int64_t)random_below(r, 12) * 4096;
	unsigned n = random_below(r, 100);

	if (n < 50)
		return page;
	if (n < 70)
		return page + 4096 - 1 - random_below(r, 2);
	if (n < 94 || full)
		return page + random_below(r, 4096);
	return far[random_below(r, 6)];
}

static int64_t draw_length(uint64_t *r)
{
	static const int64_t few[] = {0, 1, 2, 100, 4095, 4096, 4097, 8192};
	unsigned n = random_below(r, 100);

	if (n < 45)
		return 4096 * (1 + (int64_t)random_below(r, 6));
	if (n < 85)
		return few[random_below(r, 8)];
	return random_below(r, 40000);
}

static unsigned draw_open(uint64_t *r, bool full)
{
	static const unsigned rare[] = {O_DIRECT, O_NOFOLLOW, O_DIRECTORY, O_NOATIME, O_SYNC, O_DSYNC, O_PATH, O_EXCL};
	static const unsigned modes[] = {O_RDWR, O_RDWR, O_RDONLY, O_WRONLY};
	unsigned flags = modes[random_below(r, 4)];

	/* On a full mount a hole that is read takes a page while somebody has the file open for both (README,
	 * Known differences): nobody has. */
	if (full)
		flags = random_chance(r, 30) ? O_RDONLY : O_WRONLY;
	if (random_chance(r, 60))
		flags |= O_CREAT;
	if (random_chance(r, 8))
		flags |= O_EXCL;
	if (random_chance(r, 10))
		flags |= O_TRUNC;
	if (random_chance(r, 12))
		flags |= O_APPEND;
	while (random_chance(r, 16))
		flags |= rare[random_below(r, 8)];
	if (random_chance(r, 3))
		flags |= O_TMPFILE;
	return flags;
}

static unsigned draw_rename(uint64_t *r)
{
	static const unsigned flags[] = {RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE,
					 RENAME_NOREPLACE | RENAME_EXCHANGE, 8, RENAME_WHITEOUT};

	if (random_chance(r, 60))
		return 0;
	return flags[random_below(r, 6)];
}

/* ZERO_RANGE is left out: tmpfs has none, so there is nothing to compare with. */
static unsigned draw_fallocate(uint64_t *r)
{
	static const unsigned modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
					 FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE};

	return modes[random_chance(r, 85) ? random_below(r, 4) : 4 + random_below(r, 3)];
}

static unsigned draw_flags(uint64_t *r, enum op_kind kind, bool full)
{
	switch (kind) {
	case OP_open:
		return draw_open(r, full);
	case OP_rename:
		return draw_rename(r);
	case OP_fallocate:
		return draw_fallocate(r);
	default:
		return random_below(r, 64); /* the executor makes of it what it likes */
	}
}

static unsigned draw_mode(uint64_t *r)
{
	static const unsigned modes[] = {0777, 0666, 0644, 0755, 0600, 0700, 01777, 02775, 04755, 06711, 0, 0444};

	return modes[random_below(r, 12)];
}

static unsigned draw_data(uint64_t *r)
{
	return random_chance(r, 95) ? random_below(r, 6) : 6 + random_below(r, 100000);
}

/* --- tenants ---------------------------------------------------------------------------------- */

/* Few of them, so that they meet though there are several trees. */
static void put_below(uint64_t *r, unsigned top, char leaf, char *path)
{
	char below[OP_PATH_BYTES];

	if (random_chance(r, 60))
		snprintf(path, OP_PATH_BYTES, "%c%u", leaf, random_below(r, 3));
	snprintf(below, sizeof(below), "%s", strcmp(path, "..") == 0 ? "." : path); /* the root is nobody's */
	snprintf(path, OP_PATH_BYTES, "t%u/%.500s", top, below);
}

/* Paths are below directories in the root, the second one mostly below the same; or it is about the directory. */
static void draw_top(uint64_t *r, unsigned fields, struct op *op)
{
	unsigned top = random_below(r, 3), top2 = random_chance(r, 75) ? top : random_below(r, 3);
	char leaf = is_like_dirs(op->kind) || (op->kind == OP_rename && random_chance(r, 30)) ? 'd' :
		    op->kind == OP_symlink ? 's' : 'f';

	if (fields & F_TOP) {
		op->who = 0;
		op->tick = false;
		snprintf(op->path, sizeof(op->path), "t%u/.", top);
		if (fields & F_PATH2)
			snprintf(op->path2, sizeof(op->path2), "t%u/.", random_below(r, 3));
		return;
	}
	if (fields & F_PATH)
		put_below(r, top, leaf, op->path);
	if ((fields & F_PATH2) && op->kind != OP_symlink)
		put_below(r, top2, leaf, op->path2);
}

static void draw(uint64_t *r, bool full, bool tops, struct op *op)
{
	unsigned fields;

	memset(op, 0, sizeof(*op));
	op->kind = draw_kind(r, full, tops);
	fields = kinds[op->kind].fields;
	op->who = random_chance(r, 70) ? 0 : 1 + random_below(r, 2);
	op->umask = random_chance(r, 50) ? 022 : random_chance(r, 60) ? 0 : 077;
	op->tick = random_chance(r, 3);
	draw_names(r, op, fields);
	if (tops)
		draw_top(r, fields, op);
	if (full && op->kind == OP_symlink)
		op->path2[60] = '\0'; /* a long target takes a page on tmpfs, none on ksmfs */
	op->fd = fields & F_FD ? random_below(r, OP_FDS) : 0;
	op->fd2 = fields & F_FD2 ? random_below(r, OP_FDS) : 0;
	op->map = fields & F_MAP ? random_below(r, OP_MAPS) : 0;
	op->off = fields & F_OFF ? draw_offset(r, full) : 0;
	op->off2 = fields & F_OFF2 ? draw_offset(r, full) : 0;
	op->len = fields & F_LEN ? draw_length(r) : 0;
	op->mode = fields & F_MODE ? draw_mode(r) : 0;
	op->data = fields & F_DATA ? draw_data(r) : 0;
	op->name = fields & F_NAME ? random_below(r, 8) : 0;
	op->flags = fields & (F_FLAGS | F_OPEN) ? draw_flags(r, op->kind, full) : 0;
}

void generate(uint64_t seed, bool full, bool tops, struct op *ret, size_t count)
{
	for (size_t i = 0; i < count; i++)
		draw(&seed, full, tops, &ret[i]);
}
