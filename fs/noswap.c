/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/noswap.c - files without a name on a tmpfs that has noswap and is mounted nowhere.
 *
 * To lock it instead (mlock) would hold only while a worker has it mapped, and only what that worker has touched; and
 * holding RLIMIT_MEMLOCK to the size of the mount is more than most may.  A memfd that is not to be swapped cannot be
 * had.  The tmpfs has no limit of its own: frames have theirs.  It lives as long as the two files are open.
 */
#include "fs/noswap.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static int configure(int fs)
{
	/* 0: no limit */
	static const char *const settings[][2] = { { "size", "0" }, { "nr_inodes", "0" }, { "mode", "0700" } };

	for (unsigned n = 0; n < ARRAY_SIZE(settings); n++)
		if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, settings[n][0], settings[n][1], 0) < 0)
			return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "noswap", NULL, 0) < 0)
		return -errno;
	return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

static int mount_nowhere(int *ret_fd)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), fd = -1, r;

	if (fs < 0)
		return -errno;
	r = configure(fs);
	if (!r)
		fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
				  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (!r && fd < 0)
		r = -errno;
	close(fs);
	*ret_fd = fd;
	return r;
}

/* Its name is of no use but to who looks at our descriptors. */
static int make_file(int dir, const char *name, int *ret_fd)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || unlinkat(dir, name, 0) < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int noswap_memory(int *ret_frames_fd, int *ret_inodes_fd, struct why *why)
{
	int dir = -1, r;

	r = mount_nowhere(&dir);
	if (r == -EPERM)
		return why_say(why, r, "option noswap: only root can have memory that is never swapped");
	if (r == -EINVAL)
		return why_say(why, r, "option noswap: it takes Linux 6.4, and root of the host, not of a namespace");
	if (r < 0)
		return why_errno(why, r, "option noswap: no memory that is never swapped");
	r = make_file(dir, "ksmfs-frames", ret_frames_fd);
	if (!r)
		r = make_file(dir, "ksmfs-inodes", ret_inodes_fd);
	close(dir);
	return r < 0 ? why_errno(why, r, "option noswap: no file in memory that is never swapped") : 0;
}
