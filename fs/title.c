/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/title.c - the kernel shows the memory between argv[0] and the end of the arguments; when that is
 * overwritten beyond its end it goes on into the environment, which lies right behind. */
#include "fs/title.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *area;
static size_t area_bytes;

/* A NULL-terminated copy, or NULL: in one piece, the pointers first. */
static char **copy_strings(char **strings)
{
	size_t count = 0, bytes = 0, len;
	char **copy, *to;

	for (; strings[count]; count++)
		bytes += strlen(strings[count]) + 1;
	copy = malloc((count + 1) * sizeof(*copy) + bytes);
	if (!copy)
		return NULL;
	to = (char *)(copy + count + 1);
	for (size_t i = 0; i < count; i++) {
		len = strlen(strings[i]) + 1;
		copy[i] = memcpy(to, strings[i], len);
		to += len;
	}
	copy[count] = NULL;
	return copy;
}

char **title_init(int argc, char **argv)
{
	char **new_argv, **new_environ;
	char *end;

	if (argc < 1)
		return argv;
	new_argv = copy_strings(argv);
	if (!new_argv)
		return argv;
	new_environ = copy_strings(environ);
	if (!new_environ) {
		free(new_argv);
		return argv;
	}
	end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	for (char **e = environ; *e; e++)
		if (*e == end)
			end = *e + strlen(*e) + 1;
	area = argv[0];
	area_bytes = (size_t)(end - argv[0]);
	environ = new_environ;
	return new_argv;
}

void title_set(const char *role, const char *mountpoint)
{
	prctl(PR_SET_NAME, role);
	if (!area)
		return;
	memset(area, 0, area_bytes);
	snprintf(area, area_bytes, "%s %s", role, mountpoint);
}
