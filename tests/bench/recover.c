/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/bench/recover.c - how long a mount stands still when its daemon is killed: volume_open() of what is left.
 *
 * A child fills a volume and is killed; others open it, one after the other, and are killed, too, as fresh as a worker
 * that its supervisor has forked.  Printed is how long each took, at best and in the middle, and CPU time, which others
 * on the machine disturb less.
 *
 *     recover [MIB FILES SHARERS]...      so much in so many files, of which each page is there SHARERS times
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "tests/bench/numbered.h"
#include "tests/unit/tempdir.h"

enum { ROUNDS = 15 };

struct load {
	unsigned mib, files, sharers;
};

static struct volume_config config;
static double *took; /* wall clock and CPU; shared with the children */

static void fill(struct volume *v, const struct load *l)
{
	static uint64_t data[BATCH_PAGES][PAGE_BYTES / sizeof(uint64_t)];
	uint64_t pages = (uint64_t)l->mib << 8, each = pages / l->files, page = 0;

	for (unsigned n = 0; n < l->files; n++) {
		uint64_t ino = make_file(v, n);

		for (uint64_t index = 0; index < each;) {
			unsigned count = (unsigned)MIN(each - index, (uint64_t)BATCH_PAGES);
			size_t len = (size_t)count << PAGE_SHIFT;

			for (unsigned k = 0; k < count; k++)
				data[k][0] = data[k][7] = 1 + page++ % MAX(pages / l->sharers, UINT64_C(1));
			must(volume_write(v, ino, index << PAGE_SHIFT, data, len, 0) == (ssize_t)len, "write");
			index += count;
		}
	}
}

/* In a child, which does not end by itself. */
static void in_child(void (*what)(const struct load *l), const struct load *l)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid) {
		what(l);
		raise(SIGKILL);
	}
	must(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "child");
}

static void build(const struct load *l)
{
	struct volume *v;

	must(volume_open(&config, &v) == 0, "open");
	fill(v, l);
}

static void take_over(const struct load *l)
{
	struct volume *v;
	double began = clock_s(CLOCK_MONOTONIC), cpu_began = clock_s(CLOCK_PROCESS_CPUTIME_ID);

	must(volume_open(&config, &v) == 0, "open again");
	took[0] = clock_s(CLOCK_MONOTONIC) - began;
	took[1] = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_began;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct load *l)
{
	double each[ROUNDS], cpu[ROUNDS];
	void *dir = NULL;

	must(tempdir_setup(&dir) == 0, "directory");
	config = (struct volume_config){ .dir = dir, .size_pages = 1 << 24, .nr_inodes = 1 << 22, .mode = 01777,
					 .merge_on_write = true };
	must(volume_memfds(&config.frames_fd, &config.inodes_fd) == 0, "memfds");
	in_child(build, l);
	for (unsigned n = 0; n < ROUNDS; n++) {
		in_child(take_over, l);
		each[n] = took[0] * 1000;
		cpu[n] = took[1] * 1000;
	}
	qsort(each, ROUNDS, sizeof(each[0]), by_size);
	qsort(cpu, ROUNDS, sizeof(cpu[0]), by_size);
	printf("%5u MiB in %6u files, each page %3u times: %6.1f ms at best, %6.1f in the middle, %6.1f of CPU\n", l->mib,
	       l->files, l->sharers, each[0], each[ROUNDS / 2], cpu[0]);
	(void)fflush(stdout);
	close(config.frames_fd);
	close(config.inodes_fd);
	tempdir_teardown(&dir);
}

static unsigned number(const char *text)
{
	unsigned long n = strtoul(text, NULL, 10);

	must(n && n <= UINT32_MAX, "MIB FILES SHARERS, none of them 0");
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	static const struct load usual[] = { { 64, 16, 1 }, { 64, 16, 16 }, { 1024, 16, 1 }, { 4096, 16, 16 },
					     { 4096, 1, 4096 }, { 400, 100000, 100 } };

	took = mmap(NULL, 2 * sizeof(*took), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(took != MAP_FAILED, "memory");
	for (int n = 1; n + 2 < argc; n += 3)
		measure(&(struct load){ number(argv[n]), number(argv[n + 1]), number(argv[n + 2]) });
	for (unsigned n = 0; argc < 2 && n < ARRAY_SIZE(usual); n++)
		measure(&usual[n]);
	return 0;
}
