/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/together.c - many at the same files: what must be true afterwards whoever came first.
 *
 * Usage: together DIRECTORY PROCESSES OPERATIONS
 *
 * Each process has two threads; all of them do everything on the same few files.  Nothing is known of ksmfs here: on
 * any file system it must pass.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/random.h"

enum { PAGE = 4096, PAGES = 64, RECORD = 600, NAMES = 40, THREADS = 2 };

struct worker {
	unsigned number, of, operations;
	uint64_t random;
	int pages, records, counter; /* open files */
	char *map;
	unsigned versions[PAGES]; /* what its pages hold by now */
	unsigned appended;
};

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void must(bool good, const char *what)
{
	if (!good)
		fail(what);
}

static int open_file(const char *name, int flags)
{
	int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC | flags, 0600);

	must(fd >= 0, name);
	return fd;
}

/* --- pages: each belongs to one worker, all lie in one file ----------------------------------- */

/* Alike for all, so that they are merged, until the worker's number comes in. */
static void fill(char *page, unsigned owner, unsigned version)
{
	memset(page, (int)(version % 3), PAGE);
	if (version % 5 == 0)
		snprintf(page, PAGE, "worker %u version %u", owner, version);
}

static void write_page(struct worker *w)
{
	unsigned n = random_below(&w->random, PAGES / w->of) * w->of + w->number;
	char page[PAGE];

	fill(page, w->number, ++w->versions[n]);
	if (random_chance(&w->random, 50))
		must(pwrite(w->pages, page, PAGE, (off_t)n * PAGE) == PAGE, "pwrite");
	else
		memcpy(w->map + (size_t)n * PAGE, page, PAGE);
}

static void check_page(struct worker *w)
{
	unsigned n = random_below(&w->random, PAGES / w->of) * w->of + w->number;
	char page[PAGE], there[PAGE];

	if (w->versions[n])
		fill(page, w->number, w->versions[n]);
	else
		memset(page, 0, PAGE);
	must(pread(w->pages, there, PAGE, (off_t)n * PAGE) == PAGE, "pread");
	must(memcmp(page, there, PAGE) == 0, "a page that nobody else writes has other bytes in read(2)");
	must(memcmp(page, w->map + (size_t)n * PAGE, PAGE) == 0, "a page that nobody else writes has other bytes in a mapping");
}

/* --- records: whole, none lost, in each worker's order ---------------------------------------- */

static void append(struct worker *w)
{
	char record[RECORD];
	int len = snprintf(record, RECORD, "%u %u ", w->number, w->appended++);

	memset(record + len, '.', RECORD - (size_t)len);
	record[RECORD - 1] = '\n';
	must(write(w->records, record, RECORD) == RECORD, "append");
}

static void check_records(unsigned workers, unsigned long expected)
{
	unsigned *next = calloc(workers, sizeof(*next));
	FILE *f = fopen("records", "r");
	char line[RECORD + 2];
	unsigned long count = 0;

	must(next && f, "records");
	while (fgets(line, sizeof(line), f)) {
		char *rest;
		unsigned long who = strtoul(line, &rest, 10), which = strtoul(rest, NULL, 10);

		must(strlen(line) == RECORD && who < workers, "a record is not whole");
		must(which == next[who]++, "a record is lost, or out of order");
		count++;
	}
	fclose(f);
	free(next);
	must(count == expected, "records are lost");
}

/* --- a counter under a lock ------------------------------------------------------------------- */

static void count(struct worker *w)
{
	struct flock lock = {.l_type = F_WRLCK, .l_len = 8};
	uint64_t value = 0;

	must(fcntl(w->counter, F_OFD_SETLKW, &lock) == 0, "lock");
	must(pread(w->counter, &value, 8, 0) >= 0, "counter");
	value++;
	must(pwrite(w->counter, &value, 8, 0) == 8, "counter");
	lock.l_type = F_UNLCK;
	must(fcntl(w->counter, F_OFD_SETLK, &lock) == 0, "unlock");
}

/* --- names: moved about, exchanged, linked and removed, never lost ---------------------------- */

static void name_of(struct worker *w, char name[static 32])
{
	snprintf(name, 32, "%c/n%u", random_chance(&w->random, 50) ? 'a' : 'b', random_below(&w->random, NAMES));
}

/* Whoever is too late finds that it has been moved by somebody else, or that something is there. */
static void move(struct worker *w)
{
	char from[32], to[32], mine[32];

	name_of(w, from);
	name_of(w, to);
	snprintf(mine, sizeof(mine), "a/mine%u", w->number);
	if (random_chance(&w->random, 70))
		must(renameat2(AT_FDCWD, from, AT_FDCWD, to, random_chance(&w->random, 50) ? 1 : 2) == 0 ||
			     errno == ENOENT || errno == EEXIST,
		     "rename");
	else if (link(from, mine) == 0)
		must(unlink(mine) == 0, "unlink");
	else
		must(errno == ENOENT, "link");
}

static void check_names(void)
{
	static const char *const dirs[] = {"a", "b"};
	unsigned found = 0;

	for (unsigned i = 0; i < 2; i++) {
		DIR *d = opendir(dirs[i]);
		struct stat st;

		must(d, dirs[i]);
		for (struct dirent *e; (e = readdir(d));) {
			if (e->d_name[0] == '.')
				continue;
			must(fstatat(dirfd(d), e->d_name, &st, 0) == 0, e->d_name);
			must(st.st_nlink == 1, "a file has another number of links than names");
			found++;
		}
		closedir(d);
	}
	must(found == NAMES, "names are lost, or came from nowhere");
}

/* --- all of it -------------------------------------------------------------------------------- */

static void *work(void *arg)
{
	static void (*const all[])(struct worker *w) = {write_page, write_page, check_page, append, count, move, move};
	struct worker *w = arg;

	w->pages = open_file("pages", 0);
	w->records = open_file("records", O_APPEND);
	w->counter = open_file("counter", 0);
	w->map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, w->pages, 0);
	must(w->map != MAP_FAILED, "mmap");
	for (unsigned i = 0; i < w->operations; i++)
		all[i % 7](w);
	must(munmap(w->map, PAGES * PAGE) == 0, "munmap");
	close(w->pages);
	close(w->records);
	close(w->counter);
	return NULL;
}

static void work_process(unsigned first, unsigned of, unsigned operations)
{
	struct worker two[THREADS];
	pthread_t threads[THREADS];

	memset(two, 0, sizeof(two));
	for (unsigned i = 0; i < THREADS; i++) {
		two[i].number = first + i;
		two[i].of = of;
		two[i].operations = operations;
		two[i].random = first + i;
		must(pthread_create(&threads[i], NULL, work, &two[i]) == 0, "a thread");
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void prepare(void)
{
	char name[32];

	must(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0, "mkdir");
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%c/n%u", i % 2 ? 'a' : 'b', i);
		close(open_file(name, O_EXCL));
	}
	int fd = open_file("pages", 0);

	must(ftruncate(fd, PAGES * PAGE) == 0, "pages");
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned processes, operations, workers;
	uint64_t counted = 0;
	bool good = true;
	int status, fd;

	if (argc != 4) {
		fprintf(stderr, "usage: together DIRECTORY PROCESSES OPERATIONS\n");
		return 2;
	}
	processes = (unsigned)strtoul(argv[2], NULL, 0);
	workers = processes * THREADS;
	operations = (unsigned)strtoul(argv[3], NULL, 0) / workers / 7 * 7;
	must(workers > 0 && workers <= PAGES, "from 1 to 32 processes");
	must(chdir(argv[1]) == 0, argv[1]);
	prepare();
	for (unsigned i = 0; i < processes; i++)
		if (fork() == 0) {
			work_process(i * THREADS, workers, operations);
			_exit(0);
		}
	while (wait(&status) > 0)
		good = good && status == 0;
	must(good, "a process ended badly");
	check_records(workers, (unsigned long)workers * operations / 7);
	check_names();
	fd = open_file("counter", 0);
	must(pread(fd, &counted, 8, 0) == 8 && counted == (uint64_t)workers * operations / 7, "a count is lost");
	printf("%u operations of %u workers on the same files\n", workers * operations, workers);
	return 0;
}
