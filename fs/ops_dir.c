/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_dir.c - listing directories.
 *
 * The place of an entry, as telldir(3) gives it out: 1 ".", 2 "..", 3 ".ksmfs" (where it is listed), and
 * from then on core's own offset and 3.  In .ksmfs/ it is control.h's and 3.
 *
 * An OPENDIR is answered ENOSYS once: the kernel then opens directories by itself, and keeps what it has
 * listed until the directory changes.
 */
#include "fs/ops.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>

#include "fs/control.h"
#include "fs/reply.h"
#include "fs/transport.h"

enum {
	AFTER_DOT = 1,
	AFTER_DOTS = 2,
	AFTER_SPECIALS = 3,
	BATCH = 64,
	LISTING_BYTES = 64 * 1024,
	REMEMBERED_MAX = 512, /* more than entries of readdirplus fit into LISTING_BYTES */
};

/* What a thread is packing: in its request's scratch. */
struct listing {
	fuse_req_t req;
	struct fs *fs;
	bool plus;
	size_t size, used;
	unsigned remembered;
	uint64_t ino[REMEMBERED_MAX];
	char bytes[LISTING_BYTES];
	struct names_entry batch[BATCH];
};
_Static_assert(sizeof(struct listing) <= SCRATCH_BYTES, "fits");

static size_t packed_size(struct listing *l, const char *name)
{
	if (l->plus)
		return fuse_add_direntry_plus(l->req, NULL, 0, name, NULL, 0);
	return fuse_add_direntry(l->req, NULL, 0, name, NULL, 0);
}

/* Without an entry, the kernel looks the name up when it is needed. */
static void pack(struct listing *l, const char *name, const struct stat *attr,
		 const struct volume_entry *e, uint64_t offset)
{
	struct fuse_entry_param entry = {.attr = *attr};
	char *at = l->bytes + l->used;
	size_t room = l->size - l->used;

	if (e)
		reply_fill_entry(&entry, e);
	if (l->plus)
		l->used += fuse_add_direntry_plus(l->req, at, room, name, &entry, (off_t)offset);
	else
		l->used += fuse_add_direntry(l->req, at, room, name, attr, (off_t)offset);
}

/* A name that is no entry of core's. False: no room. */
static bool pack_name(struct listing *l, const char *name, uint64_t ino, mode_t type, uint64_t offset)
{
	struct stat attr = {.st_ino = ino, .st_mode = type};

	if (l->used + packed_size(l, name) > l->size)
		return false;
	pack(l, name, &attr, NULL, offset);
	return true;
}

/* 1: no room. An entry that is gone by now is passed over. */
static int pack_entry(struct listing *l, const struct names_entry *named)
{
	struct stat attr = {.st_ino = named->ino};
	struct volume_entry e;
	int r;

	if (l->used + packed_size(l, named->name) > l->size)
		return 1;
	if (!l->plus) {
		attr.st_mode = volume_type(l->fs->volume, named->ino);
		if (attr.st_mode)
			pack(l, named->name, &attr, NULL, named->offset + AFTER_SPECIALS);
		return 0;
	}
	if (l->remembered == REMEMBERED_MAX)
		return 1;
	r = volume_remember(l->fs->volume, named->ino, &e);
	if (r < 0)
		return r == -ESTALE ? 0 : r;
	l->ino[l->remembered++] = e.ino;
	pack(l, named->name, &e.attr, &e, named->offset + AFTER_SPECIALS);
	return 0;
}

static int pack_volume(struct listing *l, uint64_t dir, uint64_t offset)
{
	unsigned count;
	int r;

	do {
		r = volume_list(l->fs->volume, dir, offset, l->batch, BATCH, &count);
		for (unsigned i = 0; r == 0 && i < count; i++) {
			offset = l->batch[i].offset;
			r = pack_entry(l, &l->batch[i]);
		}
	} while (r == 0 && count > 0);
	return r < 0 ? r : 0;
}

static int pack_control(struct listing *l, uint64_t dir, uint64_t place)
{
	char name[NAME_MAX + 1];
	struct stat attr;
	int r;

	do {
		r = control_list(l->fs->control, dir, &place, name, &attr);
	} while (r == 0 && pack_name(l, name, attr.st_ino, attr.st_mode, place + AFTER_SPECIALS));
	return r == -ENOENT ? 0 : r;
}

static int parent_of(struct listing *l, uint64_t dir, uint64_t *ret)
{
	if (!control_owns(dir))
		return volume_parent(l->fs->volume, dir, ret);
	*ret = control_parent(l->fs->control, dir);
	return 0;
}

static int pack_directory(struct listing *l, uint64_t dir, uint64_t offset)
{
	bool has_control = dir == ROOT_INO && control_is_listed(l->fs->control);
	uint64_t parent;
	int r;

	if (offset < AFTER_DOT && !pack_name(l, ".", dir, S_IFDIR, AFTER_DOT))
		return 0;
	if (offset < AFTER_DOTS) {
		r = parent_of(l, dir, &parent);
		if (r < 0)
			return r;
		if (!pack_name(l, "..", parent, S_IFDIR, AFTER_DOTS))
			return 0;
	}
	if (offset < AFTER_SPECIALS) {
		if (has_control && !pack_name(l, CONTROL_NAME, CONTROL_INO, S_IFDIR, AFTER_SPECIALS))
			return 0;
		offset = AFTER_SPECIALS;
	}
	offset -= AFTER_SPECIALS;
	return control_owns(dir) ? pack_control(l, dir, offset) : pack_volume(l, dir, offset);
}

static void forget_all(struct listing *l)
{
	for (unsigned i = 0; i < l->remembered; i++)
		volume_forget(l->fs->volume, l->ino[i], 1);
}

/* libfuse keeps the flags of a directory's descriptor to itself. */
static uint32_t open_flags(void)
{
	const struct fuse_in_header *head = transport_request();
	const struct fuse_read_in *in = (const void *)(head + 1);

	return in->flags;
}

static void list(fuse_req_t req, fuse_ino_t dir, size_t size, off_t offset, bool plus)
{
	struct listing *l = transport_scratch();
	int r;

	l->req = req;
	l->fs = fs_of(req);
	l->plus = plus;
	l->size = MIN(size, (size_t)LISTING_BYTES);
	l->used = 0;
	l->remembered = 0;
	volume_unlist(l->fs->volume); /* asked again: what a worker before us had listed has gone nowhere */
	r = pack_directory(l, dir, (uint64_t)offset);
	if (r == 0 && !control_owns(dir) && !(open_flags() & O_NOATIME))
		volume_accessed(l->fs->volume, dir);
	if (r < 0 && l->used == 0)
		reply_result(req, r);
	else if (!reply_bytes(req, l->bytes, l->used))
		forget_all(l);
}

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_result(req, -ENOSYS);
}

void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	list(req, ino, size, offset, false);
}

void ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	list(req, ino, size, offset, true);
}
