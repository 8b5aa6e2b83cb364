/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/watch.c - what an operation was about, before and after it. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

bool differ(struct why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return false;
}

static void watch_path(int root, const char *path, struct watch *ret, unsigned n)
{
	ret->err[n] = fstatat(root, path, &ret->st[n], AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
}

static void watch_parent(int root, const char *path, struct watch *ret, unsigned n)
{
	char parent[OP_PATH_BYTES + 2];
	const char *slash = strrchr(path, '/');

	snprintf(parent, sizeof(parent), "%.*s/.", slash ? (int)(slash - path) : 1, slash ? path : ".");
	watch_path(root, parent, ret, n);
}

void watch_take(const struct side *s, const struct op *op, struct watch *ret)
{
	unsigned fds[] = {op->fd, op->fd2};

	for (unsigned i = 0; i < WATCHED; i++)
		ret->err[i] = -1; /* not asked for */
	if (op->path[0]) {
		watch_path(s->root, op->path, ret, 0);
		watch_parent(s->root, op->path, ret, 1);
	}
	if (op->path2[0] && op->kind != OP_symlink) {
		watch_path(s->root, op->path2, ret, 2);
		watch_parent(s->root, op->path2, ret, 3);
	}
	for (unsigned i = 0; i < 2; i++)
		ret->err[4 + i] = fstat(s->fds[fds[i]], &ret->st[4 + i]) < 0 ? errno : 0;
	if (op->kind >= OP_store && op->kind <= OP_munmap && s->maps[op->map].at)
		ret->err[5] = fstat(s->maps[op->map].file, &ret->st[5]) < 0 ? errno : 0;
}

/* Which blocks a file has follows from what was done, but for what README says under Known differences: */
static bool same_blocks(const struct side *model, const struct stat *m, const struct stat *s)
{
	if (S_ISLNK(m->st_mode)) /* tmpfs gives long ones a page */
		return s->st_blocks == 0;
	if (side_stores(model, m) || (*side_taint(model, m) & TAINT_BLOCKS))
		return true;
	return side_lends(model, m) ? s->st_blocks >= m->st_blocks : s->st_blocks == m->st_blocks;
}

/* Times that somebody has set are compared; others are only now. */
static bool was_set(const struct timespec *t)
{
	return t->tv_sec < 1500000000 || t->tv_sec > 4000000000;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	if (was_set(a) != was_set(b))
		return false;
	return !was_set(a) || (a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec);
}

bool same_attributes(const struct side *model, const struct side *subject, const struct stat *m,
		     const struct stat *s, const char *what, struct why *why)
{
	uint8_t taint = *side_taint(model, m) | *side_taint(subject, s);
	mode_t mode = taint & TAINT_PRIVILEGES ? ~(mode_t)(S_ISUID | S_ISGID) : ~(mode_t)0;
	const struct {
		const char *name;
		uint64_t m, s;
	} fields[] = {
		{"mode", m->st_mode & mode, s->st_mode & mode},
		{"uid", m->st_uid, s->st_uid},
		{"gid", m->st_gid, s->st_gid},       {"nlink", m->st_nlink, s->st_nlink},
		{"rdev", m->st_rdev, s->st_rdev},    {"size", (uint64_t)m->st_size, (uint64_t)s->st_size},
		{"blksize", (uint64_t)m->st_blksize, (uint64_t)s->st_blksize},
	};

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].m != fields[i].s)
			return differ(why, "%s of %s is %#llx on tmpfs, %#llx on ksmfs", fields[i].name, what,
				      (unsigned long long)fields[i].m, (unsigned long long)fields[i].s);
	why->may_settle = !same_blocks(model, m, s);
	if (why->may_settle)
		return differ(why, "blocks of %s are %lld on tmpfs, %lld on ksmfs", what, (long long)m->st_blocks,
			      (long long)s->st_blocks);
	if (!same_time(&m->st_mtim, &s->st_mtim) && !(taint & TAINT_TIMES))
		return differ(why, "mtime of %s is %lld.%09ld on tmpfs, %lld.%09ld on ksmfs", what,
			      (long long)m->st_mtim.tv_sec, m->st_mtim.tv_nsec, (long long)s->st_mtim.tv_sec,
			      s->st_mtim.tv_nsec);
	if (!same_time(&m->st_atim, &s->st_atim) && !(taint & TAINT_TIMES))
		return differ(why, "atime of %s is %lld.%09ld on tmpfs, %lld.%09ld on ksmfs", what,
			      (long long)m->st_atim.tv_sec, m->st_atim.tv_nsec, (long long)s->st_atim.tv_sec,
			      s->st_atim.tv_nsec);
	return true;
}

static bool moved(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec || a->tv_nsec != b->tv_nsec;
}

static bool same_moves(const struct stat before[static 2], const struct stat after[static 2], const char *what,
		       struct why *why)
{
	bool change[2], modification[2];

	for (unsigned i = 0; i < 2; i++) {
		if (!side_is_same(&before[i], &after[i]))
			return true; /* another one by now: what it was before is not known */
		change[i] = moved(&before[i].st_ctim, &after[i].st_ctim);
		modification[i] = moved(&before[i].st_mtim, &after[i].st_mtim);
	}
	if (change[0] != change[1])
		return differ(why, "ctime of %s is moved by %s only", what, change[0] ? "tmpfs" : "ksmfs");
	if (modification[0] != modification[1])
		return differ(why, "mtime of %s is moved by %s only", what, modification[0] ? "tmpfs" : "ksmfs");
	return true;
}

bool same_watched(const struct side sides[static 2], const struct op *op, const struct watch before[static 2],
		  const struct watch after[static 2], struct why *why)
{
	static const char *const what[WATCHED] = {"path", "the directory of path", "path2", "the directory of path2",
						  "the open file", "the other file"};

	for (unsigned i = 0; i < WATCHED; i++) {
		const struct stat b[] = {before[0].st[i], before[1].st[i]}, a[] = {after[0].st[i], after[1].st[i]};

		if (after[0].err[i] != after[1].err[i])
			return differ(why, "%s: %s on tmpfs, %s on ksmfs", what[i], strerror(after[0].err[i]),
				      strerror(after[1].err[i]));
		if (after[0].err[i])
			continue;
		if (!same_attributes(&sides[0], &sides[1], &a[0], &a[1], what[i], why))
			return false;
		if (op->tick && !before[0].err[i] && !before[1].err[i] &&
		    !(*side_taint(&sides[0], &a[0]) & TAINT_TIMES) && !same_moves(b, a, what[i], why))
			return false;
	}
	return true;
}
