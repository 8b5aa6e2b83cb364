/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/arena.h - a memfd, mapped once, whose pages come and go.
 *
 * Owns     the mapping; the descriptor stays its giver's.
 * Keeps    the base address never changes while the arena is open, and lies on a page table of its own.
 * Threads  any; populate and release of different ranges run side by side.
 * Fails    -errno of the system call.
 */
#pragma once

#include "base.h"

struct arena {
	uint8_t *base;
	size_t bytes;
	int fd;
};

/* A new, empty memfd: sealed against execution where the kernel can. */
int arena_memfd(const char *name, int *ret_fd) must_check;

/* Map `fd`, growing the file to `bytes` if it is shorter: what is longer, because somebody wanted more of it before us,
 * is mapped whole.  As a `copy` the mapping is private, and of at most `bytes`: it can be changed at will, and the file
 * never sees it (nor may it be shorter). */
int arena_open(int fd, size_t bytes, bool copy, struct arena *ret) must_check;
void arena_close(struct arena *a); /* a zeroed arena is fine */

/* In a process that locks all that it maps: not this. */
void arena_stay_swappable(struct arena *a);

/* Bring in memory for a range, before anybody stores into it.  Looking whether there is any is the
 * caller's part (core/room.h): in a memory cgroup, running out here kills. */
int arena_populate(struct arena *a, size_t offset, size_t bytes) must_check;

/* The same, for whole pages of which nothing matters any more.  Whoever waits for memory here has not locked this
 * process's mappings meanwhile; and whoever is killed leaves nothing that arena_data_end() would not see, as
 * fallocate(2) does. */
int arena_zero(struct arena *a, size_t offset, size_t bytes) must_check;

/* Give a range back to the system; it reads as zeroes then. */
int arena_release(struct arena *a, size_t offset, size_t bytes) must_check;

/* Of a range without memory, as far as it is whole ARENA_TABLE_BYTES: the kernel's page tables go back, too, where it
 * can do that (Linux 6.14). */
enum { ARENA_TABLE_BYTES = 2 << 20 };
void arena_forget(struct arena *a, size_t offset, size_t bytes);

/* Behind the last memory at or after `offset`; 0 if there is none, or in a copy. */
size_t arena_data_end(const struct arena *a, size_t offset) must_check;
