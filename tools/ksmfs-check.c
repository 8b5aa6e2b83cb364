/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ksmfs-check - look at a mount from outside, as its next owner would.
 *
 * The worker is stopped for the time of the look; both memfds are mapped as private copies, names.db is
 * copied, and a volume is opened on them: what is derived is rebuilt from what is there, then every
 * invariant is checked, and the figures are compared with those the mount itself showed.  Nothing is
 * changed in the mount.  A process of our own sees to it that the worker goes on, even if we are killed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ksmfs/control.h>

#include "core/volume.h"

enum { EXIT_CLEAN = 0, EXIT_VIOLATIONS = 1, EXIT_TROUBLE = 2, TRIES = 5 };

struct mount {
	char path[PATH_MAX]; /* of the mount point, absolute */
	char databases[PATH_MAX];
	pid_t worker;
	int frames_fd, inodes_fd;
};

static _Noreturn void die(const char *what, const char *of)
{
	fprintf(stderr, "ksmfs-check: %s: %s: %s\n", of, what, strerror(errno));
	exit(EXIT_TROUBLE);
}

static bool read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* --- the mount as it shows itself ---------------------------------------------------------------- */

static void read_stats(const struct mount *m, int64_t ret[ATTRS])
{
	char path[PATH_MAX + 16], buf[16384];

	snprintf(path, sizeof(path), "%s/" KSMFS_STATS, m->path);
	buf[0] = '\n'; /* so that every name is behind one */
	if (!read_text(path, buf + 1, sizeof(buf) - 1))
		die("not a ksmfs mount, or its control files are hidden from you (control=none?)", m->path);
	for (unsigned a = 0; a < ATTRS; a++) {
		char key[128];
		const char *at;

		snprintf(key, sizeof(key), "\n%s ", attr_rows[a].path);
		at = strstr(buf, key);
		ret[a] = at ? strtoll(at + strlen(key), NULL, 10) : 0;
	}
}

static void find_databases(struct mount *m)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/" KSMFS_INDEX_DIRECTORY, m->path);
	if (!read_text(path, m->databases, sizeof(m->databases)))
		die("cannot tell where its databases are", m->path);
	m->databases[strcspn(m->databases, "\n")] = '\0';
}

static bool is_worker_of(const char *pid, const char *mountpoint)
{
	static const char name[] = "ksmfs-worker ";
	char path[64], cmdline[PATH_MAX + 64] = "";

	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	if (!read_text(path, cmdline, sizeof(cmdline)))
		return false;
	cmdline[strlen("ksmfs-worker")] = ' '; /* the arguments are apart by NUL, or by a space */
	return !strncmp(cmdline, name, strlen(name)) && !strcmp(cmdline + strlen(name), mountpoint);
}

static void find_worker(struct mount *m)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && !m->worker && (d = readdir(proc)))
		if (*d->d_name >= '1' && *d->d_name <= '9' && is_worker_of(d->d_name, m->path))
			m->worker = (pid_t)strtol(d->d_name, NULL, 10);
	if (proc)
		closedir(proc);
	if (!m->worker) {
		errno = ESRCH;
		die("its worker", m->path);
	}
}

static int open_memfd(const struct mount *m, const char *name)
{
	char dir[64], path[PATH_MAX], target[256];
	DIR *fds;
	struct dirent *d;
	int found = -1;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)m->worker);
	fds = opendir(dir);
	while (fds && found < 0 && (d = readdir(fds))) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[MAX(n, (ssize_t)0)] = '\0';
		if (!strncmp(target, "/memfd:", 7) && !strncmp(target + 7, name, strlen(name)))
			found = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fds)
		closedir(fds);
	if (found < 0)
		die(name, m->path);
	return found;
}

/* --- standing still ----------------------------------------------------------------------------- */

static bool all_stopped(pid_t pid)
{
	char dir[64], path[PATH_MAX], stat[512];
	struct dirent *d;
	bool stopped = true;
	DIR *tasks;

	snprintf(dir, sizeof(dir), "/proc/%d/task", (int)pid);
	tasks = opendir(dir);
	while (tasks && stopped && (d = readdir(tasks))) {
		const char *state;

		snprintf(path, sizeof(path), "%s/%s/stat", dir, d->d_name);
		if (*d->d_name == '.' || !read_text(path, stat, sizeof(stat)))
			continue;
		state = strrchr(stat, ')');
		stopped = state && (state[2] == 'T' || state[2] == 't');
	}
	if (tasks)
		closedir(tasks);
	return stopped;
}

/* The end of the pipe is in our hands only: when it closes, however we end, the worker goes on. */
static int stop_worker(pid_t worker, pid_t *ret_guard)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe", "self");
	*ret_guard = fork();
	if (*ret_guard < 0)
		die("fork", "self");
	if (!*ret_guard) {
		char c;

		close(ends[1]);
		setsid();
		while (read(ends[0], &c, 1) < 0)
			;
		_exit(kill(worker, SIGCONT) < 0);
	}
	close(ends[0]);
	if (kill(worker, SIGSTOP) < 0)
		die("cannot be stopped", "the worker");
	while (!all_stopped(worker))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return ends[1];
}

static void go_on(int guard_fd, pid_t guard)
{
	close(guard_fd);
	waitpid(guard, NULL, 0);
}

/* --- the look ----------------------------------------------------------------------------------- */

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
	char from[PATH_MAX + 32], to[PATH_MAX + 32];
	int in, out;

	snprintf(from, sizeof(from), "%s/%s", from_dir, name);
	snprintf(to, sizeof(to), "%s/%s", to_dir, name);
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0 && errno == ENOENT)
		return;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		die("cannot be copied", from);
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	close(in);
	close(out);
}

static void remove_copies(const char *dir)
{
	static const char *const names[] = { "names.db", "names.db-wal", "names.db-shm" };
	char path[PATH_MAX];

	for (unsigned n = 0; n < ARRAY_SIZE(names); n++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[n]);
		unlink(path);
	}
	rmdir(dir);
}

static void tell(void *arg, const char *violation)
{
	(void)arg;
	printf("%s\n", violation);
}

/* While the worker stands still: violations, and the figures as they follow from what is there. */
static int look(const struct mount *m, const char *dir, int64_t ret_stats[ATTRS])
{
	const struct volume_config config = {
		.frames_fd = m->frames_fd, .inodes_fd = m->inodes_fd, .dir = dir,
		.size_pages = UINT32_MAX, .nr_inodes = 1 << 26, .copy = true,
	};
	struct volume *v;
	int r = volume_open(&config, &v);

	if (r < 0)
		return r;
	r = volume_check(v, tell, NULL);
	volume_stats(v, ret_stats);
	volume_close(v);
	return r;
}

static int stopped_look(const struct mount *m, int64_t ret_stats[ATTRS])
{
	char dir[] = "/tmp/ksmfs-check.XXXXXX";
	pid_t guard;
	int r, fd;

	if (!mkdtemp(dir))
		die(dir, "a private directory");
	fd = stop_worker(m->worker, &guard);
	copy_file(m->databases, dir, "names.db");
	copy_file(m->databases, dir, "names.db-wal");
	r = look(m, dir, ret_stats);
	go_on(fd, guard);
	remove_copies(dir);
	return r;
}

/* What a slot's content is known to be depends on an index that only the worker has; the sum does not. */
static int64_t alone(const int64_t stats[ATTRS])
{
	return stats[ATTR_pages_unshared] + stats[ATTR_pages_volatile] + stats[ATTR_pages_untracked];
}

static const enum attr compared[] = { ATTR_pages_shared, ATTR_pages_sharing, ATTR_ksm_zero_pages,
				      ATTR_store_data_pages, ATTR_store_reserved_pages,
				      ATTR_store_table_frames };

static bool same_figures(const int64_t a[ATTRS], const int64_t b[ATTRS], bool say)
{
	bool same = alone(a) == alone(b);

	if (!same && say)
		printf("slots alone on a frame: the mount says %" PRId64 " and there are %" PRId64 "\n",
		       alone(a), alone(b));
	for (unsigned n = 0; n < ARRAY_SIZE(compared); n++) {
		enum attr attr = compared[n];

		if (a[attr] == b[attr])
			continue;
		same = false;
		if (say)
			printf("%s: the mount says %" PRId64 " and there are %" PRId64 "\n",
			       attr_rows[attr].path, a[attr], b[attr]);
	}
	return same;
}

/* Counters that grow with whatever can change the figures: if none has, nothing did. */
static bool nothing_happened(const int64_t before[ATTRS], const int64_t after[ATTRS])
{
	static const enum attr telling[] = { ATTR_store_pages_written, ATTR_store_pages_removed,
					     ATTR_scan_merged, ATTR_scan_indexed };

	for (unsigned n = 0; n < ARRAY_SIZE(telling); n++)
		if (before[telling[n]] != after[telling[n]])
			return false;
	return same_figures(before, after, false); /* reservations */
}

static int check_mount(const char *mountpoint)
{
	struct mount m = { .worker = 0 };
	int64_t before[ATTRS], found[ATTRS], after[ATTRS];
	bool quiet = false, same;
	int r = 0;

	if (!realpath(mountpoint, m.path))
		die("mount point", mountpoint);
	read_stats(&m, before);
	find_databases(&m);
	find_worker(&m);
	m.frames_fd = open_memfd(&m, "ksmfs-frames");
	m.inodes_fd = open_memfd(&m, "ksmfs-inodes");
	for (unsigned n = 0; n < TRIES && !r && !quiet; n++) {
		read_stats(&m, before);
		r = stopped_look(&m, found);
		read_stats(&m, after);
		quiet = nothing_happened(before, after);
	}
	if (r < 0) {
		errno = -r;
		die("cannot be taken over", mountpoint);
	}
	same = !quiet || same_figures(before, found, true);
	if (!quiet)
		fprintf(stderr, "ksmfs-check: %s is busy: its figures were not compared\n", mountpoint);
	if (!r && same)
		printf("ok\n");
	return r || !same ? EXIT_VIOLATIONS : EXIT_CLEAN;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("ksmfs-check %s\n", KSMFS_VERSION);
		return 0;
	}
	if (argc != 2 || argv[1][0] == '-') {
		printf("usage: ksmfs-check MOUNTPOINT\n\n"
		       "Look at a ksmfs mount from outside and check every invariant; prints what is wrong,\n"
		       "or \"ok\".  Needs root.  The mount stands still for as long as it takes.\n");
		return argc == 2 && !strcmp(argv[1], "--help") ? 0 : EXIT_TROUBLE;
	}
	return check_mount(argv[1]);
}
