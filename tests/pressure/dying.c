/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/pressure/dying.c - applications that die with mappings of the mount, in each way they can.
 *
 * Usage: dying DIRECTORY ROUNDS GONE_MS [CGROUP].  In each round a process maps a file that all use and one of its
 * own, and dies: by its own exit with everything locked, or by SIGKILL in the middle of faults of locked or populated
 * mappings, or of stores; or, where there is a memory CGROUP for it, because that has no memory left.  It must be gone
 * GONE_MS after that.  Its file is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "tests/lib/program.h"

enum { PAGE = 4096, PAGES = 512, BYTES = PAGES * PAGE };
enum { OOM_EACH = 40 }; /* rounds: until memory is out takes seconds */
enum way { EXIT_LOCKED, KILL_POPULATING, KILL_LOCKING, KILL_STORING, OOM_LOCKED };

static const char *group;

static void nap_us(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static char *map(int fd, int flags)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static int open_file(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, BYTES) < 0)
		die(name);
	return fd;
}

static void store_all(char *p, unsigned seed)
{
	for (unsigned i = 0; i < PAGES; i++)
		memset(p + (size_t)i * PAGE, (int)(seed + i % 7), PAGE);
}

/* Until somebody ends it: what is mapped goes from the page cache, and comes again. */
static _Noreturn void fault_for_ever(int fd, char *p, bool locked, bool stores)
{
	for (unsigned n = 0;; n++) {
		if (stores)
			store_all(p, n);
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		munmap(p, BYTES);
		p = map(fd, locked || stores ? 0 : MAP_POPULATE);
		if (locked && mlock(p, BYTES) < 0)
			die("mlock");
	}
}

static _Noreturn void run_out_of_memory(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die(path);
	for (;;) {
		char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		memset(p, 1, BYTES);
	}
}

static _Noreturn void live(enum way way, const char *own)
{
	int all_fd = open_file("all"), own_fd = open_file(own);
	char *all = map(all_fd, 0), *mine = map(own_fd, 0);

	store_all(mine, 1);
	switch (way) {
	case EXIT_LOCKED:
		if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
			die("mlockall");
		_exit(0);
	case OOM_LOCKED:
		if (mlock(all, BYTES) < 0 || mlock(mine, BYTES) < 0)
			die("mlock");
		run_out_of_memory();
	default:
		fault_for_ever(way == KILL_STORING ? own_fd : all_fd, way == KILL_STORING ? mine : all,
			       way == KILL_LOCKING, way == KILL_STORING);
	}
}

/* Milliseconds from its end until it was gone. */
static int64_t await_end(pid_t pid, enum way way, int64_t gone_ms)
{
	bool by_itself = way == EXIT_LOCKED || way == OOM_LOCKED;
	int64_t start = clock_ms(CLOCK_MONOTONIC);
	int status, wanted = way == EXIT_LOCKED ? 0 : SIGKILL;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		/* When one that ends by itself began to is not known: it has as long again. */
		if (clock_ms(CLOCK_MONOTONIC) - start > (by_itself ? 4 * gone_ms : gone_ms)) {
			fprintf(stderr, "dying: process %d does not go (way %d)\n", (int)pid, (int)way);
			exit(1);
		}
		nap_us(500);
	}
	if (status != wanted) {
		fprintf(stderr, "dying: status 0x%x (way %d)\n", (unsigned)status, (int)way);
		exit(1);
	}
	return clock_ms(CLOCK_MONOTONIC) - start;
}

static int64_t run_round(unsigned n, int64_t gone_ms)
{
	enum way way = group && n % OOM_EACH == OOM_EACH - 1 ? OOM_LOCKED : n % OOM_LOCKED;
	int64_t took;
	char own[32];
	pid_t pid;

	snprintf(own, sizeof(own), "own%u", n);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		live(way, own);
	if (way != EXIT_LOCKED && way != OOM_LOCKED) {
		nap_us(2000 + n * 7919 % 20000) /* in the middle of anything */;
		kill(pid, SIGKILL);
	}
	took = await_end(pid, way, gone_ms);
	if (unlink(own) < 0 && errno != ENOENT)
		die(own);
	return took;
}

int main(int argc, char **argv)
{
	int64_t longest = 0, gone_ms;
	unsigned rounds;
	int fd;

	if (argc != 4 && argc != 5) {
		fputs("Usage: dying DIRECTORY ROUNDS GONE_MS [CGROUP]\n", stderr);
		return 2;
	}
	rounds = (unsigned)strtoul(argv[2], NULL, 10);
	gone_ms = (int64_t)strtoul(argv[3], NULL, 10);
	group = argc == 5 ? argv[4] : NULL;
	if (chdir(argv[1]) < 0)
		die(argv[1]);
	fd = open_file("all");
	store_all(map(fd, 0), 1);
	for (unsigned n = 0; n < rounds; n++) {
		int64_t took = run_round(n, gone_ms);

		if (took > longest)
			longest = took;
	}
	printf("%u processes have died, the slowest in %lld ms\n", rounds, (long long)longest);
	return unlink("all") < 0;
}
