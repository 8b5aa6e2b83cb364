/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/dirs.c - directories: many entries, their offsets, and listing while they come and go. */
#include <dirent.h>
#include <ftw.h>
#include <sys/syscall.h>

#include "posix.h"

static unsigned many; /* entries */

static void name_it(char name[32], unsigned n)
{
	snprintf(name, 32, "entry-%06u", n);
}

static unsigned number_of(const char *name)
{
	return strncmp(name, "entry-", 6) == 0 ? (unsigned)strtoul(name + 6, NULL, 10) : ~0U;
}

/* How often each number was listed: all that stay must be once. */
static void count(const unsigned char *seen, unsigned from, unsigned step, const char *what)
{
	unsigned none = 0, once = 0, more = 0;

	for (unsigned n = from; n < many; n += step) {
		none += seen[n] == 0;
		once += seen[n] == 1;
		more += seen[n] > 1;
	}
	say("%s: %u once", what, once);
	IS(0, none);
	IS(0, more);
}

static void make_many(int dir)
{
	char name[32];
	unsigned made = 0;

	for (unsigned n = 0; n < many; n++) {
		name_it(name, n);
		made += mknodat(dir, name, S_IFREG | 0600, 0) == 0;
	}
	IS(many, made);
}

static void list_all(const char *what)
{
	unsigned char *seen = calloc(many, 1);
	unsigned dots = 0;
	DIR *d = opendir("many");

	for (struct dirent *e; (e = readdir(d));) {
		unsigned n = number_of(e->d_name);

		if (n < many)
			seen[n]++;
		else
			dots++;
	}
	closedir(d);
	count(seen, 0, 1, what);
	IS(2, dots);
	free(seen);
}

/* Half of the entries go and others come while somebody lists: the other half is there once. */
static void list_while_changing(void)
{
	unsigned char *seen = calloc(many, 1);
	DIR *d = opendir("many");
	int dir = dirfd(d);
	unsigned listed = 0;
	char name[32];

	for (struct dirent *e; (e = readdir(d)); listed++) {
		unsigned n = number_of(e->d_name);

		if (n < many)
			seen[n]++;
		if (listed < many) { /* each comes and goes, whatever has been listed */
			name_it(name, listed);
			if (listed % 2 && unlinkat(dir, name, 0) == 0 && listed % 4 == 1)
				mknodat(dir, name, S_IFREG | 0600, 0);
			name_it(name, many + listed);
			mknodat(dir, name, S_IFREG | 0600, 0);
			if (listed % 3 == 0)
				unlinkat(dir, name, 0);
		}
		if (listed > 4 * many)
			break;
	}
	IS(true, listed <= 4 * many);
	closedir(d);
	count(seen, 0, 2, "those that stayed");
	free(seen);
}

/* telldir gives a place to come back to, also when what stood there is gone. */
static void places(void)
{
	enum { PLACES = 64 };
	long place[PLACES];
	unsigned after[PLACES], wrong_places = 0, n = 0;
	DIR *d = opendir("many");
	struct dirent *e;
	char name[32];

	for (unsigned i = 0; (e = readdir(d)) && n < PLACES; i++) {
		if (i % (many / PLACES / 2) != 2)
			continue;
		place[n] = telldir(d);
		e = readdir(d);
		if (!e)
			break;
		i++;
		after[n++] = number_of(e->d_name);
	}
	say("%u places", n);
	for (unsigned i = n; i-- > 0;) {
		seekdir(d, place[i]);
		e = readdir(d);
		wrong_places += !e || number_of(e->d_name) != after[i];
	}
	IS(0, wrong_places);
	/* What came after a place is gone (and may be listed still): there is something there, or behind it. */
	for (unsigned i = 0; i < n; i++) {
		name_it(name, after[i]);
		unlinkat(dirfd(d), name, 0);
		seekdir(d, place[i]);
		wrong_places += !readdir(d);
	}
	IS(0, wrong_places);
	rewinddir(d);
	e = readdir(d);
	IS(0, strcmp(e->d_name, "."));
	closedir(d);
}

static void tiny_buffers(void)
{
	static char buf[128] __attribute__((aligned(8)));
	unsigned char *seen = calloc(many, 1);
	int fd = open("few", O_RDONLY | O_DIRECTORY), n;
	unsigned entries = 0;

	NO(EINVAL, syscall(SYS_getdents64, fd, buf, 8));
	while ((n = (int)syscall(SYS_getdents64, fd, buf, 40)) > 0)
		entries++;
	IS(0, n);
	IS(12, entries);
	OK(lseek(fd, 0, SEEK_SET));
	NO(EFAULT, syscall(SYS_getdents64, fd, (void *)8, 4096));
	OK(lseek(fd, 0, SEEK_SET));
	entries = 0;
	while ((n = (int)syscall(SYS_getdents64, fd, buf, 128)) > 0)
		for (int at = 0; at < n; at += *(unsigned short *)(void *)(buf + at + 16))
			entries++;
	IS(12, entries);
	close(fd);
	fd = open("few/entry-000000", O_RDONLY);
	NO(ENOTDIR, syscall(SYS_getdents64, fd, buf, 128));
	close(fd);
	free(seen);
}

static void types(void)
{
	static const char *const names[] = {".", "..", "d", "f", "p", "s", "u"};
	char found[16][4];
	unsigned n = 0;

	OK(mkdir("types", 0755));
	OK(mkdir("types/d", 0755));
	make_file("types/f", 0644);
	OK(mkfifo("types/p", 0644));
	OK(symlink("x", "types/s"));
	OK(mknod("types/u", S_IFSOCK | 0644, 0));
	DIR *d = opendir("types");
	for (struct dirent *e; (e = readdir(d)) && n < 16; n++) {
		struct stat st;

		fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW);
		bool as_told = e->d_ino == st.st_ino && (mode_t)DTTOIF(e->d_type) == (st.st_mode & S_IFMT);
		snprintf(found[n], 4, "%.2s%s", e->d_name, as_told ? "" : "!");
	}
	closedir(d);
	IS(7, n);
	for (unsigned i = 0; i < 7; i++) {
		bool there = false;

		for (unsigned k = 0; k < n; k++)
			there |= strcmp(found[k], names[i]) == 0;
		say("%s: %s", names[i], there ? "there" : "not there, or another type or inode");
	}
}

static int remove_it(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

/* Somebody lists all the time while all of it is removed. */
static void remove_while_listing(void)
{
	pid_t lister;
	unsigned rounds = 0;

	lister = beside();
	if (lister == 0) {
		for (DIR *d; rounds < 100000 && (d = opendir("many")); rounds++) {
			unsigned entries = 0;

			while (readdir(d))
				entries++;
			closedir(d);
			if (entries > 5 * many)
				_exit(1);
		}
		_exit(0);
	}
	IS(0, nftw("many", remove_it, 16, FTW_DEPTH | FTW_PHYS));
	IS(0, end_of(lister));
	NO(ENOENT, rmdir("many"));
}

static void deep(void)
{
	enum { DEPTH = 300 };
	unsigned made = 0, gone = 0;
	int here = open(".", O_PATH);

	for (unsigned n = 0; n < DEPTH; n++)
		made += mkdir("deep", 0755) == 0 && chdir("deep") == 0;
	IS(DEPTH, made);
	char path[3 * PAGE];
	SAY(getcwd(path, PAGE / 4) ? 1 : -1);
	for (unsigned n = 0; n < DEPTH; n++)
		gone += chdir("..") == 0 && rmdir("deep") == 0;
	IS(DEPTH, gone);
	OK(fchdir(here));
	close(here);
}

/* A directory that is open, and gone. */
static void gone(void)
{
	OK(mkdir("gone", 0755));
	make_file("gone/f", 0644);
	DIR *d = opendir("gone");
	OK(unlink("gone/f"));
	OK(rmdir("gone"));
	unsigned entries = 0;
	while (readdir(d))
		entries++;
	IS(0, entries);
	show_fd(dirfd(d), "gone");
	NO(ENOENT, openat(dirfd(d), "x", O_CREAT | O_RDWR, 0600));
	NO(ENOENT, mkdirat(dirfd(d), "x", 0600));
	closedir(d);
}

/* Sizes and link counts as entries come and go. */
static void sizes(void)
{
	OK(mkdir("size", 0755));
	for (unsigned n = 0; n < 3; n++) {
		make_file("size/f", 0644);
		show("size");
		OK(mkdir("size/d", 0755));
		show("size");
		OK(symlink("x", "size/s"));
		show("size");
		OK(rename("size/f", "size/g"));
		show("size");
		OK(rename("size/g", "size/s"));
		show("size");
		OK(rmdir("size/d"));
		OK(unlink("size/s"));
		show("size");
	}
	OK(rmdir("size"));
}

void theme_dirs(void)
{
	char name[32];

	types();
	sizes();
	deep();
	gone();
	OK(mkdir("few", 0755));
	for (unsigned n = 0; n < 10; n++) {
		snprintf(name, sizeof(name), "few/entry-%06u", n);
		make_file(name, 0600);
	}
	many = is_small ? 2000 : 100000;
	tiny_buffers();
	OK(mkdir("many", 0755));
	int dir = open("many", O_RDONLY);
	make_many(dir);
	show("many");
	list_all("all");
	places();
	close(dir);
	dir = open("many", O_RDONLY);
	for (unsigned n = 0; n < many; n++) { /* again, where places() took some */
		name_it(name, n);
		mknodat(dir, name, S_IFREG | 0600, 0);
	}
	close(dir);
	list_all("all again");
	OK(rename("many", "very_many")); /* left for who made this directory */
	many = is_small ? 1000 : 5000;
	OK(mkdir("many", 0755));
	dir = open("many", O_RDONLY);
	make_many(dir);
	close(dir);
	list_while_changing();
	remove_while_listing();
}
