/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/why.c - text that may hold what a stranger wrote is made fit for a terminal here. */
#include "fs/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
}

int why_say(struct why *why, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	make_printable(why->text);
	why->error = error;
	return error;
}

int why_errno(struct why *why, int error, const char *fmt, ...)
{
	va_list args;
	size_t used;

	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	used = strlen(why->text);
	snprintf(why->text + used, sizeof(why->text) - used, ": %s", strerror(-error));
	make_printable(why->text);
	why->error = error;
	return error;
}
