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
#include "fs/errand.h"
#include "fs/park.h"
#include "fs/purge.h"
#include "fs/reply.h"
#include "fs/takeover.h"
#include "fs/transport.h"

enum { CONTROL_READ_BYTES = 16384 };
enum { ERRAND_FH = 1 /* of what the notifier has opened; other files have none */ };

unsigned ops_open_flags(void)
{
	return FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_KEEP_CACHE;
}

/* The kernel drops all that it has of the file, as soon as this is answered. */
static unsigned dropping_flags(void)
{
	return ops_open_flags() & ~(unsigned)FOPEN_KEEP_CACHE;
}

/* --- control files -------------------------------------------------------------------------------- */

/* What may take long, for a thread aside. */
struct control_job {
	struct aside aside;
	fuse_req_t req;
	fuse_ino_t ino;
	uint64_t unique, fh;
	int flags;
	uint64_t offset;
	size_t size;
	char text[];
};

/* With `what`, and room for `text` bytes behind it; NULL: it has been answered. */
static struct control_job *new_job(const struct control_job *what, size_t text)
{
	struct control_job *job = malloc(sizeof(*job) + text);

	if (job)
		*job = *what;
	else
		reply_result(what->req, -ENOMEM);
	return job;
}

static void open_now(const struct control_job *job, const struct interrupt *interrupt)
{
	struct control *control = fs_of(job->req)->control;
	uid_t owner;
	uint64_t fh;
	int r;

	r = control_open(control, job->ino, job->flags, job->unique, interrupt, &fh);
	if (r == 0 && control_is_guarded(control, job->ino, fh, &owner) && caller_is_stranger(job->req, owner)) {
		control_release(control, fh);
		r = -EACCES;
	}
	if (r < 0)
		reply_result(job->req, r);
	else if (reply_open(job->req, FOPEN_DIRECT_IO | FOPEN_NOFLUSH, fh))
		control_opened(control, fh);
	else
		control_release(control, fh);
}

static void run_open(struct aside *a)
{
	struct control_job *job = (struct control_job *)a;
	struct interrupt interrupt = ops_interrupt(job->req);

	open_now(job, &interrupt);
	free(job);
}

static void open_control(fuse_req_t req, fuse_ino_t ino, int flags)
{
	const struct control_job what = {.aside.run = run_open, .req = req, .ino = ino, .flags = flags,
					 .unique = transport_request()->unique & ~TAKEOVER_RESENT};
	struct control_job *job;

	if (!control_is_long(fs_of(req)->control, ino)) {
		open_now(&what, NULL);
		return;
	}
	job = new_job(&what, 0);
	if (job)
		aside_run(&job->aside);
}

static void reply_read(fuse_req_t req, const char *bytes, ssize_t n)
{
	if (n < 0)
		reply_result(req, (int)n);
	else
		reply_bytes(req, bytes, (size_t)n);
}

static void read_now(const struct control_job *job, const struct interrupt *interrupt)
{
	char buf[CONTROL_READ_BYTES];

	reply_read(job->req, buf, control_read(fs_of(job->req)->control, job->ino, job->fh, job->offset, buf,
					       job->size, interrupt));
}

static void run_read(struct aside *a)
{
	struct control_job *job = (struct control_job *)a;
	struct interrupt interrupt = ops_interrupt(job->req);

	read_now(job, &interrupt);
	free(job);
}

static void read_control(fuse_req_t req, fuse_ino_t ino, uint64_t fh, size_t size, uint64_t offset)
{
	const struct control_job what = {.aside.run = run_read, .req = req, .ino = ino, .fh = fh, .offset = offset,
					 .size = MIN(size, (size_t)CONTROL_READ_BYTES)};
	struct control *control = fs_of(req)->control;
	char buf[CONTROL_READ_BYTES];
	struct control_job *job;
	ssize_t n;

	if (control_read_kept(control, fh, offset, buf, what.size, &n)) {
		reply_read(req, buf, n);
	} else if (!control_is_long(control, ino)) {
		read_now(&what, NULL);
	} else {
		job = new_job(&what, 0);
		if (job)
			aside_run(&job->aside);
	}
}

static void reply_write(fuse_req_t req, ssize_t n)
{
	if (n < 0)
		reply_result(req, (int)n);
	else
		reply_written(req, (size_t)n);
}

static void run_write(struct aside *a)
{
	struct control_job *job = (struct control_job *)a;
	struct interrupt interrupt = ops_interrupt(job->req);

	reply_write(job->req, control_write(fs_of(job->req)->control, job->ino, job->flags, job->offset, job->text,
					    job->size, &interrupt));
	free(job);
}

static void write_control(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size, uint64_t offset, int flags)
{
	const struct control_job what = {.aside.run = run_write, .req = req, .ino = ino, .flags = flags,
					 .offset = offset, .size = size};
	struct control *control = fs_of(req)->control;
	struct control_job *job;

	if (!control_splits(control, ino, text, size)) {
		reply_write(req, control_write(control, ino, flags, offset, text, size, NULL));
		return;
	}
	job = new_job(&what, size);
	if (!job)
		return;
	memcpy(job->text, text, size);
	aside_run(&job->aside);
}

/* --- files ----------------------------------------------------------------------------------------- */

/* Not a use of the file, and not counted as one. */
static void open_for_errand(fuse_req_t req, fuse_ino_t ino, enum errand_kind kind)
{
	if (!volume_may_look(fs_of(req)->volume, ino, kind == ERRAND_DROP))
		reply_result(req, -EBUSY);
	else
		(void)reply_open(req, ops_open_flags(), ERRAND_FH);
}

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	enum errand_kind errand = errand_of(fuse_req_ctx(req)->pid, ino);
	struct fs *fs = fs_of(req);
	int flags = fi->flags, r;

	if (control_owns(ino)) {
		open_control(req, ino, flags);
		return;
	}
	if (purge_takes(fuse_req_ctx(req)->pid, ino)) {
		(void)reply_open(req, dropping_flags(), ERRAND_FH);
		return;
	}
	if (errand != ERRAND_NONE && (flags & O_ACCMODE) == O_RDONLY) {
		open_for_errand(req, ino, errand);
		return;
	}
	r = volume_file_open(fs->volume, ino, flags);
	if (r < 0)
		reply_result(req, r);
	else if (r == VOLUME_STALE)
		purge_then_open(req, ino);
	else if (!reply_open(req, purge_keeps_cache() ? ops_open_flags() : dropping_flags(), 0))
		volume_file_release(fs->volume, ino, flags);
}

void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);

	if (control_owns(ino))
		control_release(fs->control, fi->fh);
	else if (fi->fh != ERRAND_FH)
		volume_file_release(fs->volume, ino, fi->flags);
	reply_result(req, 0);
}

/* The answer is sent from the frames themselves, pinned meanwhile; transport.c copies what is small. */
void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	static _Thread_local struct volume_read bytes; /* too large for the stack of every request */
	struct fs *fs = fs_of(req);
	int r;

	if (control_owns(ino)) {
		read_control(req, ino, fi->fh, size, (uint64_t)offset);
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

void ops_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	       struct fuse_file_info *fi)
{
	if (control_owns(ino))
		write_control(req, ino, data, size, (uint64_t)offset, fi->flags);
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
