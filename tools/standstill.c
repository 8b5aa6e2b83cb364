/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/standstill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum task { TASK_GONE, TASK_STANDS, TASK_RUNS };

/* It stands: stopped, traced, or no more than what is left of it. */
static enum task look_at(const char *stat_path)
{
	char stat[512];
	const char *state;
	int fd = open(stat_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return TASK_GONE;
	stat[n] = '\0';
	state = strrchr(stat, ')');
	return state && state[1] && strchr("TtZX", state[2]) ? TASK_STANDS : TASK_RUNS;
}

static unsigned long count_threads(int tasks_fd)
{
	struct stat st;

	return fstat(tasks_fd, &st) < 0 ? 0 : st.st_nlink - 2; /* besides "." and ".." */
}

/* The kernel's list of threads ends early where the one that it has come to has gone meanwhile: whoever is not in it
 * is still counted when all the others stand. */
static bool all_stand(pid_t pid)
{
	enum task task = TASK_STANDS;
	char dir[64], path[384];
	unsigned long stand = 0;
	struct dirent *d;
	bool whole;
	DIR *tasks;

	snprintf(dir, sizeof(dir), "/proc/%d/task", (int)pid);
	tasks = opendir(dir);
	if (!tasks)
		return true;
	while (task != TASK_RUNS && (d = readdir(tasks))) {
		if (*d->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/stat", dir, d->d_name);
		task = look_at(path);
		stand += task == TASK_STANDS;
	}
	whole = count_threads(dirfd(tasks)) <= stand;
	closedir(tasks);
	return task != TASK_RUNS && whole;
}

bool standstill_is_served(pid_t supervisor)
{
	pid_t worker[WORKERS_MAX];
	unsigned workers = whereabouts_workers(supervisor, worker);

	for (unsigned n = 0; n < workers; n++)
		if (!all_stand(worker[n]))
			return true;
	return false;
}

/* Lets those go on whose numbers it was sent, when the other end of the pipe closes. */
static _Noreturn void guard(int fd)
{
	pid_t stopped[WORKERS_MAX + 1], pid;
	unsigned n = 0;
	ssize_t got;

	setsid();
	while ((got = read(fd, &pid, sizeof(pid))) != 0)
		if (got == (ssize_t)sizeof(pid) && n < sizeof(stopped) / sizeof(stopped[0]))
			stopped[n++] = pid;
	while (n)
		kill(stopped[--n], SIGCONT);
	_exit(0);
}

static int start_guard(struct standstill *s)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	s->guard_fd = ends[1];
	s->guard = fork();
	if (!s->guard) {
		close(ends[1]);
		guard(ends[0]);
	}
	close(ends[0]);
	return s->guard < 0 ? -errno : 0;
}

/* The guard knows of it first. */
static int stop(struct standstill *s, pid_t pid, bool *ret_ran)
{
	*ret_ran = !all_stand(pid);
	if (!*ret_ran)
		return 0;
	if (write(s->guard_fd, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		return -EIO;
	if (kill(pid, SIGSTOP) < 0)
		return errno == ESRCH ? 0 : -errno;
	while (!all_stand(pid))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return 0;
}

static void hold_off_stops(struct standstill *s)
{
	static const int stops[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (unsigned n = 0; n < sizeof(stops) / sizeof(stops[0]); n++)
		sigaddset(&blocked, stops[n]);
	sigprocmask(SIG_BLOCK, &blocked, &s->before);
}

int standstill_begin(pid_t supervisor, struct standstill *ret)
{
	pid_t worker[WORKERS_MAX];
	unsigned workers;
	bool ran;
	int r;

	*ret = (struct standstill){ .guard_fd = -1 };
	hold_off_stops(ret);
	r = start_guard(ret);
	if (!r)
		r = stop(ret, supervisor, &ran);
	workers = r ? 0 : whereabouts_workers(supervisor, worker);
	for (unsigned n = 0; n < workers && !r; n++) {
		r = stop(ret, worker[n], &ran);
		ret->served |= ran;
	}
	return r;
}

void standstill_end(struct standstill *s)
{
	if (s->guard_fd >= 0)
		close(s->guard_fd);
	if (s->guard > 0)
		waitpid(s->guard, NULL, 0);
	sigprocmask(SIG_SETMASK, &s->before, NULL);
	*s = (struct standstill){ .guard_fd = -1 };
}
