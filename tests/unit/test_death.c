/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_death.c - a process is past when no thread of it does anything any more, and not before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fs/death.h"

enum { THREADS = 120, ROUNDS = 300, SECONDS = 5 /* at most */, EXITING = 0x4 /* PF_EXITING */ };

static _Atomic int32_t *threads; /* of the child: their ids */

static void *idle(void *id)
{
	atomic_store((_Atomic int32_t *)id, gettid());
	for (;;)
		pause();
	return NULL;
}

static pid_t start_child(void)
{
	pthread_t thread;
	pid_t child;

	memset(threads, 0, THREADS * sizeof(*threads));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (unsigned n = 0; n < THREADS; n++)
			if (pthread_create(&thread, NULL, idle, &threads[n]) != 0)
				_exit(1);
		for (;;)
			pause();
	}
	for (unsigned n = 0; n < THREADS; n++)
		while (!atomic_load(&threads[n])) {
			assert_int_equal(waitpid(child, NULL, WNOHANG), 0); /* it has all of them */
			sched_yield();
		}
	return child;
}

/* Is it there, and not on its way out? */
static bool is_alive(pid_t child, int32_t thread)
{
	char path[64], text[512];
	unsigned flags = EXITING;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", child, thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return false;
	text[n] = '\0';
	assert_int_equal(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %u", &flags), 1);
	return !(flags & EXITING);
}

static unsigned count_alive(pid_t child)
{
	unsigned alive = 0;

	for (unsigned n = 0; n < THREADS; n++)
		alive += is_alive(child, threads[n]);
	return alive;
}

static void process__is_not_past_while_it_lives(void **state)
{
	pid_t child = start_child();
	int status = 0;

	for (unsigned n = 0; n < 10; n++)
		assert_false(death_is_past(child, &status));
	assert_int_equal(count_alive(child), THREADS);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
}

/* The kernel's list of threads ends where the thread it has come to is gone, whoever else there is. */
static void process__is_past_when_all_of_its_threads_are(void **state)
{
	unsigned seen = 0, rounds = 0;
	time_t until = time(NULL) + SECONDS;

	for (; rounds == 0 || (rounds < ROUNDS && time(NULL) < until); rounds++) {
		pid_t child = start_child();
		int status = 0;

		assert_int_equal(kill(child, SIGKILL), 0);
		for (unsigned looks = 0; looks < 100000; looks++) {
			if (death_is_past(child, &status)) {
				assert_int_equal(count_alive(child), 0);
				assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
				seen++;
				break;
			}
		}
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_int_equal(seen, rounds);
}

/* Where /proc is of another PID namespace, its numbers are other processes'. */
static void process__is_not_past_for_another_that_has_its_number_elsewhere(void **state)
{
	pid_t dead = fork(), outer;
	siginfo_t info;
	int status = 0;

	if (dead == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)dead, &info, WEXITED | WNOWAIT), 0);
	assert_true(death_is_past(dead, &status));
	outer = fork();
	if (outer == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
			_exit(77);
		outer = fork();
		if (outer == 0)
			_exit(death_is_past(dead, &status));
		_exit(waitpid(outer, &status, 0) == outer ? WEXITSTATUS(status) : 2);
	}
	assert_int_equal(waitpid(outer, &status, 0), outer);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(process__is_not_past_while_it_lives),
		cmocka_unit_test(process__is_past_when_all_of_its_threads_are),
		cmocka_unit_test(process__is_not_past_for_another_that_has_its_number_elsewhere),
	};

	threads = mmap(NULL, THREADS * sizeof(*threads), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (threads == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
