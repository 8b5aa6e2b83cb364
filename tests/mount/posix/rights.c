/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/rights.c - who may do what: modes, groups, sticky directories, suid, sgid, umask. */
#include <linux/falloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "posix.h"

static int open_and_close(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	return fd < 0 ? -1 : close(fd);
}

/* Each mode of a directory and a file in it, for owner, group and others. */
static void modes(void)
{
	static const mode_t bits[] = {0, 1, 2, 3, 4, 5, 6, 7};
	static const struct {
		const char *name;
		uid_t uid;
		gid_t gid;
		int shift;
	} who[] = {{"owner", ALICE, ALICE, 6}, {"group", BOB, STAFF, 3}, {"others", BOB, BOB, 0}};

	make_dir_of("dir", ALICE, STAFF, 0700);
	make_file_of("dir/file", ALICE, STAFF, 0700);
	for (unsigned w = 0; w < 3; w++) {
		for (unsigned b = 0; b < 8; b++) {
			mode_t mode = bits[b] << who[w].shift;

			OK(chmod("dir", mode) | chmod("dir/file", 0777));
			as(who[w].uid, who[w].gid);
			say("%s, directory %o", who[w].name, mode);
			SAY(open_and_close("dir", O_RDONLY));
			SAY(open_and_close("dir/file", O_RDONLY));
			SAY(open_and_close("dir/new", O_CREAT | O_EXCL | O_WRONLY));
			SAY(rename("dir/new", "dir/newer"));
			SAY(link("dir/newer", "dir/new"));
			SAY(unlink("dir/newer"));
			SAY(unlink("dir/new"));
			SAY(mkdir("dir/sub", 0700));
			SAY(rmdir("dir/sub"));
			SAY(access("dir/file", F_OK));
			SAY(truncate("dir/file", 0));
			as_root();
			OK(chmod("dir", 0777) | chmod("dir/file", mode));
			as(who[w].uid, who[w].gid);
			say("%s, file %o", who[w].name, mode);
			SAY(open_and_close("dir/file", O_RDONLY));
			SAY(open_and_close("dir/file", O_WRONLY));
			SAY(open_and_close("dir/file", O_RDWR));
			SAY(open_and_close("dir/file", O_RDONLY | O_TRUNC));
			SAY(truncate("dir/file", 0));
			SAY(faccessat(AT_FDCWD, "dir/file", X_OK, AT_EACCESS));
			SAY(utimensat(AT_FDCWD, "dir/file", NULL, 0));
			as_root();
		}
	}
	OK(chmod("dir", 0) | chmod("dir/file", 0));
	OK(open_and_close("dir/file", O_RDWR)); /* root */
	NO(EACCES, faccessat(AT_FDCWD, "dir/file", X_OK, AT_EACCESS));
}

/* A supplementary group counts like the first. */
static void groups(void)
{
	make_dir_of("ours", 0, STAFF, 0770);
	as(BOB, BOB);
	NO(EACCES, open_and_close("ours/x", O_CREAT | O_WRONLY));
	as_in(BOB, BOB, STAFF);
	OK(open_and_close("ours/x", O_CREAT | O_WRONLY));
	OK(chown("ours/x", (uid_t)-1, STAFF));
	NO(EPERM, chown("ours/x", (uid_t)-1, ALICE));
	NO(EPERM, chown("ours/x", ALICE, (gid_t)-1));
	OK(chown("ours/x", BOB, BOB));
	OK(chown("ours/x", (uid_t)-1, (gid_t)-1));
	as_root();
	show("ours/x");
	NO(EPERM, (as(ALICE, ALICE), chmod("ours", 0777)));
	NO(EACCES, chown("ours/x", ALICE, ALICE));
	as_root();
}

/* Every pair of owners of a sticky directory and of what lies in it. */
static void sticky(void)
{
	static const uid_t uids[] = {0, ALICE, BOB};

	for (unsigned d = 0; d < 3; d++) {
		for (unsigned f = 0; f < 3; f++) {
			make_dir_of("sticky", uids[d], uids[d], 01777);
			make_file_of("sticky/f", uids[f], uids[f], 0666);
			make_dir_of("sticky/d", uids[f], uids[f], 0777);
			make_dir_of("free", 0, 0, 0777);
			make_file_of("free/x", BOB, BOB, 0666);
			make_dir_of("free/y", BOB, BOB, 0777);
			say("directory of %u, entries of %u, by %u", uids[d], uids[f], BOB);
			as(BOB, BOB);
			SAY(rename("sticky/f", "free/f"));
			SAY(rename("free/f", "sticky/f"));
			SAY(rename("free/x", "sticky/f"));
			SAY(rename("sticky/d", "free/d"));
			SAY(rename("free/d", "sticky/d"));
			SAY(rename("free/y", "sticky/d"));
			SAY(unlink("sticky/f"));
			SAY(rmdir("sticky/d"));
			as_root();
			unlink("sticky/f"), rmdir("sticky/d"), unlink("free/f"), rmdir("free/d");
			unlink("free/x"), rmdir("free/y"), rmdir("sticky"), rmdir("free");
		}
	}
	/* Only the owner and root may set it on a file, or on a directory. */
	make_file_of("plain", ALICE, ALICE, 0644);
	as(ALICE, ALICE);
	SAY(chmod("plain", 01644));
	show("plain");
	as_root();
}

/* What clears suid and sgid: a write, a truncation, a new owner, by whom. */
static int write_one(const char *path)
{
	int fd = open(path, O_WRONLY), r = (int)write(fd, "x", 1);

	close(fd);
	return r;
}

static int write_direct(const char *path)
{
	void *bytes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open(path, O_WRONLY | O_DIRECT), r = (int)write(fd, bytes, PAGE);

	munmap(bytes, PAGE);
	close(fd);
	return r;
}

static int write_to_mapping(const char *path)
{
	int fd = open(path, O_RDWR), r = ftruncate(fd, PAGE);
	char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	m[0] = 'x';
	r |= msync(m, PAGE, MS_SYNC);
	munmap(m, PAGE);
	close(fd);
	return r;
}

static int truncate_to_ten(const char *path)
{
	return truncate(path, 10);
}

static int open_truncated(const char *path)
{
	return open_and_close(path, O_WRONLY | O_TRUNC);
}

static int allocate(const char *path)
{
	int fd = open(path, O_WRONLY), r = fallocate(fd, 0, 0, PAGE);

	close(fd);
	return r;
}

static int punch(const char *path)
{
	int fd = open(path, O_WRONLY), r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);

	close(fd);
	return r;
}

static int chown_same(const char *path)
{
	return chown(path, geteuid(), getegid());
}

static int chown_nothing(const char *path)
{
	return chown(path, (uid_t)-1, (gid_t)-1);
}

static int link_it(const char *path)
{
	return link(path, "linked") | unlink("linked");
}

static int copy_into(const char *path)
{
	int from = open("source", O_RDONLY), to = open(path, O_WRONLY);
	int r = (int)copy_file_range(from, NULL, to, NULL, 100, 0);

	close(from);
	close(to);
	return r;
}

static void suid(void)
{
	static const struct {
		const char *name;
		int (*run)(const char *);
	} calls[] = {{"write", write_one}, {"direct write", write_direct}, {"store", write_to_mapping},
		     {"truncate", truncate_to_ten}, {"O_TRUNC", open_truncated}, {"fallocate", allocate}, {"punch", punch},
		     {"chown to oneself", chown_same}, {"chown to nobody", chown_nothing}, {"link", link_it},
		     {"copy_file_range", copy_into}};
	static const mode_t file_modes[] = {06777, 04766, 02767, 06666, 02777, 04777};
	static const uid_t uids[] = {0, ALICE, BOB};
	int fd = open_new("source");

	fill(fd, 's', 0, PAGE);
	close(fd);
	for (unsigned c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
		for (unsigned m = 0; m < sizeof(file_modes) / sizeof(file_modes[0]); m++) {
			for (unsigned u = 0; u < 3; u++) {
				if (calls[c].run == chown_nothing && uids[u] == BOB)
					continue; /* "Known differences": it says it was done */
				make_file_of("suid", ALICE, ALICE, file_modes[m]);
				as(uids[u], uids[u]);
				int r = calls[c].run("suid");

				say("%s by %u on %04o: %s", calls[c].name, uids[u], file_modes[m], r < 0 ? "refused" : "done");
				as_root();
				show("suid");
				unlink("suid");
			}
		}
	}
}

static void chmods(void)
{
	make_file_of("f", ALICE, STAFF, 0644);
	make_dir_of("d", ALICE, STAFF, 0755);
	as(ALICE, ALICE); /* not in the group of the file: no sgid for her */
	OK(chmod("f", 06777));
	show("f");
	OK(chmod("d", 07777));
	show("d");
	as_in(ALICE, ALICE, STAFF);
	OK(chmod("f", 06777));
	show("f");
	OK(chmod("f", 07777));
	show("f");
	as(BOB, BOB);
	NO(EPERM, chmod("f", 0777));
	NO(EPERM, chmod("d", 0777));
	as_root();
	OK(chown("f", BOB, BOB));
	show("f");
	OK(chown("d", BOB, BOB));
	show("d");
}

/* What a new name gets: of the caller, of the directory, of the umask. */
static void new_ones(const char *dir)
{
	char path[64];
	int fd;

	OK(chdir(dir));
	for (mode_t mask = 0; mask <= 0777; mask = mask * 8 + 7) {
		umask(mask);
		fd = open("f", O_CREAT | O_EXCL | O_WRONLY, 07777);
		close(fd);
		SAY(mkdir("d", 07777));
		SAY(mkfifo("p", 0666));
		SAY(mknod("n", S_IFREG | 06755, 0));
		SAY(symlink("x", "s"));
		snprintf(path, sizeof(path), "%s under umask %03o:", dir, mask);
		say("%s", path);
		show("f"), show("d"), show("p"), show("n"), show("s");
		unlink("f"), rmdir("d"), unlink("p"), unlink("n"), unlink("s");
	}
	umask(0);
	OK(chdir(".."));
}

static void inheritance(void)
{
	make_dir_of("normal", ALICE, STAFF, 0777);
	make_dir_of("setgid", ALICE, STAFF, 02777);
	as(BOB, BOB);
	new_ones("normal");
	new_ones("setgid");
	as_in(BOB, BOB, STAFF);
	new_ones("setgid");
	as_root();
	new_ones("setgid");
}

/* Devices are root's to make; everybody makes fifos and sockets. */
static void devices(void)
{
	make_dir_of("free2", 0, 0, 0777);
	as(ALICE, ALICE);
	NO(EPERM, mknod("free2/c", S_IFCHR | 0666, 0x103));
	NO(EPERM, mknod("free2/b", S_IFBLK | 0666, 0x103));
	OK(mknod("free2/p", S_IFIFO | 0666, 0));
	OK(mknod("free2/s", S_IFSOCK | 0666, 0));
	NO(EINVAL, mknod("free2/x", S_IFIFO | S_IFREG | 0666, 0));
	NO(EPERM, mknod("free2/x", S_IFDIR | 0666, 0));
	as_root();
	OK(mknod("free2/zero", S_IFCHR | 0666, 0x105));
	int fd = open("free2/zero", O_RDWR);
	IS(0, byte_at(fd, 0, 10));
	IS(5, write(fd, "12345", 5));
	close(fd);
	/* A fifo is a pipe between those who open it. */
	int in = open("free2/p", O_RDONLY | O_NONBLOCK), out = open("free2/p", O_WRONLY | O_NONBLOCK);
	char buf[8] = "";

	IS(5, write(out, "12345", 5));
	IS(5, read(in, buf, 8));
	close(in);
	signal(SIGPIPE, SIG_IGN);
	NO(EPIPE, write(out, "1", 1));
	close(out);
}

/* A descriptor keeps the right that it was opened with. */
static void descriptors(void)
{
	make_file_of("mine", ALICE, ALICE, 0600);
	as(ALICE, ALICE);
	int fd = open("mine", O_RDWR);

	OK(chmod("mine", 0));
	IS(1, write(fd, "x", 1));
	OK(ftruncate(fd, 5));
	OK(fchmod(fd, 0400));
	close(fd);
	fd = open("mine", O_RDONLY);
	NO(EBADF, write(fd, "x", 1));
	NO(EINVAL, ftruncate(fd, 1));
	NO(EBADF, fallocate(fd, 0, 0, 1));
	NO(EACCES, (long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0));
	close(fd);
	NO(EACCES, open("mine", O_WRONLY));
	NO(EACCES, open("mine", O_RDWR | O_CREAT, 0600));
	fd = open("exclusive", O_RDWR | O_CREAT | O_EXCL, 0);
	SAY(fd < 0);
	SAY(write(fd, "x", 1)); /* a mode of 0 is for those who come later */
	close(fd);
	fd = open("mine", O_PATH);
	NO(EBADF, read(fd, &fd, 1));
	NO(EBADF, fchmod(fd, 0777));
	close(fd);
	as_root();
}

void theme_rights(void)
{
	modes();
	groups();
	sticky();
	suid();
	chmods();
	inheritance();
	devices();
	descriptors();
}
