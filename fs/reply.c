/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/reply.c - names and attributes change only through the kernel that asks, which knows it, so it may
 * remember them for long.
 *
 * Two exceptions: a write may clear suid and sgid here without the kernel noticing its mode is old, and
 * exec would still honour it; and who may read .ksmfs changes with tenants, which come and go there by themselves.  So
 * the mode of such a file is asked for each time, and a tenant by its name, too.
 *
 * libfuse 3.14 does not know FOPEN_PARALLEL_DIRECT_WRITES: the answers to OPEN and CREATE are packed here.
 */
#include "fs/reply.h"

#include <linux/fuse.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs/control.h"
#include "fs/newer.h"

static const double remember_s = 24 * 60 * 60;

static double attr_seconds(const struct stat *attr)
{
	bool may_be_cleared = S_ISREG(attr->st_mode) && (attr->st_mode & (S_ISUID | S_ISGID));

	return may_be_cleared || control_owns(attr->st_ino) ? 0 : remember_s;
}

void reply_result(fuse_req_t req, int r)
{
	ASSERT(r <= 0);
	fuse_reply_err(req, -r);
}

void reply_nothing(fuse_req_t req)
{
	fuse_reply_none(req);
}

void reply_fill_entry(struct fuse_entry_param *ret, const struct volume_entry *e)
{
	*ret = (struct fuse_entry_param){
		.ino = e->ino,
		.attr = e->attr,
		.attr_timeout = attr_seconds(&e->attr),
		.entry_timeout = control_tenants_own(e->ino) ? 0 : remember_s,
	};
}

bool reply_entry(fuse_req_t req, const struct volume_entry *e)
{
	struct fuse_entry_param entry;

	reply_fill_entry(&entry, e);
	return fuse_reply_entry(req, &entry) == 0;
}

void reply_absent(fuse_req_t req)
{
	fuse_reply_entry(req, &(struct fuse_entry_param){.entry_timeout = remember_s});
}

void reply_attr(fuse_req_t req, const struct stat *attr)
{
	fuse_reply_attr(req, attr, attr_seconds(attr));
}

static const unsigned attributes_known = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;

static struct statx_timestamp pack_time(const struct timespec *t)
{
	return (struct statx_timestamp){.tv_sec = t->tv_sec, .tv_nsec = (uint32_t)t->tv_nsec};
}

void reply_statx(fuse_req_t req, const struct stat *attr, const struct volume_more *more)
{
	struct newer_statx_out out = {
		.attr_valid = (uint64_t)attr_seconds(attr),
		.stat = {
			.stx_mask = STATX_BASIC_STATS,
			.stx_blksize = (uint32_t)attr->st_blksize,
			.stx_nlink = (uint32_t)attr->st_nlink,
			.stx_uid = attr->st_uid,
			.stx_gid = attr->st_gid,
			.stx_mode = (uint16_t)attr->st_mode,
			.stx_ino = attr->st_ino,
			.stx_size = (uint64_t)attr->st_size,
			.stx_blocks = (uint64_t)attr->st_blocks,
			.stx_atime = pack_time(&attr->st_atim),
			.stx_ctime = pack_time(&attr->st_ctim),
			.stx_mtime = pack_time(&attr->st_mtim),
			.stx_rdev_major = major(attr->st_rdev),
			.stx_rdev_minor = minor(attr->st_rdev),
		},
	};

	if (more) { /* STATX_ATTR_* are the FS_*_FL of the same names */
		out.stat.stx_mask |= STATX_BTIME;
		out.stat.stx_btime = pack_time(&more->btime);
		out.stat.stx_attributes = more->flags & attributes_known;
		out.stat.stx_attributes_mask = attributes_known;
	}
	fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

void reply_target(fuse_req_t req, const char *target)
{
	fuse_reply_readlink(req, target);
}

bool reply_open(fuse_req_t req, unsigned open_flags, uint64_t fh)
{
	struct fuse_open_out out = {.fh = fh, .open_flags = open_flags};

	return fuse_reply_buf(req, (const char *)&out, sizeof(out)) == 0;
}

static struct fuse_attr pack_attr(const struct stat *attr)
{
	return (struct fuse_attr){
		.ino = attr->st_ino,
		.size = (uint64_t)attr->st_size,
		.blocks = (uint64_t)attr->st_blocks,
		.atime = (uint64_t)attr->st_atim.tv_sec,
		.mtime = (uint64_t)attr->st_mtim.tv_sec,
		.ctime = (uint64_t)attr->st_ctim.tv_sec,
		.atimensec = (uint32_t)attr->st_atim.tv_nsec,
		.mtimensec = (uint32_t)attr->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)attr->st_ctim.tv_nsec,
		.mode = attr->st_mode,
		.nlink = (uint32_t)attr->st_nlink,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.rdev = (uint32_t)attr->st_rdev,
		.blksize = (uint32_t)attr->st_blksize,
	};
}

bool reply_create(fuse_req_t req, const struct volume_entry *e, unsigned open_flags)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {
		.entry = {
			.nodeid = e->ino,
			.entry_valid = (uint64_t)remember_s,
			.attr_valid = (uint64_t)attr_seconds(&e->attr),
			.attr = pack_attr(&e->attr),
		},
		.open = {.open_flags = open_flags},
	};

	return fuse_reply_buf(req, (const char *)&out, sizeof(out)) == 0;
}

void reply_written(fuse_req_t req, size_t bytes)
{
	fuse_reply_write(req, bytes);
}

bool reply_bytes(fuse_req_t req, const void *bytes, size_t len)
{
	return fuse_reply_buf(req, bytes, len) == 0;
}

void reply_iov(fuse_req_t req, const struct iovec *iov, unsigned count)
{
	fuse_reply_iov(req, iov, (int)count);
}

void reply_statfs(fuse_req_t req, const struct statvfs *st)
{
	fuse_reply_statfs(req, st);
}

void reply_position(fuse_req_t req, uint64_t position)
{
	fuse_reply_lseek(req, (off_t)position);
}

void reply_length(fuse_req_t req, size_t bytes)
{
	fuse_reply_xattr(req, bytes);
}

void reply_ioctl(fuse_req_t req, const void *out, size_t len)
{
	fuse_reply_ioctl(req, 0, out, len);
}
