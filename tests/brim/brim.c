/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/brim/brim.c - brim MOUNT ROUNDS SEED MS: a small mount is filled to the brim by several processes, some of
 * which are killed; what they were told is so; then all is removed, and nothing of it is left.
 *
 *   a round: directories, fillers, MS milliseconds or so, kills, the end  [fill]
 *            each page and attribute is what its ledger says, from the cache or from the store   [verify]
 *            no figure is below zero; all is removed; all figures are where they were            [empty]
 *
 * In each fourth round store_limit is below the size: then writebacks may have to wait, until it is taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tests/brim/ledger.h"

enum { WAIT_MS = 10000, DATABASES_MAX = 8 << 20 };

static struct {
	struct ledger *ledger; /* FILLERS of them */
	uint64_t random;
	unsigned round, fill_ms;
	bool limited;
	pid_t pid[FILLERS];
	int fd[FILLERS];
	uint64_t refused, buses, done, kills;
} b;

static _Noreturn void die(const char *what, const char *more)
{
	fprintf(stderr, "brim: round %u: %s%s%s\n", b.round, what, *more ? ": " : "", more);
	exit(1);
}

static void rest_ms(unsigned ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000L };

	nanosleep(&t, NULL);
}

static void set_control(const char *name, unsigned long long value)
{
	char path[64], text[32];
	int fd, n = snprintf(text, sizeof(text), "%llu", value);

	snprintf(path, sizeof(path), ".ksmfs/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		die(name, strerror(errno));
	close(fd);
}

static void read_stats(char *buf, size_t size)
{
	int fd = open(".ksmfs/stats", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n <= 0)
		die("stats", strerror(errno));
	buf[n] = '\0';
	close(fd);
}

static long long figure(const char *stats, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = stats; (at = strstr(at, name)); at += len)
		if ((at == stats || at[-1] == '\n') && at[len] == ' ')
			return strtoll(at + len, NULL, 10);
	die("no such figure", name);
}

/* --- filling -------------------------------------------------------------------------------------- */

static void dir_of(char ret[16], unsigned who)
{
	snprintf(ret, 16, "w%u", who);
}

static void make(unsigned who)
{
	char dir[16], path[32];
	int fd;

	dir_of(dir, who);
	snprintf(path, sizeof(path), "%s/data", dir);
	if (mkdir(dir, 0700) < 0)
		die("mkdir", strerror(errno));
	fd = open(path, O_CREAT | O_RDWR, 0600);
	b.fd[who] = open(path, O_RDONLY | O_CLOEXEC); /* whoever may store into holes takes pages to read them */
	if (fd < 0 || b.fd[who] < 0 || ftruncate(fd, (off_t)FILE_PAGES * PAGE) < 0)
		die("a file", strerror(errno));
	close(fd);
}

static void start(unsigned who)
{
	struct ledger *l = &b.ledger[who];
	uint64_t seed = (uint64_t)draw(&b.random, UINT32_MAX) << 8 | who;
	char dir[16];

	memset(l, 0, sizeof(*l));
	for (unsigned n = 0; n < FILE_PAGES; n++)
		l->page[n].to = l->page[n].refused = NOTHING;
	for (unsigned n = 0; n < XATTRS; n++)
		l->xattr[n].to = NOTHING;
	dir_of(dir, who);
	b.pid[who] = fork();
	if (b.pid[who] < 0)
		die("fork", strerror(errno));
	if (b.pid[who] == 0)
		filler_run(l, dir, who, seed);
}

static void reap(unsigned who, bool killed)
{
	struct ledger *l = &b.ledger[who];
	int status;

	if (waitpid(b.pid[who], &status, 0) != b.pid[who])
		die("waitpid", strerror(errno));
	if (l->wrong[0])
		die("a filler", l->wrong);
	if (!(killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) && status != 0)
		die("a filler ends by itself", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
	b.refused += l->refused;
	b.buses += l->killed_by_bus;
	b.done += l->done;
	b.kills += killed;
}

static void fill(void)
{
	bool killed[FILLERS];

	for (unsigned n = 0; n < FILLERS; n++)
		make(n);
	if (b.limited)
		set_control("store_limit", (3ULL << 20) + draw(&b.random, 3 << 20));
	for (unsigned n = 0; n < FILLERS; n++)
		start(n);
	for (unsigned n = 0; n < FILLERS; n++) {
		rest_ms(1 + draw(&b.random, 2 * b.fill_ms / FILLERS));
		killed[n] = draw(&b.random, 2);
		if (killed[n])
			kill(b.pid[n], SIGKILL);
	}
	for (unsigned n = 0; n < FILLERS; n++)
		b.ledger[n].over = true;
	if (b.limited)
		set_control("store_limit", 0);
	for (unsigned n = 0; n < FILLERS; n++)
		reap(n, killed[n]);
}

/* --- verifying ------------------------------------------------------------------------------------ */

/* The kernel tells of the last close of those who stored later; until then reading a hole takes a page. */
static ssize_t read_pages(int fd, void *data, size_t len, off_t at)
{
	ssize_t n = pread(fd, data, len, at);

	for (unsigned ms = 0; n < 0 && errno == ENOSPC && ms < WAIT_MS; ms++) {
		rest_ms(1);
		n = pread(fd, data, len, at);
	}
	return n;
}

static void verify_pages(unsigned who)
{
	static uint8_t data[64 * PAGE];
	struct ledger *l = &b.ledger[who];
	char where[96];

	if (draw(&b.random, 2) && (fsync(b.fd[who]) < 0 || posix_fadvise(b.fd[who], 0, 0, POSIX_FADV_DONTNEED)))
		die("fsync", strerror(errno));
	for (unsigned at = 0; at < FILE_PAGES; at += sizeof(data) / PAGE) {
		ssize_t n = read_pages(b.fd[who], data, sizeof(data), (off_t)at * PAGE);

		/* Killed between its two truncations: what is not there reads as zeroes. */
		if (n < 0)
			die("read", strerror(errno));
		memset(data + n, 0, sizeof(data) - (size_t)n);
		for (unsigned k = 0; k < sizeof(data) / PAGE; k++) {
			if (value_fits(data + k * PAGE, PAGE, &l->page[at + k]))
				continue;
			snprintf(where, sizeof(where), "of filler %u, %u: told %x, about to be %x, found %x", who, at + k,
				 l->page[at + k].is, l->page[at + k].to, value_found(data + k * PAGE));
			die("a page is not what was acknowledged", where);
		}
	}
}

/* Of two values the name has one; none is a value, too. */
static bool has_xattr(int fd, const char *name, uint32_t value)
{
	static uint8_t got[XATTR_MAX + 8], want[XATTR_MAX + 8];
	ssize_t n = fgetxattr(fd, name, got, sizeof(got));

	if (value == NOTHING)
		return false;
	if (n < 0)
		return errno == ENODATA && !value;
	value_fill(want, xattr_len(value), value);
	return value && (size_t)n == xattr_len(value) && memcmp(got, want, (size_t)n) == 0;
}

static void verify_xattrs(unsigned who)
{
	const struct ledger *l = &b.ledger[who];
	char name[16];

	for (unsigned n = 0; n < XATTRS; n++) {
		xattr_name(name, n);
		if (!has_xattr(b.fd[who], name, l->xattr[n].is) && !has_xattr(b.fd[who], name, l->xattr[n].to))
			die("an attribute is not what was acknowledged", name);
	}
}

static void verify_figures(void)
{
	char stats[16384], *line, *rest = stats;

	read_stats(stats, sizeof(stats));
	while ((line = strsep(&rest, "\n")))
		if (strstr(line, " -") && !strstr(line, "profit") && !strstr(line, "net_saving") && !strstr(line, "age_ms"))
			die("below zero", line);
}

/* --- the end -------------------------------------------------------------------------------------- */

static void remove_all(unsigned who)
{
	char dir[16], path[32];

	close(b.fd[who]);
	dir_of(dir, who);
	for (unsigned n = 0; n < NAMES; n++) {
		snprintf(path, sizeof(path), "%s/n%u", dir, n);
		if (unlink(path) < 0 && errno != ENOENT)
			die("unlink", strerror(errno));
	}
	snprintf(path, sizeof(path), "%s/data", dir);
	if (unlink(path) < 0 || rmdir(dir) < 0)
		die("remove", strerror(errno));
}

/* The first that is not what it is in an empty mount; NULL: none. */
static const char *left_over(const char *stats)
{
	static const char *const zero[] = { "store/data_pages", "store/reserved_pages", "store/frames", "store/table_frames",
					    "pages_shared", "pages_sharing", "pages_unshared", "pages_volatile",
					    "pages_untracked", "ksm_zero_pages", "fault/parked", "index/entries" };

	for (unsigned n = 0; n < sizeof(zero) / sizeof(zero[0]); n++)
		if (figure(stats, zero[n]) != 0)
			return zero[n];
	if (figure(stats, "store/inodes") != 1)
		return "store/inodes";
	if (figure(stats, "store/free_pages") != figure(stats, "store/size_pages"))
		return "store/free_pages";
	return NULL;
}

/* The kernel tells of the last close, and that it has forgotten a file, later. */
static void empty(void)
{
	const char *what = NULL;
	char stats[16384];

	for (unsigned n = 0; n < FILLERS; n++)
		remove_all(n);
	for (unsigned ms = 0; ms < WAIT_MS; ms++) {
		read_stats(stats, sizeof(stats));
		what = left_over(stats);
		if (!what)
			break;
		rest_ms(1);
	}
	if (what)
		die("is not back to what it was", what);
	if (figure(stats, "store/database_bytes") > DATABASES_MAX)
		die("the databases grow", "");
}

int main(int argc, char **argv)
{
	unsigned rounds = argc == 5 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	if (!rounds || chdir(argv[1]) < 0) {
		fprintf(stderr, "brim MOUNT ROUNDS SEED MS\n");
		return 2;
	}
	b.random = strtoull(argv[3], NULL, 0);
	b.fill_ms = (unsigned)strtoul(argv[4], NULL, 10);
	b.ledger = mmap(NULL, FILLERS * sizeof(*b.ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b.ledger == MAP_FAILED)
		die("mmap", strerror(errno));
	for (b.round = 0; b.round < rounds; b.round++) {
		b.limited = b.round % 4 == 3;
		fill();
		for (unsigned n = 0; n < FILLERS; n++) {
			verify_pages(n);
			verify_xattrs(n);
		}
		verify_figures();
		empty();
	}
	printf("%u rounds: %llu operations, %llu refused, %llu stores without a page, %llu killed\n", rounds,
	       (unsigned long long)b.done, (unsigned long long)b.refused, (unsigned long long)b.buses,
	       (unsigned long long)b.kills);
	if (!b.refused || !b.kills)
		die("it has not been full", "");
	return 0;
}
