/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/arena.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/failpoint.h"

enum { BYTES = 64 * PAGE_BYTES };

static int setup(void **state)
{
	static int fd;

	*state = &fd;
	return arena_memfd("test", &fd);
}

static int teardown(void **state)
{
	return close(*(int *)*state);
}

static uint64_t used_pages(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512 / PAGE_BYTES;
}

static void memfd__is_closed_on_exec(void **state)
{
	assert_true(fcntl(*(int *)*state, F_GETFD) & FD_CLOEXEC);
}

static void open__grows_an_empty_file_and_takes_no_memory(void **state)
{
	int fd = *(int *)*state;
	struct arena a;

	assert_int_equal(arena_open(fd, BYTES, false, &a), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), BYTES);
	assert_int_equal(used_pages(fd), 0);
	arena_close(&a);
	arena_close(&a);
}

static void open__again_finds_what_was_stored(void **state)
{
	int fd = *(int *)*state;
	struct arena a;

	assert_int_equal(arena_open(fd, BYTES, false, &a), 0);
	a.base[5 * PAGE_BYTES] = 'x';
	arena_close(&a);
	assert_int_equal(arena_open(fd, BYTES, false, &a), 0);
	assert_int_equal(a.base[5 * PAGE_BYTES], 'x');
	arena_close(&a);
}

static void forget__tables_go_and_nothing_else(void **state)
{
	enum { TABLES = 4 };
	int fd = *(int *)*state;
	struct arena a;

	assert_int_equal(arena_open(fd, TABLES * ARENA_TABLE_BYTES + PAGE_BYTES, false, &a), 0);
	assert_int_equal((uintptr_t)a.base % ARENA_TABLE_BYTES, 0);
	memset(a.base, 'x', a.bytes);
	assert_int_equal(arena_release(&a, ARENA_TABLE_BYTES, ARENA_TABLE_BYTES), 0);
	arena_forget(&a, 0, a.bytes + 16 * ARENA_TABLE_BYTES); /* of what has memory nothing is lost */
	arena_forget(&a, 5, ARENA_TABLE_BYTES);
	assert_int_equal(used_pages(fd), 3 * ARENA_TABLE_BYTES / PAGE_BYTES + 1);
	for (size_t at = 0; at < a.bytes; at += PAGE_BYTES)
		assert_int_equal(a.base[at], at / ARENA_TABLE_BYTES == 1 ? 0 : 'x');
	arena_close(&a);
}

static void populate__takes_memory_and_release_gives_it_back(void **state)
{
	int fd = *(int *)*state;
	struct arena a;

	assert_int_equal(arena_open(fd, BYTES, false, &a), 0);
	assert_int_equal(arena_populate(&a, 8 * PAGE_BYTES, 4 * PAGE_BYTES), 0);
	assert_int_equal(used_pages(fd), 4);
	a.base[8 * PAGE_BYTES] = 'x';
	assert_int_equal(arena_release(&a, 8 * PAGE_BYTES, 3 * PAGE_BYTES), 0);
	assert_int_equal(used_pages(fd), 1);
	assert_int_equal(a.base[8 * PAGE_BYTES], 0);
	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(arena_populate(&a, 0, PAGE_BYTES), -ENOMEM);
	arena_close(&a);
}

static void zero__takes_memory_that_can_be_found_again(void **state)
{
	int fd = *(int *)*state;
	struct arena a, copy;

	assert_int_equal(arena_open(fd, BYTES, false, &a), 0);
	assert_int_equal(arena_zero(&a, 8 * PAGE_BYTES, 4 * PAGE_BYTES), 0);
	assert_int_equal(used_pages(fd), 4);
	assert_int_equal(arena_data_end(&a, 0), 12 * PAGE_BYTES);
	a.base[9 * PAGE_BYTES] = 'x';
	assert_int_equal(arena_zero(&a, 8 * PAGE_BYTES, 4 * PAGE_BYTES), 0);
	assert_int_equal(a.base[9 * PAGE_BYTES], 0);
	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(arena_zero(&a, 0, PAGE_BYTES), -ENOMEM);
	assert_int_equal(used_pages(fd), 4); /* what had come has gone */
	a.base[8 * PAGE_BYTES] = 'x';
	assert_int_equal(arena_open(fd, BYTES, true, &copy), 0);
	assert_int_equal(arena_zero(&copy, 8 * PAGE_BYTES, PAGE_BYTES), 0);
	assert_int_equal(a.base[8 * PAGE_BYTES], 'x'); /* in a copy nothing is written */
	arena_close(&copy);
	arena_close(&a);
}

static void copy__changes_stay_in_it(void **state)
{
	int fd = *(int *)*state;
	struct arena a, copy;

	assert_int_equal(arena_open(fd, BYTES, true, &copy), -EUCLEAN); /* of nothing */
	assert_int_equal(arena_open(fd, BYTES, false, &a), 0);
	a.base[0] = 'x';
	assert_int_equal(arena_open(fd, 2 * BYTES, true, &copy), 0);
	assert_int_equal(copy.bytes, BYTES);
	assert_int_equal(copy.base[0], 'x');
	copy.base[0] = 'y';
	assert_int_equal(arena_populate(&copy, PAGE_BYTES, PAGE_BYTES), 0);
	assert_int_equal(arena_release(&copy, 0, BYTES), 0);
	assert_int_equal(a.base[0], 'x');
	arena_close(&copy);
	arena_close(&a);
}

static void open__a_bad_descriptor_is_an_error(void **state)
{
	struct arena a;

	(void)state;
	assert_int_equal(arena_open(-1, BYTES, false, &a), -EBADF);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memfd__is_closed_on_exec),
		TEST(open__grows_an_empty_file_and_takes_no_memory),
		TEST(open__again_finds_what_was_stored),
		TEST(forget__tables_go_and_nothing_else),
		TEST(populate__takes_memory_and_release_gives_it_back),
		TEST(zero__takes_memory_that_can_be_found_again),
		TEST(copy__changes_stay_in_it),
		TEST(open__a_bad_descriptor_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
