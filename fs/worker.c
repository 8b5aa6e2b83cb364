/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/worker.c - first steps, in the order that matters: title, life line, privileges, volume, INIT,
 * threads of core, ready, request threads.
 *
 * The end is _exit(): everything that must live on is in shared memory and names.db already, and the
 * supervisor removes those when the mount has ended.
 */
#include "fs/worker.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/failpoint.h"
#include "core/log.h"
#include "fs/control.h"
#include "fs/errand.h"
#include "fs/mount.h"
#include "fs/ops.h"
#include "fs/park.h"
#include "fs/poison.h"
#include "fs/pressure.h"
#include "fs/privileges.h"
#include "fs/purge.h"
#include "fs/rest.h"
#include "fs/title.h"
#include "fs/transport.h"

static struct fs fs;

/* W1: the kernel kills us when the supervisor dies, unless it has died before we asked for that. */
static int tie_to_supervisor(pid_t supervisor)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() == supervisor ? 0 : -ESRCH;
}

/* W2 */
static int settle(const struct worker_start *start, struct why *why)
{
	int r;

	r = tie_to_supervisor(start->supervisor);
	if (r < 0)
		return why_errno(why, r, "the worker cannot follow its supervisor");
	r = privileges_drop(ROLE_WORKER);
	if (r == 0)
		r = privileges_seal();
	if (r < 0)
		return why_errno(why, r, "the worker cannot drop its privileges");
	(void)pressure_lock(); /* the supervisor, who may as much, has said it */
	umask(077);
	death_be_seen(&start->session->death, start->supervisor);
	r = poison_catch(&start->session->poison);
	return r < 0 ? why_errno(why, r, "the worker cannot catch its crashes") : 0;
}

/* A volume_on_dirty_max(). */
static void bound_dirty(void *arg, uint64_t bytes)
{
	const struct worker_start *start = arg;

	if (bytes == UINT64_MAX && !start->session->dirty_bound)
		return; /* it is as the mount's options, or somebody since, have it */
	start->session->dirty_bound = bytes != UINT64_MAX;
	mount_bound_dirty(start->mount, bytes, start->max_ratio);
}

static int start_serving(const struct worker_start *start, struct why *why)
{
	int r;

	r = settle(start, why);
	if (r < 0)
		return r;
	r = volume_open(&start->volume, &fs.volume);
	if (r < 0)
		return why_errno(why, r, "cannot open the databases in %s", start->volume.dir);
	volume_beside(fs.volume, start->session_fd, start->supervisor);
	volume_on_dirty_max(fs.volume, bound_dirty, (void *)(uintptr_t)start);
	fs.preset = start->volume.merge_optin ? VOLUME_UNMERGEABLE : VOLUME_MERGEABLE;
	r = control_new(fs.volume, &start->session->texts, start->control, &fs.control);
	if (r == 0)
		r = transport_open(start->session, start->fuse_fd, &ops_table, &fs);
	if (r < 0)
		return why_errno(why, r, "cannot start libfuse");
	r = transport_replay_init();
	if (r < 0)
		return why_errno(why, r, "the kernel's FUSE and this daemon do not agree");
	r = volume_start(fs.volume);
	if (r < 0)
		return why_errno(why, r, "cannot start the scanner");
	r = park_start(fs.volume);
	if (r < 0)
		return why_errno(why, r, "cannot start the thread for parked writebacks");
	purge_start(&start->session->purge, start->errand_fd, &start->session->errands.notifier, fs.volume);
	r = start->errand_fd >= 0 ? errand_start(&start->session->errands, start->errand_fd, fs.volume) : 0;
	if (r < 0)
		return why_errno(why, r, "cannot start the thread that looks after the kernel's page cache");
	transport_take_over(fs.volume);
	r = start->resend ? transport_resend() : 0;
	if (r < 0)
		return why_errno(why, r, "the kernel does not send requests again");
	return 0;
}

static void report_takeover(int64_t began)
{
	int64_t usecs = clock_us(CLOCK_MONOTONIC) - began, value[ATTRS];

	volume_took_over(fs.volume, (uint64_t)usecs);
	volume_stats(fs.volume, value);
	log_info("took over in %lld.%03lld ms: %lld inodes, %lld frames", (long long)(usecs / 1000),
		 (long long)(usecs % 1000), (long long)value[ATTR_store_inodes], (long long)value[ATTR_store_frames]);
}

/* W3 */
static void tell(int ready_fd, const struct why *why)
{
	if (ready_fd >= 0 && write(ready_fd, why, sizeof(*why)) != (ssize_t)sizeof(*why))
		_exit(1);
	if (ready_fd < 0 && why->error)
		log_err("%s", why->text);
	if (ready_fd >= 0)
		close(ready_fd);
}

static _Noreturn void rest(const struct worker_start *start)
{
	struct why why = {0};

	title_set("ksmfs-rest", start->mountpoint);
	if (settle(start, &why) < 0) {
		log_err("%s", why.text);
		_exit(1);
	}
	rest_until_end(start->session, start->fuse_fd, start->mount, start->mountpoint);
	_exit(0);
}

_Noreturn void worker_run(const struct worker_start *start)
{
	bool takes_over = start->session->init_reply_bytes; /* somebody has answered INIT before us */
	int64_t began = clock_us(CLOCK_MONOTONIC);
	struct why why = {0};
	int r;

	if (start->rests)
		rest(start);
#ifdef KSMFS_HOOKS
	failpoint_kills_begin();
#endif
	title_set("ksmfs-worker", start->mountpoint);
	r = start_serving(start, &why);
	tell(start->ready_fd, &why);
	if (r < 0)
		_exit(1);
	if (takes_over)
		report_takeover(began);
	atomic_store(&start->session->serves_since_ms, clock_us(CLOCK_MONOTONIC) / 1000);
	r = transport_run();
	if (r < 0)
		log_err("cannot read requests: %s", strerror(-r));
	_exit(r < 0 ? 1 : r == TRANSPORT_DRAINED ? WORKER_DRAINED : 0);
}

int worker_fits(struct session *copy)
{
	int r;

	r = transport_open(copy, STDIN_FILENO, &ops_table, &fs); /* libfuse wants an open one; nothing is sent */
	return r < 0 ? r : transport_replay_init();
}
