/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/pressure.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/overhead.h"
#include "fs/privileges.h"

enum { LARGE = 4 << 20, SMALL = 1 << 20 };

/* Another malloc(), a sanitizer's or (preloaded) valgrind's, keeps what was freed. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

bool privileges_can_lock(void)
{
	return true;
}

static void take_and_free(void)
{
	char *p = malloc(LARGE);

	assert_non_null(p);
	memset(p, 'x', LARGE);
	__asm__ volatile("" : : "r"(p) : "memory");
	free(p);
}

/* A thread has a heap of its own, and stays. */
static void *twice(void *arg)
{
	uint64_t before = overhead_anonymous();

	take_and_free();
	take_and_free();
	*(uint64_t *)arg = overhead_anonymous() - before;
	return NULL;
}

static void lock__what_is_large_and_freed_goes_back(void **state)
{
	pthread_t thread;
	uint64_t more = 0;

	(void)state;
	if (__asan_init || __tsan_init || getenv("LD_PRELOAD") || !pressure_lock())
		skip();
	assert_int_equal(pthread_create(&thread, NULL, twice, &more), 0);
	pthread_join(thread, NULL);
	assert_true((int64_t)more < SMALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock__what_is_large_and_freed_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
