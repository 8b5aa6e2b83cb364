/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops.c - the table, and what is agreed with the kernel at INIT.
 *
 * Left out on purpose: flock and POSIX locks (the kernel's own need no daemon, and outlive one), flush,
 * fsync and fsyncdir (there is nothing behind us to flush to: the kernel writes its pages back first, and
 * asks once).  transport.c adds what libfuse 3.14 cannot negotiate.
 */
#include "fs/ops.h"

#include "fs/caller.h"
#include "fs/session.h"

/* Writebacks that wait for memory are parked, and keep no thread: UNLINK, which makes room, and the control
 * files are always served.  What the kernel counts as background waits in it behind BACKGROUND_MAX of them, and
 * that is read-ahead and RELEASE, too: a file that was closed since keeps its frames, removed or not, until
 * the first of them is answered.  Truncating it gives them back at once. */
enum { BACKGROUND_CONGESTED = BACKGROUND_MAX * 3 / 4 };

/* We are the only writer, so the kernel's pages are never out of date (AUTO_INVAL_DATA would drop
 * those that another process has just stored into).  O_TRUNC comes as SETATTR, which the kernel orders
 * against its own writeback; as a flag of OPEN it could not.  ASYNC_DIO lets go of the inode's lock before a direct
 * write is answered: a truncation could then overtake it. */
static const unsigned unwanted = FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ATOMIC_O_TRUNC |
				 FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ |
				 FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
				 FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_ASYNC_DIO;
/* With POSIX_ACL the kernel checks access by the lists that we keep, and asks for them once; DONT_MASK leaves
 * the umask to who knows whether a directory's default list goes before it. */
static const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
			       FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_READDIRPLUS |
			       FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS |
			       FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK;

static void agree(void *userdata, struct fuse_conn_info *conn)
{
	conn->want &= ~unwanted;
	conn->want |= conn->capable & wanted;
	conn->max_write = BATCH_PAGES * PAGE_BYTES;
	conn->max_background = BACKGROUND_MAX;
	conn->congestion_threshold = BACKGROUND_CONGESTED;
	conn->time_gran = 1;
}

static bool is_interrupted(void *req)
{
	return fuse_req_interrupted(req) != 0;
}

struct interrupt ops_interrupt(fuse_req_t req)
{
	return (struct interrupt){.pending = is_interrupted, .arg = req};
}

int ops_check_owner(fuse_req_t req, fuse_ino_t ino)
{
	struct stat attr;
	int r;

	r = volume_getattr(fs_of(req)->volume, ino, &attr);
	if (r < 0)
		return r;
	return caller_is(req, attr.st_uid) ? 0 : -EPERM;
}

bool ops_kills_any_sgid(fuse_req_t req, fuse_ino_t ino)
{
	struct stat attr;

	if (volume_getattr(fs_of(req)->volume, ino, &attr) < 0 || !(attr.st_mode & S_ISGID) || (attr.st_mode & S_IXGRP))
		return false;
	return !caller_is_in(req, attr.st_gid);
}

const struct fuse_lowlevel_ops ops_table = {
	.init = agree,
	.lookup = ops_lookup,
	.forget = ops_forget,
	.forget_multi = ops_forget_multi,
	.mknod = ops_mknod,
	.mkdir = ops_mkdir,
	.symlink = ops_symlink,
	.create = ops_create,
	.link = ops_link,
	.unlink = ops_unlink,
	.rmdir = ops_rmdir,
	.rename = ops_rename,
	.readlink = ops_readlink,
	.opendir = ops_opendir,
	.readdir = ops_readdir,
	.readdirplus = ops_readdirplus,
	.getattr = ops_getattr,
	.setattr = ops_setattr,
	.statfs = ops_statfs,
	.open = ops_open,
	.release = ops_release,
	.read = ops_read,
	.write = ops_write,
	.fallocate = ops_fallocate,
	.lseek = ops_lseek,
	.copy_file_range = ops_copy_file_range,
	.getxattr = ops_getxattr,
	.setxattr = ops_setxattr,
	.listxattr = ops_listxattr,
	.removexattr = ops_removexattr,
	.ioctl = ops_ioctl,
};
