/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/pressure.c - memory is short, and who needs some waits until dirty pages are written back: that is, for us.
 *
 * So we must not wait for the same.  As an I/O flusher a thread that asks the kernel for memory is not sent to write to
 * file systems and swap itself, nor held back for the dirty pages that others make.  And what we need in order to
 * answer (code, stacks, the words of frames, the content index, inode records) must not have to be read from a disk
 * that is busy with writing others away.  Frames are as good as anybody's memory: they are swapped.
 */
#include "fs/pressure.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/cgroup.h"
#include "core/log.h"
#include "fs/privileges.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

enum { SCORE_MIN = -1000, LARGE_BYTES = 128 << 10 };

static void flush_for_others(void)
{
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		log_info("not marked as an I/O flusher (CAP_SYS_RESOURCE): %s", strerror(errno));
}

static bool set_score(int fd, int score)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", score);

	return pwrite(fd, text, (size_t)len, 0) == len;
}

/* Who may not have the lowest may have some, down to what nobody tells. */
static int lower_score(int fd, int score)
{
	int refused = SCORE_MIN;

	if (set_score(fd, SCORE_MIN))
		return SCORE_MIN;
	while (score - refused > 1) {
		int middle = refused + (score - refused) / 2;

		if (set_score(fd, middle))
			score = middle;
		else
			refused = middle;
	}
	return score;
}

static void be_killed_last(void)
{
	char text[16] = "";
	int fd, score = SCORE_MIN;

	fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (fd >= 0 && pread(fd, text, sizeof(text) - 1, 0) > 0)
		score = lower_score(fd, (int)strtol(text, NULL, 10));
	if (!*text)
		log_info("oom_score_adj cannot be looked at: %s", strerror(errno));
	else if (score > SCORE_MIN)
		log_info("oom_score_adj is %d, not %d (CAP_SYS_RESOURCE)", score, SCORE_MIN);
	if (fd >= 0)
		close(fd);
}

void pressure_mark(void)
{
	flush_for_others();
	be_killed_last();
}

/* With a limit, what is mapped later (and most of it never touched) would fail. */
static bool may_lock_all(void)
{
	struct rlimit limit;

	if (privileges_can_lock())
		return true;
	return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

/* Three parts in forty of the time, somebody has waited for memory.  Who may not have threads of the kernel for it is
 * allowed windows of whole two seconds only. */
static const char waited[] = "some 150000 2000000";

/* It may be there and take no trigger from us. */
static int watch(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && write(fd, waited, sizeof(waited)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int watch_group(void)
{
	struct cgroup group;
	char path[sizeof(group.path) + 32];

	if (cgroup_find(CGROUP_V2, &group) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/memory.pressure", group.path);
	return watch(path);
}

int pressure_watch(void)
{
	int fd = watch("/proc/pressure/memory");

	if (fd < 0)
		fd = watch_group();
	if (fd < 0)
		log_info("the kernel does not tell when memory is short: files' pages are trimmed by age alone");
	return fd;
}

/* Of a heap that is locked only its end goes back: malloc() would give back more, by calls that fail.  So what is large
 * never comes from one: by itself it would, once something as large had been freed.  And threads have one heap between
 * them, rather than each what it was the only one to need at some time: they keep small pieces of their own. */
bool pressure_lock(void)
{
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	return may_lock_all() && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}
