/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/listing.c - a directory of 1,500 files that is listed while files come and go, in small helpings.
 *
 * What was there all the time is listed once; what came or went meanwhile, at most once; nothing else is.
 */
#include "kinds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 1500, HELPING = 2048 };

static struct {
	bool there, touched; /* since the listing began */
	unsigned listed;
	ino_t ino;
} files[FILES];

static void name_of(unsigned n, char name[16])
{
	snprintf(name, 16, "file%04u", n);
}

static void come(unsigned n)
{
	char name[16];
	struct stat st;
	int fd;

	name_of(n, name);
	note("create %s", name);
	fd = (int)answered(open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644), 0);
	note("fstat %s", name);
	answered(fstat(fd, &st), 0);
	files[n].ino = st.st_ino;
	note("close %s", name);
	answered(close(fd), 0);
	files[n].there = true;
}

static void go(unsigned n)
{
	char name[16];

	name_of(n, name);
	note("unlink %s", name);
	answered(unlink(name), 0);
	files[n].there = false;
}

static void come_or_go(void)
{
	unsigned n = draw(FILES);

	files[n].touched = true;
	if (files[n].there)
		go(n);
	else
		come(n);
}

/* One entry of the listing. */
static void meet(const char *name, ino_t ino)
{
	char wanted[16] = "";
	unsigned long n;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	n = strtoul(name + strcspn(name, "0123456789"), NULL, 10);
	if (n < FILES)
		name_of((unsigned)n, wanted);
	if (strcmp(name, wanted) != 0)
		fail(LOST, "it lists %s, which was never there", name);
	if (files[n].listed++)
		fail(DOUBLED, "it lists %s twice", name);
	if (files[n].touched)
		return;
	if (!files[n].there)
		fail(LOST, "it lists %s, which is not there", name);
	if (files[n].ino != ino)
		fail(LOST, "it lists %s as inode %llu, which is %llu", name, (unsigned long long)ino,
		     (unsigned long long)files[n].ino);
}

static bool next_helping(int fd)
{
	static char entries[HELPING] __attribute__((aligned(8)));
	long n;

	note("getdents");
	n = answered(syscall(SYS_getdents64, fd, entries, sizeof(entries)), 0);
	for (long at = 0; at < n;) {
		const struct dirent64 *e = (const void *)(entries + at);

		meet(e->d_name, e->d_ino);
		at += e->d_reclen;
	}
	return n > 0;
}

static void list(bool changing)
{
	int fd;

	for (unsigned n = 0; n < FILES; n++)
		files[n].listed = files[n].touched = false;
	note("open the directory");
	fd = (int)answered(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
	while (next_helping(fd))
		if (changing && chance(50))
			come_or_go();
	note("close the directory");
	answered(close(fd), 0);
	for (unsigned n = 0; n < FILES; n++)
		if (files[n].there && !files[n].touched && !files[n].listed)
			fail(LOST, "it does not list file%04u, inode %llu", n, (unsigned long long)files[n].ino);
}

static void make(void)
{
	for (unsigned n = 0; n < FILES; n++)
		come(n);
}

static void step(void)
{
	list(true);
}

static void verify(void)
{
	list(false);
}

static void remove_all(void)
{
	for (unsigned n = 0; n < FILES; n++)
		if (files[n].there)
			go(n);
}

const struct kind listing = {"listing", 1, make, step, verify, remove_all};
