/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ksmfs/control.h - where the control files of a mount are, for programs that read or write them.
 *
 * Paths are relative to the root of the mount.  Each file is one value and a newline, but KSMFS_STATS: every
 * value, one "name value" a line, of one instant (that of open(2)).  Which files there are, and what they mean,
 * is in ksmfs(8).
 *
 *	int fd = openat(mount_fd, KSMFS_CONTROL "/pages_sharing", O_RDONLY);
 */
#pragma once

#define KSMFS_CONTROL         ".ksmfs"
#define KSMFS_STATS           KSMFS_CONTROL "/stats"
#define KSMFS_CHECK           KSMFS_CONTROL "/check" /* "ok", or a violation a line; root */
#define KSMFS_INDEX_DIRECTORY KSMFS_CONTROL "/index/directory" /* where names.db and index.db are */
#define KSMFS_TENANTS         KSMFS_CONTROL "/tenants" /* NAME/ of each: a file a figure, and "stats" */
