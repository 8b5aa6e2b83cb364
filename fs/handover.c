/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/handover.c - text, so that programs of different age read the same. */
#include "fs/handover.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_BYTES = 1 << 15 };

static char text[TEXT_BYTES];

static int64_t number_at(const struct handover_row *row)
{
	switch (row->bytes) {
	case sizeof(uint8_t):
		return *(const uint8_t *)row->at;
	case sizeof(int32_t):
		return *(const int32_t *)row->at;
	default:
		ASSERT(row->bytes == sizeof(int64_t));
		return *(const int64_t *)row->at;
	}
}

static void set_number(const struct handover_row *row, int64_t value)
{
	switch (row->bytes) {
	case sizeof(uint8_t):
		*(uint8_t *)row->at = (uint8_t)value;
		break;
	case sizeof(int32_t):
		*(int32_t *)row->at = (int32_t)value;
		break;
	default:
		ASSERT(row->bytes == sizeof(int64_t));
		*(int64_t *)row->at = value;
	}
}

static size_t print_row(char *to, size_t size, const struct handover_row *row)
{
	if (row->kind == HANDOVER_TEXT)
		return (size_t)snprintf(to, size, "%s=%s", row->name, (const char *)row->at);
	return (size_t)snprintf(to, size, "%s=%lld", row->name, (long long)number_at(row));
}

int handover_write(const struct handover_row *rows, unsigned count, int *ret_fd, struct why *why)
{
	size_t used = 0;
	int fd, r = 0;

	for (unsigned i = 0; i < count && used < sizeof(text); i++)
		used += print_row(text + used, sizeof(text) - used, &rows[i]) + 1;
	ASSERT(used <= sizeof(text)); /* a few paths */
	fd = memfd_create("ksmfs-handover", MFD_CLOEXEC);
	if (fd < 0 || write(fd, text, used) != (ssize_t)used)
		r = why_errno(why, fd < 0 ? -errno : -ENOSPC, "cannot write down what is to be handed over");
	if (r < 0 && fd >= 0)
		close(fd);
	if (r == 0)
		*ret_fd = fd;
	return r;
}

static const char *find(size_t bytes, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; p < text + bytes; p += strlen(p) + 1)
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			return p + len + 1;
	return NULL;
}

static int read_row(const struct handover_row *row, const char *value, struct why *why)
{
	char *end;
	long long number;

	if (!value)
		return row->may_miss ? 0 : why_say(why, -EPROTO, "what was handed over says nothing of %s", row->name);
	if (row->kind == HANDOVER_TEXT) {
		if (strlen(value) >= row->bytes)
			return why_say(why, -EPROTO, "what was handed over as %s is too long", row->name);
		memcpy(row->at, value, strlen(value) + 1);
		return 0;
	}
	number = strtoll(value, &end, 10);
	if (end == value || *end)
		return why_say(why, -EPROTO, "what was handed over as %s is no number", row->name);
	set_number(row, number);
	return 0;
}

int handover_read(int fd, const struct handover_row *rows, unsigned count, struct why *why)
{
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int r = 0;

	if (n < 0)
		return why_errno(why, -errno, "cannot read what was handed over");
	text[n] = '\0';
	for (unsigned i = 0; i < count && r == 0; i++)
		r = read_row(&rows[i], find((size_t)n, rows[i].name), why);
	return r;
}

void handover_keep(const struct handover_row *rows, unsigned count, bool keep)
{
	for (unsigned i = 0; i < count; i++)
		if (rows[i].kind == HANDOVER_FD && *(const int *)rows[i].at >= 0)
			fcntl(*(const int *)rows[i].at, F_SETFD, keep ? 0 : FD_CLOEXEC);
}
