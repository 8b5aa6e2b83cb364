/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/super.c - from the first step to the last.
 *
 *   start    directory, memfds, mount, INIT, worker, ready        [super_start]
 *   serve    wait for signals only                                [super_serve]
 *   the worker exits 0: the mount has ended     -> clean up, exit 0
 *   the worker dies of anything else            -> one line, and another takes over
 *   no other can be had                         -> one line, end the connection, clean up, exit 1
 *   SIGTERM, SIGINT, SIGHUP: unmount; the worker then sees the end.  Where files are still in use, or we
 *            may not unmount, it is killed after STOP_MS, and closing /dev/fuse ends the connection.
 *
 * All signals but those of a crash stay blocked, here and in the worker, and are read from a signalfd:
 * so none can come between a fork and its bookkeeping.
 */
#include "fs/super.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/log.h"
#include "core/volume.h"
#include "fs/mount.h"
#include "fs/newer.h"
#include "fs/privileges.h"
#include "fs/rundir.h"
#include "fs/session.h"
#include "fs/takeover.h"
#include "fs/title.h"
#include "fs/worker.h"

enum {
	STOP_MS = 2000,
	INIT_MS = 10000, /* the kernel sends INIT while it mounts */
};

static struct {
	const struct options *options;
	struct rundir rundir;
	struct mount mount;
	struct session *session;
	int session_fd, frames_fd, inodes_fd;
	int signal_fd;
	pid_t worker; /* 0: none */
	int worker_status;
} super = {
	.rundir.lock_fd = -1,
	.mount = {.fuse_fd = -1, .unmounter_fd = -1},
	.session_fd = -1,
	.frames_fd = -1,
	.inodes_fd = -1,
	.signal_fd = -1,
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the end ------------------------------------------------------------------------------------- */

static void kill_worker(void)
{
	if (super.worker <= 0)
		return;
	kill(super.worker, SIGKILL);
	while (waitpid(super.worker, &super.worker_status, 0) < 0 && errno == EINTR)
		;
	super.worker = 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* U2, in the order in which each lets go of the next. */
static void clean_up(void)
{
	kill_worker();
	mount_end(&super.mount);
	session_drop(super.session);
	super.session = NULL;
	close_fd(&super.session_fd);
	close_fd(&super.frames_fd);
	close_fd(&super.inodes_fd);
	rundir_remove(&super.rundir);
	close_fd(&super.signal_fd);
}

/* --- the start ----------------------------------------------------------------------------------- */

static int block_signals(struct why *why)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	sigset_t blocked, watched;

	sigfillset(&blocked);
	for (unsigned i = 0; i < ARRAY_SIZE(crashes); i++)
		sigdelset(&blocked, crashes[i]);
	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGHUP);
	signal(SIGCHLD, SIG_DFL); /* whoever started us may have ignored it */
	if (sigprocmask(SIG_SETMASK, &blocked, NULL) < 0)
		return why_errno(why, -errno, "cannot block signals");
	super.signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (super.signal_fd < 0)
		return why_errno(why, -errno, "cannot watch signals");
	return 0;
}

static int make_memory(struct why *why)
{
	int r;

	r = volume_memfds(&super.frames_fd, &super.inodes_fd);
	if (r == 0)
		r = session_make(&super.session_fd, &super.session);
	if (r == 0)
		r = session_lock_slot(super.session, 0);
#ifdef KSMFS_HOOKS
	if (r >= 0)
		r = failpoint_kills_share();
#endif
	return r < 0 ? why_errno(why, r, "cannot make shared memory") : 0;
}

/* The next signal, 0 when there is none. */
static int next_signal(void)
{
	struct signalfd_siginfo info;

	if (read(super.signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

/* True once the worker is gone; its status is kept. */
static bool reap_worker(void)
{
	if (super.worker <= 0 || waitpid(super.worker, &super.worker_status, WNOHANG) != super.worker)
		return false;
	super.worker = 0;
	return true;
}

/* Wait until `fd` can be read. -ECANCELED: we were asked to stop. */
static int wait_for(int fd, int ms)
{
	struct pollfd polled[] = {{.fd = fd, .events = POLLIN}, {.fd = super.signal_fd, .events = POLLIN}};
	int n, signo;

	for (;;) {
		n = poll(polled, ARRAY_SIZE(polled), ms);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
		while (n > 0 && (signo = next_signal()) != 0)
			if (signo != SIGCHLD)
				return -ECANCELED;
		if (n > 0 && polled[0].revents)
			return 0;
	}
}

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
	return 0;
}

/* The kernel leaves times of access on FUSE to the daemon, and tells it of no remount. */
static enum volume_atime atime_of(unsigned long mount_flags)
{
	if (mount_flags & (MS_RDONLY | MS_NOATIME))
		return VOLUME_ATIME_NEVER;
	return mount_flags & MS_STRICTATIME ? VOLUME_ATIME_STRICT : VOLUME_ATIME_RELATIVE;
}

static int start_worker(int ready_fd, struct why *why)
{
	const struct options *o = super.options;
	struct worker_start start = {
		.session = super.session,
		.fuse_fd = super.mount.fuse_fd,
		.ready_fd = ready_fd,
		.resend = session_offered(super.session) & NEWER_HAS_RESEND,
		.volume = {
			.frames_fd = super.frames_fd,
			.inodes_fd = super.inodes_fd,
			.receipts = takeover_receipts(super.session),
			.dir = super.rundir.path,
			.size_pages = o->size_pages,
			.nr_inodes = o->nr_inodes,
			.mode = o->mode,
			.uid = o->uid,
			.gid = o->gid,
			.merge_on_write = o->merge_on_write,
			.merge_optin = o->merge_optin,
			.atime = atime_of(o->mount_flags),
			.dir_atime = o->mount_flags & MS_NODIRATIME ? VOLUME_ATIME_NEVER : atime_of(o->mount_flags),
		},
		.control = o->control,
		.mountpoint = super.mount.path,
		.supervisor = getpid(),
	};

	super.worker = fork();
	if (super.worker == 0)
		worker_run(&start);
	if (super.worker < 0) {
		super.worker = 0;
		return why_errno(why, -errno, "cannot start the worker");
	}
	return 0;
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

static int run_worker(struct why *why)
{
	int ready[2], r;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return why_errno(why, -errno, "cannot make a pipe");
	r = start_worker(ready[1], why);
	close(ready[1]);
	if (r == 0)
		r = await_worker(ready[0], why);
	close(ready[0]);
	return r;
}

static int start_mount(const struct options *o, const char *source, const char *mountpoint, struct why *why)
{
	int r;

	r = block_signals(why);
	if (r < 0)
		return r;
	r = privileges_drop(ROLE_SUPERVISOR);
	if (r < 0)
		return why_errno(why, r, "cannot drop privileges");
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
	return run_worker(why);
}

int super_start(const struct options *o, const char *source, const char *mountpoint, struct why *why)
{
	int r;

	super.options = o;
	title_set("ksmfs-super", mountpoint);
	r = start_mount(o, source, mountpoint, why);
	if (r < 0) {
		clean_up();
		return r;
	}
	mount_tune(&super.mount, o);
	log_info("mounted: %llu pages, %llu inodes, databases in %s", (unsigned long long)o->size_pages,
		 (unsigned long long)o->nr_inodes, super.rundir.path);
	return 0;
}

/* --- serving ------------------------------------------------------------------------------------- */

/* When to lose patience. */
static int64_t begin_stop(int signo)
{
	log_info("signal %d: unmounting", signo);
	return now_ms() + (mount_detach(&super.mount) < 0 ? 0 : STOP_MS);
}

/* Until the worker is gone, or `*deadline` (of a stop that was asked for) has passed. */
static void wait_for_end(int64_t *deadline)
{
	struct pollfd polled = {.fd = super.signal_fd, .events = POLLIN};
	int64_t left;
	int signo;

	for (;;) {
		left = *deadline ? MAX(*deadline - now_ms(), INT64_C(0)) : -1;
		if (poll(&polled, 1, (int)left) == 0)
			return;
		while ((signo = next_signal()) != 0) {
			if (signo == SIGCHLD)
				continue;
			*deadline = *deadline ? now_ms() : begin_stop(signo);
		}
		if (reap_worker())
			return;
	}
}

static bool mount_has_ended(void)
{
	return WIFEXITED(super.worker_status) && WEXITSTATUS(super.worker_status) == 0;
}

static int judge_worker(bool stopped)
{
	int status = super.worker_status;

	if (stopped || mount_has_ended()) {
		log_info("unmounted");
		return 0;
	}
	if (WIFSIGNALED(status))
		log_err("the worker was killed by signal %d: the mount ends, its files are lost",
			WTERMSIG(status));
	else
		log_err("the worker failed: the mount ends, its files are lost");
	return 1;
}

/* Whether the worker died while it was needed, and another one could be started. */
static bool replace_worker(void)
{
	struct why why;

	if (super.worker || mount_has_ended() || !(session_offered(super.session) & NEWER_HAS_RESEND))
		return false;
	if (WIFSIGNALED(super.worker_status))
		log_warning("the worker was killed by signal %d: another one takes over", WTERMSIG(super.worker_status));
	else
		log_warning("the worker failed: another one takes over");
	if (start_worker(-1, &why) == 0)
		return true;
	log_err("%s", why.text);
	return false;
}

int super_serve(void)
{
	int64_t deadline = 0;

	do {
		wait_for_end(&deadline);
	} while (!deadline && replace_worker());
	clean_up();
	return judge_worker(deadline != 0);
}
