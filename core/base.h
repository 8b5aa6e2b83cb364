/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/base.h - the few words every module of core/ speaks.
 *
 * Owns     nothing.
 * Keeps    one page is PAGE_BYTES; nothing here has state.
 * Threads  macros and pure functions only.
 * Fails    never.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PAGE_SHIFT = 12,
	PAGE_BYTES = 1 << PAGE_SHIFT,
	BATCH_PAGES = 256, /* pages in the largest request: 1 MiB, fuse's max_pages */
};

/* The largest file: 2^32 pages, as large as the number of frames could ever be. */
#define FILE_PAGES_MAX (UINT64_C(1) << 32)
#define FILE_BYTES_MAX (FILE_PAGES_MAX << PAGE_SHIFT)

#define must_check __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define _cleanup_(f) __attribute__((cleanup(f)))

/* Hand ownership out of a variable whose cleanup must then do nothing. */
#define TAKE(p)                        \
	({                             \
		__typeof__(p) t_ = (p); \
		(p) = NULL;            \
		t_;                    \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                  \
	({                                                         \
		__typeof__(a) a_ = (a);                            \
		__typeof__(b) b_ = (b);                            \
		a_ < b_ ? a_ : b_;                                 \
	})
#define MAX(a, b)                                                  \
	({                                                         \
		__typeof__(a) a_ = (a);                            \
		__typeof__(b) b_ = (b);                            \
		a_ > b_ ? a_ : b_;                                 \
	})

/* What cannot happen, in every build: a store that goes on with broken invariants loses data.
 * The condition has no side effects. */
#define ASSERT(c) ((c) ? (void)0 : assert_failed(#c, __FILE__, __LINE__))
_Noreturn void assert_failed(const char *what, const char *file, int line);

/* An unexpected positive result becomes -EIO, and says so in the log. */
#define FOLD(r) fold_result((r), __FILE__, __LINE__)
int fold_result(int r, const char *file, int line) must_check;

/* A thread's number, small and dense, drawn when it first asks: the place of its counters and of
 * its half of the gate. Numbers repeat after THREAD_SLOTS, which costs contention, nothing else. */
enum { THREAD_SLOTS = 32 };
unsigned thread_slot(void);

/* Whoever waits for a call that may take long can change his mind: asked between batches, on the thread of
 * the call.  NULL: he never does. */
struct interrupt {
	bool (*pending)(void *arg);
	void *arg;
};

static inline bool interrupted(const struct interrupt *i)
{
	return i && i->pending(i->arg);
}

static inline uint64_t pages_of(uint64_t bytes)
{
	return (bytes >> PAGE_SHIFT) + ((bytes & (PAGE_BYTES - 1)) != 0);
}
