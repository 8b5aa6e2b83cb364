/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/rename.c - what rename does to each kind of name, and to link counts. */
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "posix.h"

static int rename_with(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static const char *const kinds[] = {"none", "file", "dir", "full", "fifo", "symlink", "same"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), NONE = 0, FILE_ = 1, DIR_ = 2, FULL, FIFO, SYMLINK, SAME };

static void make(const char *path, int kind)
{
	char inside[32];

	switch (kind) {
	case FILE_:
		make_file(path, 0640);
		break;
	case FULL:
	case DIR_:
		mkdir(path, 0750);
		snprintf(inside, sizeof(inside), "%s/in", path);
		if (kind == FULL)
			make_file(inside, 0600);
		break;
	case FIFO:
		mkfifo(path, 0600);
		break;
	case SYMLINK:
		if (symlink("target", path) < 0)
			say("WRONG: symlink");
		break;
	case SAME:
		if (link("a/x", path) < 0)
			say("no second name: %s", name_of_errno(errno));
		break;
	default:
		break;
	}
}

static void clear(const char *path)
{
	char inside[32];

	snprintf(inside, sizeof(inside), "%s/in", path);
	unlink(inside);
	if (unlink(path) < 0)
		rmdir(path);
}

/* Each kind onto each kind, in one directory and between two, plainly and with flags. */
static void matrix(unsigned flags)
{
	for (int from = NONE; from < SAME; from++) {
		for (int to = NONE; to < KINDS; to++) {
			make("a/x", from);
			make("b/y", to);
			int error = errno_of(rename_with("a/x", "b/y", flags));

			say("flags %u, %s onto %s: %s", flags, kinds[from], kinds[to], name_of_errno(error));
			show("a");
			show("b");
			show("a/x");
			show("b/y");
			clear("a/x");
			clear("b/y");
		}
	}
}

static void into_itself(void)
{
	OK(mkdir("p", 0755));
	OK(mkdir("p/q", 0755));
	OK(mkdir("p/q/r", 0755));
	NO(EINVAL, rename("p", "p/new"));
	NO(EINVAL, rename("p", "p/q/r"));
	NO(EINVAL, rename("p", "p/q/r/new"));
	NO(ENOTEMPTY, rename("p/q/r", "p"));
	NO(ENOTEMPTY, rename("p/q/r", "p/q"));
	OK(rename("p", "p"));
	OK(rename("p/q/r", "p/r"));
	show("p");
	show("p/q");
	OK(rename("p/q", "p/r/q"));
	show("p");
	show("p/r");
	NO(EBUSY, rename("p/r/.", "z"));
	NO(EBUSY, rename("p/r/..", "z"));
	NO(EBUSY, rename("p", "p/r/.."));
	NO(EINVAL, rename_with("p", "p/r/q", RENAME_EXCHANGE));
	NO(EINVAL, rename_with("p/r/q", "p", RENAME_EXCHANGE));
	NO(ENOENT, rename_with("p", "z", RENAME_EXCHANGE));
	NO(EINVAL, rename_with("p", "z", RENAME_EXCHANGE | RENAME_NOREPLACE));
	NO(EINVAL, rename_with("p", "z", 1U << 9));
	NO(EEXIST, rename_with("p/r", "p/r", RENAME_NOREPLACE));
	OK(rename_with("p/r", "p/r", RENAME_EXCHANGE));
}

/* An open file, a working directory, a mount point. */
static void in_use(void)
{
	struct stat st;
	int fd = open_new("old");

	fill(fd, 'o', 0, 10);
	make_file("new", 0644);
	OK(rename("new", "old"));
	IS(0, fstat(fd, &st));
	IS(0, st.st_nlink);
	IS('o', byte_at(fd, 0, 10));
	fill(fd, 'p', 5, 10);
	show_fd(fd, "replaced, still open");
	close(fd);
	OK(mkdir("here", 0755));
	OK(chdir("here"));
	OK(rename("../here", "../there"));
	OK(mkdir("below", 0755));
	OK(rmdir("../there/below"));
	OK(rmdir("../there"));
	NO(ENOENT, mkdir("below", 0755));
	NO(ENOENT, open("x", O_CREAT | O_RDWR, 0600));
	NO(ENOENT, symlink("x", "y"));
	NO(ENOENT, link("../old", "y"));
	NO(ENOENT, rename("../old", "y"));
	SAY(access(".", F_OK));
	SAY(access("..", F_OK));
	OK(chdir(".."));
	OK(mkdir("point", 0755));
	OK(mkdir("other", 0755));
	if (mount("none", "point", "ramfs", 0, NULL) == 0) {
		NO(EBUSY, rmdir("point"));
		NO(EBUSY, rename("point", "elsewhere"));
		NO(EBUSY, rename("other", "point"));
		NO(EXDEV, rename("old", "point/old"));
		NO(EXDEV, link("old", "point/old"));
		OK(umount("point"));
	}
	OK(rmdir("point"));
}

/* Link counts, and names of one file. */
static void links(void)
{
	char name[32];
	unsigned made = 0;

	make_file("one", 0644);
	OK(link("one", "two"));
	OK(rename("one", "two"));
	show("one");
	OK(rename_with("one", "two", RENAME_EXCHANGE));
	NO(EEXIST, rename_with("one", "two", RENAME_NOREPLACE));
	NO(EEXIST, link("one", "two"));
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "link%u", i);
		made += link("one", name) == 0;
	}
	say("%u links", made);
	show("two");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "link%u", i);
		unlink(name);
	}
	OK(unlink("one"));
	show("two");
	OK(symlink("two", "soft"));
	OK(link("soft", "soft2"));
	show("soft2");
	OK(linkat(AT_FDCWD, "soft", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW));
	show("hard");
	int fd = open("two", O_RDONLY);
	OK(linkat(fd, "", AT_FDCWD, "by_fd", AT_EMPTY_PATH));
	show("by_fd");
	OK(unlink("two"));
	OK(unlink("hard"));
	OK(unlink("by_fd"));
	show_fd(fd, "no name left");
	NO(ENOENT, linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH));
	close(fd);
}

void theme_rename(void)
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	matrix(0);
	matrix(RENAME_NOREPLACE);
	matrix(RENAME_EXCHANGE);
	into_itself();
	in_use();
	links();
}
