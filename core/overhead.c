/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/overhead.c - two figures that the kernel tells, and one that it tells only of all files together. */
#include "overhead.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODE_BYTES = 576, NODE_PAGES = 64 }; /* struct xa_node */

/* A line of /proc/self/status: `name` with the newline before it, and the colon. */
static uint64_t status_bytes(const char *name)
{
	char buf[4096], *at = NULL;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0) {
		buf[n] = '\0';
		at = strstr(buf, name);
	}
	return at ? strtoull(at + strlen(name), NULL, 10) << 10 : 0;
}

uint64_t overhead_anonymous(void)
{
	return status_bytes("\nRssAnon:");
}

uint64_t overhead_page_tables(void)
{
	return status_bytes("\nVmPTE:");
}

uint64_t overhead_tree(uint64_t pages)
{
	uint64_t bytes = 0;

	while (pages > 1) {
		pages = (pages + NODE_PAGES - 1) / NODE_PAGES;
		bytes += pages * NODE_BYTES;
	}
	return bytes;
}
