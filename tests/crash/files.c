/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/files.c - writers: by stores and msync, by pwrite and fsync, by O_DIRECT; all truncate, punch, copy.
 *
 * Each file has an image in memory, which every reading must equal: a store counts as done when it is made, a
 * call when it has returned. So nothing may be lost, nothing done twice, and no byte may be there that was never
 * written.
 */
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <ksmfs/ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

enum { FILES = 4, PAGES = 256, MOST = 32, MAX_SIZE = PAGES * PAGE };

enum way { STORE, PWRITE, DIRECT };

static struct file {
	char name[16];
	int fd, direct;
	unsigned char *map;
	size_t size;
	uint32_t generation;
	bool left_out[PAGES]; /* of merging; not beyond size */
	unsigned char image[MAX_SIZE]; /* zeroes beyond size */
} files[FILES];

static unsigned char *buffer; /* on a page's border */

/* --- opening ---------------------------------------------------------------------------------- */

static void open_file(struct file *f, int flags)
{
	note("open %s", f->name);
	f->fd = (int)answered(open(f->name, O_RDWR | O_CLOEXEC | flags, 0644), 0);
	note("open %s O_DIRECT", f->name);
	f->direct = (int)answered(open(f->name, O_RDWR | O_CLOEXEC | O_DIRECT), 0);
	note("mmap %s", f->name);
	f->map = mmap(NULL, MAX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	answered(f->map == MAP_FAILED ? -1 : 0, 0);
}

static void close_file(struct file *f)
{
	note("munmap %s", f->name);
	answered(munmap(f->map, MAX_SIZE), 0);
	note("close %s", f->name);
	answered(close(f->fd), 0);
	note("close %s O_DIRECT", f->name);
	answered(close(f->direct), 0);
}

static size_t pages_of(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE;
}

static void set_size(struct file *f, size_t size)
{
	note("ftruncate %s from %zu to %zu", f->name, f->size, size);
	answered(ftruncate(f->fd, (off_t)size), 0);
	if (size < f->size)
		memset(f->image + size, 0, f->size - size);
	for (size_t page = pages_of(size); page < PAGES; page++)
		f->left_out[page] = false;
	f->size = size;
}

static void make(void)
{
	buffer = mmap(NULL, MAX_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		fail(ERROR, "no memory");
	for (unsigned i = 0; i < FILES; i++) {
		struct file *f = &files[i];

		f->name[0] = 'f';
		f->name[1] = (char)('0' + i);
		open_file(f, O_CREAT | O_EXCL);
		set_size(f, MAX_SIZE / 2);
	}
}

static void remove_all(void)
{
	for (unsigned i = 0; i < FILES; i++) {
		close_file(&files[i]);
		note("unlink %s", files[i].name);
		answered(unlink(files[i].name), 0);
	}
}

/* --- comparing -------------------------------------------------------------------------------- */

/* `there` was read from `at`, by `way`. */
static void compare(const struct file *f, const unsigned char *there, size_t at, size_t len, const char *way)
{
	unsigned char now[PAGE];
	char found[128], wanted[128];
	size_t i = 0, page;
	unsigned differ = 0;

	if (memcmp(there, f->image + at, len) == 0)
		return;
	while (there[i] == f->image[at + i])
		i++;
	page = (at + i) / PAGE;
	memcpy(now, f->image + page * PAGE, PAGE);
	for (size_t j = MAX(page * PAGE, at); j < MIN((page + 1) * PAGE, at + len); j++) {
		differ += there[j - at] != f->image[j];
		now[j % PAGE] = there[j - at];
	}
	page_describe(now, found, sizeof(found));
	page_describe(f->image + page * PAGE, wanted, sizeof(wanted));
	fail(LOST, "%s by %s: page %zu differs in %u bytes from byte %zu on (size %zu): it is %s, and should be %s",
	     f->name, way, page, differ, at + i, f->size, found, wanted);
}

static void compare_map(struct file *f, size_t at, size_t len)
{
	note("load %s %zu+%zu", f->name, at, len);
	memcpy(buffer, f->map + at, len);
	answered(0, 0);
	compare(f, buffer, at, len, "mapping");
}

static void compare_read(struct file *f, int fd, size_t at, size_t len, const char *way)
{
	size_t wanted = at < f->size ? MIN(len, f->size - at) : 0;

	note("%s %s %zu+%zu", way, f->name, at, len);
	answered_with(pread(fd, buffer, len, (off_t)at), (long)wanted);
	compare(f, buffer, at, wanted, way);
}

static void look(struct file *f)
{
	unsigned page = draw(PAGES), count = 1 + draw(MIN(MOST, PAGES - page));
	size_t at = (size_t)page * PAGE, len = (size_t)count * PAGE;

	switch (draw(3)) {
	case 0:
		if (at < f->size)
			compare_map(f, at, MIN(len, f->size - at));
		return;
	case 1:
		compare_read(f, f->fd, at, len, "pread");
		return;
	default:
		compare_read(f, f->direct, at, len, "pread with O_DIRECT");
	}
}

static void compare_advice(const struct file *f)
{
	struct ksmfs_stat stat = {.len = pages_of(f->size) * PAGE};
	size_t left_out = 0;

	for (size_t page = 0; page < PAGES; page++)
		left_out += f->left_out[page];
	note("what is left out of %s", f->name);
	answered(ioctl(f->fd, KSMFS_IOC_STAT, &stat), 0);
	if (stat.left_out != left_out)
		fail(LOST, "%s: %llu pages are left out of merging, and should be %zu", f->name,
		     (unsigned long long)stat.left_out, left_out);
}

/* Every byte each way, what is mapped first; then again from the daemon, not from the cache. */
static void verify(void)
{
	struct stat st;

	for (unsigned i = 0; i < FILES; i++) {
		struct file *f = &files[i];

		note("fstat %s", f->name);
		answered(fstat(f->fd, &st), 0);
		if (st.st_size != (off_t)f->size || st.st_nlink != 1)
			fail(LOST, "%s has size %lld and %u links, and should have %zu and 1", f->name,
			     (long long)st.st_size, (unsigned)st.st_nlink, f->size);
		compare_advice(f);
		compare_map(f, 0, f->size);
		note("fsync %s", f->name);
		answered(fsync(f->fd), 0);
		compare_read(f, f->direct, 0, MAX_SIZE, "pread with O_DIRECT");
		close_file(f);
		open_file(f, 0);
		note("fadvise %s", f->name);
		answered(posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		compare_read(f, f->fd, 0, MAX_SIZE, "pread");
		compare_map(f, 0, f->size);
	}
}

/* --- changing --------------------------------------------------------------------------------- */

/* New content for whole pages, in the buffer. */
static void fill(struct file *f, size_t at, size_t len)
{
	struct page_label label = {(uint32_t)(self - run->job), (uint32_t)(f - files), 0, ++f->generation};

	for (size_t i = 0; i < len; i += PAGE) {
		label.index = (uint32_t)((at + i) / PAGE);
		page_fill(buffer + i, &label);
	}
}

static void grown(struct file *f, size_t end)
{
	f->size = MAX(f->size, end);
}

static void by_store(struct file *f, size_t at, size_t len)
{
	if (at >= f->size)
		return;
	len = MIN(len, f->size - at);
	note("store %s %zu+%zu generation %u", f->name, at, len, f->generation);
	memcpy(f->map + at, buffer, len);
	answered(0, 0);
	memcpy(f->image + at, buffer, len);
	if (chance(50))
		return;
	note("msync %s %zu+%zu", f->name, at, len);
	answered(msync(f->map + at / PAGE * PAGE, at % PAGE + len, MS_SYNC), 0);
	compare_read(f, f->direct, at / PAGE * PAGE, PAGE, "pread with O_DIRECT after msync");
}

static void by_pwrite(struct file *f, size_t at, size_t len)
{
	note("pwrite %s %zu+%zu generation %u", f->name, at, len, f->generation);
	answered_with(pwrite(f->fd, buffer, len, (off_t)at), (long)len);
	memcpy(f->image + at, buffer, len);
	grown(f, at + len);
	if (chance(30)) {
		note("fsync %s", f->name);
		answered(fsync(f->fd), 0);
	}
}

static void by_direct(struct file *f, size_t at, size_t len)
{
	note("pwrite O_DIRECT %s %zu+%zu generation %u", f->name, at, len, f->generation);
	answered_with(pwrite(f->direct, buffer, len, (off_t)at), (long)len);
	memcpy(f->image + at, buffer, len);
	grown(f, at + len);
}

static void (*const writes[])(struct file *, size_t, size_t) = {
	[STORE] = by_store, [PWRITE] = by_pwrite, [DIRECT] = by_direct};

static void change(struct file *f, enum way way)
{
	unsigned page = draw(PAGES), count = 1 + (chance(60) ? 0 : draw(MIN(MOST, PAGES - page)));
	size_t at = (size_t)page * PAGE, len = (size_t)count * PAGE;

	fill(f, at, len);
	if (way != DIRECT && chance(25)) { /* a part of pages */
		at += draw(PAGE);
		len = 1 + draw((unsigned)MIN(len, MAX_SIZE - at));
	}
	writes[way](f, at, len);
}

static void cut(struct file *f)
{
	size_t size = chance(30) ? draw(MAX_SIZE + 1) : (size_t)(1 + draw(PAGES)) * PAGE;

	set_size(f, size);
}

static void punch(struct file *f)
{
	size_t at = draw(MAX_SIZE - 1), len = 1 + draw((unsigned)MIN((size_t)64 * PAGE, MAX_SIZE - at));

	if (chance(70)) {
		at = at / PAGE * PAGE;
		len = MIN((len + PAGE - 1) / PAGE * PAGE, MAX_SIZE - at);
	}
	note("punch %s %zu+%zu", f->name, at, len);
	answered(fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len), 0);
	memset(f->image + at, 0, len);
}

static void reserve(struct file *f)
{
	size_t at = draw(MAX_SIZE - 1), len = 1 + draw((unsigned)(MAX_SIZE - at));

	note("fallocate %s %zu+%zu", f->name, at, len);
	answered(fallocate(f->fd, 0, (off_t)at, (off_t)len), 0);
	grown(f, at + len);
}

/* By reference, where both are on pages' borders. */
static void copy(struct file *to)
{
	struct file *from = &files[draw(FILES)];
	size_t len = (size_t)(1 + draw(MOST)) * PAGE;
	loff_t in = (loff_t)draw(PAGES - MOST) * PAGE, out = (loff_t)draw(PAGES - MOST) * PAGE;
	loff_t start = in, at = out;
	long n;

	if (from == to || (size_t)in >= from->size)
		return;
	note("copy_file_range %s %lld+%zu to %s %lld", from->name, (long long)in, len, to->name, (long long)out);
	n = answered(copy_file_range(from->fd, &in, to->fd, &out, len, 0), 0);
	if (n == 0)
		fail(LOST, "it copied nothing of a file of %zu bytes", from->size);
	memcpy(to->image + at, from->image + start, (size_t)n);
	grown(to, (size_t)at + (size_t)n);
}

/* Pages are left out of merging, or put back. */
static void advise(struct file *f)
{
	size_t pages = pages_of(f->size), first = pages ? draw((unsigned)pages) : 0;
	size_t count = pages ? 1 + draw((unsigned)MIN(pages - first, MOST)) : 0;
	struct ksmfs_range range = {first * PAGE, count * PAGE};
	bool out = chance(50);

	note("advise %s %zu+%zu %s", f->name, first, count, out ? "unmergeable" : "mergeable");
	answered(ioctl(f->fd, out ? KSMFS_IOC_UNMERGEABLE : KSMFS_IOC_MERGEABLE, &range), 0);
	memset(f->left_out + first, out, count);
}

static void reopen(struct file *f)
{
	close_file(f);
	open_file(f, 0);
}

static void step_by(enum way way)
{
	struct file *f = &files[draw(FILES)];
	unsigned what = draw(100);

	if (what < 60)
		change(f, chance(90) ? way : (enum way)draw(3));
	else if (what < 80)
		look(f);
	else if (what < 84)
		cut(f);
	else if (what < 88)
		punch(f);
	else if (what < 90)
		reserve(f);
	else if (what < 94)
		copy(f);
	else if (what < 97)
		advise(f);
	else
		reopen(f);
}

static void step_store(void)
{
	step_by(STORE);
}

static void step_pwrite(void)
{
	step_by(PWRITE);
}

static void step_direct(void)
{
	step_by(DIRECT);
}

const struct kind mapped_files = {"mapped", 2, make, step_store, verify, remove_all};
const struct kind written_files = {"written", 2, make, step_pwrite, verify, remove_all};
const struct kind direct_files = {"direct", 2, make, step_direct, verify, remove_all};
