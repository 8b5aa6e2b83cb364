/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ksmfs/xattr.h - the extended attributes that every file and directory on a ksmfs has.  Other names that begin with
 * "user.ksmfs." are refused (EOPNOTSUPP).
 *
 * KSMFS_XATTR_MERGEABLE
 *	"1": pages may be merged.  "0": they are not, and what was merged has been split when the call that sets
 *	it returns.  "keep": nothing more is merged; what is merged stays, and pages of other files may still be
 *	merged with it.  Of a directory: what new entries start with.  A newline may follow when it is set.
 *	Always there; listed only where it is not what the mount starts with (its option merge=), which removing
 *	it goes back to.
 *	EPERM: neither the owner nor root.  ENOMEM, EINTR: the file is out of merging, but not all of it has been
 *	split: set it again.
 * KSMFS_XATTR_STAT
 *	What merging does for a file, for everything below a directory, or, of a tenant's directory, for all that
 *	the tenant has, with a name or without: one "name value" a line, named as the fields of struct ksmfs_stat
 *	(ksmfs/ioctl.h).  Never listed; EPERM for whoever sets it.  The length told to getxattr(2) with a size of 0
 *	is what it may be at most.  EPERM: of a directory, for neither its owner nor root, on a mount with tenants or
 *	several domains.
 *
 * And these, which only directories in the root of the mount can have, and only CAP_SYS_ADMIN sees.  Either makes the
 * directory a tenant; other names that begin with "trusted.ksmfs." are refused (EINVAL).
 *
 * KSMFS_XATTR_SIZE
 *	How much all files below it may hold, as the mount option size.
 * KSMFS_XATTR_INODES
 *	How many inodes there may be, itself included, as the mount option nr_inodes.
 *	EINVAL: no such value, less than is in use, or another inode.  ENOTEMPTY: something is in the directory, and it
 *	is no tenant yet, or this is its last limit that is to be removed.
 */
#pragma once

#define KSMFS_XATTR_MERGEABLE "user.ksmfs.mergeable"
#define KSMFS_XATTR_STAT      "user.ksmfs.stat"
#define KSMFS_XATTR_SIZE      "trusted.ksmfs.size"
#define KSMFS_XATTR_INODES    "trusted.ksmfs.inodes"
