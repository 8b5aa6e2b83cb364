/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/mountinfo.c - a line reads: id parent major:minor root path options [tags ...] - type source ...
 * with spaces, tabs, newlines and backslashes of paths written as three octal digits.
 *
 * Its ids and device numbers are given to the next mount as soon as they are free; statmount(2) knows a mount by a
 * number that never recurs. */
#include "fs/mountinfo.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { LINE_BYTES = 16384 };

/* As in <linux/mount.h> and <linux/stat.h>, which may be older than the kernel. */
enum { STATX_UNIQUE = 0x4000, SYS_STATMOUNT = 457, STATMOUNT_POINT = 0x10 };

struct statmount_in {
	uint32_t size, unused_;
	uint64_t unique, wanted;
};

struct statmount_out {
	uint32_t size, unused1_;
	uint64_t mask; /* of what is there */
	uint64_t unused2_[11];
	uint32_t unused3_, point;    /* where in `text` */
	uint64_t unused4_[50];
	char text[PATH_MAX + 1];
};
_Static_assert(offsetof(struct statmount_out, point) == 108, "as the kernel has it");
_Static_assert(offsetof(struct statmount_out, text) == 512, "as the kernel has it");

struct line {
	struct mountinfo mount;
	const char *path; /* unescaped */
	const char *type;
};
typedef bool visit_line(void *arg, const struct line *line); /* true: enough */

static void unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		if (p[0] == '\\' && p[1] && p[2] && p[3]) {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

/* A number that ends with `end`. */
static bool parse_number(const char *text, char end, unsigned long *ret, const char **ret_rest)
{
	char *rest;

	*ret = strtoul(text, &rest, 10);
	*ret_rest = rest + 1;
	return rest != text && *rest == end;
}

/* user_id= of the options of the file system, which are the last word of a line; else root's. */
static uid_t parse_owner(const char *options)
{
	const char *at = options ? strstr(options, "user_id=") : NULL;

	return at ? (uid_t)strtoul(at + strlen("user_id="), NULL, 10) : 0;
}

static bool parse_line(char *text, struct line *ret)
{
	unsigned long major_number, minor_number;
	const char *rest;
	char *fields[6], *type, *save = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = strtok_r(i ? NULL : text, " ", &save);
		if (!fields[i])
			return false;
	}
	do {
		type = strtok_r(NULL, " ", &save);
	} while (type && strcmp(type, "-") != 0);
	type = strtok_r(NULL, " ", &save);
	if (!type || !parse_number(fields[0], '\0', &ret->mount.id, &rest) ||
	    !parse_number(fields[2], ':', &major_number, &rest) ||
	    !parse_number(rest, '\0', &minor_number, &rest))
		return false;
	ret->mount.major = (unsigned)major_number;
	ret->mount.minor = (unsigned)minor_number;
	ret->mount.is_root = strcmp(fields[3], "/") == 0;
	unescape(fields[4]);
	ret->path = fields[4];
	ret->type = type;
	(void)strtok_r(NULL, " ", &save); /* the source */
	ret->mount.owner = parse_owner(strtok_r(NULL, " ", &save));
	return true;
}

/* Show each line in `buf` to `visit`; the bytes of an unfinished last one go to its start. */
static bool visit_lines(char *buf, size_t *len, visit_line *visit, void *arg)
{
	char *start = buf, *end;
	struct line line;

	while ((end = memchr(start, '\n', (size_t)(buf + *len - start))) != NULL) {
		*end = '\0';
		if (parse_line(start, &line) && visit(arg, &line))
			return true;
		start = end + 1;
	}
	*len = (size_t)(buf + *len - start);
	memmove(buf, start, *len);
	return false;
}

static int visit_mounts(visit_line *visit, void *arg)
{
	static char buf[LINE_BYTES];
	size_t len = 0;
	ssize_t n;
	int fd, r = 0;

	fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (;;) {
		if (len == sizeof(buf))
			len = 0; /* a line this long is none of ours */
		n = read(fd, buf + len, sizeof(buf) - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (visit_lines(buf, &len, visit, arg))
			break;
	}
	close(fd);
	return r;
}

struct wanted {
	const char *path, *type;
	struct mountinfo mount;
	bool found;
};

static bool visit_path(void *arg, const struct line *line)
{
	struct wanted *w = arg;

	if (strcmp(line->path, w->path) == 0 && strncmp(line->type, "fuse", 4) == 0) {
		w->mount = line->mount;
		w->found = true;
	}
	return false; /* the last line is the topmost mount */
}

int mountinfo_find(const char *path, struct mountinfo *ret)
{
	struct wanted w = {.path = path};
	int r;

	r = visit_mounts(visit_path, &w);
	if (r < 0)
		return r;
	if (!w.found)
		return -ENOENT;
	*ret = w.mount;
	return 0;
}

static bool visit_mount(void *arg, const struct line *line)
{
	struct wanted *w = arg;

	w->found = line->mount.id == w->mount.id && line->mount.major == w->mount.major &&
		   line->mount.minor == w->mount.minor && strcmp(line->path, w->path) == 0;
	return w->found;
}

/* Of a FUSE mount the kernel has all that this asks for: no request is sent. */
static bool read_id(const char *path, unsigned which, uint64_t *ret)
{
	const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
	struct statx st;

	if (statx(AT_FDCWD, path, flags, which, &st) < 0 || !(st.stx_mask & which))
		return false;
	memcpy(ret, (const char *)&st + offsetof(struct statx, stx_mnt_id), sizeof(*ret));
	return true;
}

bool mountinfo_is_hidden(const struct mountinfo *m, const char *at)
{
	uint64_t id;

	return read_id(at, STATX_MNT_ID, &id) && id != m->id;
}

static int find_unique(uint64_t unique, char ret[PATH_MAX])
{
	static struct statmount_out out;
	struct statmount_in in = {.size = sizeof(in), .unique = unique, .wanted = STATMOUNT_POINT};
	const char *point;

	if (syscall(SYS_STATMOUNT, &in, &out, sizeof(out), 0) < 0)
		return -errno;
	point = out.text + out.point;
	if (!(out.mask & STATMOUNT_POINT) || point[0] != '/')
		return -EIO;
	snprintf(ret, PATH_MAX, "%s", point);
	return 0;
}

void mountinfo_identify(struct mountinfo *m, const char *path)
{
	char at[PATH_MAX];

	if (!read_id(path, STATX_UNIQUE, &m->unique) || find_unique(m->unique, at) < 0)
		m->unique = 0;
}

int mountinfo_where(const struct mountinfo *m, const char *path, char ret[PATH_MAX])
{
	struct wanted w = {.path = path, .mount = *m};
	int r;

	if (m->unique)
		return find_unique(m->unique, ret);
	r = visit_mounts(visit_mount, &w);
	if (r < 0)
		return r;
	snprintf(ret, PATH_MAX, "%s", path);
	return w.found ? 0 : -ENOENT;
}

static bool visit_dev(void *arg, const struct line *line)
{
	struct wanted *w = arg;

	w->found = line->mount.major == w->mount.major && line->mount.minor == w->mount.minor &&
		   strcmp(line->type, w->type) == 0;
	return w->found;
}

bool mountinfo_is_type(dev_t dev, const char *type)
{
	struct wanted w = {.type = type, .mount = {.major = major(dev), .minor = minor(dev)}};

	return visit_mounts(visit_dev, &w) == 0 && w.found;
}
