/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/spaces.c - mounts of the mount: read-only, noexec, nosuid, nodev, on /dev/shm, with mapped ids, and
 * in a user namespace. */
#include <linux/mount.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "posix.h"

/* Not together with <linux/mount.h>: sys/mount.h. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);

enum { MAPPED = 100000, COUNT = 70000 };
enum { RDONLY = 1, NOSUID = 2, NODEV = 4, NOEXEC = 8, REMOUNT = 32, BIND = 4096, REC = 16384, PRIVATE = 1 << 18 };

static void own_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, REC | PRIVATE, NULL) < 0)
		say("WRONG: a namespace of mounts: %s", name_of_errno(errno)), wrong++;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		say("WRONG: %s: %s", path, name_of_errno(errno)), wrong++;
	close(fd);
}

/* A user namespace whose ids 0... are MAPPED... here, by a process that keeps it. */
static int user_namespace(pid_t *ret_keeper)
{
	char path[64], map[64];
	int ready[2], fd;
	pid_t pid;

	if (pipe(ready) < 0)
		return -1;
	pid = beside();
	if (pid == 0) {
		alarm(100);
		if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], map, 1) != 1) {
		close(ready[0]);
		return -1;
	}
	close(ready[0]);
	snprintf(map, sizeof(map), "0 %d %d\n", MAPPED, COUNT);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	write_text(path, map);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_text(path, map);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	*ret_keeper = pid;
	return fd;
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	return fd < 0 ? -1 : close(fd);
}

/* What each user may do, and who owns what he made. */
static void use(const char *what)
{
	static const uid_t uids[] = {0, ALICE, 1000, MAPPED, MAPPED + 1000};
	struct stat st;

	for (unsigned u = 0; u < sizeof(uids) / sizeof(uids[0]); u++) {
		as(uids[u], uids[u]);
		say("%s: user %u", what, uids[u]);
		SAY(opened("made", O_CREAT | O_EXCL | O_RDWR));
		SAY(mkdir("made_dir", 0755));
		SAY(symlink("x", "made_link"));
		SAY(mknod("made_fifo", S_IFIFO | 0644, 0));
		SAY(chmod("made", 06755));
		as_root();
		show("made"), show("made_dir"), show("made_link"), show("made_fifo");
		as(uids[u], uids[u]);
		SAY(chown("made", 1000, 1000));
		SAY(chown("made", uids[u], uids[u]));
		SAY(truncate("made", 100));
		SAY(utimensat(AT_FDCWD, "made", NULL, 0));
		SAY(stat("of_thousand", &st));
		say("of_thousand is of %u", st.st_uid);
		SAY(chmod("of_thousand", 0640));
		SAY(opened("of_thousand", O_RDWR));
		SAY(link("of_thousand", "linked"));
		SAY(rename("made", "renamed"));
		SAY(rename("renamed", "made"));
		as_root();
		SAY(unlink("linked"));
		SAY(unlink("made"));
		SAY(rmdir("made_dir"));
		SAY(unlink("made_link") | unlink("made_fifo"));
	}
	show("of_thousand");
}

/* A clone of the mount on which every id is another. */
static void mapped_mount(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	pid_t keeper = 0;
	int tree, space = user_namespace(&keeper);

	OK(mkdir("tree", 0777));
	OK(mkdir("mapped", 0777));
	OK(chmod("tree", 0777));
	make_file_of("tree/of_thousand", 1000, 1000, 0600);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, "tree", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	IS(true, tree >= 0 && space >= 0);
	attr.userns_fd = (uint64_t)space;
	OK(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	OK(syscall(SYS_move_mount, tree, "", AT_FDCWD, "mapped", MOVE_MOUNT_F_EMPTY_PATH));
	close(tree);
	OK(chdir("mapped"));
	use("mapped mount");
	OK(chdir("../tree"));
	use("the mount itself");
	OK(chdir(".."));
	/* What is made on one is seen on the other, under its id there. */
	as(MAPPED + 5, MAPPED + 5);
	OK(close(open("mapped/five", O_CREAT | O_WRONLY, 06755)));
	as_root();
	show("mapped/five");
	show("tree/five");
	OK(chown("tree/five", 7, 8));
	show("mapped/five");
	OK(chown("mapped/five", MAPPED + 9, MAPPED + 10));
	show("tree/five");
	NO(EOVERFLOW, chown("mapped/five", 9, 9));
	NO(EOVERFLOW, open("mapped/by_root", O_CREAT | O_WRONLY, 0644));
	OK(umount2("mapped", 0));
	kill(keeper, SIGKILL);
	end_of(keeper);
	close(space);
}

/* A container: root there is nobody here. */
static void container(void)
{
	pid_t keeper = 0, pid;
	int space = user_namespace(&keeper);

	OK(mkdir("container", 0755));
	OK(chown("container", MAPPED, MAPPED));
	make_file_of("container/hosts", 0, 0, 0644);
	make_file_of("container/theirs", MAPPED + 1000, MAPPED + 1000, 0600);
	pid = beside();
	if (pid == 0) {
		if (setns(space, CLONE_NEWUSER) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			_exit(99);
		OK(chdir("container"));
		show("hosts");
		show("theirs");
		OK(close(open("made", O_CREAT | O_RDWR, 0640)));
		OK(chown("made", 1000, 1000));
		show("made");
		OK(chmod("theirs", 04755));
		OK(chown("theirs", 5, 5));
		show("theirs");
		NO(EPERM, chmod("hosts", 0777));
		NO(EPERM, chown("hosts", 0, 0));
		NO(EACCES, open("hosts", O_WRONLY));
		OK(rename("hosts", "hosts2")); /* the directory is theirs */
		NO(EPERM, mknod("device", S_IFCHR | 0666, 0x103));
		NO(EINVAL, chown("made", COUNT + 1, 0));
		OK(mkdir("sub", 0700));
		OK(setuid(1000));
		NO(EACCES, open("sub/x", O_CREAT | O_WRONLY, 0600));
		NO(EPERM, chown("made", 0, 0));
		OK(chmod("made", 0600));
		child_end();
	}
	IS(0, end_of(pid));
	show("container/made");
	show("container/theirs");
	show("container/sub");
	kill(keeper, SIGKILL);
	end_of(keeper);
	close(space);
}

static int copied(const char *from, const char *to)
{
	char buf[65536];
	int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0755);
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			break;
	close(in);
	return n == 0 ? close(out) : -1;
}

static int run(const char *path)
{
	pid_t pid = beside();

	if (pid == 0) {
		execl(path, path, (char *)NULL);
		_exit(errno);
	}
	return end_of(pid);
}

static void restricted(void)
{
	int fd;

	OK(mkdir("plain", 0777));
	OK(mkdir("bound", 0777));
	OK(copied("/bin/true", "plain/true"));
	OK(mknod("plain/zero", S_IFCHR | 0666, 0x105));
	make_file("plain/f", 0666);
	OK(mkfifo("plain/p", 0666));
	OK(mount("plain", "bound", NULL, BIND, NULL));
	OK(mount(NULL, "bound", NULL, BIND | REMOUNT | RDONLY | NODEV | NOEXEC | NOSUID, NULL));
	IS(EACCES, run("bound/true"));
	IS(0, run("plain/true"));
	NO(EACCES, open("bound/zero", O_RDONLY));
	fd = open("bound/true", O_RDONLY);
	NO(EPERM, (long)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
	close(fd);
	NO(EROFS, open("bound/f", O_WRONLY));
	NO(EROFS, open("bound/f", O_RDONLY | O_TRUNC));
	NO(EROFS, open("bound/new", O_CREAT | O_RDWR, 0600));
	OK(close(open("bound/f", O_CREAT | O_RDONLY, 0600)));
	OK(close(open("bound/p", O_RDWR))); /* a fifo is not of the file system */
	NO(EROFS, mkdir("bound/new", 0755));
	NO(EROFS, mkfifo("bound/new", 0644));
	NO(EROFS, symlink("x", "bound/new"));
	NO(EROFS, link("bound/f", "bound/new"));
	NO(EROFS, unlink("bound/f"));
	NO(EROFS, rmdir("bound/new"));
	NO(EROFS, rename("bound/f", "bound/new"));
	NO(EXDEV, rename("plain/f", "bound/new"));
	NO(EROFS, link("plain/f", "bound/new"));
	NO(EROFS, chmod("bound/f", 0600));
	NO(EROFS, chown("bound/f", 1, 1));
	NO(EROFS, truncate("bound/f", 0));
	NO(EROFS, utimensat(AT_FDCWD, "bound/f", NULL, 0));
	NO(EROFS, access("bound/f", W_OK));
	NO(EEXIST, mkdir("bound/f", 0755));
	OK(umount2("bound", 0));
}

/* glibc's names live on /dev/shm. */
static void shared_memory(void)
{
	OK(mkdir("shm", 01777));
	OK(mount("shm", "/dev/shm", NULL, BIND, NULL));
	int fd = shm_open("/ksmfs_posix", O_CREAT | O_EXCL | O_RDWR, 0600);

	IS(true, fd >= 0);
	NO(EEXIST, shm_open("/ksmfs_posix", O_CREAT | O_EXCL | O_RDWR, 0600));
	OK(ftruncate(fd, 3 * PAGE));
	show("shm/ksmfs_posix");
	char *m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHILD
	{
		int mine = shm_open("/ksmfs_posix", O_RDWR, 0);
		char *c = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);

		c[2 * PAGE] = 'c';
	}
	IS('c', m[2 * PAGE]);
	OK(shm_unlink("/ksmfs_posix"));
	NO(ENOENT, shm_unlink("/ksmfs_posix"));
	NO(ENOENT, shm_open("/ksmfs_posix", O_RDWR, 0));
	IS('c', m[2 * PAGE]);
	close(fd);
	munmap(m, 3 * PAGE);
	sem_t *sem = sem_open("/ksmfs_posix", O_CREAT | O_EXCL, 0600, 0);
	IS(true, sem != SEM_FAILED);
	show("shm/sem.ksmfs_posix");
	IS(true, sem_open("/ksmfs_posix", O_CREAT | O_EXCL, 0600, 0) == SEM_FAILED);
	pid_t pid = beside();
	if (pid == 0) {
		sem_t *mine = sem_open("/ksmfs_posix", 0);

		sem_post(mine);
		_exit(0);
	}
	OK(sem_wait(sem));
	IS(0, end_of(pid));
	NO(EAGAIN, sem_trywait(sem));
	OK(sem_close(sem));
	OK(sem_unlink("/ksmfs_posix"));
	NO(ENOENT, sem_unlink("/ksmfs_posix"));
	OK(umount2("/dev/shm", 0));
}

void theme_spaces(void)
{
	own_mounts();
	restricted();
	shared_memory();
	mapped_mount();
	container();
}
