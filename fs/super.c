/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/super.c - from the first step to the last.
 *
 *   start    directory, memfds, mount, INIT, worker, ready        [super_start]
 *   serve    what becomes of workers (watch.c), clean up           [super_serve]
 *
 * In between it can become another program, which goes on (upgrade.c).
 *
 * All signals but those of a crash stay blocked, here and in the worker, and are read from a signalfd:
 * so none can come between a fork and its bookkeeping.
 */
#include "fs/super_inside.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/log.h"
#include "core/volume.h"
#include "fs/newer.h"
#include "fs/noswap.h"
#include "fs/notify.h"
#include "fs/order.h"
#include "fs/pressure.h"
#include "fs/privileges.h"
#include "fs/takeover.h"
#include "fs/title.h"
#include "fs/worker.h"

enum {
	INIT_MS = 10000, /* the kernel sends INIT while it mounts */
	NOTIFIER_MS = 2000, /* a few system calls */
};

static watch_start fork_worker;

struct super super = {
	.rundir.lock_fd = -1,
	.mount = {.fuse_fd = -1, .unmounter_fd = -1},
	.session_fd = -1,
	.frames_fd = -1,
	.inodes_fd = -1,
	.ready_fd = -1,
	.errand_fd = -1,
	.pressure_fd = -1,
	.client_fd = -1,
	.predecessor_fd = -1,
	.watch = {
		.mount = &super.mount,
		.signal_fd = -1,
		.order_fd = -1,
		.start = fork_worker,
		.take_order = upgrade_take_order,
		.death = {.canary_fd = {-1, -1}, .vmstat_fd = -1},
	},
};

/* --- the end ------------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* U2, in the order in which each lets go of the next. */
void super_clean_up(void)
{
	watch_end(&super.watch);
	mount_end(&super.mount);
	watch_fini(&super.watch);
	session_drop(super.session);
	super.session = NULL;
	close_fd(&super.session_fd);
	close_fd(&super.frames_fd);
	close_fd(&super.inodes_fd);
	close_fd(&super.errand_fd);
	close_fd(&super.pressure_fd);
	rundir_remove(&super.rundir);
	order_close(&super.watch.order_fd, super.order_path);
	close_fd(&super.predecessor_fd);
	close_fd(&super.watch.signal_fd);
}

/* --- the start ----------------------------------------------------------------------------------- */

static int make_memory(struct why *why)
{
	int r;

	if (super.options.noswap) {
		r = noswap_memory(&super.frames_fd, &super.inodes_fd, why);
		if (r < 0)
			return r; /* it has said why */
	} else {
		r = volume_memfds(&super.frames_fd, &super.inodes_fd);
	}
	if (r == 0)
		r = session_make(&super.session_fd, &super.session);
	super.watch.session = super.session;
	if (r == 0)
		r = session_lock_slot(super.session, 0);
#ifdef KSMFS_HOOKS
	if (r >= 0)
		r = failpoint_kills_share();
#endif
	return r < 0 ? why_errno(why, r, "cannot make shared memory") : 0;
}

/* Where we may not clone a mount nobody can run errands, and none are made. */
void super_make_errands(void)
{
	if (super.mount.unmounter_fd < 0)
		super.errand_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (super.errand_fd < 0)
		log_info("the kernel's page cache is left alone, whatever trim_mode says");
}

/* Wait until `fd` can be read. -ECANCELED: we were asked to stop. */
static int wait_for(int fd, int ms)
{
	struct pollfd polled[] = {{.fd = fd, .events = POLLIN}, {.fd = super.watch.signal_fd, .events = POLLIN}};
	int n, signo;

	for (;;) {
		n = poll(polled, ARRAY_SIZE(polled), ms);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
		while (n > 0 && (signo = watch_next_signal(super.watch.signal_fd)) != 0)
			if (signo != SIGCHLD && signo != SIGUSR1) /* a worker is being tried as it is */
				return -ECANCELED;
		if (n > 0 && polled[0].revents)
			return 0;
	}
}

#ifdef KSMFS_HOOKS
/* For a test: what a kernel before 6.9 offers. */
static void hide_resend(struct session *s)
{
	struct fuse_init_in *in = (void *)(s->init + sizeof(struct fuse_in_header));

	if (getenv("KSMFS_NO_RESEND"))
		in->flags2 &= ~(uint32_t)(NEWER_HAS_RESEND >> 32);
}
#endif

/* The request that comes first goes into the session, for this worker and later ones. */
static int read_init(struct why *why)
{
	struct session *s = super.session;
	struct session_slot *slot = &s->slot[0];
	const struct fuse_in_header *head = (const void *)slot->request;
	ssize_t n;
	int r;

	r = wait_for(super.mount.fuse_fd, INIT_MS);
	if (r < 0)
		return why_errno(why, r, "no FUSE_INIT from the kernel");
	n = read(super.mount.fuse_fd, slot->request, sizeof(slot->request));
	if (n < 0)
		return why_errno(why, -errno, "cannot read FUSE_INIT");
	if ((size_t)n < sizeof(*head) || head->opcode != FUSE_INIT || (size_t)n > sizeof(s->init))
		return why_say(why, -EPROTO, "the kernel's FUSE did not begin with INIT");
	memcpy(s->init, slot->request, (size_t)n);
	s->init_bytes = (uint32_t)n;
#ifdef KSMFS_HOOKS
	hide_resend(s);
#endif
	return 0;
}

/* The kernel leaves times of access on FUSE to the daemon, and tells it of no remount. */
static enum volume_atime atime_of(unsigned long mount_flags)
{
	if (mount_flags & (MS_RDONLY | MS_NOATIME))
		return VOLUME_ATIME_NEVER;
	return mount_flags & MS_STRICTATIME ? VOLUME_ATIME_STRICT : VOLUME_ATIME_RELATIVE;
}

/* A watch_start. */
static pid_t fork_worker(bool rests)
{
	const struct options *o = &super.options;
	pid_t pid;
	struct worker_start start = {
		.session = super.session,
		.fuse_fd = super.mount.fuse_fd,
		.ready_fd = super.ready_fd,
		.resend = super.watch.can_replace,
		.volume = {
			.frames_fd = super.frames_fd,
			.inodes_fd = super.inodes_fd,
			.receipts = takeover_receipts(super.session),
			.dir = super.rundir.path,
			.size_pages = o->size_pages,
			.nr_inodes = o->nr_inodes,
			.store_limit_pages = o->store_limit_pages,
			.noswap = o->noswap,
			.mode = o->mode,
			.uid = o->uid,
			.gid = o->gid,
			.merge_on_write = o->merge_on_write,
			.merge_optin = o->merge_optin,
			.domain = o->domain,
			.atime = atime_of(o->mount_flags),
			.dir_atime = o->mount_flags & MS_NODIRATIME ? VOLUME_ATIME_NEVER : atime_of(o->mount_flags),
		},
		.control = o->control,
		.mountpoint = super.mount.path,
		.mount = &super.mount.info,
		.session_fd = super.session_fd,
		.errand_fd = super.errand_fd,
		.max_ratio = o->max_ratio,
		.supervisor = getpid(),
		.rests = rests,
	};

	pid = fork();
	if (pid == 0) {
		close_fd(&super.client_fd); /* they would be open in it for as long as it lives */
		close_fd(&super.predecessor_fd);
		worker_run(&start);
	}
	return pid < 0 ? -errno : pid;
}

/* A watch_start_notifier. */
static pid_t fork_notifier(void)
{
	const struct notify_start start = {
		.session = super.session,
		.errand_fd = super.errand_fd,
		.pressure_fd = super.pressure_fd,
		.mount = &super.mount.info,
		.mountpoint = super.mount.path,
		.supervisor = getpid(),
	};
	pid_t pid;

	pid = fork();
	if (pid == 0)
		notify_run(&start);
	return pid < 0 ? -errno : pid;
}

void super_run_notifier(void)
{
	int ready[2];

	if (super.errand_fd < 0 || pipe2(ready, O_CLOEXEC) < 0)
		return;
	super.watch.start_notifier = fork_notifier;
	watch_begin_notifier(&super.watch);
	close(ready[1]);
	/* Signals wait for whoever heeds them. */
	(void)poll(&(struct pollfd){.fd = ready[0], .events = POLLIN}, 1, NOTIFIER_MS);
	close(ready[0]);
}

/* What the worker tells, or what became of it. */
static int await_worker(int ready_fd, struct why *why)
{
	struct why told;
	ssize_t n;
	int r;

	r = wait_for(ready_fd, -1);
	if (r < 0)
		return why_errno(why, r, "stopped while starting");
	n = read(ready_fd, &told, sizeof(told));
	if (n != (ssize_t)sizeof(told))
		return why_say(why, -EIO, "the worker died while starting");
	if (told.error)
		*why = told;
	return told.error;
}

int super_run_worker(struct why *why)
{
	int ready[2], r;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return why_errno(why, -errno, "cannot make a pipe");
	super.ready_fd = ready[1];
	r = watch_begin(&super.watch);
	super.ready_fd = -1; /* later ones have nobody waiting for them */
	close(ready[1]);
	if (r == 0)
		r = await_worker(ready[0], why);
	else
		r = why_errno(why, r, "cannot start the worker");
	close(ready[0]);
	return r;
}

/* Without it the mount serves all the same. */
static void be_reachable(void)
{
	struct why why;

	if (order_open(&super.mount.info, &super.watch.order_fd, super.order_path, &why) < 0)
		log_warning("no command will reach this process: %s", why.text);
}

void super_lock_memory(void)
{
	if (!pressure_lock())
		log_info("what the daemon works with can be swapped (neither CAP_IPC_LOCK nor RLIMIT_MEMLOCK unlimited)");
}

static int start_mount(const struct options *o, const char *source, const char *mountpoint, struct why *why)
{
	int r;

	r = watch_signals(&super.watch.signal_fd);
	if (r < 0)
		return why_errno(why, r, "cannot watch signals");
	pressure_mark();
	if (privileges_can_mount()) /* else nobody trims */
		super.pressure_fd = pressure_watch();
	r = privileges_drop(ROLE_SUPERVISOR);
	if (r < 0)
		return why_errno(why, r, "cannot drop privileges");
	super_lock_memory();
	super.rundir.noswap = o->noswap;
	r = rundir_make(&super.rundir, o->index, mountpoint, why);
	if (r < 0)
		return r;
	r = make_memory(why);
	if (r < 0)
		return r;
	r = mount_make(&super.mount, o, source, mountpoint, why);
	if (r < 0)
		return r;
	r = privileges_seal(); /* not before: fusermount3 gains some */
	if (r < 0)
		return why_errno(why, r, "cannot give up gaining privileges");
	r = read_init(why);
	if (r < 0)
		return r;
	super.watch.can_replace = session_offered(super.session) & NEWER_HAS_RESEND;
	if (!super.watch.can_replace)
		log_warning("this kernel does not send requests again, as Linux 6.9 does: if the worker dies the mount ends");
	be_reachable();
	super_make_errands();
	mount_tune(&super.mount, o); /* before a worker bounds more for its control group's sake */
	r = super_run_worker(why);
	if (r == 0)
		super_run_notifier();
	return r;
}

int super_start(const struct options *o, const char *source, const char *mountpoint, struct why *why)
{
	int r;

	super.options = *o;
	title_set("ksmfs-super", mountpoint);
	r = start_mount(o, source, mountpoint, why);
	if (r < 0) {
		super_clean_up();
		return r;
	}
	log_info("mounted: %llu pages, %llu inodes, databases in %s", (unsigned long long)o->size_pages,
		 (unsigned long long)o->nr_inodes, super.rundir.path);
	return 0;
}

/* --- serving ------------------------------------------------------------------------------------- */

int super_serve(void)
{
	int status = watch_until_end(&super.watch);

	super_clean_up();
	return status;
}
