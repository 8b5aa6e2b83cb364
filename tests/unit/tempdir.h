/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/tempdir.h - a directory of its own for a test that needs files, gone when it ends.
 *
 * For cmocka's setup and teardown: the path is *state.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline int tempdir_setup(void **state)
{
	char *path = strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/ksmfs-test-XXXXXX"
							  : "/tmp/ksmfs-test-XXXXXX");

	if (!path || !mkdtemp(path)) {
		free(path);
		return -1;
	}
	*state = path;
	return 0;
}

/* Its files, not the directory itself. */
static inline void tempdir_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char file[512];

	if (!d)
		return;
	while ((e = readdir(d))) {
		(void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		(void)unlink(file); /* "." and ".." refuse */
	}
	closedir(d);
}

static inline int tempdir_teardown(void **state)
{
	char *path = *state;

	tempdir_empty(path);
	(void)rmdir(path);
	free(path);
	return 0;
}
