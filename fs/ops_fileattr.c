/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_fileattr.c - chattr(1) and lsattr(1): FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, and the same as struct fsxattr.
 *
 * The VFS takes these from programs, checks the owner and CAP_LINUX_IMMUTABLE, and has FUSE pass on what is left to
 * do: flags as an unsigned, where the command's own number speaks of a long.
 */
#include "fs/ops.h"

#include <linux/fs.h>
#include <string.h>

#include "fs/control.h"
#include "fs/reply.h"
#include "fs/transport.h"

static const struct {
	unsigned flag, xflag;
} both[] = {
	{FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
	{FS_APPEND_FL, FS_XFLAG_APPEND},
	{FS_NODUMP_FL, FS_XFLAG_NODUMP},
	{FS_NOATIME_FL, FS_XFLAG_NOATIME},
};

static struct fsxattr to_x(unsigned flags)
{
	struct fsxattr x = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(both); i++)
		if (flags & both[i].flag)
			x.fsx_xflags |= both[i].xflag;
	return x;
}

/* No projects, and no sizes of extents. */
static int from_x(const struct fsxattr *x, unsigned *ret)
{
	unsigned left = x->fsx_xflags;

	*ret = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(both); i++)
		if (left & both[i].xflag) {
			*ret |= both[i].flag;
			left &= ~both[i].xflag;
		}
	return left || x->fsx_extsize || x->fsx_projid || x->fsx_cowextsize ? -EOPNOTSUPP : 0;
}

static void get(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct volume_more more;
	struct fsxattr x;
	int r;

	r = volume_more(fs_of(req)->volume, ino, &more);
	if (r < 0) {
		reply_result(req, r);
	} else if (size == sizeof(more.flags)) {
		reply_ioctl(req, &more.flags, size);
	} else {
		x = to_x(more.flags);
		reply_ioctl(req, &x, sizeof(x));
	}
}

static void set(fuse_req_t req, fuse_ino_t ino, const void *in, size_t size)
{
	struct fsxattr x;
	unsigned flags;
	int r = 0;

	if (size == sizeof(flags)) {
		memcpy(&flags, in, size);
	} else {
		memcpy(&x, in, sizeof(x));
		r = from_x(&x, &flags);
	}
	if (r == 0)
		r = volume_set_flags(fs_of(req)->volume, ino, flags);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	transport_attr_changed(ino); /* ctime */
	reply_ioctl(req, NULL, 0);
}

bool ops_fileattr(fuse_req_t req, fuse_ino_t ino, unsigned cmd, const void *in, size_t in_size, size_t out_size)
{
	static const struct {
		unsigned cmd;
		size_t in, out;
	} known[] = {
		{FS_IOC_GETFLAGS, 0, sizeof(unsigned)},
		{FS_IOC_SETFLAGS, sizeof(unsigned), 0},
		{FS_IOC_FSGETXATTR, 0, sizeof(struct fsxattr)},
		{FS_IOC_FSSETXATTR, sizeof(struct fsxattr), 0},
	};

	if (control_owns(ino))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		if (cmd != known[i].cmd || in_size != known[i].in || out_size != known[i].out)
			continue;
		if (in_size)
			set(req, ino, in, in_size);
		else
			get(req, ino, out_size);
		return true;
	}
	return false;
}
