/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/find.c - a process of ours says its role and its mount point where others have their arguments.  In other mount
 * namespaces (containers) that may be those of another mount: so its socket tells first who the supervisor is. */
#include "fs/find.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/mountinfo.h"
#include "fs/order.h"

enum { TITLE_BYTES = PATH_MAX + 64 };

/* realpath(3) reads links and asks for nothing else, so a mount point is not asked for its attributes. */
int find_mountpoint(const char *word, char ret[PATH_MAX], struct why *why)
{
	if (!realpath(word, ret))
		return why_errno(why, -errno, "mount point %s", word);
	return 0;
}

/* False: it is gone, or has none. */
static bool read_proc(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

/* A command line is read under a lock of its process's memory, and who uses our mount may hold that until we answer:
 * nobody is asked for his who does not have our name. */
static bool has_role(pid_t pid, const char *role, const char *mountpoint)
{
	char text[TITLE_BYTES], title[TITLE_BYTES];

	snprintf(title, sizeof(title), "%s\n", role);
	if (!read_proc(pid, "comm", text, sizeof(text)) || strcmp(text, title) != 0)
		return false;
	snprintf(title, sizeof(title), "%s %s", role, mountpoint);
	return read_proc(pid, "cmdline", text, sizeof(text)) && strcmp(text, title) == 0;
}

static bool belongs_to(pid_t pid, uid_t owner)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%ld", (long)pid);
	return stat(path, &st) == 0 && st.st_uid == owner;
}

/* 0 where it is not to be seen. */
static pid_t parent_of(pid_t pid)
{
	char text[512], *end;

	if (!read_proc(pid, "stat", text, sizeof(text)))
		return 0;
	end = strrchr(text, ')'); /* of the command: then come state and parent */
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

pid_t find_process(const char *role, const char *mountpoint, uid_t owner, pid_t parent)
{
	struct dirent *entry;
	pid_t pid, found = 0;
	DIR *dir;

	dir = opendir("/proc");
	while (dir && !found && (entry = readdir(dir)) != NULL) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10); /* 0: no process */
		if (pid > 0 && has_role(pid, role, mountpoint) && belongs_to(pid, owner) &&
		    (!parent || parent_of(pid) == parent))
			found = pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

int find_supervisor(const char *mountpoint, pid_t *ret, uid_t *ret_owner, struct why *why)
{
	static const char role[] = "ksmfs-super";
	struct mountinfo info;
	pid_t found, parent;
	int r;

	r = mountinfo_find(mountpoint, &info);
	if (r == -ENOENT)
		return why_say(why, r, "no FUSE file system is mounted on %s", mountpoint);
	if (r < 0)
		return why_errno(why, r, "cannot find %s among the mounts", mountpoint);
	*ret_owner = info.owner;
	if (order_find(&info, ret) == 0 && *ret > 0)
		return 0;
	found = find_process(role, mountpoint, info.owner, 0);
	if (!found)
		return why_say(why, -ESRCH, "no ksmfs daemon of %s is to be seen", mountpoint);
	/* Its children have its title until they give themselves another. */
	parent = parent_of(found);
	*ret = parent && has_role(parent, role, mountpoint) ? parent : found;
	return 0;
}
