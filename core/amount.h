/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/amount.h - limits as people write them: 8g, 50%, 0 for none.
 *
 * Owns     nothing.
 * Keeps    Q1 the one reader of such text: mount options and control files take the same.
 * Threads  pure functions.
 * Fails    -EINVAL: no amount, or more than there can be.
 */
#pragma once

#include "base.h"

struct amount {
	uint64_t number;
	bool is_percent; /* of the memory of the machine */
};

/* Digits, then nothing, or %, or one of k, m, g, t, p, e: 1024 once to six times (as the kernel's memparse). */
int amount_parse(const char *text, size_t len, struct amount *ret) must_check;

/* A size in whole pages, rounded up; 0 stands for FILE_PAGES_MAX, and a percentage ends there. */
int amount_pages(const struct amount *a, uint64_t ram_pages, uint64_t *ret) must_check;

/* A number of things, up to 32 bits; 0, and what is more than `most`, stand for `most`. */
int amount_count(const struct amount *a, uint64_t most, uint64_t *ret) must_check;
