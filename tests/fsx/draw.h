/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/fsx/draw.h - all that is random in a run of fsx: the same seed draws the same. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096 };

/* The state is the caller's: it may be shared by processes that take turns. Begins with the seed in it. */
void draw_from(uint64_t *state);

uint64_t draw(uint64_t below);

/* A place below `end`: half of them at pages. */
size_t draw_place(size_t end);

/* From `at` not beyond `end`: half of them to the end of a page. */
size_t draw_length(size_t at, size_t end);

/* Fill data[at .. at + len): mostly with pages that are elsewhere, too, at other places; with some zeroes, and some
 * bytes that are nowhere else. */
void draw_bytes(unsigned char *data, size_t at, size_t len);

static inline size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}
