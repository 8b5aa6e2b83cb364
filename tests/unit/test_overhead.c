/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/overhead.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void page_tables__grow_with_what_is_mapped(void **state)
{
	enum { BYTES = 64 << 20, STEP = 2 << 20 };
	uint64_t before = overhead_page_tables();
	uint8_t *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)state;
	assert_true(p != MAP_FAILED);
	assert_true(before > 0);
	(void)madvise(p, BYTES, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < BYTES; at += STEP)
		p[at] = 1;
	assert_in_range(overhead_page_tables() - before, 31 * PAGE_BYTES, 300 * PAGE_BYTES); /* a sanitizer's, too */
	munmap(p, BYTES);
}

static void anonymous__grows_with_what_is_touched(void **state)
{
	enum { BYTES = 16 << 20 };
	uint64_t before = overhead_anonymous();
	uint8_t *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(p != MAP_FAILED);
	assert_true(before > 0);
	assert_true(overhead_anonymous() < before + BYTES / 2);
	for (size_t at = 0; at < BYTES; at += PAGE_BYTES)
		p[at] = 1;
	/* A sanitizer has its own. */
	assert_in_range(overhead_anonymous() - before, BYTES * 9 / 10, UINT64_C(8) * BYTES);
	munmap(p, BYTES);
}

/* Of a child of ours this process is the parent, as the supervisor is of the worker. */
static void family__is_what_is_no_copy_of_the_parents(void **state)
{
	enum { BYTES = 16 << 20 };
	uint64_t before = overhead_family(getpid()), with_child;
	uint8_t *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	(void)state;
	assert_true(before > 0 && p != MAP_FAILED);
	assert_int_equal(overhead_family(0), 0);
	child = fork();
	if (child == 0) {
		uint8_t *own = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t at = 0; own != MAP_FAILED && at < BYTES; at += PAGE_BYTES)
			own[at] = 1;
		*(volatile uint8_t *)p = 1;
		pause();
	}
	while (!*(volatile uint8_t *)p)
		(void)sched_yield();
	with_child = overhead_family(getpid());
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* A sanitizer has its own. */
	assert_in_range(with_child - before, BYTES * 9 / 10, UINT64_C(8) * BYTES);
	assert_true(overhead_family(getpid()) < before + BYTES / 2);
	munmap(p, BYTES);
}

static void file__is_what_it_has_and_not_its_size(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	assert_int_equal(overhead_file(fd), 0);
	assert_int_equal(pwrite(fd, "x", 1, 1 << 20), 1);
	assert_int_equal(overhead_file(fd), PAGE_BYTES);
	close(fd);
	assert_int_equal(overhead_file(-1), 0);
}

static void tree__nine_bytes_a_page(void **state)
{
	(void)state;
	assert_int_equal(overhead_tree(0), 0);
	assert_int_equal(overhead_tree(64), 576);
	assert_int_equal(overhead_tree(65), 3 * 576);
	assert_in_range(overhead_tree(1 << 20), 9 << 20, (9 << 20) * 102 / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_tables__grow_with_what_is_mapped),
		cmocka_unit_test(anonymous__grows_with_what_is_touched),
		cmocka_unit_test(family__is_what_is_no_copy_of_the_parents),
		cmocka_unit_test(file__is_what_it_has_and_not_its_size),
		cmocka_unit_test(tree__nine_bytes_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
