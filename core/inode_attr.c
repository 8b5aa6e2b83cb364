/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/inode_attr.c - attributes of one inode: two sets, of which one counts (inode.c). */
#include "inode.h"

#include "failpoint.h"

struct inode_attr inode_attr_get(struct inode *i)
{
	struct inode_attr attr;

	lock_take(&i->attr);
	attr = i->record->attr[i->record->live];
	lock_drop(&i->attr);
	return attr;
}

struct inode_attr *inode_attr_begin(struct inode *i) UNCHECKED_LOCKS
{
	uint32_t live;

	lock_take(&i->attr);
	live = i->record->live;
	i->record->attr[!live] = i->record->attr[live];
	return &i->record->attr[!live];
}

void inode_attr_end(struct inode *i) UNCHECKED_LOCKS
{
	failpoint_kill(KILL_attr_filled);
	i->record->live = !i->record->live;
	failpoint_kill(KILL_attr_flipped);
	lock_drop(&i->attr);
}

uint64_t inode_size(struct inode *i)
{
	return inode_attr_get(i).size;
}

void inode_stat(struct inode *i, struct stat *ret)
{
	struct inode_attr a = inode_attr_get(i);

	*ret = (struct stat){
		.st_ino = inode_ino(i),
		.st_mode = a.mode,
		.st_nlink = a.nlink,
		.st_uid = a.uid,
		.st_gid = a.gid,
		.st_rdev = a.rdev,
		.st_size = (off_t)a.size,
		.st_blksize = PAGE_BYTES,
		.st_blocks = (blkcnt_t)(i->record->slots * (PAGE_BYTES / 512)),
		.st_atim = { a.atime.sec, (long)a.atime.nsec },
		.st_mtim = { a.mtime.sec, (long)a.mtime.nsec },
		.st_ctim = { a.ctime.sec, (long)a.ctime.nsec },
	};
}

void inode_stamp(struct inode_attr *attr, unsigned which)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (which & INODE_ATIME)
		attr->atime.sec = now.tv_sec, attr->atime.nsec = (uint64_t)now.tv_nsec;
	if (which & INODE_MTIME)
		attr->mtime.sec = now.tv_sec, attr->mtime.nsec = (uint64_t)now.tv_nsec;
	if (which & INODE_CTIME)
		attr->ctime.sec = now.tv_sec, attr->ctime.nsec = (uint64_t)now.tv_nsec;
	if (which & INODE_BTIME)
		attr->btime.sec = now.tv_sec, attr->btime.nsec = (uint64_t)now.tv_nsec;
}
