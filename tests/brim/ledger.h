/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/brim/ledger.h - what a process was told, in memory that outlives it.
 *
 * Owns     nothing: the entries lie in a mapping that who fills and who verifies share.
 * Keeps    L1 what may be in a page, or an attribute, is what was acknowledged last, or what is being done now.
 * Threads  one writer each; read when he has ended.
 * Fails    by the return value, where that is not void.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096, FILE_PAGES = 1024, XATTRS = 6, XATTR_MAX = 3000, NAMES = 6, FILLERS = 4 };
#define NOTHING UINT32_MAX /* is being done */

/* A value stands for the bytes of a page or an attribute; 0 for zeroes, or for none. */
struct entry {
	_Atomic uint32_t is, to;
	_Atomic uint32_t refused; /* what a write(2) did not store: the kernel has it in its cache all the same, and it
				   * shows where a store through a mapping follows that does not fill the page */
};

struct ledger {
	struct entry page[FILE_PAGES];
	struct entry xattr[XATTRS];
	_Atomic uint32_t refused, killed_by_bus, done; /* ENOSPC; SIGBUS; operations */
	_Atomic bool over; /* enough */
	char wrong[256]; /* what must not have happened */
};

static inline void entry_begin(struct entry *e, uint32_t to)
{
	e->to = to;
}

static inline void entry_end(struct entry *e, bool done)
{
	if (done) {
		e->is = e->to;
		e->refused = NOTHING;
	}
	e->to = NOTHING;
}

void value_fill(void *data, size_t len, uint32_t value);
/* Each word of it is one of what is there or what it was about to be. */
bool value_fits(const void *data, size_t len, const struct entry *e);
uint32_t value_found(const void *data); /* which it begins with */
size_t xattr_len(uint32_t value);
void xattr_name(char ret[16], unsigned n);

uint32_t draw(uint64_t *state, uint32_t below);

/* Works in directory `dir` until `l` says that it is over, and does not return. */
_Noreturn void filler_run(struct ledger *l, const char *dir, unsigned who, uint64_t seed);
