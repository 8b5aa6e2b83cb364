/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/async.c - files by aio and by io_uring, by their system calls alone. */
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "posix.h"

enum { DEPTH = 16 };

/* --- aio ----------------------------------------------------------------------------------------- */

static void aio(int flags)
{
	aio_context_t context = 0;
	struct iocb cb[DEPTH], *list[DEPTH];
	struct io_event event[DEPTH];
	char *bytes = mmap(NULL, DEPTH * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("aio", O_CREAT | O_RDWR | O_TRUNC | flags, 0644), signal = eventfd(0, EFD_NONBLOCK);
	uint64_t told = 0;
	long sum = 0;

	OK(syscall(SYS_io_setup, DEPTH, &context));
	for (unsigned write = 0; write < 2; write++) {
		for (unsigned n = 0; n < DEPTH; n++) {
			memset(bytes + n * PAGE, write ? 0 : 'a' + (int)n, PAGE);
			cb[n] = (struct iocb){.aio_fildes = (unsigned)fd, .aio_buf = (uintptr_t)(bytes + n * PAGE),
					      .aio_nbytes = PAGE, .aio_offset = n * PAGE, .aio_data = n,
					      .aio_lio_opcode = write ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
					      .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = (unsigned)signal};
			list[n] = &cb[n];
		}
		IS(DEPTH, syscall(SYS_io_submit, context, DEPTH, list));
		IS(DEPTH, syscall(SYS_io_getevents, context, DEPTH, DEPTH, event, NULL));
		sum = 0;
		for (unsigned n = 0; n < DEPTH; n++)
			sum += event[n].res;
		IS(DEPTH * PAGE, sum);
		IS(8, read(signal, &told, 8));
		IS(DEPTH, told);
	}
	for (unsigned n = 0; n < DEPTH; n++)
		IS('a' + n, all_are(bytes + n * PAGE, bytes[n * PAGE], PAGE) ? bytes[n * PAGE] : -1);
	cb[0].aio_lio_opcode = IOCB_CMD_FSYNC;
	cb[0].aio_buf = cb[0].aio_nbytes = cb[0].aio_offset = 0;
	IS(1, syscall(SYS_io_submit, context, 1, list));
	IS(1, syscall(SYS_io_getevents, context, 1, 1, event, NULL));
	IS(0, event[0].res);
	cb[0].aio_lio_opcode = IOCB_CMD_PREAD;
	cb[0].aio_nbytes = PAGE;
	cb[0].aio_buf = (uintptr_t)bytes;
	cb[0].aio_offset = DEPTH * PAGE;
	IS(1, syscall(SYS_io_submit, context, 1, list));
	IS(1, syscall(SYS_io_getevents, context, 1, 1, event, NULL));
	IS(0, event[0].res);
	cb[0].aio_lio_opcode = 99;
	NO(EINVAL, syscall(SYS_io_submit, context, 1, list));
	OK(syscall(SYS_io_destroy, context));
	close(fd), close(signal);
	munmap(bytes, DEPTH * PAGE);
	show("aio");
}

/* --- io_uring ------------------------------------------------------------------------------------ */

struct ring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static bool ring_init(struct ring *r)
{
	size_t sq_bytes, cq_bytes;

	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, DEPTH, &r->p);
	if (r->fd < 0)
		return false;
	sq_bytes = r->p.sq_off.array + r->p.sq_entries * sizeof(unsigned);
	cq_bytes = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->sq = mmap(NULL, sq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, cq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	return true;
}

static unsigned *word(char *ring, unsigned offset)
{
	return (unsigned *)(void *)(ring + offset);
}

/* One request from beginning to end: its result, as a system call gives it. */
static long ring_call(struct ring *r, struct io_uring_sqe sqe)
{
	unsigned *tail = word(r->sq, r->p.sq_off.tail), *head = word(r->cq, r->p.cq_off.head);
	unsigned at = *tail & *word(r->sq, r->p.sq_off.ring_mask);
	struct io_uring_cqe *done;
	int res;

	r->sqes[at] = sqe;
	word(r->sq, r->p.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -1;
	done = (void *)(r->cq + r->p.cq_off.cqes);
	res = done[*head & *word(r->cq, r->p.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	if (res >= 0)
		return res;
	errno = -res;
	return -1;
}

#define RING(op, ...) ring_call(&ring, (struct io_uring_sqe){.opcode = IORING_OP_##op, __VA_ARGS__})
#define AT(p) .addr = (uintptr_t)(p)

static void uring(void)
{
	static char bytes[2 * PAGE] __attribute__((aligned(4096)));
	struct iovec iov[2] = {{bytes, 100}, {bytes + 100, 200}};
	struct ring ring;
	struct statx st;
	int fd, pipes[2];

	if (!ring_init(&ring)) {
		say("no io_uring: %s", name_of_errno(errno));
		return;
	}
	fd = (int)OK(RING(OPENAT, .fd = AT_FDCWD, AT("ring"), .len = 0644, .open_flags = O_CREAT | O_RDWR));
	memset(bytes, 'u', sizeof(bytes));
	IS(2 * PAGE, RING(WRITE, .fd = fd, AT(bytes), .len = 2 * PAGE, .off = 0));
	IS(PAGE, RING(READ, .fd = fd, AT(bytes), .len = 2 * PAGE, .off = PAGE));
	IS(300, RING(WRITEV, .fd = fd, AT(iov), .len = 2, .off = 2 * PAGE));
	IS(300, RING(READV, .fd = fd, AT(iov), .len = 2, .off = 2 * PAGE));
	IS(0, RING(READ, .fd = fd, AT(bytes), .len = 10, .off = 5 * PAGE));
	IS(0, RING(FSYNC, .fd = fd));
	IS(0, RING(FSYNC, .fd = fd, .fsync_flags = IORING_FSYNC_DATASYNC));
	IS(0, RING(SYNC_FILE_RANGE, .fd = fd, .len = PAGE, .sync_range_flags = SYNC_FILE_RANGE_WRITE));
	IS(0, RING(FALLOCATE, .fd = fd, .off = 10 * PAGE, AT(PAGE), .len = 0));
	IS(0, RING(FADVISE, .fd = fd, .fadvise_advice = POSIX_FADV_DONTNEED));
	IS(0, RING(STATX, .fd = AT_FDCWD, AT("ring"), .len = STATX_BASIC_STATS, .off = (uintptr_t)&st));
	IS(11 * PAGE, st.stx_size);
	OK(pipe(pipes));
	IS(1000, RING(SPLICE, .splice_fd_in = fd, .splice_off_in = 0, .fd = pipes[1], .off = UINT64_MAX, .len = 1000));
	IS(1000, read(pipes[0], bytes, sizeof(bytes)));
	IS(true, all_are(bytes, 'u', 1000));
	IS(0, RING(MKDIRAT, .fd = AT_FDCWD, AT("ringdir"), .len = 0755));
	NO(EEXIST, RING(MKDIRAT, .fd = AT_FDCWD, AT("ringdir"), .len = 0755));
	IS(0, RING(SYMLINKAT, .fd = AT_FDCWD, AT("target"), .addr2 = (uintptr_t)"ringlink"));
	IS(0, RING(LINKAT, .fd = AT_FDCWD, AT("ring"), .len = (uint32_t)AT_FDCWD, .addr2 = (uintptr_t)"ring2"));
	IS(0, RING(RENAMEAT, .fd = AT_FDCWD, AT("ring2"), .len = (uint32_t)AT_FDCWD, .addr2 = (uintptr_t)"ring3"));
	IS(0, RING(UNLINKAT, .fd = AT_FDCWD, AT("ringdir"), .unlink_flags = AT_REMOVEDIR));
	NO(ENOENT, RING(UNLINKAT, .fd = AT_FDCWD, AT("ring2")));
	NO(ENOENT, RING(OPENAT, .fd = AT_FDCWD, AT("none"), .open_flags = O_RDONLY));
	NO(EBADF, RING(READ, .fd = -1, AT(bytes), .len = 1));
	NO(EFAULT, RING(READ, .fd = fd, AT(8), .len = 10, .off = 0));
	/* Fixed buffers of anonymous memory are pinned, and work. */
	OK(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &(struct iovec){bytes, PAGE}, 1));
	memset(bytes, 'f', PAGE);
	IS(PAGE, RING(WRITE_FIXED, .fd = fd, AT(bytes), .len = PAGE, .off = 0, .buf_index = 0));
	IS('f', byte_at(fd, 0, PAGE));
	IS(PAGE, RING(READ_FIXED, .fd = fd, AT(bytes), .len = PAGE, .off = PAGE, .buf_index = 0));
	IS('u', bytes[0]);
	close(fd), close(ring.fd), close(pipes[0]), close(pipes[1]);
	OK(truncate("ring", 0)); /* which blocks reading has taken is not of interest here */
	show("ring3");
	show("ringlink");
}

void theme_async(void)
{
	aio(0);
	aio(O_DIRECT);
	uring();
}
