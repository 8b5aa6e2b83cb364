/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/pressure/squeeze.c - writers and readers of mappings that are larger than the memory they may have.
 *
 * Usage: squeeze DIRECTORY MIB UNIQUE SECONDS STALL_MS.  Each writer has a file of MIB and stores pages into it through
 * a mapping, one at random after the other, each one of UNIQUE different ones; before that it looks whether the page
 * is still what it last stored there.  Readers look into all files: each word tells which page it is of and where in
 * it, so a page that is being stored can be looked at, too.  Nobody may stand still for STALL_MS.
 * In the end each writer reads its file back from the store.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "tests/lib/program.h"
#include "tests/lib/random.h"

enum { PAGE = 4096, WORDS = PAGE / 8, WRITERS = 3, READERS = 2, CHILDREN = WRITERS + READERS, LOOK_MS = 20 };

struct child {
	_Atomic uint64_t pages;
	_Atomic bool over;
	pid_t pid;
	uint64_t seen; /* the parent's */
	int64_t seen_ms, stall_ms;
};

static struct {
	_Atomic bool go, stop;
	struct child child[CHILDREN];
} *shared;

static size_t pages;
static uint64_t unique;

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
}

/* --- pages --------------------------------------------------------------------------------------- */

/* Odd constants and shifts of half the word: no two give the same, and each can be told from its result. */
static const uint64_t factor = 0x9e3779b97f4a7c15, inverse = 0xf1de83e19937733d;

static uint64_t mix(uint64_t n)
{
	n = (n + 1) * factor;
	return (n ^ n >> 32) * factor;
}

static uint64_t unmix(uint64_t n)
{
	n *= inverse;
	return (n ^ n >> 32) * inverse - 1;
}

static void fill(uint64_t *page, uint64_t which)
{
	for (unsigned i = 0; i < WORDS; i++)
		page[i] = mix(which * WORDS + i);
}

static bool is_page(const volatile uint64_t *page, uint64_t which)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (page[i] != mix(which * WORDS + i))
			return false;
	return true;
}

/* Parts of pages, each where it belongs. */
static bool is_some_page(const volatile uint64_t *page)
{
	for (unsigned i = 0; i < WORDS; i++) {
		uint64_t n = unmix(page[i]);

		if (n % WORDS != i || n / WORDS >= unique)
			return false;
	}
	return true;
}

/* --- writers ------------------------------------------------------------------------------------- */

static uint64_t *map_file(unsigned writer, int prot, int *ret_fd)
{
	uint64_t *map;
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "file%u", writer);
	fd = open(name, O_CREAT | (prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0600);
	if (fd < 0 || (prot & PROT_WRITE && ftruncate(fd, (off_t)pages * PAGE) < 0))
		die(name);
	map = mmap(NULL, pages * PAGE, prot, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	*ret_fd = fd;
	return map;
}

static _Noreturn void differs(unsigned writer, size_t page)
{
	fprintf(stderr, "squeeze: page %zu of file%u is not what was stored there\n", page, writer);
	exit(1);
}

static void read_back(unsigned writer, int fd, const uint32_t *stored)
{
	static uint64_t page[WORDS];

	if (fsync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("fsync");
	for (size_t p = 0; p < pages; p++) {
		if (pread(fd, page, PAGE, (off_t)p * PAGE) != PAGE)
			die("pread");
		if (!is_page(page, stored[p]))
			differs(writer, p);
		shared->child[writer].pages++;
	}
}

static void run_writer(unsigned me)
{
	uint32_t *stored = calloc(pages, sizeof(*stored));
	uint64_t seed = 4711 + me, *map;
	int fd;

	map = map_file(me, PROT_READ | PROT_WRITE, &fd);
	if (!stored)
		die("calloc");
	for (size_t p = 0; p < pages; p++) {
		stored[p] = (uint32_t)(p % unique);
		fill(map + p * WORDS, stored[p]);
		shared->child[me].pages++;
	}
	while (!shared->stop) {
		size_t p = random_next(&seed) % pages;

		if (!is_page(map + p * WORDS, stored[p]))
			differs(me, p);
		stored[p] = (uint32_t)(random_next(&seed) % unique);
		fill(map + p * WORDS, stored[p]);
		shared->child[me].pages++;
	}
	munmap(map, pages * PAGE);
	read_back(me, fd, stored);
}

static void run_reader(unsigned me)
{
	const volatile uint64_t *map[WRITERS];
	uint64_t seed = 815 + me;
	int fd;

	while (!shared->go)
		nap();
	for (unsigned i = 0; i < WRITERS; i++)
		map[i] = map_file(i, PROT_READ, &fd);
	while (!shared->stop) {
		unsigned writer = random_next(&seed) % WRITERS;
		size_t p = random_next(&seed) % pages;

		if (!is_some_page(map[writer] + p * WORDS))
			differs(writer, p);
		shared->child[me].pages++;
	}
}

/* --- who looks on -------------------------------------------------------------------------------- */

static void start(unsigned me)
{
	struct child *c = &shared->child[me];

	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0) {
		c->pid = pid;
		c->seen_ms = clock_ms(CLOCK_MONOTONIC);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (me < WRITERS)
		run_writer(me);
	else
		run_reader(me);
	c->over = true;
	exit(0);
}

static bool look(void)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);
	bool all_over = true;

	for (unsigned i = 0; i < CHILDREN; i++) {
		struct child *c = &shared->child[i];
		int status;

		if (c->pid && waitpid(c->pid, &status, WNOHANG) == c->pid) {
			if (status) {
				fprintf(stderr, "squeeze: process %u: status 0x%x\n", i, (unsigned)status);
				exit(1);
			}
			c->pid = 0;
		}
		all_over = all_over && !c->pid;
		if (c->seen != c->pages || c->over || (i >= WRITERS && !shared->go))
			c->seen_ms = now;
		c->seen = c->pages;
		if (now - c->seen_ms > c->stall_ms)
			c->stall_ms = now - c->seen_ms;
	}
	return all_over;
}

static bool all_filled(void)
{
	for (unsigned i = 0; i < WRITERS; i++)
		if (shared->child[i].pages < pages)
			return false;
	return true;
}

static int tell(int64_t stall_max_ms)
{
	uint64_t stored = 0, looked_at = 0;
	int64_t stall = 0;

	for (unsigned i = 0; i < CHILDREN; i++) {
		*(i < WRITERS ? &stored : &looked_at) += shared->child[i].pages;
		if (shared->child[i].stall_ms > stall)
			stall = shared->child[i].stall_ms;
	}
	printf("%llu pages stored, %llu read, longest stall %lld ms\n", (unsigned long long)stored,
	       (unsigned long long)looked_at, (long long)stall);
	return stall > stall_max_ms;
}

int main(int argc, char **argv)
{
	int64_t end, give_up;

	if (argc != 6) {
		fputs("Usage: squeeze DIRECTORY MIB UNIQUE SECONDS STALL_MS\n", stderr);
		return 2;
	}
	pages = strtoul(argv[2], NULL, 10) << 8;
	unique = strtoul(argv[3], NULL, 10);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || chdir(argv[1]) < 0)
		die(argv[1]);
	for (unsigned i = 0; i < CHILDREN; i++)
		start(i);
	end = clock_ms(CLOCK_MONOTONIC) + (int64_t)strtoul(argv[4], NULL, 10) * 1000;
	give_up = end + 60000;
	while (!look()) {
		shared->go = shared->go || all_filled();
		shared->stop = clock_ms(CLOCK_MONOTONIC) > end;
		if (clock_ms(CLOCK_MONOTONIC) > give_up) {
			fputs("squeeze: they do not come to an end\n", stderr);
			return tell(0) | 1;
		}
		nap();
	}
	return tell((int64_t)strtoul(argv[5], NULL, 10));
}
