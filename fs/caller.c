/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/caller.c - the user of a request.
 *
 * To a daemon that agreed to idmapped mounts (transport.c) the kernel tells a user only with what
 * creates an inode; with everything else it says -1.  Then /proc tells: the thread that asks sleeps in
 * its call, uninterruptibly once we have read the request, so neither can its number come to mean another
 * nor can its ids change before we answer.
 *
 * Nobody's are: a thread of the kernel (an NFS server asks for somebody it does not name there); number
 * 0, which is a process outside of our PID namespace; and all numbers, where /proc is that of another PID
 * namespace than ours.
 */
#include "fs/caller.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOBODY ((uid_t)-1)

/* What /proc/PID/status says. */
struct status {
	uid_t uid; /* the one that file systems go by */
	pid_t pid; /* in the PID namespace of /proc; 0: in one below it as well */
	bool is_user; /* no thread of the kernel */
};

static void read_line(const char *line, struct status *s)
{
	unsigned real, effective, saved, fs;
	int pid, below;

	if (sscanf(line, "Uid: %u %u %u %u", &real, &effective, &saved, &fs) == 4)
		s->uid = (uid_t)fs;
	if (sscanf(line, "NSpid: %d %d", &pid, &below) == 1)
		s->pid = pid;
	if (strcmp(line, "Kthread:\t0\n") == 0) /* told by kernels that keep users to themselves */
		s->is_user = true;
}

static struct status read_status(const char *path)
{
	struct status s = {.uid = NOBODY};
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0)
		read_line(line, &s);
	free(line);
	if (f)
		fclose(f);
	return s;
}

static uid_t uid_of_thread(pid_t thread)
{
	struct status s;
	char path[64];

	if (read_status("/proc/self/status").pid != getpid())
		return NOBODY;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	s = read_status(path);
	return s.is_user ? s.uid : NOBODY;
}

bool caller_is(fuse_req_t req, uid_t owner)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	uid_t uid = ctx->uid;

	if (uid == NOBODY && ctx->pid > 0)
		uid = uid_of_thread(ctx->pid);
	return uid == 0 || (uid != NOBODY && uid == owner);
}
