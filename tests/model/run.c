/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/run.c - a sequence of operations on both sides. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "tops.h"

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* Times come from a clock that ticks: wait until it does.  Twice: a tick that is late is behind the finer times that
 * tmpfs gives, too. */
static void await_ticks(void)
{
	struct timespec last, now;

	clock_gettime(CLOCK_REALTIME_COARSE, &last);
	for (unsigned ticks = 0; ticks < 2;) {
		sleep_ms(1);
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		ticks += now.tv_sec != last.tv_sec || now.tv_nsec != last.tv_nsec;
		last = now;
	}
}

/* --- what is used of the mounts --------------------------------------------------------------- */

/* The space of a removed file is free a moment after, not before (README, Known differences): wait for it. */
static bool same_use(const struct world *w, struct side sides[static 2], struct why *why)
{
	struct statvfs st[2];

	if (w->tops)
		return tops_same_use(sides, why);
	if (!w->full)
		return true;
	for (unsigned tries = 0; tries < 1000; tries++) {
		for (unsigned i = 0; i < 2; i++)
			if (statvfs(w->mounts[i], &st[i]) < 0)
				return differ(why, "statvfs: %s", strerror(errno));
		if (st[0].f_bfree == st[1].f_bfree && st[0].f_ffree == st[1].f_ffree)
			return true;
		if (tries > 10)
			sleep_ms(2);
	}
	return differ(why, "free are %lu blocks and %lu inodes on tmpfs, %lu and %lu on ksmfs", (unsigned long)st[0].f_bfree,
		      (unsigned long)st[0].f_ffree, (unsigned long)st[1].f_bfree, (unsigned long)st[1].f_ffree);
}

/* --- one operation ---------------------------------------------------------------------------- */

static const char *error_name(int err)
{
	return err == SEEN_SIGBUS ? "SIGBUS" : err ? strerrorname_np(err) : "no error";
}

/* Who has a file open to store into it may have done so where ksmfs lent a hole: it says "data" then. */
static bool same_seek(const struct side sides[static 2], const struct op *op, const struct seen seen[static 2])
{
	struct stat st;

	return op->kind == OP_lseek && side_is_seek(op) && fstat(sides[0].fds[op->fd], &st) == 0 &&
	       !side_knows_holes(&sides[0], &st) && (seen[1].err == ENXIO || seen[1].result >= op->off);
}

static bool is_guarded(int at, const char *path, int flags)
{
	struct statx st;

	return statx(at, path, flags | AT_EMPTY_PATH, 0, &st) == 0 &&
	       (st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND));
}

/* A path, what it leads to, or the directory that it is in. */
static bool is_way_guarded(int root, const char *path)
{
	char parent[OP_PATH_BYTES], self[OP_PATH_BYTES];
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	snprintf(self, sizeof(self), "%.*s", (int)len, path);
	snprintf(parent, sizeof(parent), "%s", self);
	*(strrchr(parent, '/') ? strrchr(parent, '/') : parent) = '\0';
	return *path && (is_guarded(root, self, AT_SYMLINK_NOFOLLOW) || is_guarded(root, self, 0) ||
			 is_guarded(root, parent, 0));
}

/* What chattr forbids the daemon refuses.  Where two errors apply the kernel has told its own before; what it can
 * answer alone, it does: access(2), and a copy of nothing (README, Known differences). */
static bool same_refusal(const struct side sides[static 2], const struct op *op, const struct seen seen[static 2])
{
	bool alone = seen[1].result == 0 && (op->kind == OP_access || op->kind == OP_copy_file_range);

	if (seen[0].err != EPERM || (seen[1].result >= 0 && !alone))
		return false;
	return is_way_guarded(sides[0].root, op->path) || is_way_guarded(sides[0].root, op->path2) ||
	       is_guarded(sides[0].fds[op->fd], "", 0) || is_guarded(sides[0].fds[op->fd2], "", 0);
}

/* Between two mounts the kernel looks at nothing else; within one, at names before the daemon is asked. */
static bool same_border(const struct world *w, const struct op *op, const struct seen seen[static 2])
{
	static const int earlier[] = {EXDEV, ENOENT, EEXIST, EACCES, EPERM, ENOTDIR, EISDIR, ENOTEMPTY, EBUSY, EINVAL,
				      ELOOP, ENAMETOOLONG};

	if (!w->tops || seen[0].err != EXDEV || (op->kind != OP_rename && op->kind != OP_link))
		return false;
	for (unsigned n = 0; n < sizeof(earlier) / sizeof(earlier[0]); n++)
		if (seen[1].result < 0 && seen[1].err == earlier[n])
			return true;
	return false;
}

static bool same_seen(const struct world *w, const struct side sides[static 2], const struct op *op,
		      const struct seen seen[static 2], struct why *why)
{
	if ((seen[0].result != seen[1].result || seen[0].err != seen[1].err) && !same_seek(sides, op, seen) &&
	    !same_refusal(sides, op, seen) && !same_border(w, op, seen))
		return differ(why, "%lld (%s) on tmpfs, %lld (%s) on ksmfs", (long long)seen[0].result,
			      error_name(seen[0].err), (long long)seen[1].result, error_name(seen[1].err));
	return seen[0].hash == seen[1].hash || differ(why, "%lld on both, with other bytes", (long long)seen[0].result);
}

/* RELEASE comes after close() returned, and gives back what was only lent. */
static bool settles(const struct side sides[static 2], const struct op *op, const struct watch before[static 2],
		    struct why *why)
{
	struct watch after[2];

	for (unsigned tries = 0; tries < 100; tries++) {
		for (unsigned i = 0; i < 2; i++)
			watch_take(&sides[i], op, &after[i]);
		why->may_settle = false;
		if (same_watched(sides, op, before, after, why))
			return true;
		if (!why->may_settle)
			return false;
		sleep_ms(2);
	}
	return false;
}

static bool tree_settles(struct side sides[static 2], struct why *why)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		why->may_settle = false;
		if (same_tree(sides, why))
			return true;
		if (!why->may_settle)
			return false;
		sleep_ms(2);
	}
	return false;
}

static bool step(const struct world *w, struct side sides[static 2], const struct op *op, struct why *why)
{
	struct watch before[2];
	struct seen seen[2];

	if (op->tick)
		await_ticks();
	for (unsigned i = 0; i < 2; i++) {
		if (op->tick)
			watch_take(&sides[i], op, &before[i]);
		seen[i] = side_do(&sides[i], op);
	}
	return same_seen(w, sides, op, seen, why) && settles(sides, op, before, why) && same_use(w, sides, why) &&
	       (op->kind != OP_figures || !w->full || tops_same_figures(sides, why));
}

/* --- a sequence ------------------------------------------------------------------------------- */

static bool open_sides(const struct world *w, const char *name, struct side sides[static 2], struct why *why)
{
	for (unsigned i = 0; i < 2; i++) {
		char path[4096];
		int root;

		if (w->tops) {
			if (!tops_open(&sides[i], w, i, why))
				return false;
			continue;
		}

		snprintf(path, sizeof(path), "%s/%s", w->mounts[i], name);
		if (mkdir(path, 0755) < 0)
			return differ(why, "%s: %s", path, strerror(errno));
		snprintf(path, sizeof(path), "%s/%s/in", w->mounts[i], name); /* ".." is the same on both, too */
		if (mkdir(path, 0777) < 0 || chmod(path, 0777) < 0)
			return differ(why, "%s: %s", path, strerror(errno));
		root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			return differ(why, "%s: %s", path, strerror(errno));
		side_open(&sides[i], w, root, i == 0);
	}
	return true;
}

static void close_sides(const struct world *w, const char *name, struct side sides[static 2])
{
	for (unsigned i = 0; i < 2; i++) {
		char path[4096];

		if (chdir("/") < 0)
			abort();
		if (w->tops)
			tops_close(&sides[i]);
		else
			tree_remove(sides[i].root);
		side_close(&sides[i]);
		if (w->tops)
			continue;
		snprintf(path, sizeof(path), "%s/%s/in", w->mounts[i], name);
		rmdir(path);
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
}

bool run(const struct world *w, const char *name, const struct op *ops, size_t count, size_t tree_every,
	 size_t *ret_at, struct why *why)
{
	struct side *sides = calloc(2, sizeof(*sides));
	bool same;

	if (!sides)
		abort();
	*ret_at = 0;
	same = open_sides(w, name, sides, why);
	for (size_t i = 0; same && i < count; i++) {
		*ret_at = i;
		same = step(w, sides, &ops[i], why);
		if (same && ((tree_every && i % tree_every == tree_every - 1) || i == count - 1))
			same = tree_settles(sides, why);
	}
	close_sides(w, name, sides);
	if (same && w->tops)
		same = tops_all_gone(w, why);
	else if (same)
		same = same_use(w, sides, why);
	free(sides);
	return same;
}

/* --- smaller ---------------------------------------------------------------------------------- */

static bool still_differs(const struct world *w, const struct op *ops, size_t count)
{
	static unsigned tries;
	struct why why;
	char name[40];
	size_t at;

	snprintf(name, sizeof(name), "minimise.%d.%u", getpid(), tries++);
	return !run(w, name, ops, count, 0, &at, &why);
}

/* Without pieces of half, a quarter, ... one operation. */
size_t minimise(const struct world *w, struct op *ops, size_t count, unsigned seconds)
{
	struct op *fewer = calloc(count, sizeof(*fewer));
	time_t end = time(NULL) + seconds;

	if (!fewer)
		abort();
	for (size_t piece = (count + 1) / 2; piece > 0; piece = piece == 1 ? 0 : (piece + 1) / 2) {
		for (size_t from = 0; from < count && time(NULL) < end;) {
			size_t cut = from + piece < count ? piece : count - from;

			memcpy(fewer, ops, from * sizeof(*ops));
			memcpy(fewer + from, ops + from + cut, (count - from - cut) * sizeof(*ops));
			if (still_differs(w, fewer, count - cut)) {
				count -= cut;
				memcpy(ops, fewer, count * sizeof(*ops));
			} else {
				from += cut;
			}
		}
	}
	free(fewer);
	return count;
}
