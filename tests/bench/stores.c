/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/bench/stores.c - random stores into a file that is mapped whole and hot, and the longest of them.
 *
 * Usage: stores DIRECTORY MIB SECONDS.  Prints stores a second, and in ms the longest and what 1 of 100,000 took.
 * A store is seen by the file system when its page is made writable, and when it is written back: what holds it up.
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

enum { PAGE = 4096, MIB = 1 << 20, BUCKETS = 4096, NS_A_BUCKET = 50000, RARE = 100000 };

static uint64_t seed = 4711;

/* Unique pages, written once and in the page cache. */
static volatile uint64_t *hot_file(size_t bytes)
{
	static uint64_t page[PAGE / sizeof(uint64_t)];
	uint64_t *p;
	int fd = open("stores", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		die("open");
	for (size_t at = 0; at < bytes; at += PAGE) {
		for (unsigned i = 0; i < PAGE / sizeof(*page); i++)
			page[i] = random_next(&seed);
		if (write(fd, page, PAGE) != PAGE)
			die("write");
	}
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	close(fd);
	return p;
}

int main(int argc, char **argv)
{
	static uint64_t bucket[BUCKETS];
	uint64_t stores = 0, longest = 0, begin, last, end, rare = 0;
	volatile uint64_t *p;
	unsigned b = BUCKETS;
	size_t pages;

	if (argc != 4) {
		fputs("Usage: stores DIRECTORY MIB SECONDS\n", stderr);
		return 2;
	}
	if (chdir(argv[1]) < 0)
		die(argv[1]);
	pages = strtoul(argv[2], NULL, 10) * MIB / PAGE;
	p = hot_file(pages * PAGE);
	begin = last = (uint64_t)clock_ns(CLOCK_MONOTONIC);
	end = begin + strtoul(argv[3], NULL, 10) * UINT64_C(1000000000);
	while (last < end) {
		uint64_t random = random_next(&seed), then;

		p[random % pages * (PAGE / sizeof(*p)) + (random >> 40) % (PAGE / sizeof(*p))] = random;
		then = (uint64_t)clock_ns(CLOCK_MONOTONIC);
		longest = then - last > longest ? then - last : longest;
		bucket[(then - last) / NS_A_BUCKET < BUCKETS ? (then - last) / NS_A_BUCKET : BUCKETS - 1]++;
		last = then;
		stores++;
	}
	while (b > 0 && rare < stores / RARE)
		rare += bucket[--b];
	printf("%.0f %.2f %.2f\n", (double)stores / ((double)(last - begin) / 1e9), (double)longest / 1e6,
	       (double)(b + 1) * NS_A_BUCKET / 1e6);
	unlink("stores");
	return 0;
}
