/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/tops.c - directories in the root: what is done with their names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tops_inside.h"

enum { KILLS_IN_A_ROW = 7 };

const char *const limit_names[] = {"trusted.ksmfs.size", "trusted.ksmfs.inodes"};

/* --- who is where ------------------------------------------------------------------------------ */

const char *top_name(unsigned n)
{
	static const char *const names[TOPS] = {"t0", "t1", "t2"};

	return names[n];
}

int top_open_name(const struct side *s, const char *name)
{
	char path[16];

	snprintf(path, sizeof(path), "%.2s/.", name);
	return openat(s->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
}

int top_open(const struct side *s, unsigned n)
{
	return top_open_name(s, top_name(n));
}

void top_body(const struct side *s, const char *name, char body[static PATH_BYTES])
{
	char target[40];
	ssize_t len = readlinkat(s->root, name, target, sizeof(target) - 1);

	target[len < 0 ? 0 : len] = '\0';
	snprintf(body, PATH_BYTES, "%s/names/%s", s->world->mounts[0], target);
}

bool top_limit(int dir, enum limit which, char text[static TEXT_BYTES])
{
	ssize_t len = fgetxattr(dir, limit_names[which], text, TEXT_BYTES - 1);

	text[len < 0 ? 0 : len] = '\0';
	return len >= 0;
}

bool top_is_tenant(int dir)
{
	char text[TEXT_BYTES];

	return top_limit(dir, SIZE, text) || top_limit(dir, INODES, text);
}

bool top_is_empty(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned count = 0;

	while (d && readdir(d))
		count++;
	if (d)
		closedir(d);
	return count == 2;
}

bool top_is_guarded(int dir)
{
	int flags = 0;

	return ioctl(dir, FS_IOC_GETFLAGS, &flags) == 0 && (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL));
}

void top_let_go(struct side *s, int dir)
{
	bool is_tenant = top_is_tenant(dir);
	struct stat st, open;

	for (unsigned i = 0; i < OP_FDS; i++)
		if (fstat(dir, &st) == 0 && fstat(s->fds[i], &open) == 0 &&
		    (side_is_same(&st, &open) || (!is_tenant && !open.st_nlink))) {
			close(s->fds[i]);
			s->fds[i] = -1;
		}
}

/* --- names in the root ------------------------------------------------------------------------------- */

void top_forget_gone(struct side *s)
{
	unsigned left = 0;

	for (unsigned n = 0; n < s->gone_count; n++)
		if (top_is_alone(s->gone[n]))
			close(s->gone[n]);
		else
			s->gone[left++] = s->gone[n];
	s->gone_count = left;
}

/* A name's directory of the model ends, with what is mounted there; `dir` is closed. */
static void end_body(struct side *s, const char *name, int dir)
{
	char body[PATH_BYTES];

	top_body(s, name, body);
	top_forget_gone(s);
	if (top_is_tenant(dir) && !top_is_alone(dir)) {
		must(s->gone_count < TOPS_GONE);
		s->gone[s->gone_count++] = dir;
	} else {
		close(dir);
	}
	while (umount2(body, MNT_DETACH) == 0)
		;
	must(rmdir(body) == 0);
}

static int make_top(struct side *s, const char *name, unsigned mode)
{
	char target[40], body[PATH_BYTES];
	int dir;

	if (!s->is_model)
		return mkdirat(s->root, name, mode);
	snprintf(target, sizeof(target), "../bodies/%u", s->made);
	if (symlinkat(target, s->root, name) < 0)
		return -1;
	s->made++;
	top_body(s, name, body);
	must(mkdir(body, mode) == 0);
	dir = top_open_name(s, name);
	if (s->world->apart) /* nobody shares anything with it */
		top_make_mount(body, &dir);
	return close(dir);
}

/* Most of them get a limit, or both: only what is empty can. */
void do_top_mkdir(struct side *s, const struct op *op, struct seen *ret)
{
	char name[3] = {op->path[0], op->path[1]};
	int dir, r[2] = {0, 0};

	seen_result(ret, make_top(s, name, op->mode));
	if (ret->result < 0)
		return;
	dir = top_open_name(s, name);
	for (unsigned n = SIZE; n <= INODES; n++)
		if (op->flags >> n & 1)
			r[n] = top_set_limit(s, name, &dir, n, op->len >> (3 * n)) < 0 ? errno : 0;
	seen_bytes(ret, r, sizeof(r));
	close(dir);
}

static int model_rmdir(struct side *s, const char *name, int dir)
{
	errno = top_is_guarded(dir) ? EPERM : !top_is_empty(dir) ? ENOTEMPTY : 0;
	if (errno) {
		close(dir);
		return -1;
	}
	end_body(s, name, dir);
	return unlinkat(s->root, name, 0);
}

int top_begin(struct side *s, const struct op *op, bool emptied, char name[static 3], struct seen *ret)
{
	int dir;

	snprintf(name, 3, "%.2s", op->path);
	dir = top_open_name(s, name);
	if (dir < 0) {
		seen_result(ret, -1);
		return -1;
	}
	top_let_go(s, dir);
	if (emptied)
		tree_remove(dir);
	return dir;
}

void do_top_rmdir(struct side *s, const struct op *op, struct seen *ret)
{
	char name[3];
	int dir = top_begin(s, op, op->flags & 3, name, ret);

	if (dir < 0)
		return;
	if (s->is_model) {
		seen_result(ret, model_rmdir(s, name, dir));
		return;
	}
	close(dir); /* who has it open keeps its record */
	seen_result(ret, unlinkat(s->root, name, AT_REMOVEDIR));
}

static int model_rename(struct side *s, const char *from, const char *to, unsigned flags, int dir, int dir2)
{
	bool over = dir2 >= 0 && !(flags & RENAME_EXCHANGE);

	errno = dir < 0 || (flags & RENAME_EXCHANGE && dir2 < 0) ? ENOENT :
		flags & RENAME_NOREPLACE && dir2 >= 0 ? EEXIST : 0;
	if (errno)
		return -1;
	if (strcmp(from, to) == 0)
		return 0;
	errno = top_is_guarded(dir) || (dir2 >= 0 && top_is_guarded(dir2)) ? EPERM :
		over && !top_is_empty(dir2) ? ENOTEMPTY : 0;
	if (errno)
		return -1;
	if (over)
		end_body(s, to, dup(dir2));
	return renameat2(s->root, from, s->root, to, flags);
}

void do_top_rename(struct side *s, const struct op *op, struct seen *ret)
{
	static const unsigned choices[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
	char from[3] = {op->path[0], op->path[1]}, to[3] = {op->path2[0], op->path2[1]};
	unsigned flags = choices[op->flags % 4];
	int dir = top_open_name(s, from), dir2 = top_open_name(s, to);

	if (dir2 >= 0)
		top_let_go(s, dir2);
	if (s->is_model)
		seen_result(ret, model_rename(s, from, to, flags, dir, dir2));
	else
		seen_result(ret, renameat2(s->root, from, s->root, to, flags));
	if (dir >= 0)
		close(dir);
	if (dir2 >= 0)
		close(dir2);
}

/* --- another worker --------------------------------------------------------------------------------- */

static bool read_text(const char *pid, const char *file, char text[static PATH_BYTES])
{
	char path[PATH_BYTES];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, file);
	f = fopen(path, "r");
	if (f) {
		n = fread(text, 1, PATH_BYTES - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	for (size_t i = 0; i + 1 < n; i++) /* words of a command line */
		text[i] = text[i] ? text[i] : ' ';
	return n;
}

static bool is_worker_of(const char *pid, const char *mount)
{
	char text[PATH_BYTES];
	size_t len;

	if (!read_text(pid, "comm", text) || strcmp(text, "ksmfs-worker\n") != 0 || !read_text(pid, "cmdline", text))
		return false;
	len = strlen(text);
	return len > strlen(mount) && strcmp(text + len - strlen(mount), mount) == 0;
}

/* The worker is killed, and the next one answers.  Not too often in a row, or no other is started. */
void do_takeover(struct side *s, const struct op *op, struct seen *ret)
{
	static unsigned in_a_row;
	static time_t last;
	struct statvfs st;
	DIR *proc;

	seen_result(ret, 0);
	if (s->is_model)
		return;
	in_a_row = time(NULL) > last + 2 ? 0 : in_a_row + 1;
	if (in_a_row > KILLS_IN_A_ROW)
		return;
	last = time(NULL);
	proc = opendir("/proc");
	for (struct dirent *e; proc && (e = readdir(proc));)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_worker_of(e->d_name, s->world->mounts[1]))
			kill((pid_t)strtol(e->d_name, NULL, 10), SIGKILL);
	if (proc)
		closedir(proc);
	seen_result(ret, statvfs(s->world->mounts[1], &st));
}

/* --- a sequence ------------------------------------------------------------------------------------- */

static int make_root(const struct world *w)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/bodies", w->mounts[0]);
	if (mkdir(path, 0755) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/names", w->mounts[0]);
	if (mkdir(path, 0755) < 0)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool tops_open(struct side *s, const struct world *w, unsigned n, struct why *why)
{
	int root = n == 0 ? make_root(w) : open(w->mounts[n], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return differ(why, "%s: %s", w->mounts[n], strerror(errno));
	side_open(s, w, root, n == 0);
	return true;
}

void tops_close(struct side *s)
{
	const struct world *w = s->world;
	char path[PATH_BYTES];

	for (unsigned n = 0; n < TOPS; n++) {
		struct op op = {.kind = OP_top_rmdir, .flags = 1};

		snprintf(op.path, sizeof(op.path), "%s/.", top_name(n));
		side_do(s, &op);
	}
	for (unsigned n = 0; n < s->gone_count; n++)
		close(s->gone[n]);
	s->gone_count = 0;
	if (!s->is_model)
		return;
	snprintf(path, sizeof(path), "%s/names", w->mounts[0]);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/bodies", w->mounts[0]);
	rmdir(path);
}
