/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/scan.h - the scanner (KSM's ksmd): walks all files, a batch at a time, while there is a reason.
 *
 * Owns     its thread, its cursor (an inode record and a page index), and scrub.h, which it lets run in between.
 * Keeps    K1 after a change it completes three passes, and goes on while something could not be looked at; then it
 *             sleeps and does not wake until the next, but for scrubbing.
 *          K2 no operation waits for it: it holds the gate for at most SCAN_CHUNK pages.
 *          K3 the cursor is two numbers, so files may vanish, grow or shrink under it.
 *          K4 an urgent pass (scan_urge) goes before all else, and takes a ninth of a CPU at most.
 * Threads  scan_kick() and scan_wake() from anywhere with no lock below SCAN.  The cursor moves inside the gate.
 * Fails    starting a thread: -errno.  Out of memory inside is met again in the next pass.
 */
#pragma once

#include "pool.h"
#include "scrub.h"

enum { SCAN_CHUNK = 64, SCAN_PASSES = 3 };

struct scan;

int scan_new(struct pool *p, struct scan **ret) must_check;
int scan_start(struct scan *s) must_check;
void scan_free(struct scan *s); /* stops the thread first */

/* Contents or files have changed. */
void scan_kick(struct scan *s);
/* A setting has changed: a sleep that has begun ends, too. */
void scan_wake(struct scan *s);

/* No frame can be had: all that is not in the content index is to be looked at, at once, while `run` is 1.  Does not
 * wait for it. */
void scan_urge(struct scan *s);

/* Begin at the first file again.  With the gate closed. */
void scan_rewind(struct scan *s);

/* Call `done` at the end of each pass that merged or indexed anything, from the scanner's thread, outside the gate. */
void scan_on_pass(struct scan *s, void (*done)(void *arg), void *arg);

/* For those who want its reports. */
struct scrub *scan_scrub(struct scan *s);

/* Nothing left to do?  (Also when run is 0.) */
bool scan_is_idle(struct scan *s);

/* One pass over everything, in the caller's thread: for tests. The scanner must not be started. */
void scan_pass(struct scan *s);
