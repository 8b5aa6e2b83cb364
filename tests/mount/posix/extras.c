/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/extras.c - what Linux has beside POSIX: O_TMPFILE, whiteouts, flags of inodes, times of birth. */
#include <asm/termbits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "posix.h"

static int link_of(int fd, const char *to)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

static void without_a_name(void)
{
	struct stat st;
	int fd;

	OK(mkdir("tmp", 0777));
	NO(EINVAL, open("tmp", O_TMPFILE | O_RDONLY, 0600));
	NO(ENOENT, open("none", O_TMPFILE | O_RDWR, 0600));
	make_file("tmp/file", 0644);
	NO(ENOTDIR, open("tmp/file", O_TMPFILE | O_RDWR, 0600));
	umask(027);
	fd = open("tmp", O_TMPFILE | O_RDWR, 0666);
	umask(0);
	show_fd(fd, "no name");
	show("tmp");
	fill(fd, 't', 0, 5000);
	IS('t', byte_at(fd, 0, 5000));
	NO(EEXIST, link_of(fd, "tmp/file"));
	OK(link_of(fd, "tmp/named"));
	show("tmp/named");
	OK(link_of(fd, "tmp/twice"));
	OK(unlink("tmp/named"));
	OK(fstat(fd, &st));
	IS(1, st.st_nlink);
	OK(unlink("tmp/twice"));
	NO(ENOENT, link_of(fd, "tmp/again"));
	close(fd);
	fd = open("tmp", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	NO(ENOENT, link_of(fd, "tmp/never"));
	close(fd);
	make_dir_of("setgid", ALICE, STAFF, 02777);
	as(BOB, BOB);
	fd = open("setgid", O_TMPFILE | O_WRONLY, 02770);
	show_fd(fd, "in a setgid directory");
	OK(link_of(fd, "setgid/mine"));
	close(fd);
	as_root();
	OK(chmod("setgid", 0755));
	as(BOB, BOB);
	NO(EACCES, open("setgid", O_TMPFILE | O_WRONLY, 0600));
	as_root();
}

static int rename_whiteout(const char *from, const char *to, unsigned more)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_WHITEOUT | more);
}

static void whiteouts(void)
{
	OK(mkdir("w", 0755));
	make_file("w/a", 0644);
	make_file("w/b", 0600);
	OK(rename_whiteout("w/a", "w/b", 0));
	show("w"), show("w/a"), show("w/b");
	OK(rename_whiteout("w/b", "w/c", RENAME_NOREPLACE));
	show("w"), show("w/b"), show("w/c");
	NO(EINVAL, rename_whiteout("w/c", "w/d", RENAME_EXCHANGE));
	NO(EEXIST, rename_whiteout("w/c", "w/a", RENAME_NOREPLACE));
	OK(mkdir("w/dir", 0755));
	OK(rename_whiteout("w/dir", "moved", 0));
	show("w"), show("w/dir"), show("moved");
	OK(unlink("w/dir"));
	NO(ENOENT, rename_whiteout("w/none", "w/x", 0));
	OK(mknod("w/own", S_IFCHR, makedev(0, 0))); /* one made by hand */
	make_dir_of("free", 0, 0, 0777);
	as(ALICE, ALICE);
	make_file("free/a", 0644);
	SAY(rename_whiteout("free/a", "free/b", 0));
	OK(mknod("free/own", S_IFCHR, makedev(0, 0)));
	as_root();
	show("free/a"), show("free/b"), show("free/own");
}

static int set_flags(const char *path, int flags)
{
	int fd = open(path, O_RDONLY), r, error;

	r = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	error = errno;
	close(fd);
	errno = error;
	return r;
}

static int flags_of(const char *path)
{
	int fd = open(path, O_RDONLY), flags = 0, r = ioctl(fd, FS_IOC_GETFLAGS, &flags);

	close(fd);
	return r < 0 ? -1 : flags;
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	return fd < 0 ? -1 : close(fd);
}

/* What can be done to a file, and in a directory. */
static void try_all(const char *what)
{
	say("%s", what);
	SAY(opened("fl/f", O_RDONLY));
	SAY(opened("fl/f", O_WRONLY));
	SAY(opened("fl/f", O_WRONLY | O_APPEND));
	SAY(opened("fl/f", O_WRONLY | O_APPEND | O_TRUNC));
	SAY(truncate("fl/f", 10));
	SAY(chmod("fl/f", 0640));
	SAY(chown("fl/f", 0, 0));
	SAY(utimensat(AT_FDCWD, "fl/f", (struct timespec[]){{1, 1}, {1, 1}}, 0));
	SAY(link("fl/f", "linked"));
	SAY(rename("fl/f", "fl/g"));
	SAY(rename("fl/g", "fl/f"));
	SAY(opened("fl/new", O_CREAT | O_WRONLY));
	SAY(mkdir("fl/sub", 0755));
	SAY(rmdir("fl/sub"));
	SAY(unlink("fl/new"));
	unlink("linked");
}

static void flags(void)
{
	static const int all[] = {0,		 FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NODUMP_FL,
				  FS_NOATIME_FL, FS_COMPR_FL,	  FS_SYNC_FL};

	OK(mkdir("fl", 0755));
	make_file("fl/f", 0644);
	for (unsigned n = 0; n < sizeof(all) / sizeof(all[0]); n++) {
		say("flags %x", all[n]);
		SAY(set_flags("fl/f", all[n]));
		SAY(flags_of("fl/f"));
		try_all("of the file");
		SAY(set_flags("fl/f", 0));
		SAY(set_flags("fl", all[n]));
		SAY(flags_of("fl"));
		try_all("of the directory");
		OK(set_flags("fl", 0));
		rmdir("fl/sub"), unlink("fl/new");
		make_file("fl/f", 0644);
		unlink("fl/g");
	}
	OK(chown("fl/f", ALICE, ALICE));
	as(ALICE, ALICE);
	SAY(set_flags("fl/f", FS_NODUMP_FL));
	SAY(set_flags("fl/f", FS_IMMUTABLE_FL));
	as(BOB, BOB);
	SAY(set_flags("fl/f", 0));
	as_root();
	SAY(flags_of("fl/f"));
}

/* The time of birth is there, and stays. */
static int64_t nanoseconds(struct statx_timestamp t)
{
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void births(void)
{
	struct statx first, later;
	int fd = open_new("born");

	OK(statx(AT_FDCWD, "born", 0, STATX_BTIME, &first));
	IS(STATX_BTIME, first.stx_mask & STATX_BTIME);
	IS(true, first.stx_btime.tv_sec > 1000000000);
	pause_ms(10);
	fill(fd, 'b', 0, 10);
	OK(futimens(fd, NULL));
	OK(chmod("born", 0600));
	OK(rename("born", "reborn"));
	OK(statx(AT_FDCWD, "reborn", 0, STATX_BTIME | STATX_CTIME, &later));
	IS(0, nanoseconds(later.stx_btime) - nanoseconds(first.stx_btime));
	IS(true, nanoseconds(later.stx_ctime) > nanoseconds(later.stx_btime));
	close(fd);
}

/* What programs ask of any file. */
static void questions(void)
{
	static const struct {
		const char *name;
		unsigned long request;
	} all[] = {{"FIONREAD", FIONREAD},
		   {"FIGETBSZ", FIGETBSZ},
		   {"FIONBIO", FIONBIO},
		   {"FS_IOC_FIEMAP", FS_IOC_FIEMAP},
		   {"FIFREEZE", FIFREEZE},
		   {"FITHAW", FITHAW},
		   {"FITRIM", FITRIM},
		   {"FICLONE", FICLONE},
		   {"FS_IOC_GETVERSION", FS_IOC_GETVERSION},
		   {"FS_IOC_GETFSLABEL", FS_IOC_GETFSLABEL},
		   {"TCGETS", TCGETS},
		   {"nothing known", 0x12345678}};
	char space[512];
	int fd = open_new("asked");

	fill(fd, 'q', 0, 100);
	for (unsigned n = 0; n < sizeof(all) / sizeof(all[0]); n++) {
		memset(space, 0, sizeof(space));
		int error = errno_of(ioctl(fd, all[n].request, space));

		say("%s: %s, %d", all[n].name, name_of_errno(error), error ? 0 : *(int *)(void *)space);
	}
	close(fd);
	NO(EBADF, ioctl(open("asked", O_PATH), FIONREAD, space));
}

void theme_extras(void)
{
	questions();
	without_a_name();
	whiteouts();
	flags();
	births();
}
