/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_attr.c - attributes of inodes and of the mount. */
#include "fs/ops.h"

#include <linux/fuse.h>

#include "fs/control.h"
#include "fs/newer.h"
#include "fs/reply.h"

void ops_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	bool statx = newer_asked() == NEWER_STATX;
	struct volume_more more;
	struct stat attr;
	int r;

	if (control_owns(ino))
		r = control_getattr(fs->control, ino, &attr);
	else
		r = volume_getattr(fs->volume, ino, &attr);
	if (r == 0 && statx && !control_owns(ino))
		r = volume_more(fs->volume, ino, &more);
	if (r < 0)
		reply_result(req, r);
	else if (statx)
		reply_statx(req, &attr, control_owns(ino) ? NULL : &more);
	else
		reply_attr(req, &attr);
}

/* "Now" comes from the kernel together with the plain bit. */
static unsigned set_of(unsigned valid)
{
	static const struct {
		unsigned fattr;
		enum volume_set set;
	} bits[] = {
		{FATTR_MODE, VOLUME_SET_MODE},
		{FATTR_UID, VOLUME_SET_UID},
		{FATTR_GID, VOLUME_SET_GID},
		{FATTR_SIZE, VOLUME_SET_SIZE},
		{FATTR_ATIME, VOLUME_SET_ATIME},
		{FATTR_MTIME, VOLUME_SET_MTIME},
		{FATTR_CTIME, VOLUME_SET_CTIME},
		{FATTR_ATIME_NOW, VOLUME_SET_ATIME_NOW},
		{FATTR_MTIME_NOW, VOLUME_SET_MTIME_NOW},
		{FATTR_KILL_SUIDGID, VOLUME_SET_KILL_PRIV},
	};
	unsigned set = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		if (valid & bits[i].fattr)
			set |= bits[i].set;
	if (set & VOLUME_SET_ATIME_NOW)
		set &= ~(unsigned)VOLUME_SET_ATIME;
	if (set & VOLUME_SET_MTIME_NOW)
		set &= ~(unsigned)VOLUME_SET_MTIME;
	return set;
}

/* A request to set nothing is what the kernel leaves of chown(-1, -1), which takes suid and sgid away, and of
 * what others than root do before fallocate (ops_io.c); the owner may have either. */
static unsigned kills(fuse_req_t req, fuse_ino_t ino, unsigned set)
{
	if (!set && ops_check_owner(req, ino) == 0)
		set = VOLUME_SET_KILL_PRIV;
	if ((set & VOLUME_SET_KILL_PRIV) && ops_kills_any_sgid(req, ino))
		set |= VOLUME_SET_KILL_SGID;
	return set;
}

void ops_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int valid, struct fuse_file_info *fi)
{
	unsigned set = set_of((unsigned)valid);
	struct fs *fs = fs_of(req);
	struct stat new;
	int r;

	attr->st_mode &= 07777;
	if (!control_owns(ino))
		set |= kills(req, ino, set);
	if (fi)
		set |= VOLUME_SET_OPEN;
	if (control_owns(ino))
		r = control_setattr(fs->control, ino, set, &new);
	else if ((set & VOLUME_SET_SIZE) && attr->st_size < 0)
		r = -EFBIG;
	else
		r = volume_setattr(fs->volume, ino, attr, set, &new);
	if (r < 0)
		reply_result(req, r);
	else
		reply_attr(req, &new);
}

void ops_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int r;

	r = volume_statfs(fs_of(req)->volume, ino, &st);
	if (r < 0)
		reply_result(req, r);
	else
		reply_statfs(req, &st);
}
