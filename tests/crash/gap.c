/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/gap.c - how long applications wait when a worker is killed.
 *
 * Usage: gap MOUNT SUPERVISOR MIB unique|shared KILLS
 *
 * Three threads ask something that only the daemon can answer every 0.2 ms: a read past the cache, a GETATTR, a
 * page of a mapping. The gap is the longest that one of them waited between two deaths. `shared`: all files are
 * copies of the first, by reference.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/random.h"
#include "worker.h"

enum { PAGE = 4096, MIB = 1 << 20, FILE_MIB = 64, FILES = 64, KILLS = 4000 };

enum probe { READ, STAT, FAULT, PROBES };
static const char *const probe_names[] = {"read", "stat", "mmap"};

static int files[FILES];
static unsigned file_count;
static size_t file_bytes;
static double gaps[PROBES + 1][KILLS]; /* the last: the longest of them */
static atomic_uint kills;
static atomic_bool stopped;

static void die(const char *what)
{
	fprintf(stderr, "FAILED: %s after %u kills: %s\n", what, atomic_load(&kills), strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void wait_us(unsigned us)
{
	nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

static void *memory(size_t len, int fd)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* --- files ------------------------------------------------------------------------------------ */

static void fill(int fd, uint64_t *state)
{
	uint64_t *data = memory(MIB, -1);

	for (size_t at = 0; at < file_bytes; at += MIB) {
		for (size_t i = 0; i < MIB / sizeof(*data); i++)
			data[i] = random_next(state);
		if (pwrite(fd, data, MIB, (off_t)at) != MIB)
			die("pwrite");
	}
	munmap(data, MIB);
}

static void copy(int from, int to)
{
	off_t in = 0, out = 0;

	while ((size_t)in < file_bytes)
		if (copy_file_range(from, &in, to, &out, file_bytes - (size_t)in, 0) <= 0)
			die("copy_file_range");
}

static void make_files(const char *mount, unsigned mib, bool shared)
{
	uint64_t state = 1;
	char path[4096];

	file_count = (mib + FILE_MIB - 1) / FILE_MIB;
	file_bytes = (size_t)(mib < FILE_MIB ? mib : FILE_MIB) * MIB;
	if (!file_count || file_count > FILES)
		die("MIB");
	for (unsigned i = 0; i < file_count; i++) {
		snprintf(path, sizeof(path), "%s/gap%u", mount, i);
		files[i] = open(path, O_CREAT | O_TRUNC | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
		if (files[i] < 0)
			die(path);
		if (i && shared)
			copy(files[0], files[i]);
		else
			fill(files[i], &state);
	}
}

static void remove_files(const char *mount)
{
	char path[4096];

	for (unsigned i = 0; i < file_count; i++) {
		snprintf(path, sizeof(path), "%s/gap%u", mount, i);
		if (unlink(path) < 0 || close(files[i]) < 0)
			die(path);
	}
}

/* --- probes ----------------------------------------------------------------------------------- */

static void probe_read(int fd, size_t at, void *page)
{
	if (pread(fd, page, PAGE, (off_t)at) != PAGE)
		die("pread");
}

static void probe_stat(int fd)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &sx) < 0 || sx.stx_size != file_bytes)
		die("statx");
}

/* The page leaves the mapping and the cache, and comes back from the daemon. */
static void probe_fault(int fd, const uint8_t *map, size_t at)
{
	if (madvise((void *)(map + at), PAGE, MADV_DONTNEED) < 0 ||
	    posix_fadvise(fd, (off_t)at, PAGE, POSIX_FADV_DONTNEED))
		die("dropping a page");
	(void)*(const volatile uint8_t *)(map + at);
}

static void note_gap(enum probe probe, double ms)
{
	unsigned n = atomic_load(&kills);

	if (n && ms > gaps[probe][n - 1])
		gaps[probe][n - 1] = ms;
}

static void *probe_main(void *arg)
{
	enum probe probe = (enum probe)(uintptr_t)arg;
	const uint8_t *map = memory(file_bytes, files[0]);
	void *page = memory(PAGE, -1);
	uint64_t state = 100 + probe;

	madvise((void *)map, file_bytes, MADV_RANDOM);
	while (!atomic_load(&stopped)) {
		int fd = files[random_below(&state, file_count)];
		size_t at = (size_t)random_below(&state, (unsigned)(file_bytes / PAGE)) * PAGE;
		double begun = now_ms();

		if (probe == READ)
			probe_read(fd, at, page);
		else if (probe == STAT)
			probe_stat(fd);
		else
			probe_fault(files[0], map, at);
		note_gap(probe, now_ms() - begun);
		wait_us(200);
	}
	return NULL;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* About twice a second; the supervisor is told that these are not workers that cannot live. */
static void kill_workers(pid_t supervisor, unsigned count)
{
	uint64_t state = 7;

	for (unsigned n = 0; n < count; n++) {
		pid_t worker = worker_of(supervisor);

		for (unsigned tries = 0; !worker && tries < 10000; tries++) {
			wait_us(1000);
			worker = worker_of(supervisor);
		}
		kill(supervisor, SIGUSR1);
		atomic_fetch_add(&kills, 1);
		if (!worker_kill(supervisor, worker))
			die("there is nobody to kill");
		wait_us(450000 + random_below(&state, 100000));
	}
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double print(const char *name, double *gap, unsigned count)
{
	double p99;

	qsort(gap, count, sizeof(*gap), compare);
	p99 = gap[(count * 99 + 99) / 100 - 1];
	printf("; %s %.1f / %.1f / %.1f", name, gap[count / 2], p99, gap[count - 1]);
	return p99;
}

int main(int argc, char **argv)
{
	pthread_t probes[PROBES];
	unsigned count, mib;
	pid_t supervisor;

	if (argc != 6)
		return 2;
	supervisor = (pid_t)strtol(argv[2], NULL, 10);
	mib = (unsigned)strtoul(argv[3], NULL, 10);
	count = (unsigned)strtoul(argv[5], NULL, 10);
	if (!count || count > KILLS)
		return 2;
	make_files(argv[1], mib, strcmp(argv[4], "shared") == 0);
	for (unsigned p = 0; p < PROBES; p++)
		if (pthread_create(&probes[p], NULL, probe_main, (void *)(uintptr_t)p))
			die("a thread");
	kill_workers(supervisor, count);
	atomic_store(&stopped, true);
	for (unsigned p = 0; p < PROBES; p++)
		pthread_join(probes[p], NULL);
	remove_files(argv[1]);
	for (unsigned n = 0; n < count; n++)
		for (unsigned p = 0; p < PROBES; p++)
			gaps[PROBES][n] = gaps[p][n] > gaps[PROBES][n] ? gaps[p][n] : gaps[PROBES][n];
	printf("gap in ms at %u MiB %s, %u kills, median / p99 / max", mib, argv[4], count);
	for (unsigned p = 0; p < PROBES; p++)
		print(probe_names[p], gaps[p], count);
	printf("\n%.0f\n", print("all", gaps[PROBES], count));
	return 0;
}
