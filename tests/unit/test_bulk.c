/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/bulk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "core/failpoint.h"

enum { PAGES = 64 };

static unsigned resident(const uint8_t *p)
{
	unsigned char in[PAGES];
	unsigned n = 0;

	assert_int_equal(mincore((void *)p, PAGES * PAGE_BYTES, in), 0);
	for (unsigned k = 0; k < PAGES; k++)
		n += in[k] & 1;
	return n;
}

static void map__takes_memory_where_it_is_stored_into(void **state)
{
	uint8_t *p = bulk_map(PAGES * PAGE_BYTES - 100);

	(void)state;
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % PAGE_BYTES, 0);
	assert_int_equal(resident(p), 0);
	p[5 * PAGE_BYTES] = p[9 * PAGE_BYTES] = 'x';
	assert_int_equal(resident(p), 2);
	bulk_unmap(p, PAGES * PAGE_BYTES - 100);
	bulk_unmap(NULL, 0);
}

static void forget__gives_memory_back_though_it_is_locked(void **state)
{
	uint8_t *p = bulk_map(PAGES * PAGE_BYTES);

	(void)state;
	assert_non_null(p);
	memset(p, 'x', PAGES * PAGE_BYTES);
	(void)mlock(p, PAGES * PAGE_BYTES); /* whoever may not sees the rest all the same */
	bulk_forget(p + PAGE_BYTES, 10 * PAGE_BYTES);
	assert_int_equal(resident(p), PAGES - 10);
	assert_int_equal(p[PAGE_BYTES - 1], 'x');
	assert_int_equal(p[PAGE_BYTES], 0);
	assert_int_equal(p[11 * PAGE_BYTES - 1], 0);
	assert_int_equal(p[11 * PAGE_BYTES], 'x');
	bulk_unmap(p, PAGES * PAGE_BYTES);
}

static void map__fails_without_memory(void **state)
{
	(void)state;
	failpoint_arm(FAIL_ALLOC, 1);
	assert_null(bulk_map(PAGE_BYTES));
	failpoint_arm(FAIL_ALLOC, 0);
	assert_null(bulk_map(SIZE_MAX / 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map__takes_memory_where_it_is_stored_into),
		cmocka_unit_test(forget__gives_memory_back_though_it_is_locked),
		cmocka_unit_test(map__fails_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
