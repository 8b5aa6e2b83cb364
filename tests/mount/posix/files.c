/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/files.c - bytes of files: sizes, holes, limits, flags of open and write, pipes. */
#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "posix.h"

#define TIB (INT64_C(1) << 40)
#define MAX_BYTES (16 * TIB) /* where a file of ksmfs ends */

/* Holes are read when nobody can write: else they take a page each ("Known differences"), which shows. */
static int only_read(int fd, const char *path)
{
	close(fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void sparse(void)
{
	int fd = open_new("sparse");

	OK(ftruncate(fd, TIB));
	show("sparse");
	IS(3, pwrite(fd, "end", 3, TIB - 3));
	IS(3, pwrite(fd, "mid", 3, TIB / 2));
	show("sparse");
	IS(TIB / 2, lseek(fd, 0, SEEK_DATA));
	IS(0, lseek(fd, 0, SEEK_HOLE));
	IS(TIB / 2 + PAGE, lseek(fd, TIB / 2, SEEK_HOLE));
	IS(TIB - PAGE, lseek(fd, TIB / 2 + PAGE, SEEK_DATA));
	IS(TIB, lseek(fd, TIB - 1, SEEK_HOLE));
	NO(ENXIO, lseek(fd, TIB, SEEK_DATA));
	NO(ENXIO, lseek(fd, TIB, SEEK_HOLE));
	NO(ENXIO, lseek(fd, -1, SEEK_DATA));
	NO(EINVAL, lseek(fd, -1, SEEK_SET));
	NO(EINVAL, lseek(fd, 0, 99));
	IS(TIB, lseek(fd, 0, SEEK_END));
	OK(ftruncate(fd, TIB / 2 + 1));
	show("sparse");
	OK(ftruncate(fd, MAX_BYTES - PAGE));
	IS('m', byte_at(fd, TIB / 2, 1));
	IS(1, pwrite(fd, "x", 1, MAX_BYTES - PAGE - 1));
	show("sparse");
	fd = only_read(fd, "sparse");
	IS(0, byte_at(fd, TIB / 2 + 1, PAGE));
	IS(0, byte_at(fd, MAX_BYTES - 3 * PAGE, 2 * PAGE - 1));
	show("sparse");
	close(fd);
	OK(unlink("sparse"));
}

/* SEEK_DATA and SEEK_HOLE for each pattern of eight pages. */
static void patterns(void)
{
	char text[64];

	for (unsigned pattern = 0; pattern < 256; pattern += is_small ? 37 : 1) {
		int fd = open_new("pattern");
		unsigned at = 0;

		for (unsigned page = 0; page < 8; page++)
			if (pattern & (1U << page))
				fill(fd, 'p', page * PAGE + 10, 1);
		SAY(ftruncate(fd, 8 * PAGE - 100));
		for (off_t data = 0, hole = 0; at < sizeof(text) - 8;) {
			data = lseek(fd, hole, SEEK_DATA);
			if (data < 0)
				break;
			hole = lseek(fd, data, SEEK_HOLE);
			at += (unsigned)snprintf(text + at, sizeof(text) - at, " %ld-%ld", (long)data / PAGE,
						 (long)hole / PAGE);
		}
		say("pattern %02x:%.*s", pattern, (int)at, text);
		close(fd);
	}
	OK(unlink("pattern"));
}

static void limits(void)
{
	int fd = open_new("limited");
	struct rlimit limit, no_limit;

	NO(EINVAL, ftruncate(fd, -1));
	NO(EINVAL, pwrite(fd, "x", 1, -1));
	NO(EINVAL, pwrite(fd, "x", 1, INT64_MAX));
	NO(EINVAL, pread(fd, &limit, 1, -1));
	SAY(pread(fd, &limit, 1, INT64_MAX - 1));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &no_limit);
	limit = no_limit;
	limit.rlim_cur = 10000;
	OK(setrlimit(RLIMIT_FSIZE, &limit));
	fill(fd, 'a', 0, 9000);
	static char bytes[5000];
	IS(1000, pwrite(fd, bytes, 5000, 9000));
	NO(EFBIG, pwrite(fd, bytes, 1, 10000));
	NO(EFBIG, pwrite(fd, bytes, 1, 20000));
	NO(EFBIG, ftruncate(fd, 10001));
	NO(EFBIG, truncate("limited", 10001));
	NO(EFBIG, fallocate(fd, 0, 0, 10001));
	OK(ftruncate(fd, 10000));
	OK(ftruncate(fd, 0));
	show("limited");
	setrlimit(RLIMIT_FSIZE, &no_limit);
	signal(SIGXFSZ, SIG_DFL);
	DIES(SIGXFSZ)
	{
		setrlimit(RLIMIT_FSIZE, &limit);
		SAY(pwrite(fd, bytes, 1, 10000));
	}
	DIES(SIGXFSZ)
	{
		setrlimit(RLIMIT_FSIZE, &limit);
		SAY(ftruncate(fd, 10001));
	}
	close(fd);
}

static void allocation(void)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE,
				    FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE, 0x100,
				    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
	int fd = open_new("alloc"), pipes[2];

	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		say("mode 0x%x", modes[m]);
		SAY(fallocate(fd, modes[m], 0, PAGE));
		show("alloc");
	}
	OK(ftruncate(fd, 0));
	NO(EINVAL, fallocate(fd, 0, 0, 0));
	NO(EINVAL, fallocate(fd, 0, -1, 1));
	NO(EINVAL, fallocate(fd, 0, 0, -1));
	NO(EFBIG, fallocate(fd, 0, INT64_MAX, 1));
	NO(ENOSPC, fallocate(fd, 0, 0, TIB));
	show("alloc");
	OK(fallocate(fd, 0, 100, 3 * PAGE));
	show("alloc");
	IS(0, byte_at(fd, 0, 3 * PAGE + 100));
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 10 * PAGE, 1));
	show("alloc");
	fill(fd, 'f', 0, 8 * PAGE);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE + 10, 3 * PAGE));
	show("alloc");
	IS(2 * PAGE, lseek(fd, 0, SEEK_HOLE));
	IS(4 * PAGE, lseek(fd, 2 * PAGE, SEEK_DATA));
	fd = only_read(fd, "alloc");
	IS('f', byte_at(fd, 0, PAGE + 10));
	IS(0, byte_at(fd, PAGE + 10, 3 * PAGE));
	IS('f', byte_at(fd, 4 * PAGE + 10, 4 * PAGE - 10));
	close(fd);
	fd = open("alloc", O_RDWR);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7 * PAGE, 100 * PAGE));
	show("alloc");
	OK(ftruncate(fd, PAGE));
	show("alloc");
	SAY(posix_fallocate(fd, 0, 0));
	IS(0, posix_fallocate(fd, 0, 5 * PAGE));
	close(fd);
	fd = open("alloc", O_RDONLY);
	NO(EBADF, fallocate(fd, 0, 0, 1));
	close(fd);
	fd = open(".", O_RDONLY);
	NO(EBADF, fallocate(fd, 0, 0, 1));
	close(fd);
	OK(pipe(pipes));
	IS(ESPIPE, posix_fallocate(pipes[1], 0, 1));
	close(pipes[0]), close(pipes[1]);
}

/* Flags of one write: pwritev2 and preadv2. */
static void write_flags(void)
{
	volatile int count = -1; /* what no compiler may see */
	int fd = open_new("flags");
	char bytes[8] = "abcdefg";
	struct iovec iov[3] = {{bytes, 3}, {bytes + 3, 4}, {NULL, 0}};

	IS(7, pwritev2(fd, iov, 2, 0, 0));
	IS(7, pwritev2(fd, iov, 2, 0, RWF_APPEND));
	IS(14, lseek(fd, 0, SEEK_END));
	IS(7, pwritev2(fd, iov, 2, -1, RWF_SYNC));
	IS(21, lseek(fd, 0, SEEK_CUR));
	IS(7, pwritev2(fd, iov, 2, 0, RWF_DSYNC));
	SAY(preadv2(fd, iov, 2, 0, RWF_HIPRI));
	int n = (int)pwritev2(fd, iov, 2, 0, RWF_NOWAIT);
	int error = errno;
	IS(true, n == 7 || error == EAGAIN || error == EOPNOTSUPP);
	NO(EOPNOTSUPP, pwritev2(fd, iov, 2, 0, 0x40000000));
	IS(0, pwritev(fd, iov, 0, 0));
	NO(EINVAL, pwritev(fd, iov, count, 0));
	count = 1025;
	NO(EINVAL, pwritev(fd, iov, count, 0));
	IS(3, preadv(fd, iov, 1, 18));
	IS(0, preadv(fd, iov, 3, 21));
	close(fd);
	fd = open("flags", O_RDWR | O_APPEND);
	IS(3, pwrite(fd, "xyz", 3, 0)); /* Linux appends, whatever the offset */
	IS(24, lseek(fd, 0, SEEK_END));
	OK(lseek(fd, 0, SEEK_SET));
	IS(1, write(fd, "!", 1));
	IS(25, lseek(fd, 0, SEEK_CUR));
	OK(fcntl(fd, F_SETFL, 0));
	IS(1, pwrite(fd, "?", 1, 0));
	IS(25, lseek(fd, 0, SEEK_END));
	close(fd);
	fd = open("flags", O_WRONLY | O_SYNC);
	IS(3, write(fd, "syn", 3));
	NO(EBADF, read(fd, bytes, 1));
	OK(fsync(fd));
	OK(fdatasync(fd));
	OK(syncfs(fd));
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	NO(EINVAL, sync_file_range(fd, -1, 0, SYNC_FILE_RANGE_WRITE));
	close(fd);
	fd = open("flags", O_RDWR | O_CREAT | O_EXCL, 0600);
	IS(-1, fd);
	fd = open("noatime", O_RDWR | O_CREAT | O_NOATIME | O_CLOEXEC, 0600);
	IS(O_NOATIME, fcntl(fd, F_GETFL) & O_NOATIME);
	close(fd);
}

static void direct(void)
{
	char *bytes = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("direct", O_CREAT | O_RDWR | O_DIRECT, 0644), plain;

	memset(bytes, 'd', 16 * PAGE);
	IS(8 * PAGE, pwrite(fd, bytes, 8 * PAGE, 0));
	IS(PAGE, pwrite(fd, bytes, PAGE, 100 * PAGE));
	IS(512, pwrite(fd, bytes, 512, 512)); /* no more aligned than tmpfs asks for */
	IS(100, pwrite(fd, bytes + 1, 100, 1));
	IS(PAGE, pread(fd, bytes, 2 * PAGE, 100 * PAGE));
	show("direct");
	IS(0, byte_at(fd, 8 * PAGE, PAGE));
	plain = open("direct", O_RDWR);
	char *m = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	for (unsigned n = 0; n < 8; n++) { /* beside a mapping with pages of every kind */
		m[n * PAGE] = 'm';
		memset(bytes, 'e', PAGE);
		IS(PAGE, pwrite(fd, bytes, PAGE, n * PAGE));
		IS('e', m[n * PAGE]);
		m[n * PAGE + 1] = 'n';
		IS(2, pread(fd, bytes, 2, n * PAGE));
		IS('e', bytes[0]);
		IS('n', bytes[1]);
		IS(1, pwrite(plain, "o", 1, n * PAGE));
		IS(1, pread(fd, bytes, 1, n * PAGE));
		IS('o', bytes[0]);
	}
	munmap(m, 8 * PAGE);
	munmap(bytes, 16 * PAGE);
	close(plain);
	close(fd);
}

/* splice, tee, vmsplice, sendfile, copy_file_range. */
static void pipes(void)
{
	static char bytes[20000];
	int pipes[2], more[2], from = open_new("from"), to = open_new("to");
	off_t at = 0, out = 5;
	struct iovec iov = {bytes, 1000};

	fill(from, 's', 0, 10000);
	OK(pipe(pipes));
	OK(pipe(more));
	IS(5000, splice(from, &at, pipes[1], NULL, 5000, 0));
	IS(5000, at);
	IS(5000, tee(pipes[0], more[1], 5000, 0));
	IS(5000, splice(pipes[0], NULL, to, &out, 10000, 0));
	IS(5005, out);
	IS('s', byte_at(to, 5, 5000));
	IS(0, byte_at(to, 0, 5));
	out = 0;
	IS(5000, splice(more[0], NULL, to, &out, 10000, SPLICE_F_MOVE));
	IS('s', byte_at(to, 0, 5005));
	memset(bytes, 'v', 1000);
	IS(1000, vmsplice(pipes[1], &iov, 1, 0));
	IS(1000, splice(pipes[0], NULL, to, NULL, 1000, 0));
	IS('v', byte_at(to, 0, 1000));
	close(to);
	to = open("to", O_WRONLY | O_APPEND);
	IS(10, write(pipes[1], "0123456789", 10));
	NO(EINVAL, splice(pipes[0], NULL, to, NULL, 10, 0));
	NO(EBADF, copy_file_range(from, NULL, to, NULL, 10, 0));
	close(to);
	to = open("to", O_RDWR | O_TRUNC);
	at = 100;
	IS(9900, sendfile(to, from, &at, 20000));
	IS(10000, at);
	IS(0, sendfile(to, from, &at, 1));
	IS('s', byte_at(to, 0, 20000));
	OK(lseek(from, 0, SEEK_SET));
	IS(10000, sendfile(pipes[1], from, NULL, 20000));
	close(pipes[0]), close(pipes[1]), close(more[0]), close(more[1]);
	/* what copy_file_range refuses */
	at = 0, out = 0;
	NO(EINVAL, copy_file_range(from, &at, to, &out, 10, 1));
	out = 5;
	NO(EINVAL, copy_file_range(from, &at, from, &out, 10, 0));
	NO(EBADF, copy_file_range(from, &at, -1, &out, 10, 0));
	int dir = open(".", O_RDONLY);
	NO(EISDIR, copy_file_range(from, &at, dir, &out, 10, 0));
	NO(EISDIR, copy_file_range(dir, &at, to, &out, 10, 0));
	close(dir);
	at = 20000;
	IS(0, copy_file_range(from, &at, to, &out, 10, 0));
	at = 9990;
	IS(10, copy_file_range(from, &at, to, &out, 100, 0));
	OK(mkfifo("fifo", 0600));
	int fifo = open("fifo", O_RDWR);
	NO(EINVAL, copy_file_range(fifo, NULL, to, NULL, 10, 0));
	close(fifo);
	NO(EOPNOTSUPP, ioctl(to, FICLONE, from));
	close(from);
	close(to);
}

static void advice(void)
{
	int fd = open_new("advised");

	fill(fd, 'a', 0, 64 * PAGE);
	for (int a = POSIX_FADV_NORMAL; a <= POSIX_FADV_NOREUSE; a++)
		IS(0, posix_fadvise(fd, 0, 0, a));
	IS(EINVAL, posix_fadvise(fd, 0, 0, 99));
	OK(readahead(fd, 0, 64 * PAGE));
	IS('a', byte_at(fd, 0, 64 * PAGE));
	OK(fsync(fd));
	IS(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	IS('a', byte_at(fd, 0, 64 * PAGE));
	close(fd);
}

/* Reading and writing across the end, and what is between an old end and a new one. */
static void ends(void)
{
	int fd = open_new("ends");
	char bytes[100];

	IS(0, read(fd, bytes, 100));
	IS(5, write(fd, "hello", 5));
	IS(0, read(fd, bytes, 100));
	IS(5, pread(fd, bytes, 100, 0));
	IS(2, pread(fd, bytes, 100, 3));
	IS(0, pread(fd, bytes, 100, 5));
	IS(0, pread(fd, bytes, 100, 50000));
	IS(1, pwrite(fd, "x", 1, 3 * PAGE + 7));
	show("ends");
	IS(0, byte_at(fd, 5, 3 * PAGE + 2));
	for (unsigned size = 1; size < 3 * PAGE; size += 997) {
		fill(fd, 'e', 0, 4 * PAGE);
		OK(ftruncate(fd, size));
		OK(ftruncate(fd, 4 * PAGE));
		show("ends");
		IS('e', byte_at(fd, 0, size));
		IS(0, byte_at(fd, size, 4 * PAGE - size));
	}
	OK(ftruncate(fd, 1));
	OK(unlink("ends"));
	show_fd(fd, "unlinked");
	IS(5, pwrite(fd, "after", 5, 0));
	IS('a', byte_at(fd, 0, 1));
	OK(ftruncate(fd, 0));
	close(fd);
}

void theme_files(void)
{
	struct statvfs st;

	OK(statvfs(".", &st));
	say("names of %lu bytes, blocks of %lu", st.f_namemax, st.f_bsize);
	sparse();
	patterns();
	limits();
	allocation();
	write_flags();
	direct();
	pipes();
	advice();
	ends();
}
