/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/guard.c - may_delete(), may_open(), notify_change() and their like in the kernel, as far as they look
 * at S_IMMUTABLE and S_APPEND.
 */
#include "guard.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>

static const struct {
	unsigned flag;
	enum inode_flag bit;
} both[] = {
	{ FS_IMMUTABLE_FL, INODE_IMMUTABLE },
	{ FS_APPEND_FL, INODE_APPEND },
	{ FS_NODUMP_FL, INODE_NODUMP },
	{ FS_NOATIME_FL, INODE_NOATIME },
};

enum {
	INHERITED = INODE_NODUMP | INODE_NOATIME,
	OURS = INODE_IMMUTABLE | INODE_APPEND | INHERITED,
};

static bool has(const struct inode *i, unsigned bits)
{
	return i->record->flags & bits;
}

unsigned guard_get(const struct inode *i)
{
	uint32_t bits = i->record->flags;
	unsigned flags = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(both); n++)
		if (bits & both[n].bit)
			flags |= both[n].flag;
	return flags;
}

int guard_set(struct inode *i, unsigned flags)
{
	uint32_t bits = 0, old = i->record->flags;

	for (unsigned n = 0; n < ARRAY_SIZE(both); n++)
		if (flags & both[n].flag) {
			bits |= both[n].bit;
			flags &= ~both[n].flag;
		}
	if (flags)
		return -EOPNOTSUPP;
	while (!atomic_compare_exchange_weak(&i->record->flags, &old, (old & ~(uint32_t)OURS) | bits))
		;
	inode_stamp(inode_attr_begin(i), INODE_CTIME);
	inode_attr_end(i);
	return 0;
}

void guard_inherit(struct inode *i, const struct inode *dir)
{
	atomic_fetch_or(&i->record->flags, dir->record->flags & INHERITED);
}

int guard_attributes(const struct inode *i)
{
	return has(i, INODE_IMMUTABLE | INODE_APPEND) ? -EPERM : 0;
}

int guard_touch(const struct inode *i)
{
	return has(i, INODE_IMMUTABLE) ? -EPERM : 0;
}

int guard_size(const struct inode *i, bool open)
{
	return has(i, INODE_APPEND) || (has(i, INODE_IMMUTABLE) && !open) ? -EPERM : 0;
}

int guard_open(const struct inode *i, int flags)
{
	if ((flags & O_ACCMODE) == O_RDONLY)
		return 0;
	return has(i, INODE_IMMUTABLE) || (has(i, INODE_APPEND) && !(flags & O_APPEND)) ? -EPERM : 0;
}

int guard_allocate(const struct inode *i, int mode)
{
	return has(i, INODE_IMMUTABLE) || (has(i, INODE_APPEND) && (mode & ~FALLOC_FL_KEEP_SIZE)) ? -EPERM : 0;
}

int guard_copy(const struct inode *to)
{
	return has(to, INODE_IMMUTABLE) ? -EPERM : 0;
}

int guard_enter(const struct inode *dir)
{
	return has(dir, INODE_IMMUTABLE) ? -EPERM : 0;
}

int guard_leave(const struct inode *dir, const struct inode *i)
{
	return guard_attributes(dir) < 0 || guard_attributes(i) < 0 ? -EPERM : 0;
}
