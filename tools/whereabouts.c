/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/whereabouts.c - from /proc alone.
 *
 * Which processes belong to a mount, they say themselves: by their command line.  Which directory is theirs, by the
 * lock file that the supervisor holds open: DIR.lock beside it, or ksmfs.lock in it (index=).
 */
#include "tools/whereabouts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char super_title[] = "ksmfs-super";
static const char given_lock[] = "/ksmfs.lock", lock_suffix[] = ".lock";

/* --- mounts -------------------------------------------------------------------------------------- */

/* As the kernel writes them: \040 for a space. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		char octal[4] = "";

		if (*s == '\\' && strlen(s) > 3) {
			memcpy(octal, s + 1, 3);
			*to++ = (char)strtoul(octal, NULL, 8);
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

struct mounted {
	char *at, *type;
	uid_t owner;
};

/* One line: where it is mounted, what, and by whom (FUSE). */
static bool parse_mount(char *line, struct mounted *ret)
{
	const char *owner = strstr(line, "user_id=");
	char *dash = strstr(line, " - "), *at = line, *save;

	for (unsigned n = 0; n < 4 && at; n++)
		at = strchr(at + 1, ' ');
	if (!dash || !at)
		return false;
	ret->owner = owner ? (uid_t)strtoul(owner + strlen("user_id="), NULL, 10) : 0;
	ret->type = strtok_r(dash + 3, " \n", &save);
	ret->at = strtok_r(at, " ", &save);
	if (!ret->type || !ret->at)
		return false;
	unescape(ret->at);
	return true;
}

static bool lies_in(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (len == 1 || !path[len] || path[len] == '/');
}

/* The type of the topmost mount that `path` lies in (`exact`: that is mounted there); false: there is none. */
static bool mount_type(const char *path, bool exact, char ret_type[64], uid_t *ret_owner)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t size = 0, longest = 0;
	char *line = NULL;
	bool found = false;
	struct mounted m;

	while (f && getline(&line, &size, f) > 0) {
		if (!parse_mount(line, &m) || (exact ? strcmp(m.at, path) != 0 : !lies_in(path, m.at)) ||
		    strlen(m.at) < longest)
			continue;
		longest = strlen(m.at);
		*ret_owner = m.owner;
		snprintf(ret_type, 64, "%.63s", m.type);
		found = true;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

static bool is_ksmfs(const char *path, uid_t *ret_owner)
{
	char type[64];

	return mount_type(path, true, type, ret_owner) && !strcmp(type, "fuse.ksmfs");
}

bool whereabouts_is_fuse(const char *path)
{
	char type[64];
	uid_t owner;

	return mount_type(path, false, type, &owner) && !strncmp(type, "fuse", 4);
}

/* --- processes ----------------------------------------------------------------------------------- */

typedef bool visit_process(void *arg, pid_t pid); /* true: that was it */

static pid_t find_process(visit_process *visit, void *arg)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	pid_t found = 0;

	while (proc && !found && (d = readdir(proc))) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

		if (pid > 0 && visit(arg, pid))
			found = pid;
	}
	if (proc)
		closedir(proc);
	return found;
}

static ssize_t read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (fd >= 0)
		close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

/* Its role and the mount point are apart by NUL, or by a space.  A command line is read under a lock of its process's
 * memory, and who uses a mount may hold that until the mount answers: nobody else is asked for his. */
static bool is_supervisor(pid_t pid, const char **ret_mountpoint, char *buf, size_t size)
{
	size_t len = sizeof(super_title) - 1;

	if (read_proc(pid, "comm", buf, size) != (ssize_t)len + 1 || strncmp(buf, super_title, len) != 0)
		return false;
	if (read_proc(pid, "cmdline", buf, size) <= (ssize_t)len || strncmp(buf, super_title, len) != 0 ||
	    (buf[len] && buf[len] != ' '))
		return false;
	*ret_mountpoint = buf + len + 1;
	return true;
}

struct wanted {
	const char *what; /* a mount point, or a directory of databases */
	uid_t owner;
};

/* What a descriptor is open on, as a path; false at the end of them. */
static bool next_link(DIR *fds, const char *dir, char ret_path[PATH_MAX], char ret_target[PATH_MAX])
{
	struct dirent *d;

	while ((d = readdir(fds))) {
		ssize_t n;

		if (snprintf(ret_path, PATH_MAX, "%s/%s", dir, d->d_name) >= PATH_MAX)
			continue;
		n = readlink(ret_path, ret_target, PATH_MAX - 1);
		if (n < 0)
			continue;
		ret_target[n] = '\0';
		return true;
	}
	return false;
}

/* Its descriptor of the memfd of that name, as a path. */
static int find_memfd(pid_t pid, const char *name, char ret_path[PATH_MAX])
{
	char dir[64], target[PATH_MAX];
	size_t len = strlen(name);
	bool found = false;
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	fds = opendir(dir);
	if (!fds)
		return -errno;
	while (!found && next_link(fds, dir, ret_path, target)) {
		/* with noswap it is a file on a tmpfs that is mounted nowhere */
		const char *called = target + (!strncmp(target, "/memfd:", 7) ? 7 : target[0] == '/');

		found = !strncmp(called, name, len) && (!called[len] || called[len] == ' '); /* " (deleted)" */
	}
	closedir(fds);
	return found ? 0 : -ENOENT;
}

/* Anybody can have a process with our name and title, and have it become root (by sudo, say), but not memory that root
 * has made. */
static bool holds_memory(pid_t pid, uid_t owner)
{
	char path[PATH_MAX];
	struct stat st;

	return find_memfd(pid, "ksmfs-frames", path) == 0 && stat(path, &st) == 0 && st.st_uid == owner;
}

static bool supervises(void *arg, pid_t pid)
{
	const struct wanted *w = arg;
	char buf[PATH_MAX + 64];
	const char *at;

	return is_supervisor(pid, &at, buf, sizeof(buf)) && !strcmp(at, w->what) && holds_memory(pid, w->owner);
}

/* The directory whose lock file this is. */
static bool is_lock(const char *target, char ret_dir[PATH_MAX])
{
	size_t len = strlen(target), suffix = sizeof(lock_suffix) - 1, given = sizeof(given_lock) - 1;

	if (len > given && !strcmp(target + len - given, given_lock))
		len -= given;
	else if (len > suffix && !strcmp(target + len - suffix, lock_suffix))
		len -= suffix;
	else
		return false;
	memcpy(ret_dir, target, len);
	ret_dir[len] = '\0';
	return true;
}

static bool find_directory(pid_t pid, char ret[PATH_MAX])
{
	char dir[64], path[PATH_MAX], target[PATH_MAX];
	bool found = false;
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	fds = opendir(dir);
	while (fds && !found && next_link(fds, dir, path, target))
		found = is_lock(target, ret);
	if (fds)
		closedir(fds);
	return found;
}

static bool holds(void *arg, pid_t pid)
{
	const struct wanted *w = arg;
	char buf[PATH_MAX + 64], dir[PATH_MAX];
	const char *at;

	return is_supervisor(pid, &at, buf, sizeof(buf)) && holds_memory(pid, w->owner) && find_directory(pid, dir) &&
	       !strcmp(dir, w->what);
}

/* 0 where it is not to be seen. */
static pid_t parent_of(pid_t pid, char *ret_state)
{
	char text[512];
	const char *after;

	if (read_proc(pid, "stat", text, sizeof(text)) < 0)
		return 0;
	after = strrchr(text, ')'); /* of the command: then come state and parent */
	if (!after || strlen(after) < 5)
		return 0;
	*ret_state = after[2];
	return (pid_t)strtol(after + 4, NULL, 10);
}

struct children {
	pid_t parent;
	unsigned count;
	pid_t *pid;
};

static bool uses_the_mount(pid_t pid)
{
	char name[32];

	(void)read_proc(pid, "comm", name, sizeof(name));
	return !strcmp(name, "ksmfs-notify\n") || !strcmp(name, "ksmfs-umount\n");
}

static bool add_child(void *arg, pid_t pid)
{
	struct children *c = arg;
	char state = 'X';

	if (parent_of(pid, &state) == c->parent && state != 'Z' && state != 'X' && c->count < WORKERS_MAX &&
	    !uses_the_mount(pid))
		c->pid[c->count++] = pid;
	return false;
}

/* Its children have its title until they give themselves another. */
static pid_t find_supervisor(visit_process *visit, const char *what, uid_t owner)
{
	struct wanted w = { what, owner };
	pid_t found = find_process(visit, &w), parent;
	char state;

	parent = found ? parent_of(found, &state) : 0;
	return parent && visit(&w, parent) ? parent : found;
}

unsigned whereabouts_workers(pid_t supervisor, pid_t ret[WORKERS_MAX])
{
	struct children c = { .parent = supervisor, .pid = ret };

	(void)find_process(add_child, &c);
	return c.count;
}

int whereabouts_memfd(pid_t pid, const char *name, int *ret_fd)
{
	char path[PATH_MAX];
	int fd, r = find_memfd(pid, name, path);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	*ret_fd = fd;
	return 0;
}

/* ------------------------------------------------------------------------------------------------- */

/* Following links, but not looking at what is mounted there: with a slash at its end, it would be. */
static int resolve(const char *arg, char ret[PATH_MAX])
{
	char path[PATH_MAX];
	size_t len = strlen(arg);

	if (len >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, arg, len + 1);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	return realpath(path, ret) ? 0 : -errno;
}

static int find_by_directory(const char *dir, struct whereabouts *w)
{
	char path[PATH_MAX], buf[PATH_MAX + 64];
	const char *at;
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/names.db", dir) >= PATH_MAX || stat(path, &st) < 0)
		return -ENOTDIR;
	memcpy(w->databases, dir, strlen(dir) + 1);
	w->supervisor = find_supervisor(holds, dir, st.st_uid);
	if (w->supervisor && is_supervisor(w->supervisor, &at, buf, sizeof(buf)) && strlen(at) < PATH_MAX)
		memcpy(w->mountpoint, at, strlen(at) + 1);
	return 0;
}

int whereabouts_find(const char *arg, struct whereabouts *ret)
{
	char path[PATH_MAX];
	uid_t owner;
	int r = resolve(arg, path);

	*ret = (struct whereabouts){ .supervisor = 0 };
	if (r < 0)
		return r;
	if (!is_ksmfs(path, &owner))
		return find_by_directory(path, ret);
	memcpy(ret->mountpoint, path, strlen(path) + 1);
	ret->supervisor = find_supervisor(supervises, path, owner);
	return ret->supervisor && find_directory(ret->supervisor, ret->databases) ? 0 : -ESRCH;
}
