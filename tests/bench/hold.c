/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/bench/hold.c - a process that holds memory of known content, and does with it what stdin says.
 *
 * Usage: hold map|write|private PATH MIB SEED
 *
 *  map      a file at PATH, mapped shared; stored into and loaded from
 *  write    the same file through pwrite(2) and pread(2)
 *  private  memory of its own that KSM may merge; PATH is nobody's
 *
 * Commands, one a line, each answered by "ok" or by what is wrong:
 *
 *  fill        every page of what SEED says
 *  check STEP  every STEP-th page, and each that was split, is what it should be
 *  split N     N pages anywhere become what nobody else has
 *  sync        the file's pages are written back
 *
 * It ends with stdin.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/program.h"

enum { PAGE = 4096, WORDS = PAGE / 8, BATCH = 256, MIB = 1 << 20 };

static int fd = -1;
static char *memory; /* NULL: through pwrite and pread */
static uint64_t pages, seed, splits;
static uint64_t *split; /* by page: which split made it, 0 none */

static uint64_t mixed(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* What page `index` has to be: of the seed that all have, or of this process alone. */
static void make_page(uint64_t index, uint64_t *to)
{
	uint64_t x = mixed(seed + 1) ^ mixed(index + 1);

	if (split[index])
		x ^= mixed(((uint64_t)getpid() << 32) + split[index]);
	for (unsigned n = 0; n < WORDS; n++)
		to[n] = x += UINT64_C(0x9e3779b97f4a7c15) * (x | 1);
}

/* `count` pages from `index` on become what they have to be. */
static void put(uint64_t index, unsigned count)
{
	static uint64_t batch[BATCH][WORDS];
	size_t len = (size_t)count * PAGE;

	for (unsigned n = 0; n < count; n++)
		make_page(index + n, memory ? (uint64_t *)(void *)(memory + (index + n) * PAGE) : batch[n]);
	if (!memory && pwrite(fd, batch, len, (off_t)(index * PAGE)) != (ssize_t)len)
		die("pwrite");
}

static int is_right(uint64_t index)
{
	static uint64_t want[WORDS], got[WORDS];

	make_page(index, want);
	if (memory)
		return !memcmp(memory + index * PAGE, want, PAGE);
	if (pread(fd, got, PAGE, (off_t)(index * PAGE)) != PAGE)
		die("pread");
	return !memcmp(got, want, PAGE);
}

static void do_fill(void)
{
	for (uint64_t index = 0; index < pages; index += BATCH)
		put(index, pages - index < BATCH ? (unsigned)(pages - index) : BATCH);
	puts("ok");
}

static void do_check(uint64_t step)
{
	for (uint64_t index = 0; index < pages; index++)
		if ((index % step == 0 || split[index]) && !is_right(index)) {
			printf("page %llu is not what was stored\n", (unsigned long long)index);
			return;
		}
	puts("ok");
}

static void do_split(uint64_t count)
{
	while (count-- > 0) {
		uint64_t index = mixed(seed ^ mixed((uint64_t)getpid() + ++splits)) % pages;

		split[index] = splits;
		put(index, 1);
	}
	puts("ok");
}

static void do_sync(void)
{
	if (fd >= 0 && fsync(fd))
		die("fsync");
	puts("ok");
}

static void serve(void)
{
	unsigned long long number;
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "fill\n"))
			do_fill();
		else if (sscanf(line, "check %llu", &number) == 1 && number > 0)
			do_check(number);
		else if (sscanf(line, "split %llu", &number) == 1)
			do_split(number);
		else if (!strcmp(line, "sync\n"))
			do_sync();
		else
			puts("what?");
		fflush(stdout);
	}
}

static void open_memory(const char *kind, const char *path)
{
	size_t len = pages * PAGE;
	int private = !strcmp(kind, "private");

	if (!private) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, (off_t)len))
			die(path);
		if (!strcmp(kind, "write"))
			return;
	}
	memory = mmap(NULL, len, PROT_READ | PROT_WRITE, private ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	if (private && madvise(memory, len, MADV_MERGEABLE))
		die("madvise");
}

int main(int argc, char **argv)
{
	if (argc != 5 || (strcmp(argv[1], "map") && strcmp(argv[1], "write") && strcmp(argv[1], "private"))) {
		fputs("Usage: hold map|write|private PATH MIB SEED\n", stderr);
		return 2;
	}
	pages = strtoull(argv[3], NULL, 10) * (MIB / PAGE);
	seed = strtoull(argv[4], NULL, 10);
	split = calloc(pages, sizeof(*split));
	if (!pages || !split)
		die("MIB");
	open_memory(argv[1], argv[2]);
	serve();
	return 0;
}
