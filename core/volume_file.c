/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_file.c - attributes and contents of one inode. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "fault.h"
#include "guard.h"
#include "log.h"
#include "range.h"
#include "volume_inside.h"
#include "volume_xattr.h"

/* What suid and sgid become when somebody else writes (POSIX; the kernel's setattr_should_drop_*). */
static void kill_priv(struct inode_attr *attr, bool any_sgid)
{
	if (S_ISDIR(attr->mode))
		return;
	attr->mode &= ~(uint32_t)S_ISUID;
	if (any_sgid || (attr->mode & S_IXGRP))
		attr->mode &= ~(uint32_t)S_ISGID;
}

/* A page stored into before somebody set the time arrives after it, and must not undo that: the kernel
 * writes dirty pages back within this time.  What is stored later moves the time again. */
enum { WRITEBACK_S = 40, DAY_S = 24 * 60 * 60 };

static uint64_t seconds_since_boot(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec + 1;
}

int volume_getattr(struct volume *v, uint64_t ino, struct stat *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	if (!i)
		return -ESTALE;
	inode_stat(i, ret);
	return 0;
}

int volume_more(struct volume *v, uint64_t ino, struct volume_more *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	struct inode_attr attr;

	if (!i)
		return -ESTALE;
	attr = inode_attr_get(i);
	ret->btime = (struct timespec){ attr.btime.sec, (long)attr.btime.nsec };
	ret->flags = guard_get(i);
	return 0;
}

int volume_set_flags(struct volume *v, uint64_t ino, unsigned flags)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	return i ? guard_set(i, flags) : -ESTALE;
}

int volume_may_change(struct volume *v, uint64_t ino)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	return i ? guard_attributes(i) : -ESTALE;
}

static int compare(int64_t sec, uint64_t nsec, int64_t than_sec, uint64_t than_nsec)
{
	if (sec != than_sec)
		return sec < than_sec ? -1 : 1;
	return nsec < than_nsec ? -1 : nsec > than_nsec;
}

/* As the kernel's relatime_need_update(): the time of access is of use when it tells whether somebody has read
 * what was changed last, and whether anybody has lately. */
static bool atime_is_due(const struct inode_attr *a)
{
	struct timespec now;

	if (compare(a->atime.sec, a->atime.nsec, a->mtime.sec, a->mtime.nsec) <= 0 ||
	    compare(a->atime.sec, a->atime.nsec, a->ctime.sec, a->ctime.nsec) <= 0)
		return true;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec - a->atime.sec >= DAY_S;
}

bool volume_accessed(struct volume *v, uint64_t ino)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	enum volume_atime when;
	struct inode_attr attr;

	if (!i || (i->record->flags & INODE_NOATIME))
		return false;
	attr = inode_attr_get(i);
	when = S_ISDIR(attr.mode) ? v->dir_atime : v->atime;
	if (when == VOLUME_ATIME_NEVER || (when == VOLUME_ATIME_RELATIVE && !atime_is_due(&attr)))
		return false;
	inode_stamp(inode_attr_begin(i), INODE_ATIME);
	inode_attr_end(i);
	return true;
}

/* --- size ------------------------------------------------------------------------------------- */

static void set_size(struct inode *i, uint64_t size)
{
	struct inode_attr *attr = inode_attr_begin(i);

	attr->size = size;
	inode_stamp(attr, INODE_MTIME | INODE_CTIME);
	inode_attr_end(i);
	i->record->mtime_set = 0;
}

/* The rest of the last page first, then the size, then what lies beyond: whoever finds this half done
 * finds a size with zeroes behind it, and slots beyond the end, which mean nothing. */
static int truncate_to(struct volume *v, struct inode *i, uint64_t size)
{
	uint64_t old = inode_size(i);
	int r = 0;

	if (size > FILE_BYTES_MAX)
		return -EFBIG;
	if (size < old)
		r = range_end_at(&v->pool, i, size);
	if (r < 0)
		return r;
	inode_resize_begin(i);
	set_size(i, size);
	advice_cut(&v->pool, i, pages_of(size));
	if (size <= old)
		range_clear(&v->pool, i, pages_of(size), FILE_PAGES_MAX);
	inode_resize_end(i);
	pool_changed(&v->pool);
	return 0;
}

static void extend_to(struct inode *i, uint64_t end)
{
	struct inode_attr *attr = inode_attr_begin(i);

	attr->size = MAX(attr->size, end);
	inode_attr_end(i);
}

/* --- attributes ------------------------------------------------------------------------------- */

static void set_times(struct inode *i, struct inode_attr *attr, const struct stat *new, unsigned set)
{
	if (set & VOLUME_SET_ATIME)
		attr->atime.sec = new->st_atim.tv_sec, attr->atime.nsec = (uint64_t)new->st_atim.tv_nsec;
	if (set & VOLUME_SET_MTIME)
		attr->mtime.sec = new->st_mtim.tv_sec, attr->mtime.nsec = (uint64_t)new->st_mtim.tv_nsec;
	if (set & VOLUME_SET_ATIME_NOW)
		inode_stamp(attr, INODE_ATIME);
	if (set & VOLUME_SET_MTIME_NOW)
		inode_stamp(attr, INODE_MTIME);
	if (set & (VOLUME_SET_MTIME | VOLUME_SET_MTIME_NOW))
		i->record->mtime_set = seconds_since_boot();
	if (set & VOLUME_SET_CTIME)
		attr->ctime.sec = new->st_ctim.tv_sec, attr->ctime.nsec = (uint64_t)new->st_ctim.tv_nsec;
	else
		inode_stamp(attr, INODE_CTIME);
}

/* Both times of now are what touch(1) does, for which one need not be the owner. */
static int may_set(struct inode *i, unsigned set)
{
	const unsigned now = VOLUME_SET_ATIME_NOW | VOLUME_SET_MTIME_NOW;

	if (set & VOLUME_SET_SIZE)
		return guard_size(i, set & VOLUME_SET_OPEN);
	if (set & (VOLUME_SET_MODE | VOLUME_SET_UID | VOLUME_SET_GID | VOLUME_SET_ATIME | VOLUME_SET_MTIME))
		return guard_attributes(i);
	if (set & now)
		return (set & now) == now ? guard_touch(i) : guard_attributes(i);
	return 0;
}

static void set_attr(struct inode *i, const struct stat *new, unsigned set)
{
	struct inode_attr *attr = inode_attr_begin(i);

	if (set & VOLUME_SET_KILL_PRIV)
		kill_priv(attr, set & VOLUME_SET_KILL_SGID);
	if (set & VOLUME_SET_MODE)
		attr->mode = (attr->mode & S_IFMT) | (new->st_mode & 07777);
	if (set & VOLUME_SET_UID)
		attr->uid = new->st_uid;
	if (set & VOLUME_SET_GID)
		attr->gid = new->st_gid;
	if ((set & ~(unsigned)VOLUME_SET_OPEN) != VOLUME_SET_SIZE)
		set_times(i, attr, new, set);
	inode_attr_end(i);
}

int volume_setattr(struct volume *v, uint64_t ino, const struct stat *new, unsigned set, struct stat *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	int r = 0;

	if (!i)
		return -ESTALE;
	r = may_set(i, set);
	if (r < 0)
		return r;
	if ((set & VOLUME_SET_SIZE) && !S_ISREG(inode_attr_get(i).mode))
		return -EINVAL;
	gate_enter(&v->gate);
	if (set & VOLUME_SET_SIZE)
		r = truncate_to(v, i, (uint64_t)new->st_size);
	if (!r && (set & VOLUME_SET_MODE))
		r = volume_chmod_acl(v, i, new->st_mode);
	if (!r)
		set_attr(i, new, set);
	gate_leave(&v->gate);
	inode_stat(i, ret);
	return r;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Constant, so it is a page of the program's file. Memory that nobody has written is the kernel's own page of zeroes to
 * who loads from it, and that one counts as not present when a reply is sent. */
static const uint8_t zeroes[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void add_bytes(struct volume_read *r, uint8_t *from, size_t len)
{
	struct iovec *last = r->count ? &r->iov[r->count - 1] : NULL;

	if (last && (uint8_t *)last->iov_base + last->iov_len == from)
		last->iov_len += len;
	else
		r->iov[r->count++] = (struct iovec){ .iov_base = from, .iov_len = len };
	r->bytes += len;
}

int volume_read(struct volume *v, uint64_t ino, uint64_t offset, size_t len, struct volume_read *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	uint64_t size, first;
	unsigned pages;
	int r;

	ret->volume = v;
	ret->count = ret->pinned = 0;
	ret->bytes = 0;
	if (!i)
		return -ESTALE;
	size = inode_size(i);
	if (offset >= size || !len)
		return 0;
	len = MIN(len, size - offset);
	len = MIN(len, (size_t)BATCH_PAGES << PAGE_SHIFT);
	first = offset >> PAGE_SHIFT;
	pages = (unsigned)(pages_of(offset + len) - first);
	gate_enter(&v->gate);
	trim_use(&v->trim, i, TRIM_READ);
	r = fault_read(&v->pool, i, first, pages, ret->frame);
	gate_leave(&v->gate);
	if (r < 0)
		return r;
	ret->pinned = pages;
	for (unsigned n = 0; n < pages; n++) {
		unsigned from = n ? 0 : offset % PAGE_BYTES;
		size_t here = MIN(len, (size_t)(PAGE_BYTES - from));
		uint8_t *page = ret->frame[n] ? frames_data(v->pool.frames, ret->frame[n]) : (uint8_t *)zeroes;

		add_bytes(ret, page + from, here);
		len -= here;
	}
	return 0;
}

void volume_read_done(struct volume_read *r)
{
	if (!r->pinned)
		return;
	gate_enter(&r->volume->gate); /* this may free a frame: nothing does while the gate is closed */
	for (unsigned n = 0; n < r->pinned; n++)
		if (r->frame[n])
			content_unpin(r->volume->pool.content, r->frame[n]);
	gate_leave(&r->volume->gate);
	r->pinned = 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void written(struct inode *i, uint64_t end, unsigned flags)
{
	struct inode_attr *attr;

	attr = inode_attr_begin(i);
	if (flags & VOLUME_WRITE_KILL_PRIV)
		kill_priv(attr, flags & VOLUME_WRITE_KILL_SGID);
	if (!(flags & VOLUME_WRITEBACK))
		attr->size = MAX(attr->size, end);
	if (!(flags & VOLUME_WRITEBACK))
		i->record->mtime_set = 0;
	if (!i->record->mtime_set || seconds_since_boot() - i->record->mtime_set > WRITEBACK_S)
		inode_stamp(attr, INODE_MTIME | INODE_CTIME);
	inode_attr_end(i);
}

/* A write that ended early may have stored pages further on than it tells. */
static void drop_unfinished(struct volume *v, struct inode *i, uint64_t end)
{
	uint64_t size = inode_size(i);

	if (end <= size)
		return;
	if (range_end_at(&v->pool, i, size) < 0)
		log_err("inode %u: what a failed write had stored beyond its end could not be cleared",
			i->number);
	range_drop(&v->pool, i, pages_of(size), pages_of(end));
}

void volume_write_ends(struct volume *v, struct inode *i, uint64_t offset, uint64_t len, uint64_t done, unsigned flags)
{
	if (done)
		written(i, offset + done, flags);
	if (done == len || (flags & VOLUME_WRITEBACK))
		return;
	drop_unfinished(v, i, offset + len);
	if (!done && (flags & VOLUME_WRITE_KILL_PRIV)) { /* before anything is written, as everywhere */
		kill_priv(inode_attr_begin(i), flags & VOLUME_WRITE_KILL_SGID);
		inode_attr_end(i);
	}
}

static ssize_t write_inside(struct volume *v, struct inode *i, uint64_t offset, const uint8_t *data,
			    size_t len, unsigned flags)
{
	size_t done = 0;
	int r = 0;

	while (done < len) {
		size_t here = MIN(len - done, (size_t)BATCH_PAGES << PAGE_SHIFT), some = 0;

		r = fault_write(&v->pool, i, offset + done, data + done, here,
				flags & VOLUME_WRITEBACK ? FAULT_WRITEBACK : 0, &some);
		if (r < 0)
			break;
		done += some;
		if (some < here)
			break;
	}
	volume_write_ends(v, i, offset, len, done, flags);
	if (done < len && (flags & VOLUME_WRITEBACK)) {
		frames_await(v->pool.frames);
		r = -EAGAIN;
	}
	return done ? (ssize_t)done : r;
}

ssize_t volume_write(struct volume *v, uint64_t ino, uint64_t offset, const void *data, size_t len,
		     unsigned flags)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	size_t asked = len;
	ssize_t n;

	if (!i)
		return -ESTALE;
	if (!len)
		return 0;
	if (flags & VOLUME_WRITEBACK) {
		uint64_t size = inode_size(i);

		/* What a truncation has cut off meanwhile is dropped, and the kernel told it is done. */
		if (offset >= size) {
			pool_count(&v->pool, ATTR_fault_beyond_eof, (int64_t)pages_of(len));
			return (ssize_t)asked;
		}
		len = MIN(len, size - offset);
	} else {
		if (offset >= FILE_BYTES_MAX)
			return -EFBIG;
		len = MIN(len, FILE_BYTES_MAX - offset);
	}
	gate_enter(&v->gate);
	trim_use(&v->trim, i, TRIM_WRITTEN);
	inode_resize_begin(i);
	n = write_inside(v, i, offset, data, len, flags);
	inode_resize_end(i);
	gate_leave(&v->gate);
	return (flags & VOLUME_WRITEBACK) && n == (ssize_t)len ? (ssize_t)asked : n;
}

/* --- allocation ------------------------------------------------------------------------------- */

static int allocate(struct volume *v, struct inode *i, int mode, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len, size = inode_size(i);
	bool keep = mode & FALLOC_FL_KEEP_SIZE;
	int r;

	if (mode & FALLOC_FL_PUNCH_HOLE)
		return range_zero(&v->pool, i, offset, len);
	if ((mode & FALLOC_FL_ZERO_RANGE) && offset < size) {
		r = range_zero(&v->pool, i, offset, len);
		if (r < 0)
			return r;
	}
	r = range_reserve(&v->pool, i, offset >> PAGE_SHIFT,
			  pages_of(end) - (offset >> PAGE_SHIFT), SLOT_RESERVED);
	if (!r && !keep)
		extend_to(i, end);
	return r;
}

int volume_fallocate(struct volume *v, uint64_t ino, int mode, uint64_t offset, uint64_t len)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	struct inode_attr *attr;
	int r;

	if (!i)
		return -ESTALE;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) ||
	    ((mode & FALLOC_FL_PUNCH_HOLE) &&
	     mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)))
		return -EOPNOTSUPP;
	if (!len)
		return -EINVAL;
	if (offset > FILE_BYTES_MAX || len > FILE_BYTES_MAX - offset)
		return -EFBIG;
	r = guard_allocate(i, mode);
	if (r < 0)
		return r;
	gate_enter(&v->gate);
	r = allocate(v, i, mode, offset, len);
	gate_leave(&v->gate);
	if (r < 0)
		return r;
	attr = inode_attr_begin(i); /* suid and sgid are for who knows the caller */
	inode_stamp(attr, INODE_MTIME | INODE_CTIME);
	inode_attr_end(i);
	pool_changed(&v->pool);
	return 0;
}

int volume_seek(struct volume *v, uint64_t ino, uint64_t offset, int whence, uint64_t *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	bool found;

	if (!i)
		return -ESTALE;
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	gate_enter(&v->gate);
	found = range_seek(&v->pool, i, offset, inode_size(i), whence == SEEK_DATA, ret);
	gate_leave(&v->gate);
	return found ? 0 : -ENXIO;
}
