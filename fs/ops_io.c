/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_io.c - open files and their bytes.
 *
 * OPEN and RELEASE are never left to the kernel: core counts who may store through a mapping.
 */
#include "fs/ops.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#include "core/failpoint.h"
#include "fs/aside.h"
#include "fs/caller.h"
#include "fs/control.h"
#include "fs/park.h"
#include "fs/reply.h"
#include "fs/takeover.h"
#include "fs/transport.h"

unsigned ops_open_flags(bool keep_cache)
{
	return FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES | (keep_cache ? FOPEN_KEEP_CACHE : 0);
}

static void open_control(fuse_req_t req, struct fs *fs, fuse_ino_t ino, int flags)
{
	uint64_t fh;
	int r;

	r = control_open(fs->control, ino, flags, transport_request()->unique & ~TAKEOVER_RESENT, &fh);
	if (r < 0)
		reply_result(req, r);
	else if (!reply_open(req, FOPEN_DIRECT_IO | FOPEN_NOFLUSH, fh))
		control_release(fs->control, fh);
}

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	bool keep_cache;
	int flags = fi->flags, r;

	if (control_owns(ino)) {
		open_control(req, fs, ino, flags);
		return;
	}
	r = volume_file_open(fs->volume, ino, flags, &keep_cache);
	if (r < 0)
		reply_result(req, r);
	else if (!reply_open(req, ops_open_flags(keep_cache), 0))
		volume_file_release(fs->volume, ino, flags);
}

void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);

	if (control_owns(ino))
		control_release(fs->control, fi->fh);
	else
		volume_file_release(fs->volume, ino, fi->flags);
	reply_result(req, 0);
}

static void read_control(fuse_req_t req, struct fs *fs, fuse_ino_t ino, uint64_t fh, size_t size,
			 off_t offset)
{
	char buf[16384];
	ssize_t n;

	n = control_read(fs->control, ino, fh, (uint64_t)offset, buf, MIN(size, sizeof(buf)));
	if (n < 0)
		reply_result(req, (int)n);
	else
		reply_bytes(req, buf, (size_t)n);
}

/* The answer is sent from the frames themselves, pinned meanwhile; transport.c copies what is small. */
void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	static _Thread_local struct volume_read bytes; /* too large for the stack of every request */
	struct fs *fs = fs_of(req);
	int r;

	if (control_owns(ino)) {
		read_control(req, fs, ino, fi->fh, size, offset);
		return;
	}
	r = offset < 0 ? -EINVAL : volume_read(fs->volume, ino, (uint64_t)offset, size, &bytes);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	if (!(fi->flags & O_NOATIME))
		volume_accessed(fs->volume, ino);
	failpoint_pause(PAUSE_READ_REPLY);
	if (bytes.count > 0)
		reply_iov(req, bytes.iov, bytes.count);
	else
		reply_bytes(req, NULL, 0);
	volume_read_done(&bytes);
}

/* libfuse keeps FUSE_WRITE_KILL_SUIDGID to itself, so it is read from the request. */
static unsigned write_flags(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	const struct fuse_in_header *head = transport_request();
	const struct fuse_write_in *in = (const void *)(head + 1);
	unsigned flags = fi->writepage ? VOLUME_WRITEBACK : 0;

	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		flags |= VOLUME_WRITE_KILL_PRIV | (ops_kills_any_sgid(req, ino) ? VOLUME_WRITE_KILL_SGID : 0);
	return flags;
}

static void reply_write(fuse_req_t req, ssize_t n)
{
	if (n < 0)
		reply_result(req, (int)n);
	else
		reply_written(req, (size_t)n);
}

struct control_job {
	struct aside aside;
	fuse_req_t req;
	fuse_ino_t ino;
	int flags;
	off_t offset;
	size_t size;
	char text[];
};

static void run_control(struct aside *a)
{
	struct control_job *job = (struct control_job *)a;
	struct interrupt interrupt = ops_interrupt(job->req);

	reply_write(job->req, control_write(fs_of(job->req)->control, job->ino, job->flags, (uint64_t)job->offset,
					    job->text, job->size, &interrupt));
	free(job);
}

static void write_control(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size, off_t offset, int flags)
{
	struct fs *fs = fs_of(req);
	struct control_job *job;

	if (!control_is_long(fs->control, ino, text, size)) {
		reply_write(req, control_write(fs->control, ino, flags, (uint64_t)offset, text, size, NULL));
		return;
	}
	job = malloc(sizeof(*job) + size);
	if (!job) {
		reply_result(req, -ENOMEM);
		return;
	}
	*job = (struct control_job){.aside.run = run_control, .req = req, .ino = ino, .flags = flags, .offset = offset,
				    .size = size};
	memcpy(job->text, text, size);
	aside_run(&job->aside);
}

void ops_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	       struct fuse_file_info *fi)
{
	if (control_owns(ino))
		write_control(req, ino, data, size, offset, fi->flags);
	else if (offset < 0)
		reply_result(req, -EFBIG);
	else if (fi->writepage)
		park_writeback(req, ino, data, size, (uint64_t)offset, write_flags(req, ino, fi));
	else
		reply_write(req, volume_write(fs_of(req)->volume, ino, (uint64_t)offset, data, size,
					      write_flags(req, ino, fi)));
}

/* The kernel does not say who allocates, as it does of those who write. */
static int kill_priv(fuse_req_t req, fuse_ino_t ino)
{
	unsigned set = VOLUME_SET_KILL_PRIV;
	struct volume *v = fs_of(req)->volume;
	struct stat attr;

	if (volume_getattr(v, ino, &attr) < 0 || !(attr.st_mode & (S_ISUID | S_ISGID)) || caller_is(req, 0))
		return 0;
	if (ops_kills_any_sgid(req, ino))
		set |= VOLUME_SET_KILL_SGID;
	return volume_setattr(v, ino, &attr, set, &attr);
}

static int allocate(fuse_req_t req, fuse_ino_t ino, int mode, uint64_t offset, uint64_t len)
{
	int r = kill_priv(req, ino);

	return r < 0 ? r : volume_fallocate(fs_of(req)->volume, ino, mode, offset, len);
}

void ops_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len,
		   struct fuse_file_info *fi)
{
	int r;

	if (control_owns(ino))
		r = -EOPNOTSUPP;
	else if (offset < 0 || len <= 0)
		r = -EINVAL;
	else
		r = allocate(req, ino, mode, (uint64_t)offset, (uint64_t)len);
	reply_result(req, r);
}

void ops_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	uint64_t position;
	int r;

	if (control_owns(ino))
		r = -EINVAL;
	else if (offset < 0)
		r = -ENXIO;
	else
		r = volume_seek(fs_of(req)->volume, ino, (uint64_t)offset, whence, &position);
	if (r < 0)
		reply_result(req, r);
	else
		reply_position(req, position);
}
