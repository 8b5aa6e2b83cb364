/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/posix.c - posix DIRECTORY THEME: the transcript on stdout, 1 when something is wrong. */
#include "posix.h"

#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

unsigned wrong;
bool is_small;

enum { SECONDS_MAX = 120 };

/* --- the transcript ------------------------------------------------------------------------------ */

const char *name_of_errno(int error)
{
	const char *name = error ? strerrorname_np(error) : "0";

	return name ? name : "?";
}

static void result(const char *call, long got)
{
	if (got == -1 && errno)
		printf("%s: %s\n", call, name_of_errno(errno));
	else
		printf("%s: %ld\n", call, got);
}

static void result_wrong(int line, const char *want)
{
	printf("WRONG (line %d, wanted %s): ", line, want);
	wrong++;
}

long result_ok(const char *call, int line, long got)
{
	if (got == -1) {
		result_wrong(line, "success");
		result(call, got);
	} else {
		printf("%s: ok\n", call);
	}
	return got;
}

long result_is(const char *call, int line, long want, long got)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", want);
	if (got != want)
		result_wrong(line, text);
	result(call, got);
	return got;
}

long result_no(const char *call, int line, int error, long got)
{
	if (got != -1 || errno != error)
		result_wrong(line, name_of_errno(error));
	result(call, got);
	return got;
}

long result_say(const char *call, long got)
{
	result(call, got);
	return got;
}

void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
}

int errno_of(long r)
{
	return r == -1 ? errno : 0;
}

static void show_stat(const char *what, const struct stat *st)
{
	static const char types[] = "?pc?d?b?-?l?s???";

	printf("%s: %c%04o links %lu owner %u:%u size %lld", what, types[st->st_mode >> 12], st->st_mode & 07777,
	       (unsigned long)st->st_nlink, st->st_uid, st->st_gid, (long long)st->st_size);
	if (S_ISREG(st->st_mode))
		printf(" blocks %lld", (long long)st->st_blocks);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf(" device %u:%u", major(st->st_rdev), minor(st->st_rdev));
	putchar('\n');
}

void show(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		say("%s: %s", path, name_of_errno(errno));
	else
		show_stat(path, &st);
}

void show_fd(int fd, const char *what)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		say("%s: %s", what, name_of_errno(errno));
	else
		show_stat(what, &st);
}

/* --- processes ----------------------------------------------------------------------------------- */

pid_t beside(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		wrong = 0;
		alarm(SECONDS_MAX);
	}
	return pid;
}

int end_of(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool child_begin(int signal, int line)
{
	pid_t pid = beside();
	int end;

	if (pid == 0)
		return true;
	end = end_of(pid);
	if (signal) {
		if (end != 1000 + signal)
			result_wrong(line, strsignal(signal));
		say("a child ends with %d", end);
	} else if (end) {
		wrong += end < 1000 ? (unsigned)end : 1;
		say("WRONG (line %d): a child ends with %d", line, end);
	}
	return false;
}

void child_end(void)
{
	fflush(stdout);
	_exit(wrong > 100 ? 100 : (int)wrong);
}

/* Effective ids only: the way back stays open. */
static void become(uid_t uid, gid_t gid, size_t count, const gid_t *groups)
{
	if (seteuid(0) || setgroups(count, groups) || setegid(gid) || seteuid(uid)) {
		perror("becoming somebody else");
		exit(2);
	}
}

void as(uid_t uid, gid_t gid)
{
	become(uid, gid, 0, NULL);
}

void as_in(uid_t uid, gid_t gid, gid_t group)
{
	become(uid, gid, 1, &group);
}

void as_root(void)
{
	become(0, 0, 0, NULL);
}

/* --- small things -------------------------------------------------------------------------------- */

static void must(bool done, const char *what)
{
	if (done)
		return;
	wrong++;
	say("WRONG: %s: %s", what, name_of_errno(errno));
}

void make_file(const char *path, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, mode);

	must(fd >= 0 && close(fd) == 0 && chmod(path, mode) == 0, path);
}

void make_file_of(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	make_file(path, 0600);
	must(chown(path, uid, gid) == 0 && chmod(path, mode) == 0, path);
}

void make_dir_of(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	must(mkdir(path, 0700) == 0 && chown(path, uid, gid) == 0 && chmod(path, mode) == 0, path);
}

int open_new(const char *path)
{
	int fd;

	unlink(path);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
	must(fd >= 0, path);
	return fd;
}

void fill(int fd, int byte, off_t at, size_t len)
{
	char *bytes = malloc(len);

	memset(bytes, byte, len);
	must(pwrite(fd, bytes, len, at) == (ssize_t)len, "filling");
	free(bytes);
}

bool all_are(const void *bytes, int byte, size_t len)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < len; i++)
		if (b[i] != byte)
			return false;
	return true;
}

int byte_at(int fd, off_t at, size_t len)
{
	unsigned char *bytes = malloc(len);
	ssize_t n = pread(fd, bytes, len, at);
	int byte = n <= 0 ? -1 : !all_are(bytes, bytes[0], (size_t)n) ? -2 : bytes[0];

	free(bytes);
	return byte;
}

void pause_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* --- times --------------------------------------------------------------------------------------- */

struct stamps stamps_of(const char *path)
{
	struct stamps s = {.path = path};

	must(lstat(path, &s.before) == 0, path);
	return s;
}

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

void let_clock_move(void)
{
	struct timespec began, now;

	(void)clock_gettime(CLOCK_REALTIME, &began); /* a stamp may be finer than the coarse clock, and ahead of it */
	do {
		pause_ms(5);
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (!later(now, began));
}

void stamps_moved(const struct stamps *s, const char *want, const char *call, int line)
{
	char moved[3] = "";
	struct stat now;

	if (lstat(s->path, &now) == 0) {
		if (later(now.st_mtim, s->before.st_mtim))
			moved[0] = 'M';
		if (later(now.st_ctim, s->before.st_ctim))
			moved[moved[0] ? 1 : 0] = 'C';
	}
	if (strcmp(moved, want) != 0)
		result_wrong(line, want[0] ? want : "no time moved");
	say("%s moves %s of %s", call, moved[0] ? moved : "no time", s->path);
}

/* --- main ---------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
} themes[] = {
	{"errors", theme_errors}, {"rename", theme_rename}, {"times", theme_times}, {"rights", theme_rights},
	{"files", theme_files},	  {"dirs", theme_dirs},	    {"locks", theme_locks}, {"memory", theme_memory},
	{"traps", theme_traps},	  {"full", theme_full},	    {"watch", theme_watch}, {"async", theme_async},
	{"spaces", theme_spaces}, {"extras", theme_extras},
};

int main(int argc, char **argv)
{
	const char *scale = getenv("SCALE");

	if (argc != 3 || chdir(argv[1]) < 0 || mkdir(argv[2], 0777) < 0 || chdir(argv[2]) < 0) {
		fprintf(stderr, "usage: posix DIRECTORY THEME\n");
		return 2;
	}
	is_small = scale && strcmp(scale, "small") == 0;
	umask(0);
	if (chmod(".", 0777) < 0)
		return 2;
	for (unsigned i = 0; i < sizeof(themes) / sizeof(themes[0]); i++) {
		if (strcmp(themes[i].name, argv[2]) != 0)
			continue;
		alarm(SECONDS_MAX); /* what hangs has failed */
		themes[i].run();
		return wrong ? 1 : 0;
	}
	fprintf(stderr, "there is no theme %s\n", argv[2]);
	return 2;
}
