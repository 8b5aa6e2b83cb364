/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/aside.h - requests that take long, each in a thread of its own: those who read requests go on reading.
 *
 * Owns     the threads, and a queue for what comes while there are ASIDE_THREADS of them.
 * Keeps    A1 however many such requests there are, and however long they take, others are read and served, and
 *             so are INTERRUPTs for them.
 *          A2 without such requests there is no thread.
 * Threads  from request threads.
 * Fails    never: where no thread can be had the request keeps the one that read it.
 */
#pragma once

#include <stdint.h>

/* The head of what a request needs: allocated by the caller, and the job's to free. */
struct aside {
	struct aside *next;
	uint64_t request; /* poison.h */
	void (*run)(struct aside *a); /* answers */
};

void aside_run(struct aside *a);
