/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops.h - one function for each request of the kernel: decode, call the door, answer.
 *
 * Owns     nothing: what is needed comes as libfuse's userdata, a struct fs.
 * Keeps    B1 no policy: permissions are the kernel's (default_permissions), all else is core's.  Only who may change
 *             what is merged the kernel leaves to us (ops_check_owner()).
 *          B2 what was counted for the kernel (lookups, opens) is taken back when it did not get the
 *             answer.
 *          B3 no operation is ever answered ENOSYS but those the kernel is meant to stop asking for.
 * Threads  any.
 * Fails    by the answer.
 */
#pragma once

#include <fuse_lowlevel.h>

#include "core/volume.h"

struct control;

struct fs {
	struct volume *volume;
	struct control *control;
	enum volume_advice preset; /* what nobody has advised otherwise: the mount's option merge= */
};

extern const struct fuse_lowlevel_ops ops_table;

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

void ops_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void ops_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups);
void ops_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void ops_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev);
void ops_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode);
void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name);
void ops_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, struct fuse_file_info *fi);
void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir, const char *name);
void ops_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void ops_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);
void ops_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir,
		const char *new_name, unsigned flags);
void ops_readlink(fuse_req_t req, fuse_ino_t ino);

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);

void ops_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set, struct fuse_file_info *fi);
void ops_statfs(fuse_req_t req, fuse_ino_t ino);

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void ops_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	       struct fuse_file_info *fi);
void ops_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len,
		   struct fuse_file_info *fi);
void ops_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);
void ops_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_fi,
			 fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_fi, size_t len, int flags);

void ops_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void ops_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void ops_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void ops_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
void ops_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi, unsigned flags,
	       const void *in, size_t in_size, size_t out_size);

/* An ioctl of chattr(1) or lsattr(1)? Then it is answered. */
bool ops_fileattr(fuse_req_t req, fuse_ino_t ino, unsigned cmd, const void *in, size_t in_size, size_t out_size);

/* Whether the caller of a request has changed his mind (a signal): valid until it is answered. */
struct interrupt ops_interrupt(fuse_req_t req);
/* -EPERM for callers other than the owner of `ino` and root. */
int ops_check_owner(fuse_req_t req, fuse_ino_t ino) must_check;
/* Who is not in the group of `ino` takes its sgid away even if the group may not execute it. */
bool ops_kills_any_sgid(fuse_req_t req, fuse_ino_t ino);

/* How a regular file is opened: FOPEN_* of <linux/fuse.h>. */
unsigned ops_open_flags(void);
