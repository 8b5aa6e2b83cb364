/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/page.c - a page is 512 words: a magic, a label, numbers that follow from these, and the sum of all. */
#include "page.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/random.h"

enum { WORDS = PAGE / 8, FILL = 3, SUM = WORDS - 1, COMMON = 12 };

static const uint64_t unique_magic = 0x6d75736572697571u, common_magic = 0x6e6f6d6d6f636d6du;

static uint64_t sum_of(const uint64_t *word)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SUM; i++)
		sum = (sum << 1 | sum >> 63) + word[i];
	return sum;
}

static void fill(uint64_t *word, uint64_t magic, uint64_t a, uint64_t b)
{
	uint64_t state = magic ^ a << 17 ^ b;

	word[0] = magic;
	word[1] = a;
	word[2] = b;
	for (unsigned i = FILL; i < SUM; i++)
		word[i] = random_next(&state);
	word[SUM] = sum_of(word);
}

void page_fill(void *page, const struct page_label *label)
{
	unsigned what = draw(100);

	if (what < 12)
		memset(page, 0, PAGE);
	else if (what < 50)
		fill(page, common_magic, draw(COMMON), 0);
	else
		fill(page, unique_magic, (uint64_t)label->job << 32 | label->file,
		     (uint64_t)label->index << 32 | label->generation);
}

static bool is_zero(const uint64_t *word)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (word[i])
			return false;
	return true;
}

const char *page_describe(const void *page, char *buf, size_t size)
{
	uint64_t word[WORDS];
	const char *whole;

	memcpy(word, page, PAGE);
	whole = sum_of(word) == word[SUM] ? "whole" : "changed in part";
	if (is_zero(word))
		snprintf(buf, size, "zeroes");
	else if (word[0] == unique_magic)
		snprintf(buf, size, "job %u file %u page %u generation %u (%s)", (unsigned)(word[1] >> 32),
			 (unsigned)word[1], (unsigned)(word[2] >> 32), (unsigned)word[2], whole);
	else if (word[0] == common_magic)
		snprintf(buf, size, "common page %u (%s)", (unsigned)word[1], whole);
	else
		snprintf(buf, size, "no page of ours, begins with %016llx", (unsigned long long)word[0]);
	return buf;
}
