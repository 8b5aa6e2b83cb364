/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/times.c - which call moves which time of what, and which moves none. */
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "posix.h"

static void names(void)
{
	OK(mkdir("d", 0755));
	OK(mkdir("e", 0755));
	STAMPS(".", "", "d", "MC", close(open("d/f", O_CREAT | O_RDWR, 0644)));
	STAMPS("d/f", "", "d", "", close(open("d/f", O_CREAT | O_RDWR, 0644)));
	STAMPS(".", "", "d", "MC", mkdir("d/sub", 0755));
	STAMPS(".", "", "d", "MC", mkfifo("d/fifo", 0644));
	STAMPS(".", "", "d", "MC", symlink("f", "d/soft"));
	STAMPS("d/f", "C", "d", "MC", link("d/f", "d/g"));
	STAMPS("d/f", "C", "d", "MC", unlink("d/g"));
	STAMPS(".", "", "d", "MC", rmdir("d/sub"));
	STAMPS("d", "MC", "e", "MC", rename("d/f", "e/f"));
	OK(mkdir("d/sub", 0755));
	STAMPS("d", "MC", "e", "MC", rename("d/sub", "e/sub"));
	STAMPS("e/sub", "", "e", "", access("e/sub", R_OK));
}

static int create_anew(const char *path)
{
	return close(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644));
}

static int store(const char *path)
{
	int fd = open(path, O_RDWR), r;
	char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	m[0]++;
	r = munmap(m, PAGE);
	close(fd);
	return r;
}

static int load(const char *path)
{
	int fd = open(path, O_RDWR), r;
	volatile char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	r = m[0] == m[1] ? 0 : 1;
	r |= munmap((void *)m, PAGE);
	close(fd);
	return r;
}

static void contents(void)
{
	int fd = open_new("file");
	char byte = 'x';

	STAMPS("file", "MC", ".", "", write(fd, "hello", 5));
	STAMPS("file", "", ".", "", write(fd, "", 0));
	STAMPS("file", "MC", ".", "", ftruncate(fd, 100));
	STAMPS("file", "MC", ".", "", ftruncate(fd, 100));
	STAMPS("file", "MC", ".", "", truncate("file", 10));
	STAMPS("file", "MC", ".", "", truncate("file", 10));
	STAMPS("file", "MC", ".", "", create_anew("file"));
	STAMPS("file", "MC", ".", "", create_anew("file"));
	STAMPS("file", "MC", ".", "", fallocate(fd, 0, 0, PAGE));
	STAMPS("file", "MC", ".", "", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	STAMPS("file", "", ".", "", pread(fd, &byte, 1, 0));
	STAMPS("file", "", ".", "", fsync(fd));
	STAMPS("file", "", ".", "", lseek(fd, 10, SEEK_SET));
	close(fd);
	STAMPS("file", "MC", ".", "", store("file"));
	STAMPS("file", "", ".", "", load("file"));
	STAMPS("file", "MC", ".", "", store("file"));
	fd = open("file", O_RDONLY);
	STAMPS("file", "", ".", "", close(fd));
}

static void attributes(void)
{
	static const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
	static const struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
	static const struct timespec access_only[2] = {{5, 6}, {0, UTIME_OMIT}};

	make_file("attr", 0644);
	STAMPS("attr", "C", ".", "", chmod("attr", 0600));
	STAMPS("attr", "C", ".", "", chmod("attr", 0600));
	STAMPS("attr", "C", ".", "", chown("attr", ALICE, STAFF));
	STAMPS("attr", "C", ".", "", chown("attr", ALICE, STAFF));
	STAMPS("attr", "C", ".", "", chown("attr", (uid_t)-1, (gid_t)-1));
	STAMPS("attr", "MC", ".", "", utimensat(AT_FDCWD, "attr", now, 0));
	STAMPS("attr", "MC", ".", "", utimensat(AT_FDCWD, "attr", NULL, 0));
	STAMPS("attr", "", ".", "", utimensat(AT_FDCWD, "attr", omit, 0));
	STAMPS("attr", "C", ".", "", utimensat(AT_FDCWD, "attr", access_only, 0));
	OK(symlink("attr", "soft"));
	STAMPS("soft", "C", "attr", "", lchown("soft", ALICE, STAFF));
	STAMPS("soft", "MC", "attr", "", utimensat(AT_FDCWD, "soft", now, AT_SYMLINK_NOFOLLOW));
	STAMPS("soft", "", "attr", "C", chmod("soft", 0640));
}

/* What is refused moves nothing. */
static void refused(void)
{
	struct stamps dir, file;

	OK(mkdir("r", 0755));
	OK(mkdir("r/full", 0755));
	make_file_of("r/full/f", 0, 0, 0644);
	dir = stamps_of("r");
	file = stamps_of("r/full/f");
	pause_ms(6);
	NO(ENOTEMPTY, rmdir("r/full"));
	NO(EEXIST, mkdir("r/full", 0755));
	NO(EISDIR, unlink("r/full"));
	NO(EINVAL, rename("r/full", "r/full/f"));
	NO(ENOENT, unlink("r/absent"));
	NO(EEXIST, link("r/full/f", "r/full"));
	as(ALICE, ALICE);
	NO(EACCES, mkdir("r/new", 0755));
	NO(EACCES, symlink("x", "r/new"));
	NO(EACCES, mkfifo("r/new", 0644));
	NO(EACCES, unlink("r/full/f"));
	NO(EACCES, rename("r/full/f", "r/full/g"));
	NO(EPERM, chmod("r/full/f", 0777));
	NO(EPERM, chown("r/full/f", ALICE, ALICE));
	NO(EACCES, truncate("r/full/f", 1));
	NO(EACCES, utimensat(AT_FDCWD, "r/full/f", NULL, 0));
	NO(EACCES, open("r/full/f", O_RDWR | O_TRUNC));
	as_root();
	stamps_moved(&dir, "", "what is refused", __LINE__);
	stamps_moved(&file, "", "what is refused", __LINE__);
}

/* Times before 1970, after 2106, and to the nanosecond. */
static void values(void)
{
	static const int64_t seconds[] = {0,	      1,	  -1,	       -1000000000,  0x7fffffff,
					  0x80000000, 0xffffffff, 0x100000000, 253402300800};
	struct stat st;

	make_file("when", 0644);
	for (unsigned i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		struct timespec t[2] = {{seconds[i], 999999999}, {seconds[i], 1}};

		OK(utimensat(AT_FDCWD, "when", t, 0));
		OK(stat("when", &st));
		say("atime %lld.%09ld mtime %lld.%09ld", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
		    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
	NO(EINVAL, utimensat(AT_FDCWD, "when", (struct timespec[]){{0, 1000000000}, {0, 0}}, 0));
	NO(EINVAL, utimensat(AT_FDCWD, "when", (struct timespec[]){{0, -1}, {0, 0}}, 0));
	NO(EINVAL, utimensat(AT_FDCWD, "when", NULL, 0x10000));
}

/* Who may set the times of what. */
static void who(void)
{
	static const struct timespec given[2] = {{5, 6}, {7, 8}};
	static const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
	static const struct timespec half[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};

	make_file_of("hers", ALICE, ALICE, 0644);
	make_file_of("open_to_all", ALICE, ALICE, 0666);
	as(ALICE, ALICE);
	OK(utimensat(AT_FDCWD, "hers", given, 0));
	OK(utimensat(AT_FDCWD, "hers", NULL, 0));
	as(BOB, BOB);
	NO(EPERM, utimensat(AT_FDCWD, "hers", given, 0));
	NO(EACCES, utimensat(AT_FDCWD, "hers", now, 0));
	NO(EACCES, utimensat(AT_FDCWD, "hers", NULL, 0));
	OK(utimensat(AT_FDCWD, "open_to_all", now, 0));
	NO(EPERM, utimensat(AT_FDCWD, "open_to_all", half, 0));
	NO(EPERM, utimensat(AT_FDCWD, "open_to_all", given, 0));
	as_root();
	OK(utimensat(AT_FDCWD, "hers", given, 0));
}

void theme_times(void)
{
	names();
	contents();
	attributes();
	refused();
	values();
	who();
}
