/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failpoint.h"
#include "lock.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

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

int arena_open(int fd, size_t bytes, bool copy, struct arena *ret)
{
	struct stat st;
	void *base;

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
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    (copy ? MAP_PRIVATE : MAP_SHARED) | MAP_NORESERVE, fd, 0);
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

int arena_release(struct arena *a, size_t offset, size_t bytes)
{
	lock_assert_may_sleep();
	if (a->fd < 0)
		return 0;
	if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) < 0)
		return -errno;
	return 0;
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
