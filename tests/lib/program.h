/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/program.h - how a program of tests gives up: with its name, what it wanted, and why it has not got it.
 *
 * Threads  any.
 * Fails    exit status 1, without what others do at exit: who calls may be somebody's child.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	_exit(1);
}

static inline void must(bool done, const char *what)
{
	if (!done)
		die(what);
}
