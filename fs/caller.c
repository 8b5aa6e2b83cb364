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

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#define NOBODY ((uid_t)-1)

/* What /proc/PID/status says. */
struct status {
	uid_t uid;   /* the one that file systems go by */
	gid_t group; /* asked for */
	bool is_in_group;
	pid_t pid; /* in the PID namespace of /proc; 0: in one below it as well */
	bool is_user; /* no thread of the kernel */
	bool is_told; /* Linux 6.8 says so itself; before it, who has memory is a user */
	uint64_t capabilities; /* effective, in whatever user namespace */
	uint64_t pending; /* signals, its own and its process's */
};

enum { NUMBERS = 4 };

/* The first numbers of a line behind its name. */
static unsigned read_numbers(const char *text, unsigned long ret[static NUMBERS])
{
	unsigned count = 0;
	char *end;

	for (; count < NUMBERS; count++, text = end) {
		ret[count] = strtoul(text, &end, 10);
		if (end == text)
			break;
	}
	return count;
}

/* One of any number of numbers. */
static bool is_listed(const char *text, unsigned long number)
{
	char *end;

	for (;; text = end) {
		unsigned long n = strtoul(text, &end, 10);

		if (end == text)
			return false;
		if (n == number)
			return true;
	}
}

static void read_line(const char *line, struct status *s)
{
	unsigned long number[NUMBERS];

	/* Real, effective, saved, and that of file systems. */
	if (strncmp(line, "Uid:", 4) == 0 && read_numbers(line + 4, number) == 4)
		s->uid = (uid_t)number[3];
	if (strncmp(line, "Gid:", 4) == 0 && read_numbers(line + 4, number) == 4)
		s->is_in_group |= (gid_t)number[3] == s->group;
	if (strncmp(line, "Groups:", 7) == 0)
		s->is_in_group |= is_listed(line + 7, s->group);
	/* A number for each namespace that it is in, from that of /proc on. */
	if (strncmp(line, "NSpid:", 6) == 0 && read_numbers(line + 6, number) == 1)
		s->pid = (pid_t)number[0];
	if (strncmp(line, "Kthread:", 8) == 0) {
		s->is_told = true;
		s->is_user = strtoul(line + 8, NULL, 10) == 0;
	}
	if (strncmp(line, "VmSize:", 7) == 0 && !s->is_told)
		s->is_user = true;
	if (strncmp(line, "CapEff:", 7) == 0)
		s->capabilities = strtoull(line + 7, NULL, 16);
	if (strncmp(line, "SigPnd:", 7) == 0 || strncmp(line, "ShdPnd:", 7) == 0)
		s->pending |= strtoull(line + 7, NULL, 16);
}

static struct status read_status(const char *path, gid_t group)
{
	struct status s = {.uid = NOBODY, .group = group};
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

/* False: nothing can be said of it. */
static bool find_thread(pid_t thread, gid_t group, struct status *ret)
{
	char path[64];

	if (thread <= 0 || read_status("/proc/self/status", 0).pid != getpid())
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	*ret = read_status(path, group);
	return true;
}

static struct status status_of_thread(pid_t thread, gid_t group)
{
	struct status s;

	return find_thread(thread, group, &s) && s.is_user ? s : (struct status){.uid = NOBODY};
}

/* In the first user namespace everybody is who he is; in one below it somebody's numbers are mapped or missing, or it
 * was made by one who is as good as root. */
static bool has_all_users(pid_t thread)
{
	unsigned long number[NUMBERS]; /* here, there, how many */
	char path[64], line[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)thread);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return read_numbers(line, number) == 3 && number[0] == 0 && number[1] == 0 && number[2] == UINT32_MAX;
}

bool caller_is(fuse_req_t req, uid_t owner)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	uid_t uid = ctx->uid;

	if (uid == NOBODY)
		uid = status_of_thread(ctx->pid, 0).uid;
	return uid == 0 || (uid != NOBODY && uid == owner);
}

bool caller_is_stranger(fuse_req_t req, uid_t owner)
{
	const uint64_t reads_all = UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_DAC_READ_SEARCH;
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	uid_t uid = ctx->uid;
	struct status s;

	if (uid == 0 || uid == owner)
		return false;
	s = status_of_thread(ctx->pid, 0);
	if (uid == NOBODY)
		uid = s.uid;
	if (uid == NOBODY || uid == 0 || uid == owner)
		return false;
	return !((s.capabilities & reads_all) && has_all_users(ctx->pid));
}

bool caller_is_in(fuse_req_t req, gid_t group)
{
	pid_t thread = fuse_req_ctx(req)->pid;
	struct status s = status_of_thread(thread, group);

	if (s.is_in_group)
		return true;
	return (s.capabilities & UINT64_C(1) << CAP_FSETID) && has_all_users(thread);
}

bool caller_is_admin(fuse_req_t req)
{
	pid_t thread = fuse_req_ctx(req)->pid;
	struct status s = status_of_thread(thread, 0);

	return (s.capabilities & UINT64_C(1) << CAP_SYS_ADMIN) && has_all_users(thread);
}

bool caller_is_killed(pid_t thread)
{
	struct status s;

	return find_thread(thread, 0, &s) && (s.pending & UINT64_C(1) << (SIGKILL - 1));
}
