/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/brim/ledger.h"

#include <stdio.h>
#include <string.h>

static uint64_t word_of(uint32_t value, size_t n)
{
	return value ? ((uint64_t)value << 32 | n) * UINT64_C(0x9e3779b97f4a7c15) : 0;
}

void value_fill(void *data, size_t len, uint32_t value)
{
	for (size_t n = 0; n < len / sizeof(uint64_t); n++) {
		uint64_t word = word_of(value, n);

		memcpy((uint8_t *)data + n * sizeof(word), &word, sizeof(word));
	}
}

static bool may_be(uint64_t word, size_t n, uint32_t value)
{
	return value != NOTHING && word == word_of(value, n);
}

bool value_fits(const void *data, size_t len, const struct entry *e)
{
	for (size_t n = 0; n < len / sizeof(uint64_t); n++) {
		uint64_t word;

		memcpy(&word, (const uint8_t *)data + n * sizeof(word), sizeof(word));
		if (!may_be(word, n, e->is) && !may_be(word, n, e->to) && !may_be(word, n, e->refused))
			return false;
	}
	return true;
}

uint32_t value_found(const void *data)
{
	uint64_t word;

	memcpy(&word, data, sizeof(word));
	return (uint32_t)(word * UINT64_C(0xf1de83e19937733d) >> 32); /* the inverse */
}

size_t xattr_len(uint32_t value)
{
	return 8 + value * UINT32_C(2654435761) % (XATTR_MAX / 8) * 8;
}

void xattr_name(char ret[16], unsigned n)
{
	snprintf(ret, 16, "user.brim%u", n);
}

uint32_t draw(uint64_t *state, uint32_t below)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = (*state ^ *state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);

	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z >> 32) * below >> 32);
}
