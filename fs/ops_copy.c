/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_copy.c - copy_file_range(2).
 *
 * The kernel has written back what was dirty in both ranges, and when it has the answer it drops its pages of the
 * destination's.  A store through a mapping between the two is lost, if it was beside what is copied; or it is written
 * back after the copy, with all that its page was before.  So what somebody may store into is left to the kernel
 * (EXDEV), which reads and writes it under the locks of its pages.  That is seldom: cp opens for writing only, and what
 * copies to a new file copies beyond its end.
 *
 * That `from` has been read is left to us, too; whether with O_NOATIME it does not say, as it does with FUSE_READ: few
 * who copy do.
 *
 * It does not say whether suid and sgid are to be cleared, as it does with FUSE_WRITE, but leaves that
 * to whoever agreed to FUSE_HANDLE_KILLPRIV_V2.
 */
#include "fs/ops.h"

#include <stdlib.h>

#include "fs/aside.h"
#include "fs/caller.h"
#include "fs/control.h"
#include "fs/reply.h"
#include "fs/transport.h"

/* No more than one write brings: not worth a thread. */
enum { SHORT_BYTES = BATCH_PAGES * PAGE_BYTES };

struct job {
	struct aside aside;
	fuse_req_t req;
	struct volume_copy copy;
	unsigned flags;
};

static void copy(const struct job *job)
{
	struct interrupt interrupt = ops_interrupt(job->req);
	ssize_t n;

	n = volume_copy(fs_of(job->req)->volume, &job->copy, job->flags, &interrupt);
	if (n > 0 && volume_accessed(fs_of(job->req)->volume, job->copy.from))
		transport_attr_changed(job->copy.from);
	if (n < 0)
		reply_result(job->req, (int)n);
	else
		reply_written(job->req, (size_t)n);
}

static void run(struct aside *a)
{
	struct job *job = (struct job *)a;

	copy(job);
	free(job);
}

/* As write(2) does for all but root. */
static unsigned copy_flags(fuse_req_t req, fuse_ino_t to)
{
	struct stat attr;

	if (volume_getattr(fs_of(req)->volume, to, &attr) < 0 || !(attr.st_mode & (S_ISUID | S_ISGID)))
		return 0;
	if (caller_is(req, 0))
		return 0;
	return VOLUME_WRITE_KILL_PRIV | (ops_kills_any_sgid(req, to) ? VOLUME_WRITE_KILL_SGID : 0);
}

/* -EXDEV: the kernel then reads and writes. */
static int check(fuse_ino_t from, off_t from_offset, fuse_ino_t to, off_t to_offset, int flags)
{
	if (control_owns(from) || control_owns(to))
		return -EXDEV;
	return from_offset < 0 || to_offset < 0 || flags ? -EINVAL : 0;
}

void ops_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_fi,
			 fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_fi, size_t len, int flags)
{
	struct job job = {.aside.run = run, .req = req,
			  .copy = {.from = from, .from_offset = (uint64_t)from_offset, .to = to,
				   .to_offset = (uint64_t)to_offset, .len = len}};
	struct job *aside = NULL;
	int r;

	r = check(from, from_offset, to, to_offset, flags);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	job.flags = VOLUME_COPY_UNSEEN | copy_flags(req, to);
	if (len > SHORT_BYTES)
		aside = malloc(sizeof(*aside));
	if (aside) {
		*aside = job;
		aside_run(&aside->aside);
	} else {
		copy(&job);
	}
}
