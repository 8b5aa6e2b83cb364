/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/do_maps.c - operations on mappings.
 *
 * What POSIX leaves open is not done: bytes of the last page beyond the end of the file are never stored into.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "side.h"

/* A load from a hole takes a page on tmpfs for good, and on ksmfs until the last close: blocks differ (README, Known
 * differences).  A store changes the times when it is made, or when it is written back. */
static void taint(struct side *s, const struct map *m, uint8_t what)
{
	struct stat st;

	if (fstat(m->file, &st) == 0)
		*side_taint(s, &st) |= what;
}

static int64_t size_of(const struct map *m)
{
	struct stat st;

	return fstat(m->file, &st) == 0 ? st.st_size : 0;
}

static void drop_map(struct map *m)
{
	munmap(m->at, m->len);
	close(m->file);
	m->at = NULL;
}

/* Who has it open may map it for storing here, though bytes may only be added (README, Known differences). */
static bool is_append_only(int fd)
{
	int flags;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_APPEND_FL);
}

void do_mmap(struct side *s, const struct op *op, struct seen *ret)
{
	struct map m = {.len = (size_t)op->len, .off = op->off / 4096 * 4096, .shared = op->flags & 3, .file = -1,
			.writable = op->flags & 12};
	int how = m.shared ? (op->flags & 16 ? MAP_SHARED_VALIDATE : MAP_SHARED) : MAP_PRIVATE;
	char link[40];

	if (m.shared && is_append_only(s->fds[op->fd]))
		return;
	if (op->flags / 4 == 15)
		how |= MAP_POPULATE;
	m.at = mmap(NULL, m.len, PROT_READ | (m.writable ? PROT_WRITE : 0), how, s->fds[op->fd], m.off);
	seen_result(ret, m.at == MAP_FAILED ? -1 : 0);
	if (m.at == MAP_FAILED)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", s->fds[op->fd]);
	side_become(0);
	m.file = open(link, O_PATH | O_CLOEXEC);
	if (how & MAP_POPULATE)
		taint(s, &m, TAINT_BLOCKS | (m.writable ? TAINT_TIMES : 0));
	if (s->maps[op->map].at)
		drop_map(&s->maps[op->map]);
	s->maps[op->map] = m;
}

/* The part of a mapping that an operation means, or false. */
static bool part(struct side *s, const struct op *op, struct seen *ret, struct map **map, size_t *at, size_t *len)
{
	struct map *m = &s->maps[op->map];

	errno = ENXIO;
	seen_result(ret, -1);
	if (!m->at || !m->len)
		return false;
	*map = m;
	*at = (uint64_t)op->off % m->len;
	*len = (size_t)op->len < m->len - *at ? (size_t)op->len : m->len - *at;
	if (*len > SIDE_BUFFER)
		*len = SIDE_BUFFER;
	return true;
}

static void copied(struct seen *ret, bool good, size_t len)
{
	seen_result(ret, good ? (int64_t)len : -1);
	if (!good)
		ret->err = SEEN_SIGBUS;
}

void do_store(struct side *s, const struct op *op, struct seen *ret)
{
	size_t at, len;
	struct map *m;
	int64_t size, place;

	if (!part(s, op, ret, &m, &at, &len) || !m->writable)
		return;
	size = size_of(m);
	place = m->off + (int64_t)at;
	if (place >= size && place < (size + 4095) / 4096 * 4096)
		len = 0;
	else if (place < size && (int64_t)len > size - place)
		len = (size_t)(size - place);
	taint(s, m, m->shared ? TAINT_TIMES : TAINT_BLOCKS);
	side_fill(side_buffer(), op->data, place, len);
	copied(ret, side_copy(m->at + at, side_buffer(), len), len);
}

void do_load(struct side *s, const struct op *op, struct seen *ret)
{
	int64_t end, place;
	size_t at, len;
	struct map *m;

	if (!part(s, op, ret, &m, &at, &len))
		return;
	end = (size_of(m) + 4095) / 4096 * 4096;
	place = m->off + (int64_t)at;
	if (place < end && (int64_t)len > end - place)
		len = (size_t)(end - place);
	taint(s, m, TAINT_BLOCKS);
	copied(ret, side_copy(side_buffer(), m->at + at, len), len);
	if (ret->result > 0)
		seen_bytes(ret, side_buffer(), len);
}

void do_msync(struct side *s, const struct op *op, struct seen *ret)
{
	struct map *m = &s->maps[op->map];

	errno = ENXIO;
	seen_result(ret, m->at ? msync(m->at, m->len, op->flags & 1 ? MS_SYNC : MS_ASYNC) : -1);
}

void do_madvise(struct side *s, const struct op *op, struct seen *ret)
{
	static const int advice[] = {MADV_DONTNEED, MADV_REMOVE, MADV_WILLNEED, MADV_RANDOM,
				     MADV_SEQUENTIAL, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLD};
	unsigned n = op->flags % 8;
	size_t at, len;
	struct map *m;

	if (!part(s, op, ret, &m, &at, &len))
		return;
	if (n == 5 || n == 6)
		taint(s, m, TAINT_BLOCKS | TAINT_TIMES);
	if (n == 3 || n == 4) { /* of all of it: mremap refuses what is in pieces */
		seen_result(ret, madvise(m->at, m->len, advice[n]));
		return;
	}
	seen_result(ret, madvise(m->at + at / 4096 * 4096, (len + at % 4096 + 4095) / 4096 * 4096, advice[n]));
}

void do_mremap(struct side *s, const struct op *op, struct seen *ret)
{
	struct map *m = &s->maps[op->map];
	char *at;

	errno = ENXIO;
	seen_result(ret, -1);
	if (!m->at)
		return;
	at = mremap(m->at, m->len, (size_t)op->len, MREMAP_MAYMOVE);
	seen_result(ret, at == MAP_FAILED ? -1 : 0);
	if (at == MAP_FAILED)
		return;
	m->at = at;
	m->len = (size_t)op->len;
}

void do_munmap(struct side *s, const struct op *op, struct seen *ret)
{
	struct map *m = &s->maps[op->map];

	seen_result(ret, m->at ? 0 : -1);
	ret->err = 0;
	if (m->at)
		drop_map(m);
}
