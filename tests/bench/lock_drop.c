/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/bench/lock_drop.c - what it is worth that a fault that waits has dropped its lock.
 *
 * One write waits for its page for SECONDS; meanwhile three threads read, write and truncate elsewhere in the same
 * file.  Printed is how long their calls took.  lock_drop_kept is the same with a fault that keeps the map lock
 * while it waits, as the kernel's did before it learned to drop mmap_lock and to retry.
 */
#ifdef FAULT_KEEPS_MAP_LOCK
#include "core/fault.c"
#endif

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/failpoint.h"
#include "core/clock.h"
#include "core/volume.h"
#include "tests/unit/tempdir.h"
#include "tests/lib/program.h"

enum { SECONDS = 2, PAGES = 256, CALLS_MAX = 1 << 22, HELD_PAGE = 0, TRUNCATED_PAGES = 64 };

static struct volume *volume;
static uint64_t ino;
static atomic_bool stop;

struct caller {
	const char *name;
	void (*call)(uint64_t n);
	uint32_t *us;
	unsigned count;
};

static uint64_t somewhere(uint64_t n)
{
	return (1 + n * 7 % (PAGES - 1)) * PAGE_BYTES; /* never HELD_PAGE */
}

static void read_page(uint64_t n)
{
	static struct volume_read r;

	must(volume_read(volume, ino, somewhere(n), PAGE_BYTES, &r) == 0, "a read fails");
	volume_read_done(&r);
}

static void write_page(uint64_t n)
{
	static uint64_t page[PAGE_BYTES / sizeof(uint64_t)];

	page[0] = n;
	must(volume_write(volume, ino, somewhere(n), page, PAGE_BYTES, 0) == PAGE_BYTES, "a write fails");
}

static void truncate_file(uint64_t n)
{
	struct stat st = { .st_size = (off_t)(PAGES + n % TRUNCATED_PAGES) * PAGE_BYTES };

	must(volume_setattr(volume, ino, &st, VOLUME_SET_SIZE, &st) == 0, "a truncation fails");
}

static void *calls(void *arg)
{
	struct caller *c = arg;

	while (!stop && c->count < CALLS_MAX) {
		double from = clock_s(CLOCK_MONOTONIC);

		c->call(c->count);
		c->us[c->count++] = (uint32_t)((clock_s(CLOCK_MONOTONIC) - from) * 1e6);
	}
	return NULL;
}

static void *held_write(void *arg)
{
	static const uint8_t page[PAGE_BYTES] = "held";

	must(volume_write(volume, ino, HELD_PAGE, page, PAGE_BYTES, 0) == PAGE_BYTES, "the held write fails");
	return arg;
}

static int by_us(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void tell(struct caller *c)
{
	qsort(c->us, c->count, sizeof(*c->us), by_us);
	printf("%-10s %9u calls   p50 %8.3f ms   p99 %8.3f ms   max %8.3f ms\n", c->name, c->count,
	       c->us[c->count / 2] / 1e3, c->us[(uint64_t)c->count * 99 / 100] / 1e3, c->us[c->count - 1] / 1e3);
}

static void open_volume(const char *dir)
{
	struct volume_config config = { .dir = dir, .size_pages = 1 << 16, .nr_inodes = 100, .mode = 0700 };
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	static uint8_t bytes[PAGES * PAGE_BYTES];
	struct volume_entry e;

	must(volume_memfds(&config.frames_fd, &config.inodes_fd) == 0, "no memfds");
	must(volume_open(&config, &volume) == 0, "no volume");
	must(volume_create(volume, ROOT_INO, (struct name){ "file", 4 }, &new, &e) == 0, "no file");
	ino = e.ino;
	memset(bytes, 'x', sizeof(bytes));
	must(volume_write(volume, ino, 0, bytes, sizeof(bytes), 0) == sizeof(bytes), "the file cannot be filled");
}

static void contest(void)
{
	static struct caller caller[] = { { "reads", read_page }, { "writes", write_page }, { "truncates", truncate_file } };
	pthread_t thread[ARRAY_SIZE(caller)], held;

	failpoint_pause_arm(PAUSE_FAULT_WAIT, SECONDS * 1000);
	failpoint_arm(FAIL_PAGE_LOCK, 1);
	must(!pthread_create(&held, NULL, held_write, NULL), "no thread");
	while (failpoint_pause_armed(PAUSE_FAULT_WAIT))
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	for (unsigned n = 0; n < ARRAY_SIZE(caller); n++) {
		caller[n].us = calloc(CALLS_MAX, sizeof(*caller[n].us));
		must(caller[n].us && !pthread_create(&thread[n], NULL, calls, &caller[n]), "no thread");
	}
	pthread_join(held, NULL);
	stop = true;
	for (unsigned n = 0; n < ARRAY_SIZE(caller); n++) {
		pthread_join(thread[n], NULL);
		if (caller[n].count)
			tell(&caller[n]);
		free(caller[n].us);
	}
}

int main(void)
{
	void *dir;

	must(tempdir_setup(&dir) == 0, "no directory");
#ifdef FAULT_KEEPS_MAP_LOCK
	printf("while a fault waits for %d s, keeping the map lock:\n", SECONDS);
#else
	printf("while a fault waits for %d s, its lock dropped:\n", SECONDS);
#endif
	open_volume(dir);
	contest();
	volume_close(volume);
	tempdir_teardown(&dir);
	return 0;
}
