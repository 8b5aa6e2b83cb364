/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/brim/filler.c - fills its share of a small mount by every way there is, and is killed at it.
 *
 * First write(2) until there is no room, then all kinds of operation on what is there, in any order.  Each says in
 * the ledger what it is about to do, and what it was told.  What is full refuses by ENOSPC, or by SIGBUS where a store
 * has no page; anything else is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/brim/ledger.h"

enum { RUN_MAX = 48, SHARED_VALUES = 20 };

static struct {
	struct ledger *l;
	uint64_t random;
	uint32_t next; /* a value that nobody has used */
	int fd;
	uint8_t *map;
	uint8_t data[RUN_MAX * PAGE];
} f;

static sigjmp_buf bus;

static void on_bus(int signo)
{
	(void)signo;
	siglongjmp(bus, 1);
}

static _Noreturn void wrong(const char *what, int error)
{
	snprintf(f.l->wrong, sizeof(f.l->wrong), "%s: %s", what, strerror(error));
	_exit(1);
}

static void refused(const char *what)
{
	if (errno != ENOSPC)
		wrong(what, errno);
	f.l->refused++;
}

/* Some that everybody uses, zeroes, and mostly new ones. */
static uint32_t some_value(void)
{
	uint32_t kind = draw(&f.random, 16);

	if (kind == 0)
		return 0;
	return kind < 5 ? 1 + draw(&f.random, SHARED_VALUES) : f.next++;
}

static void begin(unsigned first, unsigned count, const uint32_t *value)
{
	for (unsigned n = 0; n < count; n++)
		entry_begin(&f.l->page[first + n], value[n]);
}

/* `done` of them. */
static void end(unsigned first, unsigned count, unsigned done)
{
	for (unsigned n = 0; n < count; n++)
		entry_end(&f.l->page[first + n], n < done);
}

/* Of a page that is dirty the kernel would lose what was stored, if a write is refused; or a copy, which it may make by
 * one. */
static void clean(unsigned first, unsigned count)
{
	if (msync(f.map + (size_t)first * PAGE, (size_t)count * PAGE, MS_SYNC) < 0)
		wrong("msync", errno);
}

static void refuse(unsigned first, unsigned count, unsigned done, const uint32_t *value)
{
	for (unsigned n = done; n < count; n++)
		f.l->page[first + n].refused = value[n];
}

static bool write_pages(unsigned first, unsigned count)
{
	uint32_t value[RUN_MAX];
	ssize_t n;

	for (unsigned k = 0; k < count; k++) {
		value[k] = some_value();
		value_fill(f.data + k * PAGE, PAGE, value[k]);
	}
	clean(first, count);
	begin(first, count, value);
	n = pwrite(f.fd, f.data, (size_t)count * PAGE, (off_t)first * PAGE);
	refuse(first, count, n < 0 ? 0 : (unsigned)n / PAGE, value);
	end(first, count, n < 0 ? 0 : (unsigned)n / PAGE);
	if (n < 0)
		refused("write");
	if (n > 0 && n % PAGE)
		wrong("a write of a part of a page", 0);
	return n == (ssize_t)(count * PAGE);
}

static void store_page(unsigned at)
{
	uint32_t value = some_value();

	value_fill(f.data, PAGE, value);
	entry_begin(&f.l->page[at], value);
	if (sigsetjmp(bus, 1)) { /* no page for it, or the file ends before */
		entry_end(&f.l->page[at], false);
		f.l->killed_by_bus++;
		return;
	}
	memcpy(f.map + (size_t)at * PAGE, f.data, PAGE);
	entry_end(&f.l->page[at], true);
}

static void store_pages(unsigned first, unsigned count)
{
	for (unsigned n = 0; n < count; n++)
		store_page(first + n);
}

static void allocate(unsigned first, unsigned count)
{
	int mode = draw(&f.random, 2) ? FALLOC_FL_KEEP_SIZE : 0;

	if (fallocate(f.fd, mode, (off_t)first * PAGE, (off_t)count * PAGE) < 0)
		refused("fallocate");
}

static void punch(unsigned first, unsigned count)
{
	static const uint32_t zeroes[RUN_MAX];

	begin(first, count, zeroes);
	if (fallocate(f.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first * PAGE, (off_t)count * PAGE) < 0)
		wrong("punch", errno);
	end(first, count, count);
}

static void copy(unsigned first, unsigned count)
{
	unsigned to = draw(&f.random, FILE_PAGES - count);
	off_t in = (off_t)first * PAGE, out = (off_t)to * PAGE;
	uint32_t value[RUN_MAX];
	ssize_t n;

	if (to < first + count && first < to + count)
		return;
	for (unsigned k = 0; k < count; k++) {
		if (f.l->page[first + k].refused != NOTHING)
			return; /* either may be what the kernel copies */
		value[k] = f.l->page[first + k].is;
	}
	clean(to, count);
	begin(to, count, value);
	n = copy_file_range(f.fd, &in, f.fd, &out, (size_t)count * PAGE, 0);
	refuse(to, count, n < 0 ? 0 : (unsigned)n / PAGE, value);
	end(to, count, n < 0 ? 0 : (unsigned)n / PAGE);
	if (n < 0)
		refused("copy_file_range");
}

/* The rest becomes holes. */
static void truncate_and_back(unsigned first)
{
	for (unsigned n = first; n < FILE_PAGES; n++)
		entry_begin(&f.l->page[n], 0);
	if (ftruncate(f.fd, (off_t)first * PAGE) < 0 || ftruncate(f.fd, (off_t)FILE_PAGES * PAGE) < 0)
		wrong("ftruncate", errno);
	for (unsigned n = first; n < FILE_PAGES; n++)
		entry_end(&f.l->page[n], true);
}

static void set_xattr(void)
{
	unsigned n = draw(&f.random, XATTRS);
	struct entry *e = &f.l->xattr[n];
	uint32_t value = f.next++;
	char name[16];

	xattr_name(name, n);
	value_fill(f.data, xattr_len(value), value);
	entry_begin(e, value);
	if (fsetxattr(f.fd, name, f.data, xattr_len(value), 0) == 0) {
		entry_end(e, true);
		return;
	}
	entry_end(e, false);
	refused("setxattr");
	entry_begin(e, 0);
	if (fremovexattr(f.fd, name) < 0 && errno != ENODATA)
		wrong("removexattr", errno);
	entry_end(e, true);
}

static void make_or_remove(void)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "n%u", draw(&f.random, NAMES));
	if (unlink(name) == 0)
		return;
	fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0600);
	if (fd < 0) {
		refused("create");
		return;
	}
	if (write(fd, f.data, 1 + draw(&f.random, 2 * PAGE)) < 0)
		refused("write to a new file");
	close(fd);
}

static void do_something(void)
{
	unsigned count = 1 + draw(&f.random, RUN_MAX - 1), first = draw(&f.random, FILE_PAGES - count);

	f.l->done++;
	switch (draw(&f.random, 20)) {
	case 0 ... 4:
		(void)write_pages(first, count);
		break;
	case 5 ... 9:
		store_pages(first, count);
		break;
	case 10 ... 11:
		allocate(first, count);
		break;
	case 12:
		punch(first, count);
		break;
	case 13 ... 15:
		copy(first, count);
		break;
	case 16:
		truncate_and_back(FILE_PAGES - count);
		break;
	case 17 ... 18:
		set_xattr();
		break;
	default:
		make_or_remove();
	}
}

_Noreturn void filler_run(struct ledger *l, const char *dir, unsigned who, uint64_t seed)
{
	struct sigaction action = { .sa_handler = on_bus };

	f.l = l;
	f.random = seed;
	f.next = (who + 1) << 24;
	sigaction(SIGBUS, &action, NULL);
	if (chdir(dir) < 0)
		wrong(dir, errno);
	f.fd = open("data", O_RDWR);
	if (f.fd < 0)
		wrong("open", errno);
	f.map = mmap(NULL, (size_t)FILE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	if (f.map == MAP_FAILED)
		wrong("mmap", errno);
	for (unsigned at = 0; at + RUN_MAX <= FILE_PAGES && write_pages(at, RUN_MAX) && !l->over; at += RUN_MAX)
		;
	while (!l->over)
		do_something();
	_exit(0);
}
