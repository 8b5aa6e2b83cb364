/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ballast.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/tempdir.h"

enum { BYTES = 1 << 20 };

static off_t taken(const struct ballast *b)
{
	struct stat st;

	assert_int_equal(fstat(b->fd, &st), 0);
	return st.st_blocks * 512;
}

static void hold__takes_space_until_it_is_released(void **state)
{
	struct ballast b;
	char path[128];

	ballast_open(&b, *state, BYTES);
	(void)snprintf(path, sizeof(path), "%s/ballast", (char *)*state);
	assert_int_equal(access(path, F_OK), -1); /* nobody has to clean up */
	assert_int_equal(taken(&b), 0);
	assert_false(ballast_release(&b));
	for (unsigned n = 0; n < 3; n++) {
		assert_true(ballast_hold(&b));
		assert_true(ballast_hold(&b));
		assert_true(taken(&b) >= BYTES);
		assert_true(ballast_release(&b));
		assert_false(ballast_release(&b));
		assert_int_equal(taken(&b), 0);
	}
	ballast_close(&b);
	ballast_close(&b);
}

static void hold__without_space_takes_none_and_can_be_tried_again(void **state)
{
	struct rlimit old, none;
	struct ballast b;

	ballast_open(&b, *state, BYTES);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = old;
	none.rlim_cur = BYTES - 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_false(ballast_hold(&b));
	assert_false(ballast_release(&b));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(taken(&b), 0);
	assert_true(ballast_hold(&b));
	ballast_close(&b);
}

static void hold__where_no_file_can_be_is_of_no_use_and_no_harm(void **state)
{
	struct ballast b;

	(void)state;
	ballast_open(&b, "/proc/self", BYTES);
	assert_true(ballast_hold(&b));
	assert_false(ballast_release(&b));
	ballast_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hold__takes_space_until_it_is_released, tempdir_setup,
						tempdir_teardown),
		cmocka_unit_test_setup_teardown(hold__without_space_takes_none_and_can_be_tried_again, tempdir_setup,
						tempdir_teardown),
		cmocka_unit_test(hold__where_no_file_can_be_is_of_no_use_and_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
