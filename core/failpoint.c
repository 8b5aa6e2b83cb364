/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "failpoint.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

static atomic_uint countdown[FAILPOINTS];

void failpoint_arm(enum failpoint kind, unsigned nth)
{
	atomic_store(&countdown[kind], nth);
}

bool failpoint_hit(enum failpoint kind)
{
	unsigned left = atomic_load_explicit(&countdown[kind], memory_order_relaxed);

	while (left) {
		if (atomic_compare_exchange_weak(&countdown[kind], &left, left - 1))
			return left == 1;
	}
	return false;
}

void *mem_alloc(size_t count, size_t size)
{
	if (failpoint_hit(FAIL_ALLOC))
		return NULL;
	return calloc(count, size);
}

void *mem_alloc_lines(size_t size)
{
	void *p;

	if (failpoint_hit(FAIL_ALLOC) || posix_memalign(&p, CACHE_LINE, size))
		return NULL;
	return memset(p, 0, size);
}

void mem_free(void *p)
{
	free(p);
}

void mem_cleanup(void *pp)
{
	free(*(void **)pp);
}
