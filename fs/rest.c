/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/rest.c - requests are read, and given back to the kernel by asking it to resend them.  Between two looks
 * they lie in the kernel as if nobody had read them: so a signal ends the wait of who gets killed.  Who was killed
 * while they had been read does not look again, and is answered.
 *
 * That the mount has gone from the tree must be seen here: an umount that has dirty pages to write back waits for
 * somebody to serve, and nobody will.  The supervisor then ends the connection.
 */
#include "fs/rest.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "fs/caller.h"
#include "fs/newer.h"

enum { LOOK_MS = 100 };

struct rest {
	struct session *session;
	int fuse_fd, mounts_fd;
	uint8_t *request; /* of the size of a slot's, present and locked */
	struct session_slot *forgets;
};

/* --- FORGET -------------------------------------------------------------------------------------- */

static bool is_forget(const struct fuse_in_header *head)
{
	return head->opcode == FUSE_FORGET || head->opcode == FUSE_BATCH_FORGET;
}

/* In which a worker has left neither a FORGET nor a receipt; NULL when there is none. */
static struct session_slot *find_slot(struct session *s)
{
	for (unsigned i = 0; i < SESSION_SLOTS; i++) {
		struct session_slot *slot = &s->slot[i];
		const struct fuse_in_header *head = (const void *)slot->request;

		if (atomic_load(&slot->unique) == 0 && slot->receipt.request == 0 && !is_forget(head))
			return slot;
	}
	return NULL;
}

/* W3: as one BATCH_FORGET that a worker has read and not finished. */
static struct session_slot *slot_for_forgets(struct session *s, uint64_t unique)
{
	struct session_slot *slot = find_slot(s);
	struct fuse_in_header *head;

	if (!slot)
		return NULL;
	head = (void *)slot->request;
	memset(head, 0, sizeof(*head) + sizeof(struct fuse_batch_forget_in));
	head->unique = unique;
	head->len = sizeof(*head) + sizeof(struct fuse_batch_forget_in);
	head->opcode = FUSE_BATCH_FORGET;
	atomic_store(&slot->unique, unique);
	return slot;
}

static void keep_forget(struct rest *r, uint64_t unique, const struct fuse_forget_one *one)
{
	struct fuse_in_header *head;
	struct fuse_batch_forget_in *batch;

	if (!r->forgets)
		r->forgets = slot_for_forgets(r->session, unique);
	head = r->forgets ? (void *)r->forgets->request : NULL;
	if (!head || head->len + sizeof(*one) > sizeof(r->forgets->request)) {
		log_warning("inodes that were forgotten while nobody serves stay for as long as the mount");
		return;
	}
	batch = (void *)(head + 1);
	memcpy(r->forgets->request + head->len, one, sizeof(*one));
	head->len += (uint32_t)sizeof(*one);
	batch->count++;
}

static void keep_forgets(struct rest *r, const struct fuse_in_header *head)
{
	const struct fuse_batch_forget_in *batch = (const void *)(head + 1);
	const struct fuse_forget_in *single = (const void *)(head + 1);
	const struct fuse_forget_one *one = (const void *)(batch + 1);

	if (head->opcode == FUSE_FORGET)
		keep_forget(r, head->unique,
			    &(struct fuse_forget_one){.nodeid = head->nodeid, .nlookup = single->nlookup});
	else
		for (uint32_t i = 0; i < batch->count; i++)
			keep_forget(r, head->unique, &one[i]);
}

/* --- requests ------------------------------------------------------------------------------------ */

static bool asks_for_umount(const struct fuse_in_header *head)
{
	char path[64], name[16] = "";
	bool asks = head->opcode == FUSE_STATFS ||
		    ((head->opcode == FUSE_GETATTR || head->opcode == NEWER_STATX) && head->nodeid == FUSE_ROOT_ID);
	int fd;

	if (!asks)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/comm", head->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	asks = read(fd, name, sizeof(name) - 1) > 0 && strcmp(name, "umount\n") == 0;
	close(fd);
	return asks;
}

static void look_at(struct rest *r)
{
	const struct fuse_in_header *head = (const void *)r->request;
	struct fuse_out_header out = {.len = sizeof(out)};

	ASSERT(head);
	out.unique = head->unique;
	if (is_forget(head))
		keep_forgets(r, head);
	else if (caller_is_killed((pid_t)head->pid))
		out.error = -EINTR;
	else if (asks_for_umount(head))
		out.error = -EAGAIN;
	if (out.error && write(r->fuse_fd, &out, sizeof(out)) < 0)
		log_debug("nobody waits for an answer any more: %s", strerror(errno));
}

static short events_of(int fd, short events, int ms)
{
	struct pollfd polled = {.fd = fd, .events = events};

	return poll(&polled, 1, ms) > 0 ? polled.revents : 0;
}

static void let_sleep_for(int ms)
{
	const struct timeval tv = {.tv_usec = ms * 1000};

	(void)setitimer(ITIMER_REAL, &(struct itimerval){.it_interval = tv, .it_value = tv}, NULL);
}

/* W1.  What was there to be read may have gone with its caller: then the clock ends the wait for something else. */
static void look_at_all(struct rest *r)
{
	const struct fuse_out_header resend = {.len = sizeof(resend), .error = NEWER_NOTIFY_RESEND};

	let_sleep_for(LOOK_MS);
	while (events_of(r->fuse_fd, POLLIN, 0) & POLLIN)
		if (read(r->fuse_fd, r->request, REQUEST_BYTES_MAX) >= (ssize_t)sizeof(struct fuse_in_header))
			look_at(r);
	let_sleep_for(0);
	if (write(r->fuse_fd, &resend, sizeof(resend)) < 0)
		log_debug("the kernel does not send requests again: %s", strerror(errno));
}

/* What could not be had this time is asked for the next. */
static int open_all(struct rest *r)
{
	void *memory;

	if (!r->request) {
		memory = mmap(NULL, REQUEST_BYTES_MAX, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (memory == MAP_FAILED)
			return -errno;
		r->request = memory;
		(void)mlock(r->request, REQUEST_BYTES_MAX);
	}
	r->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	return r->mounts_fd < 0 ? -errno : 0;
}

/* Whoever cannot tell (no file can be opened, say) must not be taken for sure: all would be lost. */
static bool is_in_tree(const struct mountinfo *mount, const char *mountpoint)
{
	char at[PATH_MAX];

	return mountinfo_where(mount, mountpoint, at) != -ENOENT;
}

static void wake(int signo)
{
}

static void hear_the_clock(void)
{
	const struct sigaction action = {.sa_handler = wake};
	sigset_t clock;

	sigemptyset(&clock);
	sigaddset(&clock, SIGALRM);
	if (sigaction(SIGALRM, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &clock, NULL) < 0)
		log_debug("the clock is not heard: %s", strerror(errno));
}

void rest_until_end(struct session *s, int fuse_fd, const struct mountinfo *mount, const char *mountpoint)
{
	static const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000}, retry = {.tv_sec = 1};
	struct rest r = {.session = s, .fuse_fd = fuse_fd};
	struct pollfd polled[2];

	hear_the_clock();
	while (open_all(&r) < 0)
		nanosleep(&retry, NULL);
	polled[0] = (struct pollfd){.fd = fuse_fd, .events = POLLIN};
	polled[1] = (struct pollfd){.fd = r.mounts_fd, .events = POLLPRI};
	look_at_all(&r); /* what the worker has left */
	while (is_in_tree(mount, mountpoint)) {
		do {
			nanosleep(&pause, NULL);
			if (poll(polled, ARRAY_SIZE(polled), -1) < 0)
				continue;
			if (polled[0].revents & POLLERR)
				return;
			if (polled[0].revents & POLLIN)
				look_at_all(&r);
		} while (!(polled[1].revents & (POLLPRI | POLLERR)));
	}
}
