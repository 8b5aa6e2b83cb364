/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/again.c - the supervisor is sent SIGUSR1; whether it then rests once more is seen by the process that
 * stands in while it does (rest.h).
 */
#include "fs/again.h"

#include <signal.h>
#include <time.h>

#include "fs/backoff.h"
#include "fs/find.h"

enum { LOOK_MS = 20, WAIT_MS = 60000 };

static const char resting[] = "ksmfs-rest", serving[] = "ksmfs-worker";

static void pause_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) < 0)
		;
}

/* One worker serves for as long as it takes to be believed, and nobody stands in for it. */
static int await(const char *mountpoint, pid_t supervisor, uid_t owner, pid_t rests, struct why *why)
{
	unsigned served_ms = 0;
	pid_t now, worker = 0, before;

	for (unsigned waited_ms = 0; waited_ms < WAIT_MS; waited_ms += LOOK_MS) {
		pause_ms(LOOK_MS);
		if (kill(supervisor, 0) < 0 && errno == ESRCH)
			return why_say(why, -ESRCH, "%s: the mount has ended", mountpoint);
		now = find_process(resting, mountpoint, owner, supervisor);
		if (now && now != rests)
			return why_say(why, -EAGAIN, "%s: workers die as before, see the log", mountpoint);
		before = worker;
		worker = now ? 0 : find_process(serving, mountpoint, owner, supervisor);
		served_ms = worker && worker == before ? served_ms + LOOK_MS : 0;
		if (served_ms > BACKOFF_SERVED_MS)
			return 0;
	}
	return why_say(why, -ETIMEDOUT, "%s: the supervisor (process %ld) does not answer", mountpoint, (long)supervisor);
}

int again(const char *word, struct why *why)
{
	char mountpoint[PATH_MAX];
	pid_t supervisor = 0, rests;
	uid_t owner = 0;
	int r;

	r = find_mountpoint(word, mountpoint, why);
	if (r == 0)
		r = find_supervisor(mountpoint, &supervisor, &owner, why);
	if (r < 0)
		return r;
	rests = find_process(resting, mountpoint, owner, supervisor);
	if (!rests)
		return 1;
	if (kill(supervisor, SIGUSR1) < 0)
		return why_errno(why, -errno, "cannot speak to the supervisor of %s", mountpoint);
	return await(mountpoint, supervisor, owner, rests, why);
}
