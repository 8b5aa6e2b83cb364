/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/traps.c - what went wrong in file systems that keep pages in one place and files in another. */
#include <linux/falloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "posix.h"

enum { PAGES = 64, RW = PROT_READ | PROT_WRITE };

static char *map(int fd, unsigned pages)
{
	char *m = mmap(NULL, (size_t)pages * PAGE, RW, MAP_SHARED, fd, 0);

	if (m == MAP_FAILED)
		say("WRONG: mmap: %s", name_of_errno(errno));
	return m;
}

static int64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

/* Read through a cache that has forgotten. */
static int byte_stored(const char *path, off_t at, size_t len)
{
	int fd = open(path, O_RDONLY), byte;

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	byte = byte_at(fd, at, len);
	close(fd);
	return byte;
}

/* Somebody truncates while dirty pages of a mapping are still to be written back: the old size does not come back,
 * nor do the old bytes. */
static void dirty_when_truncated(void)
{
	unsigned rounds = is_small ? 5 : 40, sizes = 0, old_bytes = 0;

	for (unsigned n = 0; n < rounds; n++) {
		int fd = open_new("dirty");
		char *m;

		OK(ftruncate(fd, PAGES * PAGE));
		m = map(fd, PAGES);
		memset(m, 'd', PAGES * PAGE);
		pid_t other = beside();
		if (other == 0) {
			if (n % 2)
				_exit(close(open("dirty", O_WRONLY | O_TRUNC)) != 0);
			_exit(truncate("dirty", PAGE + 7) != 0);
		}
		msync(m, PAGES * PAGE, n % 4 < 2 ? MS_ASYNC : MS_SYNC);
		end_of(other);
		int64_t size = n % 2 ? 0 : PAGE + 7;

		sizes += size_of("dirty") != size;
		fsync(fd);
		sizes += size_of("dirty") != size;
		munmap(m, PAGES * PAGE);
		sizes += size_of("dirty") != size;
		if (ftruncate(fd, PAGES * PAGE) < 0)
			sizes++;
		old_bytes += byte_at(fd, size, PAGES * PAGE) != 0;
		old_bytes += size && byte_at(fd, 0, (size_t)size) != 'd';
		close(fd);
		old_bytes += byte_stored("dirty", size, PAGES * PAGE) != 0;
	}
	IS(0, sizes);
	IS(0, old_bytes);
}

/* The same while somebody stores all the time, until there is nothing to store into. */
static void truncated_under_stores(void)
{
	unsigned rounds = is_small ? 5 : 40, sizes = 0;

	for (unsigned n = 0; n < rounds; n++) {
		int fd = open_new("race");

		if (ftruncate(fd, PAGES * PAGE) < 0)
			sizes++;
		pid_t storer = beside();
		if (storer == 0) {
			char *m = map(fd, PAGES);

			for (unsigned i = 0;; i++) { /* until SIGBUS */
				m[i % PAGES * PAGE + i % 64] = 's';
				if (i % 512 == 0)
					msync(m, PAGES * PAGE, i % 1024 ? MS_ASYNC : MS_SYNC);
			}
		}
		pause_ms(n % 7);
		close(open("race", O_WRONLY | O_TRUNC));
		sizes += size_of("race") != 0;
		sizes += end_of(storer) != 1000 + SIGBUS;
		fsync(fd);
		sizes += size_of("race") != 0;
		close(fd);
		sizes += size_of("race") != 0;
	}
	IS(0, sizes);
}

/* A hole that is in the cache from a time when nobody could store, and then is stored into. */
static void holes_cached(void)
{
	char *seen, *m;
	int fd = open_new("hole"), reader, other;

	OK(ftruncate(fd, PAGES * PAGE));
	close(fd);
	reader = open("hole", O_RDONLY);
	IS(0, byte_at(reader, 0, PAGES * PAGE));
	seen = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, reader, 0);
	IS(true, all_are(seen, 0, PAGES * PAGE));
	fd = open("hole", O_RDWR);
	m = map(fd, PAGES);
	close(fd);
	for (unsigned n = 0; n < PAGES; n += 3)
		memset(m + n * PAGE, 'h', PAGE);
	IS('h', seen[0]);
	IS('h', byte_at(reader, 3 * PAGE, PAGE));
	other = open("hole", O_RDWR); /* a second one, who writes beside it */
	IS(PAGE, pwrite(other, seen, PAGE, PAGE));
	close(other);
	munmap(m, PAGES * PAGE);
	munmap(seen, PAGES * PAGE);
	close(reader);
	for (unsigned n = 0; n < PAGES; n++)
		if (byte_stored("hole", n * PAGE, PAGE) != (n % 3 == 0 || n == 1 ? 'h' : 0))
			say("WRONG: page %u holds %d", n, byte_stored("hole", n * PAGE, PAGE)), wrong++;
}

/* Data is where a store through a mapping was, written back or not. */
static void seek_dirty(void)
{
	static const unsigned stored[] = {0, 1, 7, 20, 21, 22, 63};
	int fd = open_new("seek");
	char *m;

	OK(ftruncate(fd, PAGES * PAGE));
	m = map(fd, PAGES);
	OK(madvise(m, PAGES * PAGE, MADV_RANDOM)); /* else neighbours are read, which shows ("Known differences") */
	for (unsigned n = 0; n < sizeof(stored) / sizeof(stored[0]); n++) {
		m[stored[n] * PAGE + 100] = 'm';
		for (off_t hole = 0, data; (data = lseek(fd, hole, SEEK_DATA)) >= 0;) {
			hole = lseek(fd, data, SEEK_HOLE);
			say("data %ld to %ld", (long)data / PAGE, (long)hole / PAGE);
		}
	}
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 20 * PAGE, 2 * PAGE)); /* under dirty pages */
	IS(22 * PAGE, lseek(fd, 8 * PAGE, SEEK_DATA));
	OK(msync(m, PAGES * PAGE, MS_SYNC));
	IS(22 * PAGE, lseek(fd, 8 * PAGE, SEEK_DATA));
	munmap(m, PAGES * PAGE);
	close(fd);
	show("seek");
	IS(0, byte_stored("seek", 20 * PAGE, 2 * PAGE));
}

/* One process counts, by store and by write in turn; whoever looks afterwards, one way or the other, sees no
 * older number, whatever a third does to the cache. */
static void never_stale(void)
{
	enum { LOOKERS = 2 };
	uint64_t *told = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned rounds = is_small ? 2000 : 40000;
	pid_t lookers[LOOKERS], troubler;
	int fd = open_new("count");
	uint64_t *m;

	OK(ftruncate(fd, 4 * PAGE));
	m = (uint64_t *)(void *)map(fd, 4);
	for (unsigned l = 0; l < LOOKERS; l++) {
		lookers[l] = beside();
		if (lookers[l])
			continue;
		int mine = open("count", l ? O_RDWR : O_RDONLY);
		volatile uint64_t *seen = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, mine, 0);
		unsigned old = 0;

		for (unsigned n = 0; __atomic_load_n(told, __ATOMIC_ACQUIRE) < rounds; n++) {
			uint64_t before = __atomic_load_n(told, __ATOMIC_ACQUIRE), now = 0;

			if (n % 2)
				now = seen[n / 2 % 4 * PAGE / 8];
			else if (pread(mine, &now, sizeof(now), n / 2 % 4 * PAGE) != sizeof(now))
				old++;
			old += now < before;
		}
		_exit(old ? 1 : 0);
	}
	troubler = beside();
	if (troubler == 0) {
		struct stat st;

		while (__atomic_load_n(told, __ATOMIC_ACQUIRE) < rounds) {
			int mine = open("count", O_RDWR);

			posix_fadvise(mine, 0, 0, POSIX_FADV_DONTNEED);
			sync_file_range(mine, 0, 0, SYNC_FILE_RANGE_WRITE);
			futimens(mine, NULL);
			fstat(mine, &st);
			if (pwrite(mine, "x", 1, 4 * PAGE - 1) != 1)
				break;
			close(mine);
		}
		_exit(0);
	}
	for (uint64_t n = 1; n <= rounds; n++) {
		for (unsigned page = 0; page < 4; page++) {
			if ((n + page) % 8 == 0 && pwrite(fd, &n, sizeof(n), page * PAGE) != sizeof(n))
				wrong++;
			else
				__atomic_store_n(&m[page * PAGE / 8], n, __ATOMIC_RELEASE);
		}
		__atomic_store_n(told, n, __ATOMIC_RELEASE);
	}
	for (unsigned l = 0; l < LOOKERS; l++)
		IS(0, end_of(lookers[l]));
	IS(0, end_of(troubler));
	munmap(m, 4 * PAGE), munmap(told, PAGE);
	close(fd);
}

/* Records that several processes append are all there, each in one piece. */
static void appended(int flags)
{
	enum { PROCESSES = 4, MOST = 700 };
	unsigned records = is_small ? 50 : 400, bad = 0, count[PROCESSES] = {0};
	char record[MOST];
	pid_t pids[PROCESSES];
	int fd = open_new("log");

	for (unsigned p = 0; p < PROCESSES; p++) {
		pids[p] = beside();
		if (pids[p])
			continue;
		int mine = open("log", O_WRONLY | O_APPEND | flags);

		for (unsigned n = 0; n < records; n++) {
			unsigned len = 20 + (n * 37 + p * 11) % (MOST - 20);

			memset(record, 'a' + (int)p, len);
			memcpy(record, &len, sizeof(len));
			record[len - 1] = '\n';
			if (write(mine, record, len) != (ssize_t)len)
				_exit(1);
		}
		_exit(0);
	}
	for (unsigned p = 0; p < PROCESSES; p++)
		IS(0, end_of(pids[p]));
	for (off_t at = 0; at < size_of("log");) {
		unsigned len = 0;

		if (pread(fd, &len, sizeof(len), at) != sizeof(len) || len < 20 || len > MOST ||
		    pread(fd, record, len, at) != (ssize_t)len || record[len - 1] != '\n' ||
		    !all_are(record + 4, (unsigned char)record[4], len - 5)) {
			bad++;
			break;
		}
		count[(record[4] - 'a') % PROCESSES]++;
		at += len;
	}
	IS(0, bad);
	for (unsigned p = 0; p < PROCESSES; p++)
		IS(0, count[p] - records);
	say("%ld bytes", (long)size_of("log"));
	close(fd);
}

void theme_traps(void)
{
	dirty_when_truncated();
	truncated_under_stores();
	holes_cached();
	seek_dirty();
	never_stale();
	appended(0);
	appended(O_SYNC);
	appended(O_DIRECT);
}

/* --- on a mount that is full ----------------------------------------------------------------------- */

/* Stores until it cannot: pages, as many as could be had. */
static unsigned store_all(const char *path, int byte)
{
	unsigned *count = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), stored;
	pid_t pid = beside();

	if (pid == 0) {
		int fd = open(path, O_RDWR);
		char *m = map(fd, PAGES);

		madvise(m, PAGES * PAGE, MADV_RANDOM);
		for (; *count < PAGES; ++*count)
			memset(m + *count * PAGE, byte, PAGE);
		_exit(0);
	}
	say("%s: storing ends with %d", path, end_of(pid));
	stored = *count;
	munmap(count, PAGE);
	return stored;
}

static void fill_the_rest(void)
{
	static char bytes[PAGE];
	int fd = open_new("rest");
	ssize_t n;

	memset(bytes, 'r', PAGE);
	while ((n = write(fd, bytes, PAGE)) == PAGE)
		;
	NO(ENOSPC, write(fd, bytes, 1));
	close(fd);
}

void theme_full(void)
{
	struct statvfs st;
	unsigned stored;
	int fd;

	fd = open_new("reserved");
	OK(fallocate(fd, 0, 0, PAGES * PAGE));
	close(fd);
	fd = open_new("holes");
	OK(ftruncate(fd, PAGES * PAGE));
	close(fd);
	fill_the_rest();
	OK(statvfs(".", &st));
	IS(0, st.f_bfree);
	/* In the cache of one who only reads. */
	fd = open("holes", O_RDONLY);
	char *seen = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	IS(true, fd >= 0 && seen != MAP_FAILED);
	IS(0, byte_at(fd, 0, PAGES * PAGE));
	stored = store_all("holes", 'h');
	IS(0, stored);
	IS(0, byte_at(fd, 0, PAGES * PAGE));
	munmap(seen, PAGES * PAGE);
	close(fd);
	IS(PAGES, store_all("reserved", 'p')); /* what was reserved is there */
	IS('p', byte_stored("reserved", 0, PAGES * PAGE));
	IS(PAGES, store_all("reserved", 'q'));
	fd = open("reserved", O_RDWR);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10 * PAGE));
	fill(fd, 'q', 0, 10 * PAGE); /* what was punched can be filled again */
	NO(ENOSPC, fallocate(fd, 0, 0, (PAGES + 1) * PAGE));
	close(fd);
	NO(ENOSPC, (fd = open("holes", O_WRONLY), pwrite(fd, "x", 1, 5 * PAGE)));
	close(fd);
	OK(mkdir("room_for_names", 0755));
	OK(symlink("x", "room_for_links"));
	OK(truncate("rest", 10 * PAGE)); /* and now there is room */
	IS(PAGES, store_all("holes", 'h'));
	IS('h', byte_stored("holes", 0, PAGES * PAGE));
	IS('q', byte_stored("reserved", 0, PAGES * PAGE));
	IS('r', byte_stored("rest", 0, 10 * PAGE));
}
