/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/rows.h - settings, and counters of what has happened, as they lie in the inode memfd: by name, because
 * who takes a volume over may be a program whose attrs.def has other rows.
 *
 * Owns     nothing: they lie where the caller has them.
 * Keeps    K1 what a program does not know it keeps for one that does.
 *          K2 a setting is within the range that this program has for it.
 * Threads  one, before there are others.
 * Fails    -EUCLEAN: these are none.
 */
#pragma once

#include "settings.h"

struct rows {
	uint32_t own; /* of the program that keeps them, by its numbers; */
	uint32_t all; /* behind them those that only another knows, in settings.value */
	uint32_t name[ATTR_ROWS_MAX]; /* a hash of it; 0: not kept */
	struct settings settings;
	struct counters counters;
};

void rows_reset(struct rows *r);

/* Are they of a program with the same rows? */
bool rows_fit(const struct rows *r) must_check;
/* What another program has left.  What it did not know is as rows_reset() has it. */
int rows_adopt(struct rows *r, const struct rows *from) must_check;
