/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/do_io.c - operations on open files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "side.h"

static size_t length(const struct op *op)
{
	return (size_t)(op->len < SIDE_BUFFER ? op->len : SIDE_BUFFER);
}

/* Nonblocking: a fifo is opened by nobody else.  What is read and written there the kernel does alone, and does not
 * tell FUSE of it (README, Known differences): its times are not compared then. */
void do_open(struct side *s, const struct op *op, struct seen *ret)
{
	int fd = openat(s->root, op->path, (int)op->flags | O_NONBLOCK | O_CLOEXEC, op->mode);
	struct stat st;

	seen_result(ret, fd < 0 ? -1 : 0);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		*side_taint(s, &st) |= TAINT_TIMES;
	if (s->fds[op->fd] >= 0)
		close(s->fds[op->fd]);
	s->fds[op->fd] = fd;
}

void do_close(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, close(s->fds[op->fd]));
	s->fds[op->fd] = -1;
}

static void seen_read(struct seen *ret, ssize_t n)
{
	seen_result(ret, n);
	if (n > 0)
		seen_bytes(ret, side_buffer(), (size_t)n);
}

void do_read(struct side *s, const struct op *op, struct seen *ret)
{
	seen_read(ret, read(s->fds[op->fd], side_buffer(), length(op)));
}

void do_pread(struct side *s, const struct op *op, struct seen *ret)
{
	seen_read(ret, pread(s->fds[op->fd], side_buffer(), length(op), op->off));
}

/* Three pieces, the second of an odd length. */
static int split(const struct op *op, struct iovec iov[static 3])
{
	size_t len = length(op), first = len / 3, second = len / 5;

	iov[0] = (struct iovec){side_buffer(), first};
	iov[1] = (struct iovec){side_buffer() + first, second};
	iov[2] = (struct iovec){side_buffer() + first + second, len - first - second};
	return 3;
}

void do_readv(struct side *s, const struct op *op, struct seen *ret)
{
	struct iovec iov[3];

	seen_read(ret, preadv(s->fds[op->fd], iov, split(op, iov), op->off));
}

void do_write(struct side *s, const struct op *op, struct seen *ret)
{
	side_fill(side_buffer(), op->data, 0, length(op));
	seen_result(ret, write(s->fds[op->fd], side_buffer(), length(op)));
}

void do_pwrite(struct side *s, const struct op *op, struct seen *ret)
{
	side_fill(side_buffer(), op->data, op->off, length(op));
	seen_result(ret, pwrite(s->fds[op->fd], side_buffer(), length(op), op->off));
}

void do_writev(struct side *s, const struct op *op, struct seen *ret)
{
	struct iovec iov[3];

	side_fill(side_buffer(), op->data, op->off, length(op));
	seen_result(ret, pwritev(s->fds[op->fd], iov, split(op, iov), op->off));
}

static int whence_of(const struct op *op)
{
	static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, SEEK_DATA, SEEK_HOLE, 77};

	return whence[op->flags % 8];
}

bool side_is_seek(const struct op *op)
{
	return whence_of(op) == SEEK_DATA || whence_of(op) == SEEK_HOLE;
}

/* Positions in a directory mean nothing but to who gave them out. */
void do_lseek(struct side *s, const struct op *op, struct seen *ret)
{
	off_t was = lseek(s->fds[op->fd], 0, SEEK_CUR);
	struct stat st;

	if (fstat(s->fds[op->fd], &st) == 0 && S_ISDIR(st.st_mode))
		return;
	seen_result(ret, lseek(s->fds[op->fd], op->off, whence_of(op)));
	if (side_is_seek(op) && was >= 0)
		lseek(s->fds[op->fd], was, SEEK_SET);
}

/* To the size that there is: times move as with O_TRUNC, which FUSE does not tell from it; on tmpfs only if the file
 * has pages (README, Known differences). */
void do_truncate(struct side *s, const struct op *op, struct seen *ret)
{
	int r = fchdir(s->root);
	struct stat st;

	if (stat(op->path, &st) == 0 && st.st_size == op->off && !st.st_blocks)
		*side_taint(s, &st) |= TAINT_TIMES;
	seen_result(ret, r < 0 ? r : truncate(op->path, op->off));
}

void do_ftruncate(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, ftruncate(s->fds[op->fd], op->off));
}

/* On tmpfs what is reserved is a hole, but data when it is reserved again. */
void do_fallocate(struct side *s, const struct op *op, struct seen *ret)
{
	struct stat st;

	if (!(op->flags & ~(unsigned)FALLOC_FL_KEEP_SIZE) && fstat(s->fds[op->fd], &st) == 0)
		*side_taint(s, &st) |= *side_taint(s, &st) & TAINT_RESERVED ? TAINT_HOLES : TAINT_RESERVED;
	seen_result(ret, fallocate(s->fds[op->fd], (int)op->flags, op->off, op->len));
}

/* The kernel may copy less at a time: all of it, or until it fails. */
static void whole(struct seen *ret, int64_t len, ssize_t (*some)(void *arg, size_t left), void *arg)
{
	int64_t done = 0;
	ssize_t n;

	do {
		n = some(arg, (size_t)(len - done));
		done += n > 0 ? n : 0;
	} while (n > 0 && done < len);
	seen_result(ret, n < 0 && !done ? -1 : done);
}

/* A pipe holds pages, not bytes: whether it shows what is written to them meanwhile is open.  Is there a page that
 * would be read and written? */
static bool meets_itself(const struct side *s, const struct op *op, off_t to_off)
{
	off_t from_page = op->off / 4096, to_page = to_off / 4096, pages = op->len / 4096 + 2;
	struct stat from, to;

	if (fstat(s->fds[op->fd], &from) < 0 || fstat(s->fds[op->fd2], &to) < 0 || !side_is_same(&from, &to))
		return false;
	return (fcntl(s->fds[op->fd2], F_GETFL) & O_APPEND) ||
	       (from_page < to_page + pages && to_page < from_page + pages);
}

struct copy {
	int from, to;
	off_t off, off2;
	int pipe[2];
};

/* What the kernel refuses between two mounts of tmpfs, which one mount of ksmfs is: bytes. */
static ssize_t some_moved(struct copy *c, size_t left)
{
	ssize_t n;

	errno = EOVERFLOW;
	if ((uint64_t)c->off + left < (uint64_t)c->off || (uint64_t)c->off2 + left < (uint64_t)c->off2)
		return -1;
	errno = EINVAL;
	if (c->off < 0 || c->off2 < 0)
		return -1;
	n = pread(c->from, side_buffer(), left < SIDE_BUFFER ? left : SIDE_BUFFER, c->off);

	if (n > 0)
		n = pwrite(c->to, side_buffer(), (size_t)n, c->off2);
	c->off += n > 0 ? n : 0;
	c->off2 += n > 0 ? n : 0;
	return n;
}

static ssize_t some_copied(void *arg, size_t left)
{
	struct copy *c = arg;
	ssize_t n = copy_file_range(c->from, &c->off, c->to, &c->off2, left, 0);

	return n < 0 && errno == EXDEV ? some_moved(c, left) : n;
}

void do_copy_file_range(struct side *s, const struct op *op, struct seen *ret)
{
	struct copy c = {.from = s->fds[op->fd], .to = s->fds[op->fd2], .off = op->off, .off2 = op->off2};

	whole(ret, op->len, some_copied, &c);
}

static ssize_t some_sent(void *arg, size_t left)
{
	struct copy *c = arg;

	return sendfile(c->to, c->from, &c->off, left);
}

void do_sendfile(struct side *s, const struct op *op, struct seen *ret)
{
	struct copy c = {.from = s->fds[op->fd], .to = s->fds[op->fd2], .off = op->off};

	if (!meets_itself(s, op, lseek(c.to, 0, SEEK_CUR)))
		whole(ret, op->len, some_sent, &c);
}

/* Through a pipe that holds what was read until it is written. */
static ssize_t some_spliced(void *arg, size_t left)
{
	struct copy *c = arg;
	ssize_t n, all = 0, got = splice(c->from, &c->off, c->pipe[1], NULL, left, SPLICE_F_NONBLOCK);

	for (; got > all; all += n) {
		n = splice(c->pipe[0], NULL, c->to, &c->off2, (size_t)(got - all), SPLICE_F_NONBLOCK);
		if (n <= 0)
			return all ? all : n;
	}
	return got;
}

void do_splice(struct side *s, const struct op *op, struct seen *ret)
{
	struct copy c = {.from = s->fds[op->fd], .to = s->fds[op->fd2], .off = op->off, .off2 = op->off2};

	if (meets_itself(s, op, op->off2))
		return;
	if (pipe2(c.pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		abort();
	whole(ret, op->len, some_spliced, &c);
	close(c.pipe[0]);
	close(c.pipe[1]);
}

void do_fsync(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, op->flags & 1 ? fsync(s->fds[op->fd]) : fdatasync(s->fds[op->fd]));
}

/* What the kernel has of the file, so that it is asked for again. */
void do_drop(struct side *s, const struct op *op, struct seen *ret)
{
	if (!s->is_model && s->fds[op->fd] >= 0) {
		fsync(s->fds[op->fd]);
		posix_fadvise(s->fds[op->fd], 0, 0, POSIX_FADV_DONTNEED);
	}
	seen_result(ret, 0);
}

void do_flock(struct side *s, const struct op *op, struct seen *ret)
{
	static const int ways[] = {LOCK_SH, LOCK_EX, LOCK_UN, LOCK_EX};

	seen_result(ret, flock(s->fds[op->fd], ways[op->flags & 3] | LOCK_NB));
}

/* Locks of an open file, not of a process: then one process is enough for a conflict. */
void do_lock(struct side *s, const struct op *op, struct seen *ret)
{
	static const short types[] = {F_RDLCK, F_WRLCK, F_UNLCK, F_WRLCK};
	struct flock lock = {.l_type = types[op->flags & 3], .l_start = op->off, .l_len = op->len};

	seen_result(ret, fcntl(s->fds[op->fd], op->flags & 4 ? F_OFD_GETLK : F_OFD_SETLK, &lock));
	if (ret->result == 0) {
		int64_t told[] = {lock.l_type, lock.l_start, lock.l_len};

		seen_bytes(ret, told, sizeof(told));
	}
}
