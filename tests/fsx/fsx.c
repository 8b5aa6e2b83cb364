/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/fsx/fsx.c - files that all get the same random changes, each by another way, against a model in memory.
 *
 * Equal changes make the files' pages equal, so they merge; and while one file has a change that the next does not have
 * yet, what they share is split. The model is two images, of a file before and after the present change: at any
 * moment each file is one or the other, so a change that shows in a sibling is found before the sibling gets it, too.
 *
 * Processes take turns, by a byte that goes round in pipes, and each has its own descriptors and mappings of the files.
 * All that is random comes from the seed and from nothing else: the same arguments give the same changes again.
 */
#include "tests/fsx/draw.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_SIZE = 128 * PAGE,
	MAX_FILES = 16,
	MAX_PROCESSES = 8,
	LINES = 400, /* of the log that is kept */
	LINE = 128,
};

struct image {
	size_t size;
	unsigned char data[MAX_SIZE]; /* zeroes beyond size */
};

enum change { WRITE, APPEND, TRUNCATE, PUNCH, ZERO, ALLOCATE, RESERVE, COPY, CHANGES };
static const char *const change_names[] = {"write", "append", "truncate", "punch", "zero", "allocate",
					   "reserve", "copy"};

/* How a change comes into one file: its own call, or one of those that write bytes. */
enum way { OWN, PWRITE, VECTOR, DIRECT, STORE, SYNCED, FROM_MAP, DIRECT_FROM_MAP, INTO_MAP, RANGE, SENDFILE, WAYS };
static const char *const way_names[] = {"its own call", "pwrite", "pwritev", "O_DIRECT", "store", "store and msync",
					"pwrite from a sibling's mapping", "O_DIRECT from a sibling's mapping",
					"O_DIRECT read of a sibling into the mapping", "copy_file_range", "sendfile"};

struct step {
	enum change change;
	size_t at, len, from, size; /* [at, at + len) gets other bytes, the file this size */
};

static struct shared {
	uint64_t seed, random, steps, lines;
	struct image before, after;
	bool done[MAX_FILES]; /* has the change */
	char log[LINES][LINE];
} *all;

static struct file {
	char path[4096];
	int fd, direct, append;
	unsigned char *map;
} files[MAX_FILES];

static unsigned count = 6, processes = 1, self;
static uint64_t limit = 2000;
static time_t seconds;

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	char *line = all->log[all->lines++ % LINES];
	va_list args;
	int n;

	n = snprintf(line, LINE, "%" PRIu64 " p%u ", all->steps, self);
	va_start(args, format);
	vsnprintf(line + n, (size_t)(LINE - n), format, args);
	va_end(args);
}

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	for (uint64_t i = all->lines > LINES ? all->lines - LINES : 0; i < all->lines; i++)
		fprintf(stderr, "%s\n", all->log[i % LINES]);
	fprintf(stderr, "FAILED with seed %" PRIu64 " at step %" PRIu64 ": ", all->seed, all->steps);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	_exit(1);
}

static void must(bool good, unsigned f, const char *what)
{
	if (!good)
		fail("%s of file %u: %s", what, f, strerror(errno));
}

static void open_file(unsigned f)
{
	struct file *file = &files[f];

	file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(file->fd >= 0, f, "open");
	file->direct = open(file->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	must(file->direct >= 0, f, "open with O_DIRECT");
	file->append = open(file->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	must(file->append >= 0, f, "open with O_APPEND");
	file->map = mmap(NULL, MAX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	must(file->map != MAP_FAILED, f, "mmap");
}

static void close_file(unsigned f)
{
	struct file *file = &files[f];

	must(close(file->fd) == 0 && close(file->direct) == 0 && close(file->append) == 0, f, "close");
	must(munmap(file->map, MAX_SIZE) == 0, f, "munmap");
}

/* ---- what a change makes of a file */

static struct step draw_step(void)
{
	static const enum change likely[] = {WRITE, WRITE, WRITE, WRITE, APPEND, TRUNCATE, PUNCH, PUNCH,
					     ZERO, ALLOCATE, RESERVE, COPY, COPY, COPY};
	struct step s = {.change = likely[draw(sizeof(likely) / sizeof(*likely))]};
	size_t size = all->before.size;

	if (s.change == APPEND && size == MAX_SIZE)
		s.change = TRUNCATE;
	if (s.change == COPY && size == 0)
		s.change = WRITE;
	s.at = s.change == APPEND ? size : draw_place(MAX_SIZE);
	if (s.change == TRUNCATE) {
		s.size = draw(10) ? s.at : 0;
		return s;
	}
	s.len = draw_length(s.at, MAX_SIZE);
	if (s.change == COPY) {
		s.from = draw_place(size);
		if (draw(2)) /* whole pages stay whole */
			s.from = min(s.from / PAGE * PAGE + s.at % PAGE, size - 1);
		s.len = min(s.len, size - s.from);
	}
	s.size = size > s.at + s.len ? size : s.at + s.len;
	if (s.change == PUNCH || s.change == RESERVE)
		s.size = size;
	return s;
}

static void change_model(const struct step *s)
{
	unsigned char *data = all->after.data;

	if (s->change == WRITE || s->change == APPEND)
		draw_bytes(data, s->at, s->len);
	else if (s->change == COPY)
		memcpy(data + s->at, all->before.data + s->from, s->len);
	else if (s->change == PUNCH || s->change == ZERO)
		memset(data + s->at, 0, s->len);
	else if (s->change == TRUNCATE && s->size < all->before.size)
		memset(data + s->size, 0, all->before.size - s->size);
	all->after.size = s->size;
}

/* ---- ways */

static void write_all(int fd, const unsigned char *data, size_t len, size_t at, unsigned f, const char *what)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)at);

		must(n > 0, f, what);
		data += n;
		at += (size_t)n;
		len -= (size_t)n;
	}
}

static void copy_range(unsigned source, size_t from, unsigned f, size_t at, size_t len)
{
	off_t in = (off_t)from, out = (off_t)at;

	while (len > 0) {
		ssize_t n = copy_file_range(files[source].fd, &in, files[f].fd, &out, len, 0);

		must(n > 0, f, "copy_file_range");
		len -= (size_t)n;
	}
}

static void send_range(unsigned source, unsigned f, size_t at, size_t len)
{
	off_t in = (off_t)at;

	must(lseek(files[f].fd, in, SEEK_SET) == in, f, "lseek");
	while (len > 0) {
		ssize_t n = sendfile(files[f].fd, files[source].fd, &in, len);

		must(n > 0, f, "sendfile");
		len -= (size_t)n;
	}
}

static void allocate(unsigned f, int mode, const struct step *s)
{
	must(fallocate(files[f].fd, mode, (off_t)s->at, (off_t)s->len) == 0, f, "fallocate");
}

static void truncate_file(unsigned f, size_t size, bool by_path)
{
	int fd;

	if (size == 0 && by_path) {
		fd = open(files[f].path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		must(fd >= 0 && close(fd) == 0, f, "open with O_TRUNC");
	} else if (by_path) {
		must(truncate(files[f].path, (off_t)size) == 0, f, "truncate");
	} else {
		must(ftruncate(files[f].fd, (off_t)size) == 0, f, "ftruncate");
	}
}

/* The call that is made for it. */
static void change_itself(unsigned f, const struct step *s)
{
	unsigned source = (unsigned)draw(count);

	switch (s->change) {
	case APPEND:
		must(write(files[f].append, all->after.data + s->at, s->len) == (ssize_t)s->len, f, "append");
		break;
	case TRUNCATE:
		truncate_file(f, s->size, draw(2));
		break;
	case PUNCH:
		allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, s);
		break;
	case ZERO: /* what tmpfs has no call for: a longer file first, then a hole in it */
		if (s->size > all->before.size)
			truncate_file(f, s->size, false);
		allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, s);
		break;
	case ALLOCATE:
		allocate(f, 0, s);
		break;
	case RESERVE:
		allocate(f, FALLOC_FL_KEEP_SIZE, s);
		break;
	case COPY: /* from the file itself, or from one that is not changed yet */
		if (s->from + s->len <= s->at || s->at + s->len <= s->from)
			source = draw(2) ? f : source;
		else if (source == f)
			source = (source + 1) % count;
		if (all->done[source] || (source == f && s->from < s->at + s->len && s->at < s->from + s->len))
			write_all(files[f].fd, all->after.data + s->at, s->len, s->at, f, "pwrite");
		else
			copy_range(source, s->from, f, s->at, s->len);
		break;
	default:
		write_all(files[f].fd, all->after.data + s->at, s->len, s->at, f, "pwrite");
	}
}

/* Let [at, at + len) of the file be what it is in the new image. `sibling` has the change already. */
static void write_bytes(unsigned f, enum way way, unsigned sibling, size_t at, size_t len)
{
	struct file *file = &files[f];
	const unsigned char *data = all->after.data + at;
	size_t half = len / 2;

	switch (way) {
	case VECTOR:
		must(pwritev(file->fd, (struct iovec[]){{(void *)data, half}, {(void *)(data + half), len - half}}, 2,
			     (off_t)at) == (ssize_t)len, f, "pwritev");
		break;
	case DIRECT:
		write_all(file->direct, data, len, at, f, "O_DIRECT write");
		break;
	case FROM_MAP:
		write_all(file->fd, files[sibling].map + at, len, at, f, "pwrite from a mapping");
		break;
	case DIRECT_FROM_MAP:
		write_all(file->direct, files[sibling].map + at, len, at, f, "O_DIRECT write from a mapping");
		break;
	case INTO_MAP:
		must(pread(files[sibling].direct, file->map + at, len, (off_t)at) == (ssize_t)len, f,
		     "O_DIRECT read into a mapping");
		break;
	case STORE:
	case SYNCED:
		memcpy(file->map + at, data, len);
		if (way == SYNCED)
			must(msync(file->map + at / PAGE * PAGE, len + at % PAGE, draw(2) ? MS_SYNC : MS_ASYNC) == 0,
			     f, "msync");
		break;
	case RANGE:
		copy_range(sibling, at, f, at, len);
		break;
	case SENDFILE:
		send_range(sibling, f, at, len);
		break;
	default:
		write_all(file->fd, data, len, at, f, "pwrite");
	}
}

static void change_file(unsigned f, const struct step *s)
{
	enum way way = s->change == WRITE || draw(3) == 0 ? (enum way)(PWRITE + draw(WAYS - PWRITE)) : OWN;
	unsigned sibling = (unsigned)draw(count);
	size_t end = min(s->at + s->len, s->size), len = end > s->at ? end - s->at : 0;

	while (way >= FROM_MAP && !all->done[sibling]) {
		sibling = (sibling + 1) % count;
		if (sibling == f)
			way = PWRITE;
	}
	if (way != OWN && (s->change == TRUNCATE || s->change == RESERVE || s->change == ALLOCATE || len == 0))
		way = OWN;
	note("file %u: %s [%zu, %zu) size %zu -> %zu by %s %u", f, change_names[s->change], s->at, s->at + s->len,
	     all->before.size, s->size, way_names[way], sibling);
	if (way == OWN) {
		change_itself(f, s);
		return;
	}
	if ((way == STORE || way == SYNCED || way == INTO_MAP) && s->size > all->before.size)
		truncate_file(f, s->size, false);
	write_bytes(f, way, sibling, s->at, len);
}

/* ---- looking */

static void compare(unsigned f, const unsigned char *got, size_t at, size_t len, const char *how)
{
	const struct image *want = all->done[f] ? &all->after : &all->before, *other;
	size_t i = 0;

	if (memcmp(got, want->data + at, len) == 0)
		return;
	while (got[i] == want->data[at + i])
		i++;
	other = all->done[f] ? &all->before : &all->after;
	fail("file %u (%s the change) by %s: byte %zu (page %zu + %zu) is %#x, not %#x%s", f,
	     all->done[f] ? "has" : "has not", how, at + i, (at + i) / PAGE, (at + i) % PAGE, got[i],
	     want->data[at + i], got[i] == other->data[at + i] ? ", as in the other image" : "");
}

static void look_at(unsigned f, size_t at, size_t len, unsigned how)
{
	static unsigned char buffer[MAX_SIZE];
	static const char *const names[] = {"read", "O_DIRECT", "mapping"};

	if (how == 2) {
		memcpy(buffer, files[f].map + at, len);
	} else {
		ssize_t n = pread(how == 1 ? files[f].direct : files[f].fd, buffer, len, (off_t)at);

		must(n >= 0, f, names[how]);
		if ((size_t)n != len)
			fail("file %u: %zd bytes read of %zu at %zu", f, n, len, at);
	}
	compare(f, buffer, at, len, names[how]);
}

static void look_at_size(unsigned f, size_t size)
{
	static const unsigned char zeroes[MAX_SIZE];
	const struct image *image = all->done[f] ? &all->after : &all->before;
	off_t hole, data;
	struct stat st;

	must(fstat(files[f].fd, &st) == 0, f, "fstat");
	if ((size_t)st.st_size != size)
		fail("file %u has %zu bytes, not %zu", f, (size_t)st.st_size, size);
	for (hole = 0; (size_t)hole < size; hole = lseek(files[f].fd, data, SEEK_HOLE)) {
		data = lseek(files[f].fd, hole, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			data = (off_t)size;
		must(data >= hole, f, "SEEK_DATA");
		if (memcmp(image->data + hole, zeroes, (size_t)(data - hole)) != 0)
			fail("file %u: there is data in the hole [%zu, %zu)", f, (size_t)hole, (size_t)data);
		if ((size_t)data == size)
			break;
	}
}

/* A random part; of two looks, one near the change. */
static void look(unsigned f, const struct step *s)
{
	size_t size = (all->done[f] ? &all->after : &all->before)->size, at, len;
	unsigned how = (unsigned)draw(3);

	if (draw(8) == 0)
		look_at_size(f, size);
	if (size == 0)
		return;
	at = draw(2) ? draw(size) : s->at / PAGE * PAGE;
	if (at >= size)
		at = size - 1;
	len = min(1 + draw(draw(2) ? 2 * PAGE : MAX_SIZE), size - at);
	note("file %u: look at [%zu, %zu), %u", f, at, at + len, how);
	look_at(f, at, len, how);
}

static void look_at_all(void)
{
	note("look at everything");
	for (unsigned f = 0; f < count; f++) {
		look_at_size(f, all->after.size);
		for (unsigned how = 0; how < 3; how++)
			look_at(f, 0, all->after.size, how);
	}
}

/* What changes no byte. */
static void disturb(unsigned f)
{
	unsigned what = (unsigned)draw(6);

	note("file %u: disturb %u", f, what);
	switch (what) {
	case 0:
		close_file(f);
		open_file(f);
		break;
	case 1:
		must(fsync(files[f].fd) == 0, f, "fsync");
		break;
	case 2:
		must(fdatasync(files[f].fd) == 0, f, "fdatasync");
		must(posix_fadvise(files[f].fd, 0, 0, POSIX_FADV_DONTNEED) == 0, f, "fadvise");
		break;
	case 3:
		must(madvise(files[f].map, MAX_SIZE, MADV_DONTNEED) == 0, f, "madvise");
		break;
	case 4:
		must(madvise(files[f].map, MAX_SIZE, MADV_PAGEOUT) == 0, f, "madvise");
		break;
	default:
		must(msync(files[f].map, MAX_SIZE, MS_ASYNC) == 0, f, "msync");
	}
}

static void take_step(void)
{
	struct step s = draw_step();
	unsigned first = (unsigned)draw(count);

	all->steps++;
	change_model(&s);
	for (unsigned i = 0; i < count; i++) {
		unsigned f = (first + i) % count;

		change_file(f, &s);
		all->done[f] = true;
		if (draw(2))
			look((unsigned)draw(count), &s);
		if (draw(20) == 0)
			disturb(f);
	}
	all->before = all->after;
	memset(all->done, 0, sizeof(all->done));
	if (all->steps % 200 == 0)
		look_at_all();
}

/* ---- processes that take turns */

static bool over(time_t start)
{
	return seconds ? time(NULL) - start >= seconds : all->steps >= limit;
}

static void __attribute__((noreturn)) run(int in, int out)
{
	time_t start = time(NULL);
	char turn;

	for (unsigned f = 0; f < count; f++)
		open_file(f);
	while (read(in, &turn, 1) == 1) {
		for (uint64_t n = 1 + draw(5); n > 0 && !over(start); n--)
			take_step();
		if (over(start))
			break;
		if (write(out, &turn, 1) != 1)
			break;
	}
	look_at_all();
	if (write(out, "", 1) != 1 && errno != EPIPE)
		fail("a turn: %s", strerror(errno));
	_exit(0);
}

static int run_all(void)
{
	int pipes[MAX_PROCESSES][2], status, result = 0;
	pid_t pids[MAX_PROCESSES], pid;

	for (unsigned p = 0; p < processes; p++)
		if (pipe2(pipes[p], O_CLOEXEC) < 0)
			fail("pipe: %s", strerror(errno));
	fflush(stdout);
	for (self = 0; self < processes; self++) {
		pids[self] = fork();
		if (pids[self] == 0)
			run(pipes[self][0], pipes[(self + 1) % processes][1]);
		if (pids[self] < 0)
			fail("fork: %s", strerror(errno));
	}
	if (write(pipes[0][1], "", 1) != 1)
		fail("the first turn: %s", strerror(errno));
	while ((pid = wait(&status)) > 0) {
		if (status == 0)
			continue;
		if (result == 0 && WIFSIGNALED(status))
			fprintf(stderr, "seed %" PRIu64 ", step %" PRIu64 ": process %d ended by signal %d\n",
				all->seed, all->steps, (int)pid, WTERMSIG(status));
		result = 1;
		for (unsigned p = 0; p < processes; p++)
			if (pids[p] != pid)
				kill(pids[p], SIGKILL);
	}
	return result;
}

static int usage(void)
{
	fprintf(stderr, "usage: fsx [-s SEED] [-n STEPS | -t SECONDS] [-f FILES] [-p PROCESSES] DIRECTORY\n");
	return 2;
}

int main(int argc, char **argv)
{
	int c, result;

	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	all->seed = (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
	while ((c = getopt(argc, argv, "s:n:t:f:p:")) != -1) {
		unsigned long n = optarg ? strtoul(optarg, NULL, 10) : 0;

		if (c == 's')
			all->seed = n;
		else if (c == 'n')
			limit = n;
		else if (c == 't')
			seconds = (time_t)n;
		else if (c == 'f' && n >= 2 && n <= MAX_FILES)
			count = (unsigned)n;
		else if (c == 'p' && n >= 1 && n <= MAX_PROCESSES)
			processes = (unsigned)n;
		else
			return usage();
	}
	if (optind + 1 != argc)
		return usage();
	all->random = all->seed;
	draw_from(&all->random);
	for (unsigned f = 0; f < count; f++)
		snprintf(files[f].path, sizeof(files[f].path), "%s/%u", argv[optind], f);
	printf("fsx: seed %" PRIu64 ", %u files, %u processes\n", all->seed, count, processes);
	result = run_all();
	printf("fsx: seed %" PRIu64 ": %" PRIu64 " steps%s\n", all->seed, all->steps, result ? ", FAILED" : "");
	return result;
}
