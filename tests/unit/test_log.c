/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char last[1024];
static enum log_level last_level;
static unsigned lines;

static void sink(enum log_level level, const char *line)
{
	(void)snprintf(last, sizeof(last), "%s", line);
	last_level = level;
	lines++;
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(sink);
	lines = 0;
	last[0] = '\0';
	return 0;
}

static void write__a_line_reaches_the_sink(void **state)
{
	(void)state;
	log_warning("%d of %s", 7, "them");
	assert_string_equal(last, "7 of them");
	assert_int_equal(last_level, LOG_LEVEL_WARNING);
	log_err("worse");
	assert_int_equal(last_level, LOG_LEVEL_ERR);
}

static void write__a_cause_speaks_once_in_a_while(void **state)
{
	struct log_cause cause = { 0 };

	(void)state;
	for (unsigned n = 0; n < 100; n++)
		log_write(&cause, LOG_LEVEL_INFO, "again");
	assert_int_equal(lines, 1);
	log_info("another cause");
	assert_int_equal(lines, 2);
	cause.last_ms -= 10000; /* ten seconds later */
	log_write(&cause, LOG_LEVEL_INFO, "again");
	assert_string_equal(last, "again (99 more like this since)");
}

static void write__a_line_too_long_is_cut(void **state)
{
	struct log_cause cause = { 0 };
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_write(&cause, LOG_LEVEL_INFO, "%s", text);
	assert_true(strlen(last) < 600);
}

static void write__without_a_sink_is_nothing(void **state)
{
	(void)state;
	log_set_sink(NULL);
	log_err("unheard");
	assert_int_equal(lines, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(write__a_line_reaches_the_sink, setup),
		cmocka_unit_test_setup(write__a_cause_speaks_once_in_a_while, setup),
		cmocka_unit_test_setup(write__a_line_too_long_is_cut, setup),
		cmocka_unit_test_setup(write__without_a_sink_is_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
