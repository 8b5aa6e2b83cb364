/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static ssize_t read_proc(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

bool worker_lives(pid_t supervisor, pid_t pid)
{
	char path[64], buf[512], state;
	const char *after_name;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (read_proc(path, buf, sizeof(buf)) <= 0)
		return false;
	after_name = strrchr(buf, ')');
	if (!after_name || !strstr(buf, "(ksmfs-worker)") || sscanf(after_name + 1, " %c %d", &state, &parent) != 2)
		return false;
	return parent == supervisor && state != 'Z' && state != 'X';
}

pid_t worker_of(pid_t supervisor)
{
	char path[64], buf[1024], *at = buf;
	pid_t last = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)supervisor, (int)supervisor);
	if (read_proc(path, buf, sizeof(buf)) < 0)
		return 0;
	for (char *end; *at; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		if (worker_lives(supervisor, (pid_t)pid))
			last = (pid_t)pid;
	}
	return last;
}

bool worker_kill(pid_t supervisor, pid_t worker)
{
	int fd = worker > 0 ? (int)syscall(SYS_pidfd_open, worker, 0) : -1;
	bool killed;

	if (fd < 0)
		return false;
	killed = worker_lives(supervisor, worker) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
	close(fd);
	return killed;
}
