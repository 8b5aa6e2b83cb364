/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/guard.h - what chattr(1) has said of an inode: what must not be changed, by root either.
 *
 * Owns     the bits INODE_IMMUTABLE, _APPEND, _NODUMP and _NOATIME of a record.
 * Keeps    E1 refused is what the VFS refuses for an immutable or append-only inode of tmpfs; the kernel does not
 *             know that an inode of FUSE is one.
 *          E2 what is open stays as it was opened: a write through it and a writeback are never refused.
 * Threads  single words: any thread, no lock. Who may set them, the kernel has looked at.
 * Fails    -EPERM; guard_set(): -EOPNOTSUPP.
 */
#pragma once

#include "inode.h"

/* FS_*_FL of <linux/fs.h>. Others than those above are not supported (tmpfs). */
unsigned guard_get(const struct inode *i);
int guard_set(struct inode *i, unsigned flags) must_check;
void guard_inherit(struct inode *i, const struct inode *dir);

/* Mode, owner, times of somebody's choice, extended attributes, one link more. */
int guard_attributes(const struct inode *i) must_check;
/* Times of now. */
int guard_touch(const struct inode *i) must_check;
/* Size, by name or (`open`) through a descriptor. */
int guard_size(const struct inode *i, bool open) must_check;
int guard_open(const struct inode *i, int flags) must_check;
int guard_allocate(const struct inode *i, int mode) must_check;
int guard_copy(const struct inode *to) must_check;

/* A name comes into `dir`; the name of `i` leaves it, by removal, renaming, or being replaced. */
int guard_enter(const struct inode *dir) must_check;
int guard_leave(const struct inode *dir, const struct inode *i) must_check;
