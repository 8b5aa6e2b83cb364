/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/fsx/draw.c - splitmix64, and sizes and bytes that make files merge and split. */
#include "tests/fsx/draw.h"

#include <string.h>

enum { KINDS = 6 }; /* of whole pages that come again and again */

static unsigned char kinds[KINDS][PAGE];
static uint64_t *state;

uint64_t draw(uint64_t below)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % below;
}

void draw_from(uint64_t *from)
{
	state = from;
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < PAGE; i++)
			kinds[k][i] = (unsigned char)draw(256);
}

size_t draw_place(size_t end)
{
	size_t at = draw(end);

	return draw(2) ? at : at / PAGE * PAGE;
}

size_t draw_length(size_t at, size_t end)
{
	static const size_t longest[] = {100, PAGE, PAGE, 4 * PAGE, 16 * PAGE, 64 * PAGE};
	size_t len = 1 + draw(longest[draw(sizeof(longest) / sizeof(*longest))]);

	if (draw(2))
		len = (at + len + PAGE - 1) / PAGE * PAGE - at;
	return min(len, end - at);
}

void draw_bytes(unsigned char *data, size_t at, size_t len)
{
	while (len > 0) {
		size_t in_page = at % PAGE, n = min(len, PAGE - in_page);
		uint64_t kind = draw(KINDS + 2);

		if (kind < KINDS)
			memcpy(data + at, kinds[kind] + in_page, n);
		else if (kind == KINDS)
			memset(data + at, 0, n);
		else
			for (size_t i = 0; i < n; i++)
				data[at + i] = (unsigned char)draw(256);
		at += n;
		len -= n;
	}
}
