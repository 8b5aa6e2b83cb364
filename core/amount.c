/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "amount.h"

#include <string.h>

enum { PERCENT_MAX = 100000 };

int amount_parse(const char *text, size_t len, struct amount *ret)
{
	static const char suffixes[] = "kmgtpe";
	struct amount a = {0};
	const char *suffix;
	unsigned shift;
	size_t i;

	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		if (__builtin_mul_overflow(a.number, 10, &a.number) ||
		    __builtin_add_overflow(a.number, (uint64_t)(text[i] - '0'), &a.number))
			return -EINVAL;
	if (i == 0 || len > i + 1)
		return -EINVAL;
	if (i < len && text[i] == '%') {
		a.is_percent = true;
		if (a.number > PERCENT_MAX)
			return -EINVAL;
	} else if (i < len) {
		suffix = memchr(suffixes, text[i] | 0x20, sizeof(suffixes) - 1);
		if (!suffix)
			return -EINVAL;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		if (a.number > UINT64_MAX >> shift)
			return -EINVAL;
		a.number <<= shift;
	}
	*ret = a;
	return 0;
}

int amount_pages(const struct amount *a, uint64_t ram_pages, uint64_t *ret)
{
	uint64_t pages = pages_of(a->number);

	if (a->is_percent) /* rounded up, as tmpfs does it */
		pages = MIN((ram_pages * a->number + 99) / 100, FILE_PAGES_MAX);
	if (pages > FILE_PAGES_MAX)
		return -EINVAL;
	*ret = pages ? pages : FILE_PAGES_MAX;
	return 0;
}

int amount_count(const struct amount *a, uint64_t most, uint64_t *ret)
{
	if (a->is_percent || a->number > UINT32_MAX)
		return -EINVAL;
	*ret = a->number ? MIN(a->number, most) : most;
	return 0;
}
