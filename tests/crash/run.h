/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/run.h - what all processes of a run know of each other: whose turn it is, what was done, what went wrong.
 *
 * A job is a process with files of its own on the mount, and a model of them in its memory: the daemon's death does
 * not touch that. Its operations are noted before they are called, and acknowledged when they have returned.
 */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

enum { PAGE = 4096, JOBS = 24, LINES = 48, LINE = 160, DEATHS = 32 };

/* What all jobs do now; they say when they have done it. */
enum phase { MAKE, WORK, VERIFY, REMOVE };

/* How what is wrong is called. */
enum wrong { LOST, DOUBLED, ERROR, WRONGS };

struct kind {
	const char *name;
	unsigned processes;
	void (*make)(void);   /* its files, in the working directory, which is its own */
	void (*step)(void);   /* one operation */
	void (*verify)(void); /* compare everything */
	void (*remove)(void); /* its files */
};

struct job {
	const struct kind *kind;
	unsigned number;
	pid_t pid;
	atomic_llong since; /* when its operation began, 0: it is in none */
	unsigned lines;
	char log[LINES][LINE];
};

struct death {
	long long at;
	char how[48];
};

struct run {
	uint64_t seed;
	unsigned round, jobs;
	long long began;
	char mount[512];
	atomic_uint turn, arrived; /* phases so far, jobs that have finished the present one */
	atomic_int phase;
	atomic_bool stop; /* ends WORK */
	atomic_ullong acknowledged, wrong[WRONGS];
	atomic_ulong most_sharing;
	atomic_uint kills, upgrades;
	struct death death[DEATHS];
	struct job job[JOBS];
};

extern struct run *run;
extern struct job *self; /* NULL in the main process */

struct run *run_new(const char *mount, uint64_t seed);
long long now_ms(void); /* since the run began */
void run_job(const struct kind *kind, unsigned number); /* fork it */
void run_note_death(const char *how);
bool run_begin(enum phase phase); /* false: something is wrong */
bool run_watch(void);             /* for a moment; false: something is wrong */
bool run_finish(void);            /* until all jobs are through */
void run_abandon(void); /* end jobs that are left */
const char *run_text(const char *path, char *buf, size_t size); /* a file of .ksmfs/, without its newline */
int run_write(const char *path, const char *text); /* 0 or errno */

/* Random numbers of this job. */
uint64_t draw64(void);
unsigned draw(unsigned n); /* below n */
bool chance(unsigned percent);

/* Note what is about to be called. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* It returned `r`; it should succeed (`wanted` 0), or fail so. Returns r. */
long answered(long r, int wanted);

/* `r` came back, and `good` says whether that is right; an error is one. */
long answered_with(long r, long wanted);

/* Something that is no job's is wrong. */
void run_wrong(const char *what);

/* Say so with everything needed to see it again, and end the job. */
void fail(enum wrong wrong, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
