/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/death.c - /proc/PID/task/TID/stat says in its ninth field that a thread is exiting; the last field of
 * /proc/PID/stat is what waitpid(2) is going to say.
 */
#include "fs/death.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* As in the kernel's <linux/sched.h>, which it does not export: exiting, and writing a core or waiting for that. */
enum { PF_EXITING = 0x4, PF_POSTCOREDUMP = 0x8, PF_DUMPCORE = 0x200 };
enum { PIDFD_OF_THREAD = O_EXCL }; /* Linux 6.9, as resending is */
enum { TASKS_BYTES = 16384 /* all threads at once */, STAT_BYTES = 1024, STATUS_BYTES = 4096, VMSTAT_BYTES = 16384 };

static bool read_text(int at_fd, const char *path, char *text, size_t size)
{
	int fd = openat(at_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

/* The flags of a thread, one that is gone included. The command, the second field, may have spaces and parentheses. */
static unsigned long flags_of(int tasks_fd, const char *tid)
{
	static char path[32 + NAME_MAX], text[STAT_BYTES];
	const char *at;

	snprintf(path, sizeof(path), "%s/stat", tid);
	errno = 0;
	if (!read_text(tasks_fd, path, text, sizeof(text)))
		return errno == ENOENT || errno == ESRCH ? PF_EXITING : 0; /* that no file can be opened says nothing */
	at = strrchr(text, ')');
	for (unsigned spaces = 0; at && spaces < 7; spaces++)
		at = strchr(at + 1, ' ');
	return at ? strtoul(at + 1, NULL, 10) : 0;
}

static bool is_exiting(int tasks_fd, const char *tid)
{
	return flags_of(tasks_fd, tid) & (PF_EXITING | PF_POSTCOREDUMP | PF_DUMPCORE);
}

static unsigned long count_threads(int tasks_fd)
{
	struct stat st;

	return fstat(tasks_fd, &st) < 0 ? ULONG_MAX : st.st_nlink - 2; /* besides "." and ".." */
}

/* D1. The kernel's list ends early where the thread that it has come to has gone meanwhile, so it is counted, too:
 * once the first thread exits there will be no new ones, and a list of as many as there were has all of them. */
static bool are_all_exiting(int tasks_fd, pid_t pid)
{
	static union {
		struct dirent64 aligned;
		char bytes[TASKS_BYTES];
	} buf;
	unsigned long threads, listed = 0;
	const struct dirent64 *entry;
	char first[16];
	long n;

	snprintf(first, sizeof(first), "%ld", (long)pid);
	if (!is_exiting(tasks_fd, first))
		return false;
	threads = count_threads(tasks_fd);
	n = syscall(SYS_getdents64, tasks_fd, &buf, sizeof(buf));
	for (long at = 0; at < n; at += entry->d_reclen) {
		entry = (const void *)(buf.bytes + at);
		if (entry->d_name[0] == '.')
			continue;
		if (!is_exiting(tasks_fd, entry->d_name))
			return false;
		listed++;
	}
	return listed > 0 && listed >= threads;
}

static int status_of(pid_t pid)
{
	static char path[32], text[STAT_BYTES];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (!read_text(AT_FDCWD, path, text, sizeof(text)))
		return 0;
	at = strrchr(text, ' ');
	return at ? (int)strtol(at + 1, NULL, 10) : 0;
}

/* Where /proc is of another PID namespace its numbers are other processes'.  Then we have more than one: there, and
 * in each below it. */
static bool are_numbers_ours(void)
{
	static const char name[] = "\nNSpid:\t";
	static char text[STATUS_BYTES];
	const char *at;
	char *end;

	if (!read_text(AT_FDCWD, "/proc/self/status", text, sizeof(text)))
		return false;
	at = strstr(text, name);
	return at && strtol(at + strlen(name), &end, 10) == getpid() && *end == '\n';
}

bool death_is_past(pid_t pid, int *ret_status)
{
	static char path[32];
	bool past;
	int fd;

	if (!are_numbers_ours())
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	past = are_all_exiting(fd, pid);
	close(fd);
	if (past)
		*ret_status = status_of(pid);
	return past;
}

static uint64_t oom_kills_now(const struct death *d)
{
	static const char name[] = "\noom_kill ";
	static char text[VMSTAT_BYTES];
	size_t used = 0;
	const char *at;
	ssize_t n;

	while ((n = pread(d->vmstat_fd, text + used, sizeof(text) - 1 - used, (off_t)used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	at = strstr(text, name);
	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

bool death_was_oom(struct death *d, int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && oom_kills_now(d) > d->oom_kills;
}

/* --- canaries ------------------------------------------------------------------------------------ */

static void let_go(struct death *d)
{
	for (unsigned n = 0; n < DEATH_CANARIES; n++) {
		if (d->canary_fd[n] >= 0)
			close(d->canary_fd[n]);
		d->canary_fd[n] = -1;
	}
}

void death_expect(struct death *d, struct death_signs *signs)
{
	let_go(d);
	d->signs = signs;
	for (unsigned n = 0; n < DEATH_CANARIES; n++)
		atomic_store(&signs->canary[n], 0);
	atomic_store(&signs->crashes, 0);
	d->oom_kills = oom_kills_now(d);
}

bool death_sees_crash(struct death *d)
{
	if (!d->signs)
		return false;
	for (unsigned n = 0; n < DEATH_CANARIES; n++) {
		pid_t thread = atomic_load(&d->signs->canary[n]);

		if (thread && d->canary_fd[n] < 0)
			d->canary_fd[n] = (int)syscall(SYS_pidfd_open, thread, PIDFD_OF_THREAD);
	}
	return atomic_load(&d->signs->crashes);
}

/* --- in the child -------------------------------------------------------------------------------- */

static struct death_signs *own_signs;
static pid_t told;

static void *live(void *thread_id)
{
	pthread_setname_np(pthread_self(), "ksmfs-canary");
	atomic_store((_Atomic int32_t *)thread_id, gettid());
	kill(told, SIGCHLD);
	for (;;)
		pause();
	return NULL;
}

void death_be_seen(struct death_signs *signs, pid_t supervisor)
{
	pthread_t thread;

	own_signs = signs;
	told = supervisor;
	for (unsigned n = 0; n < DEATH_CANARIES; n++)
		if (!pthread_create(&thread, NULL, live, &signs->canary[n]))
			pthread_detach(thread);
}

void death_announce(void)
{
	atomic_store(&own_signs->crashes, 1);
	kill(told, SIGCHLD);
}

/* --- the life of it all -------------------------------------------------------------------------- */

void death_open(struct death *d)
{
	let_go(d);
	d->vmstat_fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
}

void death_close(struct death *d)
{
	let_go(d);
	if (d->vmstat_fd >= 0)
		close(d->vmstat_fd);
	d->vmstat_fd = -1;
}
