/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "run.h"

unsigned node_stamp(void)
{
	static unsigned stamps;

	return ++stamps;
}

/* --- content ---------------------------------------------------------------------------------- */

static unsigned char byte_of(const struct node *n, size_t at)
{
	if (at >= n->filled)
		return 0;
	if (n->stamp % 4 == 0)
		return (unsigned char)(at + n->stamp);
	return (unsigned char)(at / 7 + n->stamp % 4); /* as in other files */
}

/* Of a new file. */
void node_write(int fd, struct node *n)
{
	unsigned char bytes[NODE_MAX_SIZE];
	size_t size = 1 + draw(NODE_MAX_SIZE);

	n->stamp = node_stamp();
	n->filled = size;
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_of(n, i);
	note("pwrite %zu bytes", size);
	answered_with(pwrite(fd, bytes, size, 0), (long)size);
	n->size = size;
}

void node_compare_content(int fd, const struct node *n)
{
	unsigned char bytes[NODE_MAX_SIZE + 1];

	note("pread inode %llu", (unsigned long long)n->ino);
	answered_with(pread(fd, bytes, sizeof(bytes), 0), (long)n->size);
	for (size_t i = 0; i < n->size; i++)
		if (bytes[i] != byte_of(n, i))
			fail(LOST, "inode %llu stamp %u: byte %zu of %zu is %02x and should be %02x",
			     (unsigned long long)n->ino, n->stamp, i, n->size, bytes[i], byte_of(n, i));
}

/* --- what is seen of one node ----------------------------------------------------------------- */

void node_compare_stat(const struct stat *st, const struct node *n)
{
	if (st->st_ino == n->ino && st->st_mode == (n->type | n->mode) && st->st_nlink == shadow_links(n) &&
	    st->st_uid == n->uid && st->st_gid == n->gid && (!S_ISREG(n->type) || st->st_size == (off_t)n->size) &&
	    (n->mtime < 0 || st->st_mtim.tv_sec == n->mtime))
		return;
	fail(LOST, "found inode %llu mode %o links %u uid %u gid %u size %lld mtime %lld, "
	     "should be inode %llu mode %o links %u uid %u gid %u size %zu mtime %lld",
	     (unsigned long long)st->st_ino, st->st_mode, (unsigned)st->st_nlink, st->st_uid, st->st_gid,
	     (long long)st->st_size, (long long)st->st_mtim.tv_sec, (unsigned long long)n->ino, n->type | n->mode,
	     shadow_links(n), n->uid, n->gid, n->size, n->mtime);
}

size_t node_value(unsigned number, char value[NODE_VALUE])
{
	size_t len = 1 + number * 37 % 500;

	for (size_t i = 0; i < len; i++)
		value[i] = (char)('a' + (number + i) % 26);
	return len;
}

const char *node_xattr(unsigned k)
{
	static const char *const xattr_names[XATTRS] = {"user.a", "user.b", "user.third", "trusted.fourth"};

	return xattr_names[k];
}

static void compare_xattr(const char *path, const struct node *n, unsigned k)
{
	char value[NODE_VALUE], wanted[NODE_VALUE];
	size_t len = n->xattr[k] ? node_value(n->xattr[k], wanted) : 0;

	note("getxattr %s %s", path, node_xattr(k));
	if (!n->xattr[k]) {
		answered(getxattr(path, node_xattr(k), value, NODE_VALUE), ENODATA);
		return;
	}
	answered_with(getxattr(path, node_xattr(k), value, NODE_VALUE), (long)len);
	if (memcmp(value, wanted, len) != 0)
		fail(LOST, "the value of %s of %s is another one than %u", node_xattr(k), path, n->xattr[k]);
}

bool node_has_xattrs(const struct node *n)
{
	return S_ISREG(n->type) || S_ISDIR(n->type);
}

static void compare_xattrs(const char *path, const struct node *n)
{
	long len = 0;
	char list[256];

	for (unsigned k = 0; k < XATTRS; k++) {
		compare_xattr(path, n, k);
		len += n->xattr[k] ? (long)strlen(node_xattr(k)) + 1 : 0;
	}
	note("listxattr %s", path);
	answered_with(listxattr(path, list, sizeof(list)), len);
}

static void compare_link(const char *path, const struct node *n)
{
	char wanted[32], target[64] = "";
	int len = snprintf(wanted, sizeof(wanted), "target/%u", n->stamp);

	note("readlink %s", path);
	answered_with(readlink(path, target, sizeof(target) - 1), len);
	if (strcmp(target, wanted) != 0)
		fail(LOST, "%s leads to %s and should to %s", path, target, wanted);
}

void node_compare(const char *path, const struct node *n, bool whole)
{
	struct stat st;
	int fd;

	note("lstat %s", path);
	answered(lstat(path, &st), 0);
	node_compare_stat(&st, n);
	if (!whole)
		return;
	if (node_has_xattrs(n))
		compare_xattrs(path, n);
	if (S_ISLNK(n->type))
		compare_link(path, n);
	if (!S_ISREG(n->type))
		return;
	note("open %s", path);
	fd = (int)answered(open(path, O_RDONLY | O_CLOEXEC), 0);
	node_compare_content(fd, n);
	note("close");
	answered(close(fd), 0);
}
