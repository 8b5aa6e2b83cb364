/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/killer.c - half of the deaths come at random moments, some of these in bursts; half at named points.
 *
 * A supervisor does not replace workers that die all the time.  So now and then one may live for a while, and the
 * supervisor is told that it is over: on a busy machine "a while" may not be the second that it wants to see.
 */
#include "killer.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"
#include "worker.h"
#include "tests/lib/random.h"

enum { POINTS = 128, NAME = 40, IN_A_ROW = 6 };
enum { REST_MS = 1200, START_MS = 20000, POINT_MS = 400, TAKEOVER_MS = 60, UPGRADE_MS = 60000 };

static struct point {
	char name[NAME];
	unsigned kills, tries;
} points[POINTS];

static unsigned point_count, next_point, in_a_row;
static atomic_bool stopped;
static const char *successor;
static uint64_t random_state;

static void wait_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
}

/* --- who ---------------------------------------------------------------------------------------- */

/* Somebody else than `dead`. */
static pid_t await_worker(pid_t supervisor, pid_t dead)
{
	pid_t pid = 0;

	for (unsigned ms = 0; ms < START_MS && !atomic_load(&stopped); ms++) {
		pid = worker_of(supervisor);
		if (pid > 0 && pid != dead)
			return pid;
		if (ms % 3000 == 2999)
			kill(supervisor, SIGUSR1); /* try again, if you have given up */
		wait_ms(1);
	}
	return 0;
}

static void died(pid_t supervisor, const char *how)
{
	run_note_death(how);
	if (++in_a_row < IN_A_ROW)
		return;
	in_a_row = 0;
	kill(supervisor, SIGUSR1);
	wait_ms(REST_MS);
}

/* --- when --------------------------------------------------------------------------------------- */

/* From 1 to 200 ms, short ones as often as long ones. */
static unsigned some_ms(void)
{
	unsigned most = 1u << (1 + random_below(&random_state, 8));

	return 1 + random_below(&random_state, most < 200 ? most : 200);
}

static unsigned kill_after(pid_t supervisor, pid_t worker, unsigned ms, const char *how)
{
	wait_ms(ms);
	if (!worker_kill(supervisor, worker))
		return 0;
	died(supervisor, how);
	return 1;
}

/* Several, each as soon as it is there. */
static unsigned kill_burst(pid_t supervisor, pid_t worker)
{
	unsigned kills = 0;

	for (unsigned n = 2 + random_below(&random_state, 3); n && worker; n--) {
		kills += kill_after(supervisor, worker, random_below(&random_state, 6), "burst");
		worker = await_worker(supervisor, worker);
	}
	return kills;
}

static bool arm(const struct point *p, unsigned nth)
{
	char text[NAME + 16];

	snprintf(text, sizeof(text), "%s %u\n", p->name, nth);
	return run_write("debug/kill_at", text) == 0;
}

static bool dies_within(pid_t supervisor, pid_t worker, unsigned most)
{
	for (unsigned ms = 0; ms < most; ms++) {
		if (!worker_lives(supervisor, worker))
			return true;
		wait_ms(1);
	}
	return false;
}

/* Some points are on the way of a takeover. So where nobody comes by, the worker is killed: these stay armed. */
static unsigned kill_at_point(pid_t supervisor, pid_t worker)
{
	struct point *p = &points[next_point++ % point_count];
	unsigned kills = 0;

	p->tries++;
	if (!arm(p, random_chance(&random_state, 85) ? 1 : 1 + random_below(&random_state, 20)))
		return 0;
	if (!dies_within(supervisor, worker, POINT_MS)) {
		kills = kill_after(supervisor, worker, 0, "random");
		worker = await_worker(supervisor, worker);
		if (!worker || !dies_within(supervisor, worker, TAKEOVER_MS)) {
			arm(p, 0);
			return kills;
		}
	}
	p->kills++;
	died(supervisor, p->name);
	return kills + 1;
}

static bool ends_well(pid_t pid)
{
	int status;

	for (unsigned ms = 0; ms < UPGRADE_MS; ms++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		wait_ms(1);
	}
	run_wrong("an upgrade does not come back");
	return false;
}

/* The program goes on with the mount; in the middle of that the worker may be killed, and then it may be refused. */
static unsigned upgrade(pid_t supervisor, pid_t worker)
{
	char *const argv[] = {(char *)successor, (char *)"--upgrade", run->mount, NULL};
	posix_spawn_file_actions_t quiet;
	unsigned kills = 0;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(&pid, successor, &quiet, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&quiet);
	if (r)
		return 0;
	if (random_chance(&random_state, 60))
		kills = kill_after(supervisor, worker, random_below(&random_state, 40), "during an upgrade");
	if (ends_well(pid))
		atomic_fetch_add(&run->upgrades, 1);
	else if (!kills)
		run_wrong("an upgrade is refused, and nobody was killed");
	return kills;
}

void killer_upgrade_to(const char *program)
{
	successor = program;
}

void killer_run(pid_t supervisor, unsigned kills)
{
	pid_t worker = 0;

	if (!random_state)
		random_state = run->seed ^ 0x6b696c6c;
	for (unsigned done = 0; done < kills && !atomic_load(&stopped);) {
		unsigned what = random_below(&random_state, 100);

		worker = await_worker(supervisor, 0);
		if (!worker)
			return;
		if (point_count && what < 60)
			done += kill_at_point(supervisor, worker);
		else if (what < 65)
			done += kill_burst(supervisor, worker);
		else if (successor && what < 70)
			done += upgrade(supervisor, worker);
		else
			done += kill_after(supervisor, worker, some_ms(), "random");
	}
}

void killer_stop(void)
{
	atomic_store(&stopped, true);
}

/* --- points ------------------------------------------------------------------------------------- */

unsigned killer_read_points(void)
{
	static char text[16384];
	char *save = NULL;

	if (!run_text("debug/kill_at", text, sizeof(text)))
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line && point_count < POINTS; line = strtok_r(NULL, "\n", &save))
		snprintf(points[point_count++].name, NAME, "%.*s", (int)strcspn(line, " "), line);
	return point_count;
}

void killer_print_points(void)
{
	unsigned reached = 0;

	for (unsigned i = 0; i < point_count; i++)
		reached += points[i].kills > 0;
	if (!point_count)
		return;
	printf("%u of %u kill points have killed:", reached, point_count);
	for (unsigned i = 0; i < point_count; i++)
		if (points[i].kills)
			printf(" %s %u", points[i].name, points[i].kills);
	printf("\n");
	for (unsigned i = 0; i < point_count; i++)
		if (points[i].tries && !points[i].kills)
			printf("not reached in %u tries: %s\n", points[i].tries, points[i].name);
}
