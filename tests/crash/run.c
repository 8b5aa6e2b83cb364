/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/run.c - the jobs take turns: all work, then all verify, and so on; who waits for 60 s is stuck. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/random.h"

enum { STUCK_MS = 60000, REPORT = 16384 };

struct run *run;
struct job *self;
static uint64_t random_state;
static const char *const wrong_names[WRONGS] = {"lost", "doubled", "error"};

static long long clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

long long now_ms(void)
{
	return clock_ms() - run->began;
}

struct run *run_new(const char *mount, uint64_t seed)
{
	void *p = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	run = p;
	run->seed = random_state = seed;
	run->began = clock_ms() - 1;
	snprintf(run->mount, sizeof(run->mount), "%s", mount);
	return run;
}

uint64_t draw64(void)
{
	return random_next(&random_state);
}

unsigned draw(unsigned n)
{
	return random_below(&random_state, n);
}

bool chance(unsigned percent)
{
	return random_chance(&random_state, percent);
}

/* --- what was done ---------------------------------------------------------------------------- */

void note(const char *format, ...)
{
	char *line = self->log[self->lines++ % LINES];
	va_list args;
	int n;

	n = snprintf(line, LINE, "%lld ", now_ms());
	va_start(args, format);
	vsnprintf(line + n, (size_t)(LINE - n), format, args);
	va_end(args);
	atomic_store(&self->since, now_ms());
}

static void note_answer(long r)
{
	char *line = self->log[(self->lines - 1) % LINES];
	size_t n = strlen(line);
	int err = errno;

	atomic_store(&self->since, 0);
	if (r < 0)
		snprintf(line + n, LINE - n, " = %s (%lld)", strerrorname_np(err), now_ms());
	else
		snprintf(line + n, LINE - n, " = %ld (%lld)", r, now_ms());
	errno = err;
}

/* What an error means that nobody expected: "not there" and "there already" are what doing a thing twice looks like. */
static enum wrong wrong_of(int err)
{
	return err == EEXIST || err == ENOENT || err == ENODATA || err == ENOTEMPTY ? DOUBLED : ERROR;
}

long answered(long r, int wanted)
{
	note_answer(r);
	if (r < 0 && !wanted)
		fail(wrong_of(errno), "it failed with %s", strerror(errno));
	if (r < 0 && errno != wanted)
		fail(ERROR, "it failed with %s instead of %s", strerror(errno), strerrorname_np(wanted));
	if (r >= 0 && wanted)
		fail(LOST, "it succeeded instead of failing with %s", strerrorname_np(wanted));
	atomic_fetch_add(&run->acknowledged, 1);
	return r;
}

long answered_with(long r, long wanted)
{
	answered(r, 0);
	if (r != wanted)
		fail(LOST, "it returned %ld instead of %ld", r, wanted);
	return r;
}

/* --- what went wrong -------------------------------------------------------------------------- */

static size_t put(char *report, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));
static size_t put(char *report, size_t n, const char *format, ...)
{
	va_list args;
	int more;

	va_start(args, format);
	more = vsnprintf(report + n, REPORT - n, format, args);
	va_end(args);
	return more < 0 || n + (size_t)more >= REPORT ? REPORT - 1 : n + (size_t)more;
}

static size_t put_deaths(char *report, size_t n)
{
	unsigned kills = atomic_load(&run->kills);

	n = put(report, n, "the last deaths, in ms:");
	for (unsigned i = kills > DEATHS ? kills - DEATHS : 0; i < kills; i++)
		n = put(report, n, " %lld %s,", run->death[i % DEATHS].at, run->death[i % DEATHS].how);
	return put(report, n, " of %u\n", kills);
}

static size_t put_log(char *report, size_t n, const struct job *job)
{
	for (unsigned i = job->lines > LINES ? job->lines - LINES : 0; i < job->lines; i++)
		n = put(report, n, "  %s\n", job->log[i % LINES]);
	return n;
}

/* All in one write, so that what several have to say does not mix. */
static void report_wrong(const struct job *job, enum wrong wrong, const char *what)
{
	static char report[REPORT];
	size_t n = 0;

	atomic_fetch_add(&run->wrong[wrong], 1);
	n = put(report, n, "FAILED (%s): %s %u, seed %llu, round %u, at %lld ms\n", wrong_names[wrong],
		job->kind->name, job->number, (unsigned long long)run->seed, run->round, now_ms());
	n = put_deaths(report, n);
	n = put_log(report, n, job);
	n = put(report, n, "%s %u: %s\n", job->kind->name, job->number, what);
	if (write(STDERR_FILENO, report, n) < 0)
		_exit(2);
}

void fail(enum wrong wrong, const char *format, ...)
{
	char what[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	report_wrong(self, wrong, what);
	_exit(1);
}

void run_wrong(const char *what)
{
	static const struct kind nobody = {"the run"};
	static struct job job = {.kind = &nobody};

	report_wrong(&job, ERROR, what);
}

static void on_signal(int signal_number)
{
	fail(ERROR, "signal %d (%s)", signal_number, sigabbrev_np(signal_number));
}

/* --- a job ------------------------------------------------------------------------------------ */

static void work(void)
{
	while (!atomic_load(&run->stop))
		self->kind->step();
}

static void take_turns(void)
{
	for (unsigned turn = 0;;) {
		if (atomic_load(&run->turn) == turn) {
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
			continue;
		}
		turn = atomic_load(&run->turn);
		switch ((enum phase)atomic_load(&run->phase)) {
		case MAKE:
			self->kind->make();
			break;
		case WORK:
			work();
			break;
		case VERIFY:
			self->kind->verify();
			break;
		case REMOVE:
			self->kind->remove();
			atomic_fetch_add(&run->arrived, 1);
			_exit(0);
		}
		atomic_fetch_add(&run->arrived, 1);
	}
}

/* Each in a directory of its own. */
static void enter_directory(void)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s%u", run->mount, self->kind->name, self->number);
	note("mkdir and chdir %s", path);
	answered(mkdir(path, 0755), 0);
	note("chdir");
	answered(chdir(path), 0);
}

void run_job(const struct kind *kind, unsigned number)
{
	struct job *job = &run->job[run->jobs++];
	pid_t pid;

	job->kind = kind;
	job->number = number;
	pid = fork();
	if (pid) {
		job->pid = pid;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self = job;
	random_state = run->seed + (uint64_t)(job - run->job) * 0x10001;
	umask(0);
	signal(SIGBUS, on_signal);
	signal(SIGSEGV, on_signal);
	signal(SIGPIPE, SIG_IGN);
	enter_directory();
	take_turns();
}

/* --- all jobs --------------------------------------------------------------------------------- */

void run_note_death(const char *how)
{
	struct death *d = &run->death[atomic_load(&run->kills) % DEATHS];

	d->at = now_ms();
	snprintf(d->how, sizeof(d->how), "%s", how);
	atomic_fetch_add(&run->kills, 1);
}

static bool is_wrong(void)
{
	for (unsigned i = 0; i < WRONGS; i++)
		if (atomic_load(&run->wrong[i]))
			return true;
	return false;
}

/* A job that ended before its time has said why, or died of something. */
static void look_at_ends(void)
{
	int status;

	for (unsigned i = 0; i < run->jobs; i++) {
		struct job *job = &run->job[i];

		if (job->pid <= 0 || waitpid(job->pid, &status, WNOHANG) != job->pid)
			continue;
		job->pid = 0;
		if (WIFSIGNALED(status) || WEXITSTATUS(status) > 1)
			report_wrong(job, ERROR, "the program died");
	}
}

static void look_for_stuck(void)
{
	for (unsigned i = 0; i < run->jobs; i++) {
		struct job *job = &run->job[i];
		long long since = atomic_load(&job->since);

		if (job->pid && since && now_ms() - since > STUCK_MS) {
			report_wrong(job, ERROR, "it does not come back");
			job->pid = 0;
		}
	}
}

bool run_begin(enum phase phase)
{
	if (is_wrong())
		return false;
	atomic_store(&run->arrived, 0);
	atomic_store(&run->stop, false);
	atomic_store(&run->phase, (int)phase);
	atomic_fetch_add(&run->turn, 1);
	return true;
}

bool run_watch(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	look_at_ends();
	look_for_stuck();
	return !is_wrong();
}

bool run_finish(void)
{
	atomic_store(&run->stop, true);
	while (atomic_load(&run->arrived) < run->jobs)
		if (!run_watch())
			return false;
	return !is_wrong();
}

/* Those that can still be ended; who waits for the mount ends with it. */
void run_abandon(void)
{
	look_at_ends();
	for (unsigned i = 0; i < run->jobs; i++)
		if (run->job[i].pid > 0)
			kill(run->job[i].pid, SIGKILL);
	for (unsigned tries = 0; tries < 100; tries++) {
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
}

/* --- control files ---------------------------------------------------------------------------- */

static int open_control(const char *path, int flags)
{
	char full[640];

	snprintf(full, sizeof(full), "%s/.ksmfs/%s", run->mount, path);
	return open(full, flags | O_CLOEXEC);
}

const char *run_text(const char *path, char *buf, size_t size)
{
	int fd = open_control(path, O_RDONLY);
	size_t len = 0;
	ssize_t n = -1;

	if (fd < 0)
		return NULL;
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (n < 0)
		return NULL;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return buf;
}

int run_write(const char *path, const char *text)
{
	int fd = open_control(path, O_WRONLY), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno;
	close(fd);
	return err;
}
