/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control.c - a small tree made from attrs.def when the worker starts, never changed after.
 *
 * A file's text is made when it is opened, and made anew when it is read from its start once more, as
 * sysfs does it: so a program that keeps it open sees the figures of now.  Texts are kept where the next worker finds
 * them (texts.h), who goes on with what somebody has begun to read.  An open file that finds no room there has its text
 * made at each read.
 */
#include "fs/control.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/control_hooks.h"
#include "fs/metrics.h"

enum {
	NODES_MAX = 2 * ATTRS + 16,
	WORD_BYTES = 64, /* of one component of a path */
};

struct node;
/* Write the whole text of a file. */
typedef int print_node(struct control *c, const struct node *node, FILE *out);

struct node {
	char name[WORD_BYTES];
	unsigned parent; /* number of its directory */
	mode_t mode;
	print_node *print; /* NULL: a directory */
	enum attr attr;
	bool is_setting;
#ifdef KSMFS_HOOKS
	bool is_hook; /* a setting too */
	unsigned hook;
#endif
};

struct control {
	struct volume *volume;
	struct texts *texts; /* of open files */
	enum control_mode mode;
	uid_t uid;
	gid_t gid;
	struct timespec born;
	unsigned nodes;
	struct node node[NODES_MAX];
};

/* --- what the files say ------------------------------------------------------------------------- */

static int print_attr(struct control *c, const struct node *node, FILE *out)
{
	int64_t value[ATTRS];
	char text[ATTR_TEXT_BYTES];

	volume_stats(c->volume, value);
	attr_print_choice(node->attr, value[node->attr], text);
	fprintf(out, "%s\n", text);
	return 0;
}

static int print_stats(struct control *c, const struct node *node, FILE *out)
{
	int64_t value[ATTRS];
	char text[ATTR_TEXT_BYTES];

	volume_stats(c->volume, value);
	for (unsigned i = 0; i < ATTRS; i++) {
		attr_print(i, value[i], text);
		fprintf(out, "%s %s\n", attr_rows[i].path, text);
	}
	return 0;
}

static int print_metrics(struct control *c, const struct node *node, FILE *out)
{
	int64_t value[ATTRS];

	volume_stats(c->volume, value);
	metrics_print(value, out);
	return 0;
}

static int print_directory(struct control *c, const struct node *node, FILE *out)
{
	fprintf(out, "%s\n", volume_dir(c->volume));
	return 0;
}

struct violations {
	FILE *out;
	unsigned untold;
};

/* As many as fit into a text that is kept: where there are more, all are of one cause. */
static void print_violation(void *arg, const char *violation)
{
	struct violations *v = arg;

	if (ftell(v->out) + (long)strlen(violation) < TEXT_BYTES - 100)
		fprintf(v->out, "%s\n", violation);
	else
		v->untold++;
}

static int print_check(struct control *c, const struct node *node, FILE *out)
{
	struct violations v = {.out = out};
	int r = volume_check(c->volume, print_violation, &v);

	if (r == 0)
		fputs("ok\n", out);
	if (v.untold)
		fprintf(out, "and %u more\n", v.untold);
	return r < 0 ? r : 0;
}

#ifdef KSMFS_HOOKS
static int print_hook(struct control *c, const struct node *node, FILE *out)
{
	control_hook_print(node->hook, out);
	return 0;
}
#endif

/* --- the tree ------------------------------------------------------------------------------------ */

static unsigned add_node(struct control *c, unsigned parent, const char *name, size_t len)
{
	struct node *node = &c->node[c->nodes];

	ASSERT(c->nodes < NODES_MAX && len < WORD_BYTES);
	memcpy(node->name, name, len);
	node->parent = parent;
	node->mode = S_IFDIR | 0555;
	return c->nodes++;
}

static bool find_child(const struct control *c, unsigned parent, const char *name, size_t len,
		       unsigned *ret)
{
	for (unsigned i = 1; i < c->nodes; i++) {
		const struct node *node = &c->node[i];

		if (node->parent == parent && strlen(node->name) == len &&
		    memcmp(node->name, name, len) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* The file at `path`, with the directories above it. */
static struct node *add_file(struct control *c, const char *path, mode_t mode, print_node *print)
{
	unsigned at = 0;
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, "/");
		if (!path[len])
			break;
		if (!find_child(c, at, path, len, &at))
			at = add_node(c, at, path, len);
	}
	at = add_node(c, at, path, len);
	c->node[at].mode = S_IFREG | mode;
	c->node[at].print = print;
	return &c->node[at];
}

#ifdef KSMFS_HOOKS
static void add_hooks(struct control *c)
{
	for (unsigned i = 0; control_hook_path(i); i++) {
		struct node *node = add_file(c, control_hook_path(i), 0600, print_hook);

		node->is_setting = node->is_hook = true;
		node->hook = i;
	}
}
#endif

int control_new(struct volume *v, struct texts *texts, enum control_mode mode, struct control **ret)
{
	struct control *c;
	struct node *node;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->volume = v;
	c->texts = texts;
	c->mode = mode;
	c->uid = geteuid();
	c->gid = getegid();
	clock_gettime(CLOCK_REALTIME, &c->born);
	add_node(c, 0, CONTROL_NAME, strlen(CONTROL_NAME));
	for (unsigned i = 0; i < ATTRS; i++) {
		bool is_setting = attr_rows[i].kind == ATTR_KIND_SETTING;

		node = add_file(c, attr_rows[i].path, is_setting ? 0644 : 0444, print_attr);
		node->attr = (enum attr)i;
		node->is_setting = is_setting;
	}
	add_file(c, "stats", 0444, print_stats);
	add_file(c, "metrics", 0444, print_metrics);
	add_file(c, "check", 0400, print_check);
	add_file(c, "index/directory", 0444, print_directory);
#ifdef KSMFS_HOOKS
	add_hooks(c);
#endif
	*ret = c;
	return 0;
}

static const struct node *node_of(const struct control *c, uint64_t ino)
{
	uint32_t n = (uint32_t)ino;

	return c->mode != CONTROL_NONE && n < c->nodes ? &c->node[n] : NULL;
}

static void fill_attr(const struct control *c, const struct node *node, struct stat *ret)
{
	unsigned links = 2;

	for (unsigned i = 1; i < c->nodes && !node->print; i++)
		links += !c->node[i].print && &c->node[c->node[i].parent] == node;
	*ret = (struct stat){
		.st_ino = CONTROL_INO + (uint64_t)(node - c->node),
		.st_mode = node->mode,
		.st_nlink = node->print ? 1 : links,
		.st_uid = c->uid,
		.st_gid = c->gid,
		.st_blksize = PAGE_BYTES,
		.st_atim = c->born,
		.st_mtim = c->born,
		.st_ctim = c->born,
	};
}

static void fill_entry(const struct control *c, unsigned n, struct volume_entry *ret)
{
	fill_attr(c, &c->node[n], &ret->attr);
	ret->ino = ret->attr.st_ino;
}

bool control_is_name(const struct control *c, uint64_t dir, const char *name)
{
	return dir == ROOT_INO && c->mode != CONTROL_NONE && strcmp(name, CONTROL_NAME) == 0;
}

bool control_is_listed(const struct control *c)
{
	return c->mode == CONTROL_VISIBLE;
}

int control_lookup(const struct control *c, uint64_t dir, const char *name, struct volume_entry *ret)
{
	unsigned n = 0;

	if (control_owns(dir)) {
		if (!node_of(c, dir))
			return -ESTALE;
		if (!find_child(c, (uint32_t)dir, name, strlen(name), &n))
			return -ENOENT;
	}
	fill_entry(c, n, ret);
	return 0;
}

uint64_t control_parent(const struct control *c, uint64_t ino)
{
	const struct node *node = node_of(c, ino);

	return !node || node == c->node ? ROOT_INO : CONTROL_INO + node->parent;
}

int control_getattr(const struct control *c, uint64_t ino, struct stat *ret)
{
	const struct node *node = node_of(c, ino);

	if (!node)
		return -ESTALE;
	fill_attr(c, node, ret);
	return 0;
}

/* `echo 1 > run` truncates first: that is accepted, and does nothing. */
int control_setattr(const struct control *c, uint64_t ino, unsigned set, struct stat *ret)
{
	const unsigned harmless = VOLUME_SET_SIZE | VOLUME_SET_KILL_PRIV | VOLUME_SET_ATIME |
				  VOLUME_SET_MTIME | VOLUME_SET_CTIME | VOLUME_SET_ATIME_NOW |
				  VOLUME_SET_MTIME_NOW;
	const struct node *node = node_of(c, ino);

	if (!node)
		return -ESTALE;
	if (!node->is_setting || (set & ~harmless))
		return -EPERM;
	fill_attr(c, node, ret);
	return 0;
}

int control_list(const struct control *c, uint64_t dir, uint64_t n, const char **ret_name,
		 struct volume_entry *ret)
{
	for (unsigned i = 1; i < c->nodes; i++) {
		if (c->node[i].parent != (uint32_t)dir || n-- > 0)
			continue;
		*ret_name = c->node[i].name;
		fill_entry(c, i, ret);
		return 0;
	}
	return -ENOENT;
}

/* --- open files ---------------------------------------------------------------------------------- */

static int make_text(struct control *c, const struct node *node, char **ret, size_t *ret_len)
{
	char *bytes = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	out = open_memstream(&bytes, &len);
	if (!out)
		return -ENOMEM;
	r = node->print(c, node, out);
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret = bytes;
	*ret_len = len;
	return 0;
}

int control_open(struct control *c, uint64_t ino, int flags, uint64_t unique, uint64_t *ret_fh)
{
	const struct node *node = node_of(c, ino);
	char *bytes;
	size_t len;
	int r;

	if (!node || !node->print)
		return node ? -EISDIR : -ESTALE;
	*ret_fh = 0;
	if ((flags & O_ACCMODE) != O_RDONLY && !node->is_setting)
		return -EACCES; /* for root, too, as in sysfs */
	if ((flags & O_ACCMODE) == O_WRONLY)
		return 0;
	r = make_text(c, node, &bytes, &len);
	if (r < 0)
		return r;
	*ret_fh = texts_keep(c->texts, unique, bytes, len);
	free(bytes);
	return 0;
}

void control_release(struct control *c, uint64_t fh)
{
	texts_drop(c->texts, fh);
}

ssize_t control_read(struct control *c, uint64_t ino, uint64_t fh, uint64_t offset, char *buf, size_t size)
{
	const struct node *node = node_of(c, ino);
	char *bytes;
	size_t len;
	ssize_t n;
	int r;

	if (!node || !node->print)
		return -ESTALE;
	if (texts_read(c->texts, fh, offset, buf, size, &n))
		return n;
	r = make_text(c, node, &bytes, &len);
	if (r < 0)
		return r;
	n = texts_copy(bytes, len, offset, buf, size);
	texts_replace(c->texts, fh, bytes, len);
	free(bytes);
	return n;
}

bool control_is_long(const struct control *c, uint64_t ino, const char *text, size_t len)
{
	const struct node *node = node_of(c, ino);
	uint64_t value;

	return node && node->is_setting && node->attr == ATTR_run && attr_parse(ATTR_run, text, len, &value) == 0 &&
	       value == 2;
}

ssize_t control_write(struct control *c, uint64_t ino, int flags, uint64_t offset, const char *text,
		      size_t len, const struct interrupt *interrupt)
{
	const struct node *node = node_of(c, ino);
	uint64_t value;
	int r;

	if (!node)
		return -ESTALE;
	if (!node->is_setting)
		return -EACCES;
	if (offset != 0 && !(flags & O_APPEND))
		return -EINVAL; /* a value comes whole */
#ifdef KSMFS_HOOKS
	if (node->is_hook) {
		r = control_hook_set(node->hook, text, len);
		return r < 0 ? r : (ssize_t)len;
	}
#endif
	/* sysfs shows its files one page of what is written: what it refuses there has its errno here. */
	r = attr_parse(node->attr, text, MIN(len, (size_t)PAGE_BYTES), &value);
	if (r == 0 && len > PAGE_BYTES)
		r = -EINVAL;
	if (r == 0)
		r = volume_set(c->volume, node->attr, value, interrupt);
	return r < 0 ? r : (ssize_t)len;
}
