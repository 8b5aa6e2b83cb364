/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/handover.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	int fd;
	bool flag;
	unsigned long many;
	int less;
	char path[32];
	int more;
} here;

static const struct handover_row rows[] = {
	HANDOVER_ROW("fd", HANDOVER_FD, here.fd),
	HANDOVER_ROW("flag", HANDOVER_NUMBER, here.flag),
	HANDOVER_ROW("many", HANDOVER_NUMBER, here.many),
	HANDOVER_ROW("less", HANDOVER_NUMBER, here.less),
	HANDOVER_ROW("path", HANDOVER_TEXT, here.path),
	HANDOVER_MORE("more", HANDOVER_NUMBER, here.more),
};
enum { FLAG = 1, PATH = 4, MORE = 5 };

static int setup(void **state)
{
	(void)state;
	memset(&here, 0, sizeof(here));
	here.fd = 7;
	here.flag = true;
	here.many = ULONG_MAX - 1;
	here.less = -5;
	here.more = 3;
	memcpy(here.path, "/mnt/a=b\nc d", 13);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

/* Written with these rows, forgotten, and read with those. */
static int hand_over(const struct handover_row *from, unsigned count, const struct handover_row *to, unsigned to_count,
		     struct why *why)
{
	int fd, r;

	assert_int_equal(handover_write(from, count, &fd, why), 0);
	memset(&here, 0, sizeof(here));
	r = handover_read(fd, to, to_count, why);
	close(fd);
	return r;
}

static void read__finds_all_that_was_written(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(hand_over(rows, ARRAY_SIZE(rows), rows, ARRAY_SIZE(rows), &why), 0);
	assert_int_equal(here.fd, 7);
	assert_true(here.flag);
	assert_true(here.many == ULONG_MAX - 1);
	assert_int_equal(here.less, -5);
	assert_int_equal(here.more, 3);
	assert_string_equal(here.path, "/mnt/a=b\nc d");
}

static void read__passes_over_what_it_does_not_know(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(hand_over(rows, ARRAY_SIZE(rows), &rows[FLAG], 1, &why), 0);
	assert_true(here.flag);
	assert_int_equal(here.fd, 0);
}

static void read__names_what_it_cannot_do_without(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(hand_over(rows, PATH, rows, ARRAY_SIZE(rows), &why), -EPROTO);
	assert_non_null(strstr(why.text, "path"));
}

static void read__does_without_what_may_miss(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(hand_over(rows, MORE, rows, ARRAY_SIZE(rows), &why), 0);
	assert_int_equal(here.more, 0);
}

static void read__refuses_text_that_does_not_fit_and_numbers_that_are_none(void **state)
{
	static char longer[] = "a text that is longer than the other program has room for";
	static char word[] = "17x";
	const struct handover_row path = HANDOVER_ROW("path", HANDOVER_TEXT, longer);
	const struct handover_row less = HANDOVER_ROW("less", HANDOVER_TEXT, word);
	struct why why;

	(void)state;
	assert_int_equal(hand_over(&path, 1, &rows[PATH], 1, &why), -EPROTO);
	assert_int_equal(hand_over(&less, 1, &rows[3], 1, &why), -EPROTO);
	assert_non_null(strstr(why.text, "less"));
}

static void keep__only_the_fds_stay_open(void **state)
{
	(void)state;
	here.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	handover_keep(rows, ARRAY_SIZE(rows), true);
	assert_int_equal(fcntl(here.fd, F_GETFD), 0);
	handover_keep(rows, ARRAY_SIZE(rows), false);
	assert_int_equal(fcntl(here.fd, F_GETFD), FD_CLOEXEC);
	close(here.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(read__finds_all_that_was_written),
		TEST(read__passes_over_what_it_does_not_know),
		TEST(read__names_what_it_cannot_do_without),
		TEST(read__does_without_what_may_miss),
		TEST(read__refuses_text_that_does_not_fit_and_numbers_that_are_none),
		TEST(keep__only_the_fds_stay_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
