/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "failpoint.h"
#include "lock.h"
#include "log.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

enum { ZEROES = 128 /* pages written by one call */ };

int arena_memfd(const char *name, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* Where `bytes` can be mapped that share no page table of the kernel's with anybody; nothing is there yet. */
static void *find_place(size_t bytes)
{
	size_t all = bytes + ARENA_TABLE_BYTES;
	uint8_t *from = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t skip;

	if (from == MAP_FAILED)
		return NULL;
	skip = -(uintptr_t)from % ARENA_TABLE_BYTES;
	if (skip)
		munmap(from, skip);
	munmap(from + skip + bytes, all - skip - bytes);
	return from + skip;
}

int arena_open(int fd, size_t bytes, bool copy, struct arena *ret)
{
	struct stat st;
	void *place, *base;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (copy)
		bytes = MIN(bytes, (size_t)st.st_size);
	else if ((size_t)st.st_size < bytes && ftruncate(fd, (off_t)bytes) < 0)
		return -errno;
	else
		bytes = MAX(bytes, (size_t)st.st_size);
	if (!bytes)
		return -EUCLEAN;
	bytes = pages_of(bytes) << PAGE_SHIFT;
	place = find_place(bytes);
	if (!place)
		return -errno;
	base = mmap(place, bytes, PROT_READ | PROT_WRITE,
		    (copy ? MAP_PRIVATE : MAP_SHARED) | MAP_NORESERVE | MAP_FIXED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	/* A core of the process shows none of what is in files, and does not take long. */
	(void)madvise(base, bytes, MADV_DONTDUMP);
	/* A forked child would copy page tables of gigabytes, and needs none of it. */
	(void)madvise(base, bytes, MADV_DONTFORK);
	*ret = (struct arena){ .base = base, .bytes = bytes, .fd = copy ? -1 : fd };
	return 0;
}

void arena_close(struct arena *a)
{
	if (a->base)
		munmap(a->base, a->bytes);
	a->base = NULL;
}

void arena_stay_swappable(struct arena *a)
{
	(void)munlock(a->base, a->bytes);
}

int arena_populate(struct arena *a, size_t offset, size_t bytes)
{
	lock_assert_may_sleep();
	if (failpoint_hit(FAIL_ALLOC))
		return -ENOMEM;
	while (madvise(a->base + offset, bytes, MADV_POPULATE_WRITE) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

/* The same page of zeroes, over and over: it stays in the nearest cache. */
static int write_zeroes(int fd, size_t offset, size_t bytes)
{
	static const uint8_t zeroes[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
	struct iovec page[ZEROES];
	ssize_t n;

	for (unsigned i = 0; i < ZEROES; i++)
		page[i] = (struct iovec){ .iov_base = (void *)zeroes, .iov_len = PAGE_BYTES };
	while (bytes) {
		n = pwritev(fd, page, (int)MIN(bytes >> PAGE_SHIFT, (size_t)ZEROES), (off_t)offset);
		if (n < 0 && errno != EINTR)
			return -errno;
		n = MAX(n, (ssize_t)0) & ~(ssize_t)(PAGE_BYTES - 1);
		offset += (size_t)n;
		bytes -= (size_t)n;
	}
	return 0;
}

int arena_zero(struct arena *a, size_t offset, size_t bytes)
{
	int r = 0;

	lock_assert_may_sleep();
	if (a->fd >= 0)
		r = write_zeroes(a->fd, offset, bytes);
	if (r == 0)
		r = arena_populate(a, offset, bytes);
	if (r < 0 && arena_release(a, offset, bytes) < 0)
		log_warning("memory that came in part could not be given back");
	return r;
}

int arena_release(struct arena *a, size_t offset, size_t bytes)
{
	lock_assert_may_sleep();
	if (a->fd < 0)
		return 0;
	if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) < 0)
		return -errno;
	return 0;
}

void arena_forget(struct arena *a, size_t offset, size_t bytes)
{
	size_t from = (offset + ARENA_TABLE_BYTES - 1) / ARENA_TABLE_BYTES * ARENA_TABLE_BYTES;
	size_t end = MIN(offset + bytes, a->bytes) / ARENA_TABLE_BYTES * ARENA_TABLE_BYTES;

	if (a->fd < 0 || from >= end)
		return;
	/* Where it cannot be done there is nothing to be done about it: tables without memory harm nobody. */
	if (madvise(a->base + from, end - from, MADV_DONTNEED_LOCKED) < 0)
		(void)madvise(a->base + from, end - from, MADV_DONTNEED);
}

size_t arena_data_end(const struct arena *a, size_t offset)
{
	off_t at = (off_t)offset, end = 0;

	while (a->fd >= 0 && (size_t)at < a->bytes && (at = lseek(a->fd, at, SEEK_DATA)) >= 0) {
		at = lseek(a->fd, at, SEEK_HOLE);
		end = MAX(end, at);
	}
	return (size_t)end;
}
