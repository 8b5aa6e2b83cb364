/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/watch.c - one state, told by `rests`, `stop_ms` and `ended`:
 *
 *   serving  -> serving   the worker died: the next is forked, recovers, has requests sent again    [replace]
 *   serving  -> resting   too many died in a row: rest.c stands in, and requests wait               [replace]
 *   resting  -> serving   SIGUSR1, which is what ksmfs --recover sends                              [try_again]
 *   any      -> serving   somebody asks for another program: the worker is drained     [upgrade.c]
 *   any      -> stopping  SIGTERM, SIGINT, SIGHUP: a child unmounts, the worker sees the end        [begin_stop]
 *   any      -> ended     the worker exits 0: there is no mount any more                            [judge]
 *   stopping -> ended     whatever becomes of the worker; after STOP_MS, or a second signal, it is killed
 *
 * umount2(2) may wait for dirty pages to be written back, that is, for the worker; and when that dies meanwhile,
 * for us.  So it is called by a child: when nobody serves, closing /dev/fuse ends the wait.
 */
#include "fs/watch.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "fs/transport.h"

enum {
	STOP_MS = 2000,
	DRAIN_MS = 2000,
	LOOK_MS = 1,     /* between two looks at who is dying */
	RETRY_MS = 1000, /* when no process can be had, or a notifier does not live for longer */
};

/* --- signals ------------------------------------------------------------------------------------- */

int watch_signals(int *ret_fd)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	static const int heard[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1};
	sigset_t blocked, watched;
	struct sigaction hangup;

	sigfillset(&blocked);
	for (unsigned i = 0; i < ARRAY_SIZE(crashes); i++)
		sigdelset(&blocked, crashes[i]);
	sigemptyset(&watched);
	for (unsigned i = 0; i < ARRAY_SIZE(heard); i++)
		sigaddset(&watched, heard[i]);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
		sigdelset(&watched, SIGHUP); /* nohup(1); being blocked, it would come all the same */
	signal(SIGCHLD, SIG_DFL); /* whoever started us may have ignored it */
	if (sigprocmask(SIG_SETMASK, &blocked, NULL) < 0)
		return -errno;
	*ret_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd < 0 ? -errno : 0;
}

static bool next_signal(int signal_fd, struct signalfd_siginfo *ret)
{
	return read(signal_fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
}

int watch_next_signal(int signal_fd)
{
	struct signalfd_siginfo info;

	return next_signal(signal_fd, &info) ? (int)info.ssi_signo : 0;
}

/* --- starting ------------------------------------------------------------------------------------ */

static int start(struct watch *w, bool rests)
{
	pid_t pid;

	w->started_ms = clock_ms(CLOCK_MONOTONIC);
	w->rests = rests;
	w->dying = false;
	death_expect(&w->death, &w->session->death);
	pid = w->start(rests);
	w->worker = pid < 0 ? 0 : pid;
	if (pid < 0) {
		log_err("cannot start the worker: %s", strerror(-pid));
		return (int)pid;
	}
	return 0;
}

int watch_begin(struct watch *w)
{
	death_open(&w->death);
	return start(w, false);
}

/* --- the notifier -------------------------------------------------------------------------------- */

void watch_begin_notifier(struct watch *w)
{
	pid_t pid;

	if (w->notifier || !w->start_notifier)
		return;
	w->notifier_ms = clock_ms(CLOCK_MONOTONIC);
	pid = w->start_notifier();
	if (pid < 0)
		log_warning("cannot start the notifier: %s", strerror(-pid));
	w->notifier = MAX(pid, 0);
}

/* Nobody is to be taken for it, who has its number next. */
static void notifier_ended(struct watch *w, int status)
{
	atomic_store(&w->session->errands.notifier, 0);
	w->notifier = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		w->start_notifier = NULL;
}

void watch_end_notifier(struct watch *w)
{
	if (!w->notifier)
		return;
	atomic_store(&w->session->errands.notifier, 0);
	kill(w->notifier, SIGKILL);
	w->notifier_past = w->notifier;
	w->notifier = 0;
}

/* In how many ms another one is to be started; -1: none is. */
static int notifier_due(const struct watch *w)
{
	if (w->notifier || !w->start_notifier || w->stop_ms)
		return -1;
	return (int)MAX(w->notifier_ms + RETRY_MS - clock_ms(CLOCK_MONOTONIC), INT64_C(0));
}

/* --- stopping ------------------------------------------------------------------------------------ */

static void lose_patience(struct watch *w)
{
	w->stop_ms = clock_ms(CLOCK_MONOTONIC);
}

static void begin_stop(struct watch *w, int signo)
{
	log_info("signal %d: unmounting", signo);
	lose_patience(w);
	if (!w->worker || w->rests || mount_detach(w->mount, &w->unmounting) < 0)
		return;
	w->stop_ms += STOP_MS;
}

/* --- dying --------------------------------------------------------------------------------------- */

static bool has_ended(const struct watch *w)
{
	struct pollfd fuse = {.fd = w->mount->fuse_fd};

	return poll(&fuse, 1, 0) == 1 && (fuse.revents & POLLERR);
}

static bool is_normal(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void say_death(int status)
{
	if (WIFSIGNALED(status))
		log_warning("the worker was killed by signal %d: another one takes over", WTERMSIG(status));
	else
		log_warning("the worker failed: another one takes over");
}

/* L2. Said each time, however often that is. */
static void say_rest(const struct watch *w, enum backoff_says says)
{
	log_write(&(struct log_cause){0}, LOG_LEVEL_ERR,
		  "%s: no other is started, and all requests wait. To try again: ksmfs --recover %s; to give up: umount %s",
		  says == BACKOFF_REST_OOM ? "the worker was killed three times for want of memory" :
					     "workers die one after the other, within a second each",
		  w->mount->path, w->mount->path);
}

static int64_t served_ms(const struct watch *w)
{
	int64_t since = atomic_load(&w->session->serves_since_ms);

	return since >= w->started_ms ? clock_ms(CLOCK_MONOTONIC) - since : 0;
}

/* L1, L2 */
static void replace(struct watch *w)
{
	enum backoff_says says = BACKOFF_REPLACE;
	bool rests = w->rests && !w->again;

	w->again = false;
	if (!w->rests) {
		says = backoff_death(&w->backoff, clock_ms(CLOCK_MONOTONIC), served_ms(w),
				     death_was_oom(&w->death, w->status));
		if (says == BACKOFF_REPLACE)
			say_death(w->status);
		else
			say_rest(w, says);
	}
	(void)start(w, rests || says != BACKOFF_REPLACE);
}

/* The worker is no more. */
static void judge(struct watch *w)
{
	if (w->stop_ms || is_normal(w->status) || !w->can_replace || has_ended(w))
		w->ended = true;
	else
		replace(w);
}

/* `status` of a child that has been waited for. True: it was the worker. */
static bool is_worker(struct watch *w, pid_t pid, int status)
{
	if (pid == w->worker) {
		w->status = status;
		w->worker = 0;
		return true;
	}
	if (pid == w->unmounting) {
		w->unmounting = 0;
		if (status != 0)
			lose_patience(w);
	} else if (pid == w->notifier) {
		notifier_ended(w, status);
	} else if (pid == w->notifier_past) {
		if (w->session) /* it may have said so after it was asked to go */
			(void)atomic_compare_exchange_strong(&w->session->errands.notifier, &(int32_t){pid}, 0);
		w->notifier_past = 0;
	} else if (pid != w->mount->unmounter && w->left) {
		w->left--;
	}
	return false;
}

static void reap(struct watch *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (is_worker(w, pid, status))
			judge(w);
}

/* Before it can be waited for. */
static void look_at_dying(struct watch *w)
{
	int status;

	if (!w->worker || !w->dying || !death_is_past(w->worker, &status))
		return;
	w->dying = false;
	if (status == 0 && !has_ended(w))
		return; /* it may be that its status is hidden: wait for it */
	w->status = status;
	w->worker = 0;
	w->left++;
	judge(w);
}

static int say_end(const struct watch *w)
{
	int status = w->status;

	if (w->stop_ms || is_normal(status)) {
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

/* --- draining ------------------------------------------------------------------------------------ */

/* Past, or waited for.  Who only rests has nothing in hand. */
static bool is_drained(struct watch *w)
{
	int status;

	if (waitpid(w->worker, &status, WNOHANG) == w->worker) {
		w->status = status;
	} else if (death_is_past(w->worker, &status) && status) {
		w->status = status;
		w->left++;
	} else {
		return false;
	}
	w->worker = 0;
	w->dying = false;
	return true;
}

bool watch_drain(struct watch *w)
{
	int64_t until = clock_ms(CLOCK_MONOTONIC) + DRAIN_MS;

	if (!w->worker)
		return !w->ended;
	kill(w->worker, w->rests ? SIGKILL : TRANSPORT_DRAIN);
	while (!is_drained(w)) {
		if (clock_ms(CLOCK_MONOTONIC) >= until) {
			log_warning("the worker does not come to an end: it is killed");
			kill(w->worker, SIGKILL);
			until = INT64_MAX;
		}
		(void)poll(NULL, 0, LOOK_MS); /* signals stay where they are, for whoever comes next */
	}
	w->ended = is_normal(w->status);
	return !w->ended;
}

/* --- the loop ------------------------------------------------------------------------------------ */

static void try_again(struct watch *w)
{
	backoff_forget(&w->backoff);
	if (!w->rests)
		return;
	log_write(&(struct log_cause){0}, LOG_LEVEL_INFO, "asked to try again: another worker takes over");
	w->again = true;
	if (w->worker)
		kill(w->worker, SIGKILL);
}

static void take_signal(struct watch *w, const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGCHLD:
		/* The worker says so itself when it has canaries, and when it crashes: its core may take long.
		 * Where somebody else's signal was waiting already, who sent this one is not told. */
		if (w->worker && death_sees_crash(&w->death))
			w->dying = true;
		break;
	case SIGUSR1:
		try_again(w);
		break;
	default:
		if (w->stop_ms)
			lose_patience(w);
		else
			begin_stop(w, (int)info->ssi_signo);
	}
}

static int time_to_wait(const struct watch *w)
{
	if (w->dying)
		return LOOK_MS;
	if (w->stop_ms)
		return (int)MAX(w->stop_ms - clock_ms(CLOCK_MONOTONIC), INT64_C(0));
	return w->worker ? notifier_due(w) : RETRY_MS;
}

static void wait_for_event(struct watch *w)
{
	struct pollfd polled[] = {
		{.fd = w->signal_fd, .events = POLLIN},
		{.fd = w->dying || w->stop_ms ? -1 : w->order_fd, .events = POLLIN},
		{.fd = w->dying ? -1 : w->death.canary_fd[0], .events = POLLIN},
		{.fd = w->dying ? -1 : w->death.canary_fd[1], .events = POLLIN},
	};
	struct signalfd_siginfo info;

	if (poll(polled, ARRAY_SIZE(polled), time_to_wait(w)) < 0)
		return;
	if (polled[2].revents || polled[3].revents)
		w->dying = true;
	while (next_signal(w->signal_fd, &info))
		take_signal(w, &info);
	if (polled[1].revents && !w->stop_ms)
		w->take_order();
}

int watch_until_end(struct watch *w)
{
	w->dying = death_sees_crash(&w->death); /* what came while others waited for the first worker */
	reap(w);
	while (!w->ended) {
		wait_for_event(w);
		reap(w);
		look_at_dying(w);
		if (notifier_due(w) == 0)
			watch_begin_notifier(w);
		if (w->stop_ms && clock_ms(CLOCK_MONOTONIC) >= w->stop_ms)
			w->ended = true;
		else if (!w->worker && !w->ended)
			(void)start(w, w->rests && !w->again);
	}
	return say_end(w);
}

/* --- the end ------------------------------------------------------------------------------------- */

void watch_end(struct watch *w)
{
	int status;
	pid_t pid;

	watch_end_notifier(w);
	if (w->worker)
		kill(w->worker, SIGKILL);
	while (w->worker || w->left) {
		pid = waitpid(-1, &status, 0);
		if (pid > 0)
			(void)is_worker(w, pid, status);
		else if (errno != EINTR)
			break;
	}
	death_close(&w->death);
}

void watch_fini(struct watch *w)
{
	if (w->unmounting)
		(void)waitpid(w->unmounting, NULL, 0);
	w->unmounting = 0;
	if (w->notifier_past)
		(void)waitpid(w->notifier_past, NULL, 0);
	w->notifier_past = 0;
}
