/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control.c - a small tree made from attrs.def when the worker starts, never changed after; below one of its
 * directories there is what control_tenants.c finds.
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
	VIOLATIONS_BYTES = 4 * PAGE_BYTES,
};

#define FOR_ALL (UINT64_C(1) << 31) /* in an `fh`: opened while everybody might read it */

struct node;
/* Write the whole text of a file. */
typedef int print_node(struct control *c, const struct node *node, const struct interrupt *interrupt, FILE *out);

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
	unsigned tenants; /* the number of their directory */
	unsigned nodes;
	struct node node[NODES_MAX];
};

/* --- what the files say ------------------------------------------------------------------------- */

static int print_attr(struct control *c, const struct node *node, const struct interrupt *interrupt, FILE *out)
{
	int64_t value[ATTRS];
	char text[ATTR_TEXT_BYTES];

	volume_stats(c->volume, value);
	attr_print_choice(node->attr, value[node->attr], text);
	fprintf(out, "%s\n", text);
	return 0;
}

static int print_stats(struct control *c, const struct node *node, const struct interrupt *interrupt, FILE *out)
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

static int print_metrics(struct control *c, const struct node *node, const struct interrupt *interrupt, FILE *out)
{
	int64_t value[ATTRS];
	int r;

	volume_stats(c->volume, value);
	metrics_print(value, out);
	r = control_tenants_print_metrics(c->volume, interrupt, out);
	metrics_end(out);
	return r;
}

static int print_directory(struct control *c, const struct node *node, const struct interrupt *interrupt, FILE *out)
{
	fprintf(out, "%s\n", volume_dir(c->volume));
	return 0;
}

struct violations {
	FILE *out;
	unsigned untold;
};

/* Where there are more, all are of one cause. */
static void print_violation(void *arg, const char *violation)
{
	struct violations *v = arg;

	if (ftell(v->out) + (long)strlen(violation) < VIOLATIONS_BYTES)
		fprintf(v->out, "%s\n", violation);
	else
		v->untold++;
}

static int print_check(struct control *c, const struct node *node, const struct interrupt *interrupt, FILE *out)
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
static int print_hook(struct control *c, const struct node *node, const struct interrupt *interrupt, FILE *out)
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
	texts_take_over(texts);
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
	c->tenants = add_node(c, 0, "tenants", strlen("tenants"));
	c->node[c->tenants].mode = S_IFDIR | 0511; /* names are not for everybody */
#ifdef KSMFS_HOOKS
	add_hooks(c);
#endif
	*ret = c;
	return 0;
}

/* NULL: none of ours, or a tenant's. */
static const struct node *node_of(const struct control *c, uint64_t ino)
{
	uint32_t n = (uint32_t)ino;

	return c->mode != CONTROL_NONE && ino >= CONTROL_INO && n < c->nodes ? &c->node[n] : NULL;
}

static bool is_tenants(const struct control *c, uint64_t ino)
{
	return c->mode != CONTROL_NONE && control_tenants_own(ino);
}

/* With several tenants or domains what a file says is of all of them, and for root alone. */
static mode_t mode_of(const struct control *c, const struct node *node)
{
	return node->print && volume_is_shared_out(c->volume) ? node->mode & ~077u : node->mode;
}

/* Whoever makes and removes tenants does so without a word to us: the kernel is not to keep a listing of them, so that
 * one is always of now. */
static struct timespec changed(const struct control *c, const struct node *node)
{
	struct timespec now;

	if (node != &c->node[c->tenants])
		return c->born;
	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

static unsigned links_of(const struct control *c, const struct node *node)
{
	unsigned links = 2;

	if (node->print || node == &c->node[c->tenants])
		return 1;
	for (unsigned i = 1; i < c->nodes; i++)
		links += !c->node[i].print && &c->node[c->node[i].parent] == node;
	return links;
}

static void fill_attr(const struct control *c, const struct node *node, struct stat *ret)
{
	*ret = (struct stat){
		.st_ino = CONTROL_INO + (uint64_t)(node - c->node),
		.st_mode = mode_of(c, node),
		.st_nlink = links_of(c, node),
		.st_uid = c->uid,
		.st_gid = c->gid,
		.st_blksize = PAGE_BYTES,
		.st_atim = c->born,
		.st_mtim = changed(c, node),
		.st_ctim = c->born,
	};
}

static void add_times(const struct control *c, struct stat *attr)
{
	attr->st_atim = attr->st_mtim = attr->st_ctim = c->born;
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

/* Of tenants, what is in `dir`; `dir` 0 has them all. */
static int look_tenants_up(const struct control *c, uint64_t dir, const char *name, struct volume_entry *ret)
{
	int r = control_tenants_lookup(c->volume, dir, name, &ret->attr);

	if (r < 0)
		return r;
	add_times(c, &ret->attr);
	ret->ino = ret->attr.st_ino;
	return 0;
}

int control_lookup(const struct control *c, uint64_t dir, const char *name, struct volume_entry *ret)
{
	unsigned n = 0;

	if (is_tenants(c, dir))
		return look_tenants_up(c, dir, name, ret);
	if (control_owns(dir)) {
		if (!node_of(c, dir))
			return -ESTALE;
		if ((uint32_t)dir == c->tenants)
			return look_tenants_up(c, 0, name, ret);
		if (!find_child(c, (uint32_t)dir, name, strlen(name), &n))
			return -ENOENT;
	}
	fill_entry(c, n, ret);
	return 0;
}

uint64_t control_parent(const struct control *c, uint64_t ino)
{
	const struct node *node = node_of(c, ino);

	if (is_tenants(c, ino))
		return control_tenants_is_directory(ino) ? CONTROL_INO + c->tenants : control_tenants_parent(ino);
	return !node || node == c->node ? ROOT_INO : CONTROL_INO + node->parent;
}

int control_getattr(const struct control *c, uint64_t ino, struct stat *ret)
{
	const struct node *node = node_of(c, ino);
	int r = 0;

	if (is_tenants(c, ino)) {
		r = control_tenants_getattr(c->volume, ino, ret);
		if (r == 0)
			add_times(c, ret);
		return r;
	}
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
		return is_tenants(c, ino) ? -EPERM : -ESTALE;
	if (!node->is_setting || (set & ~harmless))
		return -EPERM;
	fill_attr(c, node, ret);
	return 0;
}

static int list_nodes(const struct control *c, uint64_t dir, uint64_t *io_place,
		      char ret_name[static NAME_BYTES_MAX + 1], struct stat *ret)
{
	uint64_t n = *io_place;

	for (unsigned i = 1; i < c->nodes; i++) {
		if (c->node[i].parent != (uint32_t)dir || n-- > 0)
			continue;
		snprintf(ret_name, NAME_BYTES_MAX + 1, "%s", c->node[i].name);
		fill_attr(c, &c->node[i], ret);
		++*io_place;
		return 0;
	}
	return -ENOENT;
}

int control_list(const struct control *c, uint64_t dir, uint64_t *io_place,
		 char ret_name[static NAME_BYTES_MAX + 1], struct stat *ret)
{
	if (is_tenants(c, dir))
		return control_tenants_list(c->volume, dir, io_place, ret_name, ret);
	if (!node_of(c, dir))
		return -ESTALE;
	if ((uint32_t)dir == c->tenants)
		return control_tenants_list(c->volume, 0, io_place, ret_name, ret);
	return list_nodes(c, dir, io_place, ret_name, ret);
}

/* --- open files ---------------------------------------------------------------------------------- */

static int print(struct control *c, uint64_t ino, const struct interrupt *interrupt, FILE *out)
{
	const struct node *node = node_of(c, ino);

	if (is_tenants(c, ino))
		return control_tenants_print(c->volume, ino, interrupt, out);
	return node->print(c, node, interrupt, out);
}

static int make_text(struct control *c, uint64_t ino, const struct interrupt *interrupt, char **ret, size_t *ret_len)
{
	char *bytes = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	out = open_memstream(&bytes, &len);
	if (!out)
		return -ENOMEM;
	r = print(c, ino, interrupt, out);
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

/* Whether it can be opened so; *ret_writable: it is a setting. */
static int check_open(const struct control *c, uint64_t ino, bool *ret_writable)
{
	const struct node *node = node_of(c, ino);

	*ret_writable = node && node->is_setting;
	if (is_tenants(c, ino))
		return control_tenants_is_directory(ino) ? -EISDIR : 0;
	if (!node)
		return -ESTALE;
	return node->print ? 0 : -EISDIR;
}

bool control_is_long(const struct control *c, uint64_t ino)
{
	const struct node *node = node_of(c, ino);

	if (is_tenants(c, ino))
		return control_tenants_is_long(ino);
	return node && node->print == print_metrics && volume_is_shared_out(c->volume);
}

int control_open(struct control *c, uint64_t ino, int flags, uint64_t unique, const struct interrupt *interrupt,
		 uint64_t *ret_fh)
{
	bool writable, for_all = !is_tenants(c, ino) && !volume_is_shared_out(c->volume);
	char *bytes;
	size_t len;
	int r;

	r = check_open(c, ino, &writable);
	if (r < 0)
		return r;
	*ret_fh = for_all ? FOR_ALL : 0;
	if ((flags & O_ACCMODE) != O_RDONLY && !writable)
		return -EACCES; /* for root, too, as in sysfs */
	if ((flags & O_ACCMODE) == O_WRONLY)
		return 0;
	r = make_text(c, ino, interrupt, &bytes, &len);
	if (r < 0)
		return r;
	*ret_fh |= texts_keep(c->texts, unique, bytes, len);
	free(bytes);
	return 0;
}

void control_opened(struct control *c, uint64_t fh)
{
	texts_told(c->texts, fh & ~FOR_ALL);
}

bool control_is_guarded(const struct control *c, uint64_t ino, uint64_t fh, uid_t *ret_owner)
{
	*ret_owner = c->uid;
	return !is_tenants(c, ino) && !(fh & FOR_ALL);
}

void control_release(struct control *c, uint64_t fh)
{
	texts_drop(c->texts, fh & ~FOR_ALL);
}

bool control_read_kept(struct control *c, uint64_t fh, uint64_t offset, char *buf, size_t size, ssize_t *ret)
{
	if ((fh & FOR_ALL) && volume_is_shared_out(c->volume)) {
		*ret = -EACCES;
		return true;
	}
	return texts_read(c->texts, fh & ~FOR_ALL, offset, buf, size, ret);
}

ssize_t control_read(struct control *c, uint64_t ino, uint64_t fh, uint64_t offset, char *buf, size_t size,
		     const struct interrupt *interrupt)
{
	bool writable;
	char *bytes;
	size_t len;
	ssize_t n;
	int r;

	r = check_open(c, ino, &writable);
	if (r == 0)
		r = make_text(c, ino, interrupt, &bytes, &len);
	if (r < 0)
		return r;
	n = texts_copy(bytes, len, offset, buf, size);
	texts_replace(c->texts, fh & ~FOR_ALL, bytes, len);
	free(bytes);
	return n;
}

bool control_splits(const struct control *c, uint64_t ino, const char *text, size_t len)
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
		return is_tenants(c, ino) ? -EACCES : -ESTALE;
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
