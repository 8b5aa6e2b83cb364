/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/tree.c - two trees, name by name, byte by byte. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tops.h"

enum { NAMES_MAX = 512, LINKS = 1 << 12, PIECE = 1 << 16, EXTENTS = 1 << 12 };

/* One walk. */
struct walk {
	struct side *sides;
	struct why *why;
	ino_t links[LINKS][2]; /* files of several names: which is which */
	char path[4096];
};

/* --- contents --------------------------------------------------------------------------------- */

/* Data from `*at` on; false at the end. */
static bool next_data(int fd, off_t *at, off_t *ret_end)
{
	off_t data = lseek(fd, *at, SEEK_DATA);

	if (data < 0)
		return false;
	*at = data;
	*ret_end = lseek(fd, data, SEEK_HOLE);
	return true;
}

static bool same_bytes(struct walk *w, const int fds[static 2], off_t from, off_t to)
{
	static _Thread_local char bytes[2][PIECE];

	for (off_t at = from; at < to; at += PIECE) {
		size_t len = to - at < PIECE ? (size_t)(to - at) : PIECE;
		ssize_t n[2];

		for (unsigned i = 0; i < 2; i++)
			n[i] = pread(fds[i], bytes[i], len, at);
		if (n[0] != n[1])
			return differ(w->why, "reading %s at %lld: %zd on tmpfs, %zd on ksmfs", w->path, (long long)at,
				      n[0], n[1]);
		for (size_t i = 0; n[0] > 0 && i < (size_t)n[0]; i++)
			if (bytes[0][i] != bytes[1][i])
				return differ(w->why, "byte %lld of %s is %#x on tmpfs, %#x on ksmfs",
					      (long long)at + (long long)i, w->path, (unsigned char)bytes[0][i],
					      (unsigned char)bytes[1][i]);
	}
	return true;
}

static bool same_holes(struct walk *w, const int fds[static 2])
{
	off_t at[2] = {0, 0}, end[2] = {0, 0};
	bool more[2];

	for (;;) {
		for (unsigned i = 0; i < 2; i++)
			more[i] = next_data(fds[i], &at[i], &end[i]);
		if (!more[0] && !more[1])
			return true;
		if (more[0] != more[1] || at[0] != at[1] || end[0] != end[1])
			break;
		at[0] = at[1] = end[0];
	}
	w->why->may_settle = true;
	return differ(w->why, "data of %s: %lld to %lld on tmpfs, %lld to %lld on ksmfs", w->path, (long long)at[0],
		      more[0] ? (long long)end[0] : -1, (long long)at[1], more[1] ? (long long)end[1] : -1);
}

/* What is data on one side only is compared with the other's zeroes.  Found before it is read: reading ahead lends what
 * comes next, and that is data to the next seek, so the two would chase each other through all of a large file. */
static bool same_contents(struct walk *w, const int fds[static 2])
{
	static _Thread_local off_t from[EXTENTS], to[EXTENTS];
	unsigned count = 0;

	for (unsigned i = 0; i < 2; i++)
		for (off_t at = 0; count < EXTENTS && next_data(fds[i], &at, &to[count]); at = to[count++])
			from[count] = at;
	for (unsigned n = 0; n < count; n++)
		if (!same_bytes(w, fds, from[n], to[n]))
			return false;
	return count < EXTENTS || differ(w->why, "%s is in too many pieces to compare", w->path);
}

/* A mount may be full: reading a hole of ksmfs takes a page if somebody has it open to store. Only data is read. */
static bool same_file(struct walk *w, const int dirs[static 2], const char *name, const struct stat *model)
{
	int fds[2];
	bool same;

	for (unsigned i = 0; i < 2; i++)
		fds[i] = openat(dirs[i], name, O_RDONLY | O_NOFOLLOW | O_NOATIME);
	if (fds[0] < 0 || fds[1] < 0)
		same = differ(w->why, "opening %s: %d on tmpfs, %d on ksmfs", w->path, fds[0], fds[1]);
	else
		same = (!side_knows_holes(&w->sides[0], model) || same_holes(w, fds)) && same_contents(w, fds);
	for (unsigned i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return same;
}

static bool same_target(struct walk *w, const int dirs[static 2], const char *name)
{
	char text[2][4096];
	ssize_t n[2];

	for (unsigned i = 0; i < 2; i++)
		n[i] = readlinkat(dirs[i], name, text[i], sizeof(text[i]));
	if (n[0] != n[1] || n[0] < 0 || memcmp(text[0], text[1], (size_t)n[0]) != 0)
		return differ(w->why, "the target of %s: %zd and %zd bytes", w->path, n[0], n[1]);
	return true;
}

/* --- extended attributes ---------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted; ksmfs's own are left out: tmpfs has none. */
static unsigned list_attributes(const char *name, char *text, size_t room, const char *ret[static NAMES_MAX])
{
	ssize_t len = llistxattr(name, text, room);
	unsigned count = 0;

	for (ssize_t at = 0; at < len && count < NAMES_MAX; at += (ssize_t)strlen(text + at) + 1)
		if (strncmp(text + at, "user.ksmfs.", 11) != 0)
			ret[count++] = text + at;
	qsort(ret, count, sizeof(*ret), compare_names);
	return count;
}

static bool same_xattrs(struct walk *w, const int dirs[static 2], const char *name)
{
	static _Thread_local char text[2][PIECE], value[2][PIECE];
	static _Thread_local const char *names[2][NAMES_MAX];
	unsigned count[2];

	for (unsigned i = 0; i < 2; i++)
		count[i] = fchdir(dirs[i]) == 0 ? list_attributes(name, text[i], PIECE, names[i]) : 0;
	if (count[0] != count[1])
		return differ(w->why, "%s has %u extended attributes on tmpfs, %u on ksmfs", w->path, count[0], count[1]);
	for (unsigned n = 0; n < count[0]; n++) {
		ssize_t len[2];

		if (strcmp(names[0][n], names[1][n]) != 0)
			return differ(w->why, "%s has %s on tmpfs, %s on ksmfs", w->path, names[0][n], names[1][n]);
		for (unsigned i = 0; i < 2; i++)
			len[i] = fchdir(dirs[i]) == 0 ? lgetxattr(name, names[i][n], value[i], PIECE) : -1;
		if (len[0] != len[1] || (len[0] > 0 && memcmp(value[0], value[1], (size_t)len[0]) != 0))
			return differ(w->why, "%s of %s: %zd bytes on tmpfs, %zd on ksmfs", names[0][n], w->path, len[0],
				      len[1]);
	}
	return true;
}

/* --- names ------------------------------------------------------------------------------------ */

/* Sorted, the caller's to free. */
static unsigned list_names(int dir, char *ret[static NAMES_MAX])
{
	DIR *d = fdopendir(dup(dir));
	unsigned count = 0;

	if (!d)
		return 0;
	rewinddir(d);
	for (struct dirent *e; count < NAMES_MAX && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			ret[count++] = strdup(e->d_name);
	closedir(d);
	qsort(ret, count, sizeof(*ret), compare_names);
	return count;
}

static void free_names(char **names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(names[i]);
}

/* Two names of one file on one side are two names of one file on the other. */
static bool same_links(struct walk *w, const struct stat st[static 2])
{
	for (unsigned n = (unsigned)st[0].st_ino % LINKS;; n = (n + 1) % LINKS) {
		ino_t *known = w->links[n];

		if (!known[0]) {
			known[0] = st[0].st_ino;
			known[1] = st[1].st_ino;
			return true;
		}
		if (known[0] == st[0].st_ino)
			return known[1] == st[1].st_ino || differ(w->why, "%s is another file on ksmfs", w->path);
	}
}

static bool same_dir(struct walk *w, const int dirs[static 2]);

static bool same_subdir(struct walk *w, const int dirs[static 2], const char *name)
{
	int sub[2];
	bool same;

	for (unsigned i = 0; i < 2; i++)
		sub[i] = openat(dirs[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	same = sub[0] >= 0 && sub[1] >= 0 ? same_dir(w, sub) : differ(w->why, "%s cannot be opened", w->path);
	for (unsigned i = 0; i < 2; i++)
		if (sub[i] >= 0)
			close(sub[i]);
	return same;
}

static bool same_entry(struct walk *w, const int dirs[static 2], const char *name)
{
	struct stat st[2];

	for (unsigned i = 0; i < 2; i++)
		if (fstatat(dirs[i], name, &st[i], AT_SYMLINK_NOFOLLOW) < 0)
			return differ(w->why, "%s is listed on %s, and stat says: %s", w->path, i ? "ksmfs" : "tmpfs",
				      strerror(errno));
	if (!same_attributes(&w->sides[0], &w->sides[1], &st[0], &st[1], w->path, w->why))
		return false;
	if (st[0].st_nlink > 1 && !S_ISDIR(st[0].st_mode) && !same_links(w, st))
		return false;
	if (!same_xattrs(w, dirs, name))
		return false;
	if (S_ISREG(st[0].st_mode))
		return same_file(w, dirs, name, &st[0]);
	if (S_ISLNK(st[0].st_mode))
		return same_target(w, dirs, name);
	return !S_ISDIR(st[0].st_mode) || same_subdir(w, dirs, name);
}

static bool same_dir(struct walk *w, const int dirs[static 2])
{
	char **names[2];
	unsigned count[2];
	size_t depth = strlen(w->path);
	bool same = true;

	for (unsigned i = 0; i < 2; i++) {
		names[i] = calloc(NAMES_MAX, sizeof(char *));
		if (!names[i])
			abort();
		count[i] = list_names(dirs[i], names[i]);
	}
	for (unsigned n = 0; same && (n < count[0] || n < count[1]); n++) {
		if (n >= count[0] || n >= count[1] || strcmp(names[0][n], names[1][n]) != 0) {
			same = differ(w->why, "in %s there is \"%s\" on tmpfs, \"%s\" on ksmfs", w->path,
				      n < count[0] ? names[0][n] : "", n < count[1] ? names[1][n] : "");
			break;
		}
		snprintf(w->path + depth, sizeof(w->path) - depth, "%s%s", depth ? "/" : "", names[0][n]);
		same = same_entry(w, dirs, names[0][n]);
		w->path[depth] = '\0';
	}
	for (unsigned i = 0; i < 2; i++) {
		free_names(names[i], count[i]);
		free(names[i]);
	}
	return same;
}

/* A directory in the root that may be a tenant: with its own attributes. */
static bool same_top(struct walk *w, unsigned n)
{
	const int dirs[] = {top_open(&w->sides[0], n), top_open(&w->sides[1], n)};
	struct stat st[2];
	bool same = true;

	memset(w->links, 0, sizeof(w->links)); /* other numbers of inodes */
	snprintf(w->path, sizeof(w->path), "%s", top_name(n));
	if (dirs[0] >= 0 && dirs[1] >= 0 && fstat(dirs[0], &st[0]) == 0 && fstat(dirs[1], &st[1]) == 0)
		same = same_attributes(&w->sides[0], &w->sides[1], &st[0], &st[1], w->path, w->why) &&
		       same_xattrs(w, dirs, ".") && same_dir(w, dirs);
	else if (dirs[0] >= 0 || dirs[1] >= 0)
		same = differ(w->why, "%s is there on %s only", w->path, dirs[0] < 0 ? "ksmfs" : "tmpfs");
	for (unsigned i = 0; i < 2; i++)
		if (dirs[i] >= 0)
			close(dirs[i]);
	return same;
}

static bool same_tops(struct walk *w)
{
	bool same = true;

	for (unsigned n = 0; same && n < TOPS; n++)
		same = same_top(w, n);
	return same;
}

bool same_tree(struct side sides[static 2], struct why *why)
{
	const int roots[] = {sides[0].root, sides[1].root};
	struct walk *w = calloc(1, sizeof(*w));
	bool same;

	if (!w)
		abort();
	w->sides = sides;
	w->why = why;
	for (unsigned i = 0; i < 2; i++)
		side_sync_maps(&sides[i]);
	same = sides[0].world->tops ? same_tops(w) : same_dir(w, roots);
	if (fchdir(roots[1]) < 0) /* who is in a directory keeps it */
		abort();
	free(w);
	return same;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Flags like "immutable" are in the way. */
static void clear_flags(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW), none = 0;

	if (fd < 0)
		return;
	ioctl(fd, FS_IOC_SETFLAGS, &none);
	close(fd);
}

void tree_remove(int root)
{
	char **names = calloc(NAMES_MAX, sizeof(char *));
	unsigned count;

	if (!names)
		abort();
	clear_flags(root, ".");
	count = list_names(root, names);
	for (unsigned i = 0; i < count; i++) {
		int sub = openat(root, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

		if (sub >= 0) {
			tree_remove(sub);
			close(sub);
		}
		if (unlinkat(root, names[i], sub >= 0 ? AT_REMOVEDIR : 0) < 0) {
			clear_flags(root, names[i]);
			unlinkat(root, names[i], 0);
		}
	}
	free_names(names, count);
	free(names);
}
