/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/overhead.c - figures that the kernel tells, and one that it tells only of all files together. */
#include "overhead.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NODE_BYTES = 576, NODE_PAGES = 64 }; /* struct xa_node */

enum { TEXT_BYTES = 4096 };

/* Nothing where it cannot be read. */
static void read_text(const char *path, char ret[static TEXT_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, TEXT_BYTES - 1);

	if (fd >= 0)
		close(fd);
	ret[MAX(n, (ssize_t)0)] = '\0';
}

static void read_status(pid_t pid, char ret[static TEXT_BYTES])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	read_text(path, ret);
}

/* A line of it: `name` with the newline before it, and the colon. */
static uint64_t bytes_of(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 10) << 10 : 0;
}

#define ANONYMOUS "\nRssAnon:"
#define PAGE_TABLES "\nVmPTE:"

uint64_t overhead_anonymous(void)
{
	char status[TEXT_BYTES];

	read_status(getpid(), status);
	return bytes_of(status, ANONYMOUS);
}

uint64_t overhead_page_tables(void)
{
	char status[TEXT_BYTES];

	read_status(getpid(), status);
	return bytes_of(status, PAGE_TABLES);
}

uint64_t overhead_family(pid_t parent)
{
	char status[TEXT_BYTES], children[TEXT_BYTES], *at, *end;
	uint64_t common, sum;
	pid_t pid;

	if (!parent)
		return 0;
	read_status(parent, status);
	common = bytes_of(status, ANONYMOUS);
	sum = bytes_of(status, PAGE_TABLES);
	snprintf(status, sizeof(status), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	read_text(status, children);
	for (at = children; (pid = (pid_t)strtol(at, &end, 10)) > 0 && end != at; at = end) {
		if (pid == getpid())
			continue;
		read_status(pid, status);
		sum += bytes_of(status, PAGE_TABLES) + MAX(bytes_of(status, ANONYMOUS), common) - common;
	}
	return sum;
}

uint64_t overhead_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
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
