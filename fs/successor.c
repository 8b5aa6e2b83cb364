/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/successor.c - run from its open file, so that what was looked at is what is run. */
#include "fs/successor.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"

enum { TRY_MS = 5000, ANSWER_BYTES = 256 };

/* The mount point is only there to have room for the title. */
static int run(int program_fd, const char *what, int handover_fd, const char *mountpoint)
{
	static char name[] = "ksmfs", word[32], number[16], path[PATH_MAX];
	static char *argv[] = {name, word, number, path, NULL};

	snprintf(word, sizeof(word), "%s", what);
	snprintf(path, sizeof(path), "%s", mountpoint);
	snprintf(number, sizeof(number), "%d", handover_fd);
	syscall(SYS_execveat, program_fd, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}

int successor_self(struct why *why)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? why_errno(why, -errno, "cannot open the program that runs") : fd;
}

/* N1 */
static int check_file(int program_fd, struct why *why)
{
	struct stat st;

	if (fstat(program_fd, &st) < 0)
		return why_errno(why, -errno, "cannot look at the new program");
	if (!S_ISREG(st.st_mode))
		return why_say(why, -EACCES, "the new program is not a regular file");
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return why_say(why, -EACCES, "the new program belongs to somebody else, or others may write to it");
	return 0;
}

/* In the child: it must not outlive us, and sees no more than it needs. */
static _Noreturn void be_tried(int program_fd, int handover_fd, const int *seen, unsigned count, int answer_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < count; i++)
		fcntl(seen[i], F_SETFD, 0);
	fcntl(handover_fd, F_SETFD, 0);
	if (dup2(answer_fd, 1) == 1)
		dprintf(1, "it cannot be run: %s\n", strerror(-run(program_fd, SUCCESSOR_TRY, handover_fd, "")));
	_exit(127);
}

/* All that it says, until it has ended or time is over. */
static void read_answer(int fd, char ret[ANSWER_BYTES])
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	int64_t end = clock_ms(CLOCK_MONOTONIC) + TRY_MS;
	size_t used = 0;
	ssize_t n;

	while (used < ANSWER_BYTES - 1 && poll(&polled, 1, (int)MAX(end - clock_ms(CLOCK_MONOTONIC), INT64_C(0))) > 0) {
		n = read(fd, ret + used, ANSWER_BYTES - 1 - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	ret[used] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static int judge(const char *answer, int status, struct why *why)
{
	if (strcmp(answer, SUCCESSOR_YES) == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return why_say(why, -ENOEXEC, "the new program cannot take over: %s", *answer ? answer : "it does not say why");
}

int successor_try(int program_fd, int handover_fd, const int *seen, unsigned count, struct why *why)
{
	char answer[ANSWER_BYTES] = "";
	int fds[2], status = 0, r;
	pid_t child;

	r = check_file(program_fd, why);
	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return why_errno(why, -errno, "cannot make a pipe");
	child = fork();
	if (child == 0)
		be_tried(program_fd, handover_fd, seen, count, fds[1]);
	r = child < 0 ? -errno : 0;
	close(fds[1]);
	if (r == 0) {
		read_answer(fds[0], answer);
		kill(child, SIGKILL); /* it has had its say, or its time */
		waitpid(child, &status, 0);
	}
	close(fds[0]);
	return r < 0 ? why_errno(why, r, "cannot start a process") : judge(answer, status, why);
}

int successor_run(int program_fd, const char *mountpoint, int handover_fd, const struct handover_row *rows,
		  unsigned count, struct why *why)
{
	int r;

	handover_keep(rows, count, true);
	fcntl(handover_fd, F_SETFD, 0);
	r = run(program_fd, SUCCESSOR_RUN, handover_fd, mountpoint);
	fcntl(handover_fd, F_SETFD, FD_CLOEXEC);
	handover_keep(rows, count, false);
	return why_errno(why, r, "the new program cannot be run");
}
