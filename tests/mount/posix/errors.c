/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/errors.c - each call that takes a path, in each situation that it must refuse. */
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "posix.h"

/* --- calls that make a name ---------------------------------------------------------------------- */

static int make_by_open(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

	return fd < 0 ? -1 : close(fd);
}

static int make_by_mkdir(const char *path)
{
	return mkdir(path, 0755);
}

static int make_by_mkfifo(const char *path)
{
	return mkfifo(path, 0644);
}

static int make_by_mknod(const char *path)
{
	return mknod(path, S_IFREG | 0644, 0);
}

static int make_by_symlink(const char *path)
{
	return symlink("file", path);
}

static int make_by_link(const char *path)
{
	return link("../given", path);
}

static int make_by_rename(const char *path)
{
	make_file("../moving", 0666);
	return rename("../moving", path);
}

static int make_by_bind(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, r;

	/* What bind cannot be asked. */
	if ((uintptr_t)path < PAGE || !path[0] || strlen(path) >= sizeof(address.sun_path))
		return mknod(path, S_IFSOCK | 0644, 0);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	if (r < 0 && errno == EADDRINUSE)
		errno = EEXIST;
	close(fd);
	return r;
}

struct call {
	const char *name;
	int (*run)(const char *path);
};

static const struct call makers[] = {
	{"open(O_CREAT)", make_by_open}, {"mkdir", make_by_mkdir},     {"mkfifo", make_by_mkfifo},
	{"mknod", make_by_mknod},	 {"symlink", make_by_symlink}, {"link", make_by_link},
	{"rename to", make_by_rename},	 {"bind", make_by_bind},
};

/* --- calls that use one -------------------------------------------------------------------------- */

static int use_stat(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static int use_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK);

	return fd < 0 ? -1 : close(fd);
}

static int use_chmod(const char *path)
{
	return chmod(path, 0755);
}

static int use_chown(const char *path)
{
	return chown(path, geteuid(), getegid());
}

static int use_truncate(const char *path)
{
	return truncate(path, 0);
}

static int use_utimens(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, 0);
}

static int use_access(const char *path)
{
	return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS);
}

static int use_statfs(const char *path)
{
	struct statfs st;

	return statfs(path, &st);
}

static int use_chdir(const char *path)
{
	int here = open(".", O_PATH), r = chdir(path), error = errno;

	if (fchdir(here) < 0)
		abort();
	close(here);
	errno = error;
	return r;
}

static int use_readlink(const char *path)
{
	char target[16];

	return (int)readlink(path, target, sizeof(target));
}

static int use_unlink(const char *path)
{
	return unlink(path);
}

static int use_rmdir(const char *path)
{
	return rmdir(path);
}

static int use_rename(const char *path)
{
	return rename(path, "../renamed");
}

static int use_link(const char *path)
{
	return link(path, "../linked");
}

static const struct call users[] = {
	{"stat", use_stat},	{"open", use_open},	  {"chmod", use_chmod},	      {"chown", use_chown},
	{"utimens", use_utimens}, {"access", use_access}, {"statfs", use_statfs},   {"chdir", use_chdir},
	{"truncate", use_truncate}, {"readlink", use_readlink}, {"unlink", use_unlink}, {"rmdir", use_rmdir},
	{"rename from", use_rename}, {"link from", use_link},
};

/* --- situations ---------------------------------------------------------------------------------- */

static void expect_all(const struct call *calls, unsigned count, const char *path, const char *what, int error)
{
	for (unsigned i = 0; i < count; i++) {
		int got = errno_of(calls[i].run(path));

		if (error >= 0 && got != error) {
			printf("WRONG (wanted %s): ", name_of_errno(error));
			wrong++;
		}
		say("%s of %s: %s", calls[i].name, what, name_of_errno(got));
	}
}

#define MAKERS(path, what, error) expect_all(makers, sizeof(makers) / sizeof(makers[0]), (path), (what), (error))
#define USERS(path, what, error) expect_all(users, sizeof(users) / sizeof(users[0]), (path), (what), (error))
#define BOTH(path, what, error)                \
	do {                                   \
		MAKERS((path), (what), (error)); \
		USERS((path), (what), (error));  \
	} while (0)

static const char *repeated(char *buf, char c, unsigned n, const char *before)
{
	char *at = stpcpy(buf, before);

	memset(at, c, n);
	at[n] = '\0';
	return buf;
}

static void long_names(void)
{
	static char buf[3 * PAGE];

	BOTH(repeated(buf, 'n', 256, ""), "256 bytes", ENAMETOOLONG);
	BOTH(repeated(buf, 'n', 256, "file/"), "256 bytes below a file", ENOTDIR);
	BOTH(repeated(buf, 'n', 256, "dir/../"), "256 bytes further down", ENAMETOOLONG);
	BOTH(repeated(buf, '/', PAGE, "dir"), "a path too long", ENAMETOOLONG);
	NO(ENAMETOOLONG, symlink(repeated(buf, 't', PAGE, ""), "long"));
	OK(symlink(repeated(buf, 't', PAGE - 1, ""), "long"));
	IS(PAGE - 1, readlink("long", buf, sizeof(buf)));
	IS(10, readlink("long", buf, 10));
	NO(EINVAL, readlink("long", buf, 0));
	NO(ENOENT, symlink("", "empty"));
	show("long");
	NO(ENAMETOOLONG, open("long", O_RDONLY));
	OK(unlink("long"));
	MAKERS(repeated(buf, 'n', 255, "dir/"), "255 bytes, or what was there", -1);
	OK(unlink(buf));
	repeated(buf, 'd', 255, "");
	OK(mkdir(buf, 0700));
	OK(rename(buf, "short"));
	OK(rename("short", buf));
	OK(rmdir(buf));
}

static void wrong_kinds(void)
{
	BOTH("absent/name", "a name below nothing", ENOENT);
	BOTH("file/name", "a name below a file", ENOTDIR);
	BOTH("fifo/name", "a name below a fifo", ENOTDIR);
	BOTH("dangling/name", "a name below a dangling link", ENOENT);
	BOTH("to_file/name", "a name below a link to a file", ENOTDIR);
	BOTH("loop/name", "a name below a loop", ELOOP);
	BOTH("", "no name", ENOENT);
	BOTH("..", "..", -1);
	BOTH(".", ".", -1);
	BOTH("dir/..", "dir/..", -1);
	BOTH("full/.", "full/.", -1);
	USERS("absent", "what is not there", ENOENT);
	USERS("dangling/", "what a link says, which is not there", -1);
	USERS("loop", "a loop", -1);
	USERS("file/", "a file with a slash", ENOTDIR);
	MAKERS("file", "a name that a file has", -1);
	MAKERS("full", "a name that a directory has", -1);
	MAKERS("fifo", "a name that a fifo has", -1);
	MAKERS("dangling", "a name that a dangling link has", -1);
	MAKERS("loop", "a name that a loop has", -1);
}

/* Slashes at the end, and what the last name of a path may not be. */
static void last_names(void)
{
	OK(mkdir("new/", 0755));
	OK(rmdir("new/"));
	NO(EISDIR, open("new/", O_CREAT | O_RDWR, 0644));
	NO(ENOENT, mkfifo("new/", 0644));
	NO(ENOENT, symlink("file", "new/"));
	NO(ENOENT, link("file", "new/"));
	NO(ENOTDIR, rename("file", "new/"));
	NO(ENOTDIR, rename("file/", "new"));
	NO(EISDIR, open("dir", O_WRONLY));
	NO(EISDIR, open("dir", O_RDWR));
	NO(EISDIR, open("dir", O_RDONLY | O_CREAT, 0644));
	SAY(open("dir", O_RDONLY | O_TRUNC));
	NO(ENOTDIR, open("file", O_RDONLY | O_DIRECTORY));
	SAY(open("absent", O_RDONLY | O_CREAT | O_DIRECTORY, 0644));
	NO(ELOOP, open("to_file", O_RDONLY | O_NOFOLLOW));
	NO(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
	NO(ENXIO, open("socket", O_RDONLY));
	NO(ENXIO, open("no_device", O_RDONLY));
	NO(EINVAL, rmdir("dir/."));
	NO(ENOTEMPTY, rmdir("dir/.."));
	NO(EISDIR, unlink("dir"));
	NO(ENOTDIR, rmdir("file"));
	NO(ENOTDIR, rmdir("to_dir"));
	NO(ENOTEMPTY, rmdir("full"));
	NO(EINVAL, readlink("file", (char[8]){0}, 8));
	NO(EPERM, link("dir", "linked"));
	NO(EISDIR, truncate("dir", 0));
	NO(EINVAL, truncate("file", -1));
	NO(EINVAL, truncate("fifo", 0));
	NO(EXDEV, link("file", "/tmp/never"));
	NO(EXDEV, rename("file", "/proc/never"));
	NO(EBUSY, rmdir("/proc"));
}

/* Addresses that are none. */
static void bad_addresses(void)
{
	void *volatile nothing = (void *)8; /* not known to be none when this is compiled */
	struct stat st;
	int fd = open_new("bytes");

	fill(fd, 'x', 0, 2 * PAGE);
	BOTH(nothing, "an address that is none", -1);
	NO(EFAULT, stat("file", nothing));
	NO(EFAULT, readlink("to_file", nothing, 10));
	NO(EFAULT, pwrite(fd, nothing, 10, 0));
	NO(EFAULT, pwrite(fd, nothing, 3 * PAGE, PAGE));
	NO(EFAULT, pread(fd, nothing, 10, 0));
	NO(EFAULT, utimensat(AT_FDCWD, "file", nothing, 0));
	NO(EFAULT, statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, nothing));
	OK(fstat(fd, &st));
	IS(2 * PAGE, st.st_size);
	IS('x', byte_at(fd, 0, 2 * PAGE));
	close(fd);
}

/* Bytes are bytes: names and targets of symbolic links. */
static void any_bytes(void)
{
	char name[4] = "";
	unsigned made = 0, found = 0, gone = 0;
	struct stat st;

	for (int byte = 1; byte < 256; byte++) {
		snprintf(name, sizeof(name), "%c", byte);
		if (byte == '/' || byte == '.')
			continue;
		made += mknod(name, S_IFREG | 0600, 0) == 0;
		found += lstat(name, &st) == 0;
		gone += unlink(name) == 0;
	}
	say("bytes as names: %u made, %u found, %u removed", made, found, gone);
	OK(mkdir("two\nlines", 0755));
	NO(EEXIST, mkdir("two\nlines", 0755));
	OK(rmdir("two\nlines"));
	OK(mkdir("\xff\xfe", 0755));
	NO(ENOENT, rmdir("\xff\xfd"));
	OK(rmdir("\xff\xfe"));
	OK(mkdir("-rf *", 0755));
	OK(rmdir("-rf *"));
	OK(mkdir(" ", 0755));
	OK(rmdir(" "));
	OK(mkdir("A", 0755));
	NO(ENOENT, rmdir("a"));
	OK(rmdir("A"));
	OK(mkdir("...", 0755));
	OK(rmdir("..."));
}

void theme_errors(void)
{
	make_file("given", 0666);
	OK(mkdir("work", 0777));
	OK(chdir("work"));
	make_file("file", 0644);
	OK(mkdir("dir", 0755));
	OK(mkdir("full", 0755));
	make_file("full/inside", 0644);
	OK(mkfifo("fifo", 0644));
	OK(mknod("socket", S_IFSOCK | 0644, 0));
	OK(mknod("no_device", S_IFCHR | 0644, makedev(255, 255)));
	OK(mknod("block", S_IFBLK | 0640, makedev(7, 300)));
	OK(symlink("file", "to_file"));
	OK(symlink("dir", "to_dir"));
	OK(symlink("nothing", "dangling"));
	OK(symlink("loop", "loop"));
	static const char *const all[] = {"file", "dir", "full", "fifo", "socket", "no_device", "block", "to_file"};
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		show(all[i]);
	last_names();
	long_names();
	bad_addresses();
	any_bytes();
	wrong_kinds();
}
