/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/page.h - pages that say what they are: whose, of which file, where, which generation, and a sum. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run.h"

struct page_label {
	uint32_t job, file, index, generation;
};

/* Content of a page that is written anew: one in two as in other files too, some zeroes, the others like no other. */
void page_fill(void *page, const struct page_label *label);

/* What a page says it is, in words, for a report. */
const char *page_describe(const void *page, char *buf, size_t size);
