/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/bench/bench.c - one workload in one directory, timed.
 *
 * Usage: bench WORKLOAD DIRECTORY MIB.  Prints units of work a second: MiB, page faults or files.
 * What a workload needs (data, files, warm memory) is there before the clock starts: memory that a virtual
 * machine has not used lately costs more than anything measured here.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "tests/lib/program.h"
#include "tests/lib/random.h"

enum { PAGE = 4096, MIB = 1 << 20, FILES = 2000, ROUNDS = 8 };

static uint64_t seed;
static char *data; /* `size` bytes, no page like another */
static size_t size;

static void *map(int fd, size_t len, int flags)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* Touch as much memory as the work can take and give it back: then it is at hand. */
static void warm_memory(void)
{
	size_t len = 3 * size + 64 * (size_t)MIB;
	char *p = map(-1, len, MAP_PRIVATE | MAP_ANONYMOUS);

	madvise(p, len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < len; i += PAGE)
		p[i] = 1;
	munmap(p, len);
}

static void make_data(void)
{
	uint64_t *w;

	data = map(-1, size, MAP_PRIVATE | MAP_ANONYMOUS);
	w = (uint64_t *)data;
	for (size_t i = 0; i < size / sizeof(*w); i++)
		w[i] = random_next(&seed);
}

static int open_new(const char *name)
{
	int fd;

	unlink(name);
	fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		die(name);
	return fd;
}

static void write_all(int fd)
{
	for (size_t at = 0; at < size; at += MIB)
		if (pwrite(fd, data + at, MIB, (off_t)at) != MIB)
			die("pwrite");
}

static void drop_cache(int fd)
{
	if (fdatasync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("drop cache");
}

static double run_write(void)
{
	int fd = open_new("new");
	double start = clock_s(CLOCK_MONOTONIC);

	write_all(fd);
	start = clock_s(CLOCK_MONOTONIC) - start;
	close(fd);
	return (double)size / MIB / start;
}

static double run_store(void)
{
	int fd = open_new("new");
	double start = clock_s(CLOCK_MONOTONIC);
	char *p;

	if (ftruncate(fd, (off_t)size) < 0)
		die("ftruncate");
	p = map(fd, size, MAP_SHARED);
	memcpy(p, data, size);
	if (msync(p, size, MS_SYNC) < 0)
		die("msync");
	start = clock_s(CLOCK_MONOTONIC) - start;
	munmap(p, size);
	close(fd);
	return (double)size / MIB / start;
}

static double run_read(int fd)
{
	static char buf[MIB];
	double start = clock_s(CLOCK_MONOTONIC);

	for (size_t at = 0; at < size; at += MIB)
		if (pread(fd, buf, MIB, (off_t)at) != MIB)
			die("pread");
	return (double)size / MIB / (clock_s(CLOCK_MONOTONIC) - start);
}

/* Loads from, and perhaps stores to, pages that are all mapped. */
static double run_resident(int fd, unsigned add)
{
	uint64_t *p = map(fd, size, MAP_SHARED | MAP_POPULATE), sum = 0;
	double start;

	for (size_t i = 0; i < size / sizeof(*p); i += PAGE / sizeof(*p))
		p[i] += add;
	start = clock_s(CLOCK_MONOTONIC);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < size / sizeof(*p); i++) {
			sum += p[i];
			if (add)
				p[i] += add;
		}
	}
	start = clock_s(CLOCK_MONOTONIC) - start;
	if (sum == 1)
		puts("");
	munmap(p, size);
	return (double)size / MIB * ROUNDS / start;
}

static double run_fault(int fd)
{
	volatile char *p = map(fd, size, MAP_SHARED);
	size_t pages = size / PAGE, faults = pages < 8192 ? pages : 8192;
	double start;

	madvise((void *)p, size, MADV_RANDOM);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	start = clock_s(CLOCK_MONOTONIC);
	for (size_t i = 0; i < faults; i++)
		(void)p[random_next(&seed) % pages * PAGE];
	start = clock_s(CLOCK_MONOTONIC) - start;
	munmap((void *)p, size);
	return (double)faults / start;
}

static double run_files(void)
{
	double start = clock_s(CLOCK_MONOTONIC);
	char name[32];

	for (unsigned i = 0; i < FILES; i++) {
		int fd;

		snprintf(name, sizeof(name), "file%u", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, data + (size_t)i % (size / PAGE) * PAGE, PAGE) != PAGE || close(fd) < 0)
			die(name);
		if (unlink(name) < 0)
			die(name);
	}
	return FILES / (clock_s(CLOCK_MONOTONIC) - start);
}

int main(int argc, char **argv)
{
	const char *work;
	double result;
	int fd = -1;

	if (argc != 4) {
		fputs("Usage: bench WORKLOAD DIRECTORY MIB\n", stderr);
		return 2;
	}
	work = argv[1];
	size = strtoul(argv[3], NULL, 10) * MIB;
	seed = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid() << 40;
	if (chdir(argv[2]) < 0)
		die(argv[2]);
	make_data();
	warm_memory();
	if (!strstr(work, "unique") && strcmp(work, "files")) {
		fd = open_new("old");
		write_all(fd);
	}
	if (strstr(work, "cold"))
		drop_cache(fd);
	if (!strncmp(work, "write-", 6))
		result = run_write();
	else if (!strncmp(work, "store-", 6))
		result = run_store();
	else if (!strcmp(work, "read-warm"))
		result = (run_read(fd), run_read(fd));
	else if (!strcmp(work, "read-cold"))
		result = run_read(fd);
	else if (!strcmp(work, "resident"))
		result = run_resident(fd, 0);
	else if (!strcmp(work, "resident-store"))
		result = run_resident(fd, 1);
	else if (!strcmp(work, "fault-cold"))
		result = run_fault(fd);
	else if (!strcmp(work, "files"))
		result = run_files();
	else
		return 2;
	unlink("new");
	unlink("old");
	printf("%.1f\n", result);
	return 0;
}
