/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_names.c - names: look up, make, remove, rename. In .ksmfs/ nothing is ever made or removed. */
#include "fs/ops.h"

#include <linux/fs.h>
#include <string.h>

#include "fs/control.h"
#include "fs/newer.h"
#include "fs/reply.h"

static struct name name_of(const char *text)
{
	return (struct name){.bytes = text, .len = strlen(text)};
}

/* May `name` in `dir` be changed? */
static int check_name(struct fs *fs, fuse_ino_t dir, const char *name)
{
	if (control_owns(dir) || control_is_name(fs->control, dir, name))
		return -EPERM;
	return strlen(name) > NAME_BYTES_MAX ? -ENAMETOOLONG : 0;
}

static void answer_entry(fuse_req_t req, struct fs *fs, int r, const struct volume_entry *e)
{
	if (r == -ENOENT)
		reply_absent(req);
	else if (r < 0)
		reply_result(req, r);
	else if (!reply_entry(req, e) && !control_owns(e->ino))
		volume_forget(fs->volume, e->ino, 1);
}

/* "." and "..": file handles are opened by inode number, and the way up is asked for. */
static int lookup_dots(struct fs *fs, fuse_ino_t dir, bool up, struct volume_entry *ret)
{
	uint64_t ino = dir;
	int r;

	if (up && control_owns(dir)) {
		ino = control_parent(fs->control, dir);
	} else if (up) {
		r = volume_parent(fs->volume, dir, &ino);
		if (r < 0)
			return r;
	}
	if (!control_owns(ino))
		return volume_remember(fs->volume, ino, ret);
	ret->ino = ino;
	return control_getattr(fs->control, ino, &ret->attr);
}

void ops_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fs *fs = fs_of(req);
	struct volume_entry e;
	int r;

	volume_unlist(fs->volume); /* asked again: what a worker before us had found has gone nowhere */
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		r = lookup_dots(fs, dir, name[1] == '.', &e);
	else if (control_owns(dir) || control_is_name(fs->control, dir, name))
		r = control_lookup(fs->control, dir, name, &e);
	else if (strlen(name) > NAME_BYTES_MAX)
		r = -ENAMETOOLONG;
	else
		r = volume_lookup(fs->volume, dir, name_of(name), &e);
	if (r == -ENOENT && control_owns(dir))
		reply_result(req, r); /* not to be remembered: a tenant may come */
	else
		answer_entry(req, fs, r, &e);
}

void ops_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	if (!control_owns(ino))
		volume_forget(fs_of(req)->volume, ino, lookups);
	reply_nothing(req);
}

void ops_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		if (!control_owns(forgets[i].ino))
			volume_forget(fs_of(req)->volume, forgets[i].ino, forgets[i].nlookup);
	reply_nothing(req);
}

/* A new inode of the caller's; name NULL: without one. */
static int make(fuse_req_t req, fuse_ino_t dir, const char *name, struct volume_new *new,
		struct volume_entry *ret)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	struct fs *fs = fs_of(req);
	int r;

	if (name)
		r = check_name(fs, dir, name);
	else
		r = control_owns(dir) ? -EPERM : 0;
	if (r < 0)
		return r;
	new->uid = caller->uid;
	new->gid = caller->gid;
	new->umask = caller->umask;
	if (!name)
		return volume_tmpfile(fs->volume, dir, new, ret);
	return volume_create(fs->volume, dir, name_of(name), new, ret);
}

/* Nothing was made, and the directory itself may be gone: not a name to remember as absent. */
static void answer_made(fuse_req_t req, int r, const struct volume_entry *e)
{
	if (r < 0)
		reply_result(req, r);
	else
		answer_entry(req, fs_of(req), 0, e);
}

void ops_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev)
{
	struct volume_new new = {.mode = mode, .rdev = rdev, .open_flags = -1};
	struct volume_entry e;

	if (!(mode & S_IFMT))
		new.mode |= S_IFREG;
	answer_made(req, make(req, dir, name, &new, &e), &e);
}

void ops_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	struct volume_new new = {.mode = S_IFDIR | (mode & 07777), .open_flags = -1};
	struct volume_entry e;

	answer_made(req, make(req, dir, name, &new, &e), &e);
}

void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name)
{
	struct name text = name_of(target);
	struct volume_new new = {.mode = S_IFLNK | 0777, .target = &text, .open_flags = -1};
	struct volume_entry e;

	if (text.len > SYMLINK_BYTES_MAX)
		reply_result(req, -ENAMETOOLONG);
	else
		answer_made(req, make(req, dir, name, &new, &e), &e);
}

void ops_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct volume_new new = {.mode = S_IFREG | (mode & 07777), .open_flags = fi->flags};
	struct fs *fs = fs_of(req);
	struct volume_entry e;
	int r;

	r = make(req, dir, newer_asked() == NEWER_TMPFILE ? NULL : name, &new, &e);
	if (r < 0) {
		reply_result(req, r);
	} else if (!reply_create(req, &e, ops_open_flags())) {
		volume_file_release(fs->volume, e.ino, new.open_flags);
		volume_forget(fs->volume, e.ino, 1);
	}
}

void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir, const char *name)
{
	struct fs *fs = fs_of(req);
	struct volume_entry e;
	int r;

	r = control_owns(ino) ? -EPERM : check_name(fs, dir, name);
	if (r == 0)
		r = volume_link(fs->volume, ino, dir, name_of(name), &e);
	answer_made(req, r, &e);
}

void ops_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fs *fs = fs_of(req);
	int r;

	r = check_name(fs, dir, name);
	if (r == 0)
		r = volume_unlink(fs->volume, dir, name_of(name));
	reply_result(req, r);
}

void ops_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fs *fs = fs_of(req);
	int r;

	r = check_name(fs, dir, name);
	if (r == 0)
		r = volume_rmdir(fs->volume, dir, name_of(name));
	reply_result(req, r);
}

void ops_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir,
		const char *new_name, unsigned flags)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	const struct volume_new whiteout = {.mode = S_IFCHR, .uid = caller->uid, .gid = caller->gid, .open_flags = -1};
	struct fs *fs = fs_of(req);
	int r;

	r = check_name(fs, dir, name);
	if (r == 0)
		r = check_name(fs, new_dir, new_name);
	if (r == 0)
		r = volume_rename(fs->volume, dir, name_of(name), new_dir, name_of(new_name),
				  flags & ~(unsigned)RENAME_WHITEOUT, flags & RENAME_WHITEOUT ? &whiteout : NULL);
	reply_result(req, r);
}

void ops_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[SYMLINK_BYTES_MAX + 1];
	int r;

	r = control_owns(ino) ? -EINVAL : volume_readlink(fs_of(req)->volume, ino, target);
	if (r < 0) {
		reply_result(req, r);
		return;
	}
	volume_accessed(fs_of(req)->volume, ino);
	reply_target(req, target);
}
