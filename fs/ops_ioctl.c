/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_ioctl.c - what ksmfs/ioctl.h promises, decoded and answered.
 *
 * The kernel neither checks who may do this nor tells how the file was opened, so the owner is asked for here.
 */
#include "fs/ops.h"

#include <stdlib.h>
#include <string.h>

#include <ksmfs/ioctl.h>

#include "fs/aside.h"
#include "fs/control.h"
#include "fs/reply.h"

_Static_assert(KSMFS_PAGE_BYTES == PAGE_BYTES, "one size of pages");
_Static_assert(sizeof(struct ksmfs_range) == 16 && sizeof(struct ksmfs_stat) == 128, "as 32-bit programs have it");

static int check_range(uint64_t offset, uint64_t len)
{
	if ((offset | len) & (PAGE_BYTES - 1))
		return -EINVAL;
	return offset + len < offset ? -EINVAL : 0;
}

struct job {
	struct aside aside;
	fuse_req_t req;
	fuse_ino_t ino;
	unsigned cmd;
	union {
		struct ksmfs_range range;
		struct ksmfs_stat stat;
	};
};

static int check(const struct job *job)
{
	static const uint64_t zero[ARRAY_SIZE(job->stat.reserved)];
	int r;

	if (job->cmd != KSMFS_IOC_STAT) {
		r = check_range(job->range.offset, job->range.len);
		return r < 0 ? r : ops_check_owner(job->req, job->ino);
	}
	r = check_range(job->stat.offset, job->stat.len);
	return r == 0 && memcmp(job->stat.reserved, zero, sizeof(zero)) != 0 ? -EINVAL : r;
}

static int advise(struct job *job)
{
	struct interrupt interrupt = ops_interrupt(job->req);

	return volume_advise_range(fs_of(job->req)->volume, job->ino, job->range.offset, job->range.len,
				   job->cmd == KSMFS_IOC_MERGEABLE ? VOLUME_MERGEABLE : VOLUME_UNMERGEABLE,
				   &interrupt);
}

static int look(struct job *job)
{
	struct interrupt interrupt = ops_interrupt(job->req);
	struct volume_pages pages = {0};
	int r = 0;

	if (job->stat.len > 0)
		r = volume_pages(fs_of(job->req)->volume, job->ino, job->stat.offset, job->stat.len, &interrupt,
				 &pages);
	job->stat = (struct ksmfs_stat){
		.offset = job->stat.offset,
		.len = job->stat.len,
		.slots = pages.slots,
		.merged = pages.merged,
		.unshared = pages.unshared,
		.zero = pages.zero,
		.volatile_pages = pages.changing,
		.untracked = pages.untracked,
		.left_out = pages.left_out,
		.saved_bytes = pages.saved_bytes,
		.proportional_bytes = pages.proportional_bytes,
		.profit_bytes = pages.profit_bytes,
	};
	return r;
}

static void run(struct aside *a)
{
	struct job *job = (struct job *)a;
	int r = job->cmd == KSMFS_IOC_STAT ? look(job) : advise(job);

	if (r < 0)
		reply_result(job->req, r);
	else
		reply_ioctl(job->req, &job->stat, job->cmd == KSMFS_IOC_STAT ? sizeof(job->stat) : 0);
	free(job);
}

/* That a command is ours, and whether the file is one it can be for. */
static int check_command(struct fs *fs, fuse_ino_t ino, unsigned cmd, size_t in_size, size_t out_size)
{
	mode_t type;

	if (cmd != KSMFS_IOC_MERGEABLE && cmd != KSMFS_IOC_UNMERGEABLE && cmd != KSMFS_IOC_STAT)
		return -ENOTTY;
	if (control_owns(ino) || in_size != _IOC_SIZE(cmd) || (cmd == KSMFS_IOC_STAT && out_size != in_size))
		return -ENOTTY;
	type = volume_type(fs->volume, ino);
	if (!type)
		return -ESTALE;
	if (S_ISDIR(type))
		return -EISDIR;
	return S_ISREG(type) ? 0 : -ENOTTY;
}

void ops_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi, unsigned flags,
	       const void *in, size_t in_size, size_t out_size)
{
	struct job *job = NULL;
	int r;

	if (ops_fileattr(req, ino, cmd, in, in_size, out_size))
		return;
	r = check_command(fs_of(req), ino, cmd, in_size, out_size);
	if (r == 0) {
		job = calloc(1, sizeof(*job));
		r = job ? 0 : -ENOMEM;
	}
	if (r == 0) {
		*job = (struct job){.aside.run = run, .req = req, .ino = ino, .cmd = cmd};
		memcpy(&job->stat, in, in_size);
		r = check(job);
	}
	if (r == 0) {
		aside_run(&job->aside);
		return;
	}
	free(job);
	reply_result(req, r);
}
