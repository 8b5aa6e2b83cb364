/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/do_names.c - operations on names and attributes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "run.h"

void do_link(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, linkat(s->root, op->path, s->root, op->path2, op->flags & 1 ? AT_SYMLINK_FOLLOW : 0));
}

void do_unlink(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, unlinkat(s->root, op->path, 0));
}

void do_rename(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, renameat2(s->root, op->path, s->root, op->path2, op->flags));
}

void do_mkdir(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, mkdirat(s->root, op->path, op->mode));
}

void do_rmdir(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, unlinkat(s->root, op->path, AT_REMOVEDIR));
}

/* Devices that may be opened: null, full, and a block device that no driver has. */
void do_mknod(struct side *s, const struct op *op, struct seen *ret)
{
	static const struct {
		mode_t type;
		unsigned major, minor;
	} nodes[] = {{S_IFIFO, 0, 0}, {S_IFSOCK, 0, 0}, {S_IFCHR, 1, 3}, {S_IFCHR, 1, 7},
		     {S_IFBLK, 240, 77777}, {S_IFREG, 0, 0}, {0, 0, 0}, {S_IFDIR, 0, 0}};
	unsigned n = op->flags % 8;

	seen_result(ret, mknodat(s->root, op->path, nodes[n].type | op->mode, makedev(nodes[n].major, nodes[n].minor)));
}

void do_symlink(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, symlinkat(op->path2, s->root, op->path));
}

void do_readlink(struct side *s, const struct op *op, struct seen *ret)
{
	size_t len = (size_t)op->len < SIDE_BUFFER ? (size_t)op->len : SIDE_BUFFER;

	seen_result(ret, readlinkat(s->root, op->path, side_buffer(), len));
	if (ret->result > 0)
		seen_bytes(ret, side_buffer(), (size_t)ret->result);
}

/* Names in any order, each with its type: sums do not depend on the order. */
void do_list(struct side *s, const struct op *op, struct seen *ret)
{
	int fd = openat(s->root, op->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = 0;
	int64_t count = 0;

	if (!dir) {
		seen_result(ret, -1);
		return;
	}
	for (struct dirent *e; (e = readdir(dir)); count++) {
		struct seen one = {.hash = e->d_type};

		seen_bytes(&one, e->d_name, strlen(e->d_name));
		sum += one.hash;
	}
	closedir(dir);
	seen_result(ret, count);
	ret->hash = sum;
}

/* The rest is compared by who watches, and knows what must not be (watch.c). */
void do_stat(struct side *s, const struct op *op, struct seen *ret)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	seen_result(ret, fstatat(s->root, op->path, &st, op->flags & 1 ? AT_SYMLINK_NOFOLLOW : 0));
	if (ret->result < 0)
		return;
	uint64_t told[] = {st.st_mode & ~(mode_t)(S_ISUID | S_ISGID), st.st_uid, st.st_gid, st.st_nlink, st.st_rdev,
			   (uint64_t)st.st_size, (uint64_t)st.st_blksize};

	seen_bytes(ret, told, sizeof(told));
}

void do_chmod(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, fchmodat(s->root, op->path, op->mode, 0));
}

void do_fchmod(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, fchmod(s->fds[op->fd], op->mode));
}

/* A change of nothing is for root only: who wants it, and that, FUSE is not told (README, Known differences). */
void do_chown(struct side *s, const struct op *op, struct seen *ret)
{
	static const uid_t ids[] = {(uid_t)-1, 0, 1000, 1001};

	if (op->who && !(op->flags & 15))
		return;
	seen_result(ret, fchownat(s->root, op->path, ids[op->flags & 3], ids[op->flags >> 2 & 3],
				  op->flags & 16 ? AT_SYMLINK_NOFOLLOW : 0));
}

void do_utimens(struct side *s, const struct op *op, struct seen *ret)
{
	static const struct timespec times[] = {{0, UTIME_NOW}, {0, UTIME_OMIT}, {0, 0}, {1, 999999999}, {-1, 1},
						{1000000000, 123456789}, {(time_t)1 << 33, 5}, {7, 1000000000}};
	struct timespec both[] = {times[op->flags & 7], times[op->flags >> 3 & 7]};

	seen_result(ret, utimensat(s->root, op->path, both, op->flags % 5 ? 0 : AT_SYMLINK_NOFOLLOW));
}

void do_access(struct side *s, const struct op *op, struct seen *ret)
{
	int flags = AT_EACCESS | (op->flags & 8 ? AT_SYMLINK_NOFOLLOW : 0);

	seen_result(ret, syscall(SYS_faccessat2, s->root, op->path, op->flags & 7, flags));
}

/* --- extended attributes ---------------------------------------------------------------------- */

/* There is no *at() of these, and O_PATH is refused: by way of the thread's working directory. */
static const char *go(struct side *s, const char *path)
{
	return fchdir(s->root) == 0 ? path : "";
}

static const char *const attributes[8] = {"user.a", "user.b", "user.a", "trusted.t", "security.s", "nonsense",
					  "user.", "user.\xff"};

void do_setxattr(struct side *s, const struct op *op, struct seen *ret)
{
	static const int flags[] = {0, 0, XATTR_CREATE, XATTR_REPLACE};
	size_t len = op->flags / 4 == 15 ? 65537 : op->flags / 4 == 14 ? 65536 : (size_t)op->len % 500;

	side_fill(side_buffer(), op->data + 2, 0, len);
	seen_result(ret, lsetxattr(go(s, op->path), attributes[op->name], side_buffer(), len, flags[op->flags & 3]));
}

void do_getxattr(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, lgetxattr(go(s, op->path), attributes[op->name], side_buffer(), (size_t)op->len));
	if (ret->result > 0 && op->len)
		seen_bytes(ret, side_buffer(), (size_t)ret->result);
}

/* How many bytes; which they are, the comparison of trees tells, in any order. */
void do_listxattr(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, llistxattr(go(s, op->path), side_buffer(), (size_t)op->len));
}

void do_removexattr(struct side *s, const struct op *op, struct seen *ret)
{
	seen_result(ret, lremovexattr(go(s, op->path), attributes[op->name]));
}

/* Access control lists in the form of the kernel: some that are good, the last two not. */
void do_setacl(struct side *s, const struct op *op, struct seen *ret)
{
	enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
	struct entry {
		uint16_t tag, perm;
		uint32_t id;
	};
	static const struct entry lists[][6] = {
		{{USER_OBJ, 7, -1u}, {USER, 5, 1000}, {GROUP_OBJ, 5, -1u}, {MASK, 7, -1u}, {OTHER, 0, -1u}},
		{{USER_OBJ, 6, -1u}, {GROUP_OBJ, 4, -1u}, {OTHER, 4, -1u}},
		{{USER_OBJ, 7, -1u}, {USER, 7, 1001}, {GROUP_OBJ, 0, -1u}, {GROUP, 7, 1000}, {MASK, 6, -1u},
		 {OTHER, 1, -1u}},
		{{USER_OBJ, 7, -1u}, {USER, 7, 1001}, {GROUP_OBJ, 0, -1u}, {OTHER, 1, -1u}},
		{{USER_OBJ, 7, -1u}, {OTHER, 9, -1u}},
	};
	static const unsigned counts[] = {5, 3, 6, 4, 2};
	struct {
		uint32_t version;
		struct entry entries[6];
	} value = {.version = 2};
	unsigned n = op->data % 5;

	memcpy(value.entries, lists[n], counts[n] * sizeof(struct entry));
	seen_result(ret, lsetxattr(go(s, op->path),
				   op->name & 1 ? "system.posix_acl_default" : "system.posix_acl_access", &value,
				   4 + counts[n] * sizeof(struct entry), 0));
}

/* --- flags and figures ------------------------------------------------------------------------ */

/* Nodes have no flags: the kernel says so for tmpfs before it looks who asks, and for ksmfs after. */
void do_chattr(struct side *s, const struct op *op, struct seen *ret)
{
	static const int choices[] = {0, FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NODUMP_FL, 0, FS_COMPR_FL, 0, 0};
	int fd = openat(s->root, op->path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW), flags = choices[op->flags % 8];
	struct stat st;

	if (fd < 0) {
		seen_result(ret, -1);
		return;
	}
	if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || op->who == 0)) {
		seen_result(ret, ioctl(fd, FS_IOC_SETFLAGS, &flags));
		if (ret->result == 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0)
			seen_bytes(ret, &flags, sizeof(flags));
	}
	close(fd);
}

/* How much is free is compared when nobody else uses the mounts (run.c); and so are limits, where tenants have some. */
void do_statfs(struct side *s, const struct op *op, struct seen *ret)
{
	int fd = openat(s->root, op->path, O_PATH);
	struct statfs st;

	seen_result(ret, fd < 0 ? -1 : fstatfs(fd, &st));
	if (ret->result == 0) {
		bool limited = s->world->tops;
		uint64_t told[] = {(uint64_t)st.f_bsize, limited ? 0 : st.f_blocks, limited ? 0 : st.f_files,
				   (uint64_t)st.f_namelen, (uint64_t)st.f_frsize};

		seen_bytes(ret, told, sizeof(told));
	}
	if (fd >= 0)
		close(fd);
}
