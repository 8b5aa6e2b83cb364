/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_lookup.c - names that are there, and who has been told of them. */
#include "receipt.h"
#include "volume_inside.h"

int volume_names_errno(int r)
{
	switch (r) {
	case NAMES_ABSENT:
		return -ENOENT;
	case NAMES_EXISTS:
		return -EEXIST;
	default:
		return FOLD(r);
	}
}

int volume_get_dir(struct volume *v, uint64_t ino, struct inode **ret)
{
	struct inode *i = volume_inode(v, ino);
	struct inode_attr attr;

	if (!i)
		return -ESTALE;
	attr = inode_attr_get(i);
	if (!S_ISDIR(attr.mode))
		return -ENOTDIR;
	if (!attr.nlink)
		return -ENOENT; /* removed, but somebody is still in it */
	*ret = i;
	return 0;
}

void volume_fill(struct inode *i, struct volume_entry *ret)
{
	ret->ino = inode_ino(i);
	inode_stat(i, &ret->attr);
}

/* One lookup more, which the answer lists. */
static bool remember(struct inode *i, uint64_t ino)
{
	return receipt_count(i, ino, &(struct receipt_change){ .lookups = 1, .then = RECEIPT_LISTED }, NULL);
}

int volume_lookup(struct volume *v, uint64_t dir, struct name name, struct volume_entry *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i;
	uint64_t ino;
	int r;

	gate_enter(&v->gate);
	r = volume_get_dir(v, dir, &i);
	if (!r)
		r = volume_names_errno(names_lookup(v->names, dir, name, &ino));
	if (!r) {
		i = volume_inode(v, ino);
		r = i && remember(i, ino) ? 0 : -ENOENT; /* removed just now */
	}
	if (!r)
		volume_fill(i, ret);
	gate_leave(&v->gate);
	return r;
}

int volume_remember(struct volume *v, uint64_t ino, struct volume_entry *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	if (!i || !inode_attr_get(i).nlink || !remember(i, ino))
		return -ESTALE;
	volume_fill(i, ret);
	return 0;
}

static void forget(struct volume *v, uint64_t ino, uint64_t lookups, enum receipt_state then)
{
	HOLDS_INODES(v->pool.itable);
	const struct receipt_change change = { .lookups = -(int64_t)lookups, .then = then };
	struct inode *i = volume_inode(v, ino);

	if (!i || ino == ROOT_INO)
		return;
	gate_enter(&v->gate);
	if (receipt_count(i, ino, &change, NULL))
		(void)volume_bury(v, i);
	gate_leave(&v->gate);
}

void volume_forget(struct volume *v, uint64_t ino, uint64_t lookups)
{
	if (!receipt_skips())
		forget(v, ino, MIN(lookups, (uint64_t)INT64_MAX), RECEIPT_FORGOT);
}

void volume_unlist(struct volume *v)
{
	struct receipt *r;

	while ((r = receipt_in(RECEIPT_LISTED)) && r->steps) {
		uint32_t steps = r->steps;

		forget(v, r->listed[steps - 1], 1, RECEIPT_LISTED);
		r->steps = steps - 1; /* of the root nothing is counted */
	}
}

int volume_parent(struct volume *v, uint64_t dir, uint64_t *ret_parent)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, dir);
	struct inode_attr attr;

	if (!i)
		return -ESTALE;
	attr = inode_attr_get(i);
	if (!S_ISDIR(attr.mode))
		return -ENOTDIR;
	*ret_parent = attr.parent;
	return 0;
}

mode_t volume_type(struct volume *v, uint64_t ino)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	return i ? inode_attr_get(i).mode & S_IFMT : 0;
}

int volume_list(struct volume *v, uint64_t dir, uint64_t offset, struct names_entry *ret, unsigned max,
		unsigned *ret_count)
{
	int r;

	gate_enter(&v->gate);
	r = volume_names_errno(names_list(v->names, dir, offset, ret, max, ret_count));
	gate_leave(&v->gate);
	return r;
}

int volume_readlink(struct volume *v, uint64_t ino, char *buf)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	int r;

	if (!i)
		return -ESTALE;
	if (!S_ISLNK(inode_attr_get(i).mode))
		return -EINVAL;
	gate_enter(&v->gate);
	r = volume_names_errno(names_readlink(v->names, ino, buf));
	gate_leave(&v->gate);
	return r;
}

