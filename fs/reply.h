/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/reply.h - every answer to the kernel.
 *
 * Owns     how long the kernel may remember what we tell it.
 * Keeps    Y1 each request is answered exactly once; after it `req` is gone.
 *          Y2 no errno is turned round anywhere else.
 * Threads  any; no core lock is held here.
 * Fails    false: the kernel did not take the answer (the mount is ending), so what the answer would
 *          have given it must be taken back.
 */
#pragma once

#include <fuse_lowlevel.h>

#include "core/volume.h"

/* 0 or -errno. */
void reply_result(fuse_req_t req, int r);
void reply_nothing(fuse_req_t req); /* to FORGET */

bool reply_entry(fuse_req_t req, const struct volume_entry *e);
void reply_absent(fuse_req_t req); /* the kernel remembers that there is no such name */
void reply_attr(fuse_req_t req, const struct stat *attr);
void reply_statx(fuse_req_t req, const struct stat *attr, const struct volume_more *more); /* NULL: there is none */
void reply_target(fuse_req_t req, const char *target);
bool reply_open(fuse_req_t req, unsigned open_flags, uint64_t fh);
bool reply_create(fuse_req_t req, const struct volume_entry *e, unsigned open_flags);
void reply_written(fuse_req_t req, size_t bytes);
bool reply_bytes(fuse_req_t req, const void *bytes, size_t len);
void reply_iov(fuse_req_t req, const struct iovec *iov, unsigned count);
void reply_statfs(fuse_req_t req, const struct statvfs *st);
void reply_position(fuse_req_t req, uint64_t position);
void reply_length(fuse_req_t req, size_t bytes); /* of an extended attribute, or of a list of them */
void reply_ioctl(fuse_req_t req, const void *out, size_t len);

/* What the kernel may remember of an inode: for readdirplus, which packs its own entries. */
void reply_fill_entry(struct fuse_entry_param *ret, const struct volume_entry *e);
