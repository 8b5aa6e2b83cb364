/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/session.c - present means: written to once, and locked so that it is not taken away again. */
#include "fs/session.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int sealed_memfd(size_t bytes)
{
	int fd, r;

	fd = memfd_create("ksmfs-session", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("ksmfs-session", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int map(int fd, int flags, struct session **ret)
{
	void *memory = mmap(NULL, sizeof(struct session), PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	(void)madvise(memory, sizeof(struct session), MADV_DONTDUMP); /* of what passes through, a core shows nothing */
	*ret = memory;
	return 0;
}

int session_make(int *ret_fd, struct session **ret)
{
	int fd, r;

	fd = sealed_memfd(sizeof(struct session));
	if (fd < 0)
		return fd;
	r = map(fd, MAP_SHARED, ret);
	if (r < 0) {
		close(fd);
		return r;
	}
	(*ret)->layout = SESSION_LAYOUT;
	*ret_fd = fd;
	return 0;
}

int session_open(int fd, bool copy, struct session **ret)
{
	uint32_t layout;
	struct stat st;

	if (fstat(fd, &st) < 0 || pread(fd, &layout, sizeof(layout), 0) < 0)
		return -errno;
	if (layout != SESSION_LAYOUT || (size_t)st.st_size != sizeof(struct session))
		return -EUCLEAN;
	return map(fd, copy ? MAP_PRIVATE : MAP_SHARED, ret);
}

void session_drop(struct session *s)
{
	if (s)
		munmap(s, sizeof(*s));
}

uint64_t session_offered(const struct session *s)
{
	const struct fuse_in_header *head = (const void *)s->init;
	const struct fuse_init_in *in = (const void *)(head + 1);
	uint64_t offered = in->flags;

	if (s->init_bytes >= sizeof(*head) + sizeof(*in) && (in->flags & FUSE_INIT_EXT))
		offered |= (uint64_t)in->flags2 << 32;
	return offered;
}

/* The receipt and the head lie on the first two pages. */
void session_release_slot(struct session *s, unsigned slot)
{
	uint8_t *data = s->slot[slot].request + HEAD_BYTES;
	size_t bytes = (size_t)((uint8_t *)&s->slot[slot + 1] - data);

	if (munlock(data, bytes) == 0) /* what is locked cannot be removed */
		(void)madvise(data, bytes, MADV_REMOVE);
}

int session_lock_slot(struct session *s, unsigned slot)
{
	struct session_slot *memory = &s->slot[slot];

	if (madvise(memory, sizeof(*memory), MADV_POPULATE_WRITE) < 0)
		return -errno;
	if (slot == 0 && mlock(s, offsetof(struct session, slot)) < 0)
		return 1;
	return mlock(memory, sizeof(*memory)) < 0;
}
