/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_ioctl.c - what ksmfs/ioctl.h promises, decoded and answered.
 *
 * The kernel neither checks who may do this nor tells how the file was opened, so the owner is asked for here.
 */
#include "fs/ops.h"

#include <string.h>

#include <ksmfs/ioctl.h>

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

static int advise(fuse_req_t req, fuse_ino_t ino, const void *in, enum volume_advice advice)
{
	struct interrupt interrupt = ops_interrupt(req);
	struct ksmfs_range range;
	int r;

	memcpy(&range, in, sizeof(range));
	r = check_range(range.offset, range.len);
	if (r == 0)
		r = ops_check_owner(req, ino);
	if (r < 0 || range.len == 0)
		return r;
	return volume_advise_range(fs_of(req)->volume, ino, range.offset, range.len, advice, &interrupt);
}

static int look(fuse_req_t req, fuse_ino_t ino, const void *in, struct ksmfs_stat *ret)
{
	static const uint64_t zero[ARRAY_SIZE(ret->reserved)];
	struct volume_pages pages = {0};
	struct ksmfs_stat asked;
	int r;

	memcpy(&asked, in, sizeof(asked));
	r = check_range(asked.offset, asked.len);
	if (r == 0 && memcmp(asked.reserved, zero, sizeof(zero)) != 0)
		r = -EINVAL;
	if (r == 0 && asked.len > 0)
		r = volume_pages(fs_of(req)->volume, ino, asked.offset, asked.len, &pages);
	if (r < 0)
		return r;
	*ret = (struct ksmfs_stat){
		.offset = asked.offset,
		.len = asked.len,
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
	return 0;
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
	struct ksmfs_stat stat;
	int r;

	r = check_command(fs_of(req), ino, cmd, in_size, out_size);
	if (r == 0 && cmd == KSMFS_IOC_STAT)
		r = look(req, ino, in, &stat);
	else if (r == 0)
		r = advise(req, ino, in, cmd == KSMFS_IOC_MERGEABLE ? VOLUME_MERGEABLE : VOLUME_UNMERGEABLE);
	if (r < 0)
		reply_result(req, r);
	else
		reply_ioctl(req, &stat, cmd == KSMFS_IOC_STAT ? sizeof(stat) : 0);
}
