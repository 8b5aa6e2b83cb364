/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/posix.h - calls of a program, and what came of them, written down line by line.
 *
 * Owns     the transcript (stdout) and the count of what is not as POSIX, or Linux, says.
 * Keeps    the same calls give the same transcript on every file system that keeps the same promises: no
 *          inode number, no clock, no order of chance is in it.
 * Threads  one; processes are forked.
 * Fails    never: what is not as it should be is a line that begins with "WRONG", and a count.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { PAGE = 4096, ALICE = 65534, BOB = 65533, STAFF = 65532 };

extern unsigned wrong; /* so far */
extern bool is_small;  /* SCALE=small: less of everything */

/* Must succeed; must return `want`; must fail with that errno; whatever comes, as long as it is the same elsewhere. */
#define OK(call)	 result_ok(#call, __LINE__, (errno = 0, (long)(call)))
#define IS(want, call)	 result_is(#call, __LINE__, (long)(want), (errno = 0, (long)(call)))
#define NO(error, call) result_no(#call, __LINE__, (error), (errno = 0, (long)(call)))
#define SAY(call)	 result_say(#call, (errno = 0, (long)(call)))

long result_ok(const char *call, int line, long got);
long result_is(const char *call, int line, long want, long got);
long result_no(const char *call, int line, int error, long got);
long result_say(const char *call, long got);
/* A line of its own. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The errno of a call that failed, 0 for one that did not. */
int errno_of(long result);
/* "EIO" */
const char *name_of_errno(int error);

/* Type, mode, links, owner, size and, of files, blocks. */
void show(const char *path);
void show_fd(int fd, const char *what);

/* What runs in a child of its own:  CHILD { calls }  continues when it has ended, which it must do by itself.
 * DIES(SIGBUS) { calls }  must be ended by that signal. */
#define CHILD	       if (child_begin(0, __LINE__)) for (;; child_end())
#define DIES(signal) if (child_begin((signal), __LINE__)) for (;; child_end())
bool child_begin(int signal, int line);
void child_end(void) __attribute__((noreturn));
/* The child that goes on beside its parent, and its end: exit status, or 1000 and the signal. */
pid_t beside(void);
int end_of(pid_t pid);

/* Who makes the calls that follow. */
void as(uid_t uid, gid_t gid);
void as_in(uid_t uid, gid_t gid, gid_t group); /* with one more group */
void as_root(void);

/* Small things done often.  They must succeed. */
void make_file(const char *path, mode_t mode);
void make_file_of(const char *path, uid_t uid, gid_t gid, mode_t mode);
void make_dir_of(const char *path, uid_t uid, gid_t gid, mode_t mode);
int open_new(const char *path); /* for reading and writing */
void fill(int fd, int byte, off_t at, size_t len);
bool all_are(const void *bytes, int byte, size_t len);
/* What stands there, as one byte: -1 for nothing, -2 for bytes that differ from each other. */
int byte_at(int fd, off_t at, size_t len);
void pause_ms(unsigned ms);
/* Times that a call moves: stamps_before() first, then the call, then e.g. stamps_after("a", "MC"). */
struct stamps {
	const char *path;
	struct stat before;
};
struct stamps stamps_of(const char *path);
/* By which files are stamped: it may stand still for long on a busy machine. */
void let_clock_move(void);
void stamps_moved(const struct stamps *s, const char *want, const char *call, int line);
/* path's times, and dir's, before and after the call; "" for none. */
#define STAMPS(path, want, dir, want_dir, call)                                       \
	do {                                                                          \
		struct stamps s_ = stamps_of(path), d_ = stamps_of(dir);              \
		let_clock_move();                                                     \
		OK(call);                                                             \
		stamps_moved(&s_, (want), #call, __LINE__);                           \
		stamps_moved(&d_, (want_dir), #call, __LINE__);                       \
	} while (0)

/* The themes. Each runs in an empty directory of its own. */
void theme_errors(void);
void theme_rename(void);
void theme_times(void);
void theme_rights(void);
void theme_files(void);
void theme_dirs(void);
void theme_locks(void);
void theme_memory(void);
void theme_traps(void);
void theme_watch(void);
void theme_async(void);
void theme_spaces(void);
void theme_extras(void);
void theme_full(void); /* on a mount that is small */
