/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/notify.c - one poll for errands and purges, the table of mounts, and memory pressure.
 *
 * While the clone is made its maker has the mount in hand for some microseconds, and an umount in just these finds it
 * busy.  The first notifier does so before anybody is told that there is a mount; another only after that was killed.
 */
#include "fs/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"
#include "fs/privileges.h"
#include "fs/title.h"

enum { FIRST_FD = 3, SYS_cachestat_ = 451 };

/* How the kernel tells a file of FUSE by a handle: 64 bits of inode number, upper half first, and a generation, of
 * which ours have none (their numbers never recur). */
enum { HANDLE_TYPE = 0x81 };
struct handle {
	struct file_handle head;
	uint32_t ino_high, ino_low, generation;
};

static struct {
	struct errands *errands;
	int clone_fd; /* a path; */
	int root_fd;  /* the root directory through it, when a worker has once answered */
	int errand_fd, mounts_fd, pressure_fd;
	bool counts; /* there is cachestat(2) */
} notify = {.clone_fd = -1, .root_fd = -1, .counts = true};

/* --- an errand ----------------------------------------------------------------------------------- */

/* As in <linux/mman.h> of 6.5. */
struct cached {
	uint64_t cache, dirty, writeback, evicted, recently_evicted;
};

/* Where they cannot be counted: 1, so that they are taken to be there. */
static uint64_t count_pages(int fd)
{
	const uint64_t whole[2] = {0, 0};
	struct cached c;

	if (notify.counts && syscall(SYS_cachestat_, fd, whole, &c, 0) == 0)
		return c.cache;
	if (notify.counts)
		log_info("pages in the kernel's page cache cannot be counted: %m");
	notify.counts = false;
	return 1;
}

static int open_root(void)
{
	if (notify.root_fd < 0)
		notify.root_fd = openat(notify.clone_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return notify.root_fd < 0 ? -errno : 0;
}

/* O_NONBLOCK: not to wait until somebody has given up a lease. */
static int open_file(uint64_t ino)
{
	struct handle h = {
		.head = {.handle_bytes = sizeof(h) - sizeof(h.head), .handle_type = HANDLE_TYPE},
		.ino_high = (uint32_t)(ino >> 32),
		.ino_low = (uint32_t)ino,
	};
	int fd, r;

	r = open_root();
	if (r < 0)
		return r;
	fd = open_by_handle_at(notify.root_fd, &h.head, O_RDONLY | O_NOATIME | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void run(struct errand *e)
{
	int fd = open_file(e->ino);

	e->error = MIN(fd, 0);
	e->before = e->after = 0;
	if (fd < 0)
		return;
	e->before = e->after = count_pages(fd);
	if (!e->drops && !notify.counts)
		e->error = -ENOSYS;
	if (e->drops && e->before) {
		e->error = -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		e->after = notify.counts ? count_pages(fd) : 0;
	}
	close(fd);
}

/* All of its pages go when it is opened: the worker answers so, and knows when it has not been asked. */
static void purge_pages(uint64_t ino)
{
	int fd = open_file(ino);

	if (fd >= 0)
		close(fd);
}

static void run_purges(struct purge *p)
{
	uint64_t ino;

	while (purge_next(p, &ino)) {
		purge_pages(ino);
		purge_ended(p);
	}
}

/* --- the start ----------------------------------------------------------------------------------- */

/* Not even its attributes are asked for: nobody may serve yet. */
static bool is_ours(int fd, const struct mountinfo *mount)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) == 0 && st.stx_dev_major == mount->major &&
	       st.stx_dev_minor == mount->minor;
}

static void clone_mount(const struct notify_start *start)
{
	char at[PATH_MAX];
	int r;

	r = mountinfo_where(start->mount, start->mountpoint, at);
	if (r == -ENOENT)
		_exit(0);
	notify.clone_fd = open_tree(AT_FDCWD, r < 0 ? start->mountpoint : at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (notify.clone_fd >= 0 && is_ours(notify.clone_fd, start->mount))
		return;
	log_warning("the kernel's page cache is left alone, whatever trim_mode says: %s",
		    notify.clone_fd < 0 ? strerror(errno) : "something else is mounted over the mount");
	_exit(0);
}

/* What the supervisor has open is none of ours, /dev/fuse above all (N2). */
static void keep_fds(int *fds[], int count)
{
	int high = FIRST_FD + count;

	for (int i = 0; i < count; i++)
		high = MAX(high, *fds[i] + 1);
	for (int i = 0; i < count; i++)
		if (*fds[i] >= 0 && (*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, high)) < 0)
			_exit(1);
	for (int i = 0; i < count; i++) {
		if (*fds[i] < 0)
			close(FIRST_FD + i);
		else if ((*fds[i] = dup3(*fds[i], FIRST_FD + i, O_CLOEXEC)) < 0)
			_exit(1);
	}
	close_range((unsigned)(FIRST_FD + count), UINT_MAX, 0);
}

static void begin(const struct notify_start *start)
{
	int *kept[] = {&notify.clone_fd, &notify.errand_fd, &notify.pressure_fd};

	title_set("ksmfs-notify", start->mountpoint);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != start->supervisor)
		_exit(1);
	notify.errands = &start->session->errands;
	notify.errand_fd = start->errand_fd;
	notify.pressure_fd = start->pressure_fd;
	clone_mount(start);
	if (privileges_drop(ROLE_NOTIFIER) < 0 || privileges_seal() < 0)
		_exit(1);
	atomic_store(&notify.errands->notifier, getpid());
	keep_fds(kept, ARRAY_SIZE(kept)); /* whoever waits for us sees the end of a pipe */
	notify.mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (notify.mounts_fd < 0)
		_exit(1);
}

/* --- the loop ------------------------------------------------------------------------------------ */

/* N1: this may be what ends the file system, and takes as long as that. */
static void leave_if_gone(const struct notify_start *start)
{
	char at[PATH_MAX];

	if (mountinfo_where(start->mount, start->mountpoint, at) != -ENOENT)
		return;
	atomic_store(&notify.errands->notifier, 0);
	_exit(0);
}

/* N1, between two errands, too: a batch may take long. */
static void run_errands(const struct notify_start *start)
{
	struct errand *e;

	run_purges(&start->session->purge);
	while ((e = errand_next(notify.errands))) {
		run(e);
		errand_ended(notify.errands);
		run_purges(&start->session->purge);
		if (poll(&(struct pollfd){.fd = notify.mounts_fd, .events = POLLPRI}, 1, 0) > 0)
			leave_if_gone(start);
	}
}

static void take_pressure(short events)
{
	if (events & POLLERR) { /* its group has gone */
		close(notify.pressure_fd);
		notify.pressure_fd = -1;
	} else if (events & POLLPRI) {
		errand_press(notify.errands);
	}
}

_Noreturn void notify_run(const struct notify_start *start)
{
	struct pollfd polled[3];
	uint64_t told;

	begin(start);
	leave_if_gone(start); /* before we looked */
	for (;;) {
		run_errands(start);
		polled[0] = (struct pollfd){.fd = notify.errand_fd, .events = POLLIN};
		polled[1] = (struct pollfd){.fd = notify.mounts_fd, .events = POLLPRI};
		polled[2] = (struct pollfd){.fd = notify.pressure_fd, .events = POLLPRI};
		if (poll(polled, ARRAY_SIZE(polled), -1) < 0)
			continue;
		if (polled[0].revents && read(notify.errand_fd, &told, sizeof(told)) < 0)
			continue;
		if (polled[1].revents)
			leave_if_gone(start);
		take_pressure(polled[2].revents);
	}
}
