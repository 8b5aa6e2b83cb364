/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/upgrade.c - another program goes on with the mount, as the same process.
 *
 *   asked to      the program is tried by a process of its own: can it read all there is?   [try_successor]
 *   it can        the worker finishes what it has in hand, and ends                         [watch_drain]
 *   no worker     the supervisor becomes the new program, with its fds and a few words      [hand_over]
 *   the new one   starts a worker, which takes over as after a death                        [super_take_over]
 *   it cannot     it becomes the old program again, which does the same                     [go_back]
 *
 * Who asked waits all the while, on a connection that is handed over as well.  The process stays, and so do
 * its locks, its children and its place in the tree; exec gives it no more privileges than it had, since it has
 * given up gaining any.
 */
#include "fs/super_inside.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/log.h"
#include "core/volume.h"
#include "fs/order.h"
#include "fs/pressure.h"
#include "fs/privileges.h"
#include "fs/successor.h"
#include "fs/title.h"
#include "fs/worker.h"

/* U4: a row keeps its name and its meaning for ever. */
static const struct handover_row rows[] = {
	HANDOVER_ROW("session", HANDOVER_FD, super.session_fd),
	HANDOVER_ROW("frames", HANDOVER_FD, super.frames_fd),
	HANDOVER_ROW("inodes", HANDOVER_FD, super.inodes_fd),
	HANDOVER_ROW("fuse", HANDOVER_FD, super.mount.fuse_fd),
	HANDOVER_ROW("unmounter_pipe", HANDOVER_FD, super.mount.unmounter_fd),
	HANDOVER_ROW("directory_lock", HANDOVER_FD, super.rundir.lock_fd),
	HANDOVER_ROW("orders", HANDOVER_FD, super.watch.order_fd),
	HANDOVER_MORE("pressure", HANDOVER_FD, super.pressure_fd),
	HANDOVER_MORE("workers_left", HANDOVER_NUMBER, super.watch.left),
	HANDOVER_MORE("notifier_left", HANDOVER_NUMBER, super.watch.notifier_past),
	HANDOVER_MORE("client", HANDOVER_FD, super.client_fd),
	HANDOVER_MORE("predecessor", HANDOVER_FD, super.predecessor_fd),
	HANDOVER_ROW("mountpoint", HANDOVER_TEXT, super.mount.path),
	HANDOVER_ROW("unmounter", HANDOVER_NUMBER, super.mount.unmounter),
	HANDOVER_ROW("mount_id", HANDOVER_NUMBER, super.mount.info.id),
	HANDOVER_MORE("mount_unique_id", HANDOVER_NUMBER, super.mount.info.unique),
	HANDOVER_ROW("device_major", HANDOVER_NUMBER, super.mount.info.major),
	HANDOVER_ROW("device_minor", HANDOVER_NUMBER, super.mount.info.minor),
	HANDOVER_ROW("directory", HANDOVER_TEXT, super.rundir.path),
	HANDOVER_ROW("directory_lock_path", HANDOVER_TEXT, super.rundir.lock),
	HANDOVER_ROW("directory_is_mounted", HANDOVER_NUMBER, super.rundir.mounted),
	HANDOVER_ROW("directory_is_given", HANDOVER_NUMBER, super.rundir.given),
	HANDOVER_ROW("orders_path", HANDOVER_TEXT, super.order_path),
	HANDOVER_ROW("foreground", HANDOVER_NUMBER, super.options.foreground),
	HANDOVER_ROW("control", HANDOVER_NUMBER, super.options.control),
	HANDOVER_ROW("merge_optin", HANDOVER_NUMBER, super.options.merge_optin),
	HANDOVER_ROW("mount_flags", HANDOVER_NUMBER, super.options.mount_flags),
	HANDOVER_MORE("max_ratio", HANDOVER_NUMBER, super.options.max_ratio),
	HANDOVER_MORE("noswap", HANDOVER_NUMBER, super.options.noswap),
	HANDOVER_MORE("refusal", HANDOVER_TEXT, super.refusal.text),
	HANDOVER_MORE("refusal_error", HANDOVER_NUMBER, super.refusal.error),
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- as the old program -------------------------------------------------------------------------- */

/* Have `program_fd` go on.  Returns only when it cannot be run. */
static int hand_over(int program_fd, struct why *why)
{
	int fd, r;

	r = handover_write(rows, ARRAY_SIZE(rows), &fd, why);
	if (r < 0)
		return r;
	r = successor_run(program_fd, super.mount.path, fd, rows, ARRAY_SIZE(rows), why);
	close(fd);
	return r;
}

/* Its pages would have to come from the worker whom it replaces: whoever runs it then waits for ever.  Not even its
 * attributes are asked for. */
static bool lies_on_mount(int program_fd)
{
	struct statx st;

	return statx(program_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       st.stx_dev_major == super.mount.info.major && st.stx_dev_minor == super.mount.info.minor;
}

static int try_successor(int program_fd, struct why *why)
{
	const int seen[] = {super.session_fd, super.frames_fd, super.inodes_fd};
	int fd, r;

	if (program_fd < 0)
		return why_say(why, -EINVAL, "no program came with the order");
	if (lies_on_mount(program_fd))
		return why_say(why, -EDEADLK, "the new program lies on the mount itself");
	if (!super.watch.can_replace)
		return why_say(why, -EOPNOTSUPP, "this kernel does not send requests again that a worker has left");
	r = handover_write(rows, ARRAY_SIZE(rows), &fd, why);
	if (r < 0)
		return r;
	r = successor_try(program_fd, fd, seen, ARRAY_SIZE(seen), why);
	close(fd);
	return r;
}

/* Returns when it failed: then the worker goes on, or is followed by another one of ours. */
static void upgrade(struct order *order)
{
	struct why why;
	int r;

	r = try_successor(order->program_fd, &why);
	if (r == 0)
		r = super.predecessor_fd = successor_self(&why);
	if (r >= 0) {
		super.client_fd = order->client_fd;
		watch_end_notifier(&super.watch);
		if (watch_drain(&super.watch))
			(void)hand_over(order->program_fd, &why);
		else
			(void)why_say(&why, -ENODEV, "the mount has ended");
		super.client_fd = -1;
		close_fd(&super.predecessor_fd);
	}
	log_warning("not upgraded: %s", why.text);
	order_answer(&order->client_fd, &why);
	close_fd(&order->program_fd);
}

void upgrade_take_order(void)
{
	struct order order;
	struct why why;

	if (order_take(super.watch.order_fd, &order) < 0)
		return;
	if (strcmp(order.word, ORDER_UPGRADE) == 0) {
		upgrade(&order);
		return;
	}
	why_say(&why, -EINVAL, "its supervisor does not know what \"%s\" means", order.word);
	order_answer(&order.client_fd, &why);
	close_fd(&order.program_fd);
}

/* --- as the new program -------------------------------------------------------------------------- */

int super_receive(int handover_fd, bool *ret_foreground, const char **ret_mountpoint, struct why *why)
{
	int r;

	options_preset(&super.options);
	r = handover_read(handover_fd, rows, ARRAY_SIZE(rows), why);
	close(handover_fd);
	if (r < 0)
		return r;
	*ret_foreground = super.options.foreground;
	*ret_mountpoint = super.mount.path;
	return 0;
}

int super_can_take_over(struct why *why)
{
	bool must_unmount = super.mount.unmounter_fd < 0; /* and nobody does it for us */
	struct session *copy;
	int r;

	if (must_unmount && !privileges_can_mount())
		return why_say(why, -EPERM, "its file lacks the capability to unmount, which the old one has");
	r = volume_readable(super.inodes_fd);
	if (r < 0)
		return why_say(why, r, "the files are kept in a format that it does not read");
	r = session_open(super.session_fd, true, &copy);
	if (r < 0)
		return why_say(why, r, "requests are kept in a way that it does not know");
	r = worker_fits(copy);
	if (r < 0)
		return why_say(why, r, "it would not agree with the kernel on what the mount agreed on");
	return 0;
}

static int take_over(struct why *why)
{
	int r;

	handover_keep(rows, ARRAY_SIZE(rows), false);
	title_set("ksmfs-super", super.mount.path);
	r = watch_signals(&super.watch.signal_fd);
	if (r < 0)
		return why_errno(why, r, "cannot watch signals");
	r = session_open(super.session_fd, false, &super.session);
	if (r < 0)
		return why_errno(why, r, "cannot map what outlives a worker");
#ifdef KSMFS_HOOKS
	r = failpoint_kills_share();
	if (r < 0)
		return why_errno(why, r, "cannot make shared memory");
#endif
	super.watch.session = super.session;
	super.watch.can_replace = true; /* else nothing is handed over */
	r = privileges_drop(ROLE_SUPERVISOR);
	if (r < 0)
		return why_errno(why, r, "cannot drop privileges");
	super_lock_memory();
	if (super.pressure_fd < 0 && super.mount.unmounter_fd < 0) /* its notifier looked for itself */
		super.pressure_fd = pressure_watch();
	super_make_errands();
	r = super_run_worker(why);
	if (r == 0)
		super_run_notifier();
	return r;
}

/* To the program that was before.  Returns when it cannot be had. */
static void go_back(const struct why *why)
{
	struct why more;
	int fd = super.predecessor_fd;

	log_warning("not upgraded: %s", why->text);
	watch_end(&super.watch);
	super.refusal = *why;
	super.predecessor_fd = -1;
	if (fd >= 0 && hand_over(fd, &more) < 0)
		log_err("and not taken back: %s", more.text);
	close_fd(&fd);
}

static void tell_client(void)
{
	struct why why = super.refusal;

	if (!why.error) {
		log_info("ksmfs " KSMFS_VERSION " goes on with the mount");
		why_say(&why, 0, "ksmfs " KSMFS_VERSION " goes on with %s", super.mount.path);
	}
	super.refusal = (struct why){0};
	order_answer(&super.client_fd, &why);
}

int super_take_over(void)
{
	struct why why;
	int r;

	r = take_over(&why);
	if (r < 0 && r != -ECANCELED)
		go_back(&why);
	close_fd(&super.predecessor_fd);
	tell_client();
	if (r != -ECANCELED)
		return super_serve();
	super_clean_up(); /* asked to stop meanwhile */
	return 0;
}
