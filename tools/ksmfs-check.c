/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ksmfs-check - look at a mount from outside, as its next owner would.
 *
 * The supervisor, which holds the memory, and the worker, if there is one, are stopped for the time of the look;
 * both memfds are mapped as private copies, names.db is copied, and a volume is opened on them: what is derived
 * is rebuilt from what is there, then every invariant is checked, and the figures are compared with those that the
 * mount itself showed, if somebody serves it.  Nothing is changed in the mount, and but for these figures it
 * is not touched by its path.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ksmfs/control.h>

#include "core/log.h"
#include "core/remains.h"
#include "core/volume.h"
#include "tools/standstill.h"

enum { EXIT_CLEAN = 0, EXIT_VIOLATIONS = 1, EXIT_TROUBLE = 2, TRIES = 5, ANSWER_MS = 10000 };

struct mount {
	struct whereabouts at;
	int frames_fd, inodes_fd;
};

static _Noreturn void die(const char *what, const char *of)
{
	fprintf(stderr, "ksmfs-check: %s: %s%s%s\n", of, what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(EXIT_TROUBLE);
}

/* --- the mount as it shows itself ---------------------------------------------------------------- */

static bool parse_stats(const char *text, int64_t ret[ATTRS])
{
	for (unsigned a = 0; a < ATTRS; a++) {
		char key[128];
		const char *at;

		snprintf(key, sizeof(key), "\n%s ", attr_rows[a].path);
		at = strstr(text, key);
		ret[a] = at ? strtoll(at + strlen(key), NULL, 10) : 0;
	}
	return *text && text[1];
}

static _Noreturn void send_stats(const char *mountpoint, int to)
{
	char path[PATH_MAX + 16], buf[16384];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/" KSMFS_STATS, mountpoint);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, buf, sizeof(buf));
	_exit(n > 0 && write(to, buf, (size_t)n) == n ? 0 : 1);
}

/* By a process of its own: should nobody serve the mount any more, it is that one that waits.  False: it cannot be
 * told (in time). */
static bool read_stats(const struct mount *m, int64_t ret[ATTRS])
{
	char buf[16384] = "\n"; /* so that every name is behind one */
	struct pollfd end = { .events = POLLIN };
	ssize_t n = 0;
	int ends[2];
	pid_t child;

	if (!*m->at.mountpoint || !standstill_is_served(m->at.supervisor) || pipe2(ends, O_CLOEXEC) < 0)
		return false;
	child = fork();
	if (!child)
		send_stats(m->at.mountpoint, ends[1]);
	close(ends[1]);
	end.fd = ends[0];
	if (child > 0 && poll(&end, 1, ANSWER_MS) == 1) {
		n = read(ends[0], buf + 1, sizeof(buf) - 2);
		waitpid(child, NULL, 0);
	}
	close(ends[0]);
	return n > 0 && parse_stats(buf, ret);
}

/* --- the look ----------------------------------------------------------------------------------- */

static int copy_file(const char *from_dir, const char *to_dir, const char *name)
{
	char from[PATH_MAX + 64], to[PATH_MAX + 32];
	int in, out, r = 0;
	ssize_t n;

	snprintf(from, sizeof(from), "%s/%s", from_dir, name);
	snprintf(to, sizeof(to), "%s/%s", to_dir, name);
	in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* whose it is may have put anything there */
	if (in < 0)
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		r = -errno;
	while (!r && (n = sendfile(out, in, NULL, 1 << 20)) != 0)
		if (n < 0)
			r = -errno;
	close(in);
	if (out >= 0)
		close(out);
	return r;
}

/* Its tmpfs may be in the daemon's mount namespace only. */
static int copy_names(const struct whereabouts *w, const char *to_dir)
{
	char from[PATH_MAX + 32];
	int r;

	snprintf(from, sizeof(from), "%s", w->databases);
	r = copy_file(from, to_dir, "names.db");
	if (r == -ENOENT && w->supervisor) {
		snprintf(from, sizeof(from), "/proc/%d/root%s", (int)w->supervisor, w->databases);
		r = copy_file(from, to_dir, "names.db");
	}
	if (r < 0)
		return r;
	r = copy_file(from, to_dir, "names.db-wal");
	return r == -ENOENT ? 0 : r; /* there need not be a log */
}

static void remove_copies(const char *dir)
{
	static const char *const names[] = { "names.db", "names.db-wal", "names.db-shm" };
	char path[PATH_MAX + 32];

	for (unsigned n = 0; n < ARRAY_SIZE(names); n++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[n]);
		unlink(path);
	}
	rmdir(dir);
}

static int told;

static void tell(void *arg, const char *violation)
{
	(void)arg;
	printf("%s\n", violation);
	told++;
}

/* What keeps a volume from being opened is told by core as it would tell the daemon's log. */
static void tell_error(enum log_level level, const char *line)
{
	if (level == LOG_LEVEL_ERR)
		tell(NULL, line);
}

/* While the worker stands still: violations, and the figures as they follow from what is there. */
static int look(const struct mount *m, const char *dir, int64_t ret_stats[ATTRS])
{
	const struct volume_config config = {
		.frames_fd = m->frames_fd, .inodes_fd = m->inodes_fd, .dir = dir,
		.size_pages = UINT32_MAX, .nr_inodes = 1 << 26, .copy = true, .report = tell,
	};
	struct volume *v;
	int r;

	told = 0;
	log_set_sink(tell_error);
	r = volume_open(&config, &v);
	if (r == -EUCLEAN && told)
		return told;
	if (r < 0)
		return r;
	r = volume_check(v, tell, NULL);
	volume_stats(v, ret_stats);
	volume_close(v);
	return r;
}

/* Not on the mount itself, nor on any other that might not answer now. */
static void make_directory(char ret[PATH_MAX])
{
	static const char *const bases[] = { "/run", "/tmp", "/var/tmp", "/dev/shm" };

	for (unsigned n = 0; n < ARRAY_SIZE(bases); n++) {
		snprintf(ret, PATH_MAX, "%s/ksmfs-check.XXXXXX", bases[n]);
		if (!whereabouts_is_fuse(bases[n]) && mkdtemp(ret))
			return;
	}
	die("a private directory", "/run, /tmp");
}

static int stopped_look(const struct mount *m, int64_t ret_stats[ATTRS], bool *ret_served)
{
	struct standstill still;
	char dir[PATH_MAX];
	int r;

	make_directory(dir);
	r = standstill_begin(m->at.supervisor, &still);
	*ret_served = still.served;
	if (!r)
		r = copy_names(&m->at, dir);
	if (!r)
		r = look(m, dir, ret_stats);
	standstill_end(&still);
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

/* Nobody holds the memory any more. */
static int check_remains(const struct whereabouts *w)
{
	char dir[PATH_MAX];
	uint64_t names = 0;
	int r;

	printf("%s: its daemon is gone, and with it what its files held\n", w->databases);
	make_directory(dir);
	r = copy_names(w, dir);
	if (!r)
		r = remains_examine(dir, tell, NULL, &names);
	remove_copies(dir);
	if (r < 0) {
		errno = -r;
		die("names.db cannot be read", w->databases);
	}
	if (!r)
		printf("names.db is whole, with %" PRIu64 " names, which nothing belongs to any more\n", names);
	return EXIT_VIOLATIONS;
}

/* Whether two snapshots can be compared: the mount was served before and after the look, and nothing happened. */
static bool look_in_quiet(const struct mount *m, int64_t before[ATTRS], int64_t found[ATTRS], bool *ret_served,
			  int *ret)
{
	int64_t after[ATTRS];
	bool shown = read_stats(m, before);

	*ret = stopped_look(m, found, ret_served);
	*ret_served &= shown;
	return *ret_served && !*ret && read_stats(m, after) && nothing_happened(before, after);
}

static int check_memory(const struct mount *m, const char *arg)
{
	int64_t before[ATTRS], found[ATTRS];
	bool quiet = false, same, served = true;
	int r = 0;

	for (unsigned n = 0; n < TRIES && !r && !quiet && served; n++)
		quiet = look_in_quiet(m, before, found, &served, &r);
	if (r < 0) {
		errno = -r;
		die("cannot be taken over", arg);
	}
	same = !quiet || same_figures(before, found, true);
	if (!served)
		fprintf(stderr, "ksmfs-check: nobody serves %s now, or it has no figures: there is nothing to compare\n",
			arg);
	else if (!quiet)
		fprintf(stderr, "ksmfs-check: %s is busy: its figures were not compared\n", arg);
	if (!r && same)
		printf("ok\n");
	return r || !same ? EXIT_VIOLATIONS : EXIT_CLEAN;
}

static int find_mount(const char *arg, struct mount *ret)
{
	int r = whereabouts_find(arg, &ret->at);

	if (!r && ret->at.supervisor)
		r = whereabouts_memfd(ret->at.supervisor, "ksmfs-frames", &ret->frames_fd);
	if (!r && ret->at.supervisor)
		r = whereabouts_memfd(ret->at.supervisor, "ksmfs-inodes", &ret->inodes_fd);
	return r;
}

static int check_mount(const char *arg)
{
	struct mount m = { .frames_fd = -1 };
	int r = find_mount(arg, &m);

	for (unsigned n = 0; n < TRIES && r == -ENOENT && m.at.supervisor; n++) { /* it may just have ended */
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		r = find_mount(arg, &m);
	}
	if (!r && !m.at.supervisor)
		return check_remains(&m.at);
	if (r < 0) {
		errno = r == -ESRCH || r == -ENOTDIR ? 0 : -r; /* these two are all said in words */
		die(r == -ESRCH	  ? "a ksmfs mount, but no process of its daemon is to be seen: it is gone, or elsewhere" :
		    r == -ENOTDIR ? "neither a ksmfs mount nor the directory of one's databases" :
		    m.at.supervisor ? "its memory cannot be looked at" :
				    "cannot be found",
		    arg);
	}
	return check_memory(&m, arg);
}

int main(int argc, char **argv)
{
	if (argc == 2 && (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version"))) {
		printf("ksmfs-check %s\n", KSMFS_VERSION);
		return 0;
	}
	if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		printf("Usage: ksmfs-check MOUNTPOINT|DIRECTORY\n\n"
		       "Look at a ksmfs mount from outside, by its mount point or by the directory of its databases,\n"
		       "and check every invariant; prints what is wrong, or \"ok\".  Needs root.  The mount stands\n"
		       "still for as long as it takes; it need not be served by anybody.\n");
		return 0;
	}
	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "ksmfs-check: needs one MOUNTPOINT or DIRECTORY (see ksmfs-check --help)\n");
		return EXIT_TROUBLE;
	}
	return check_mount(argv[1]);
}
