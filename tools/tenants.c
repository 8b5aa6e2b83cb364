/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/tenants.c - limits as extended attributes, and a line for each tenant. */
#include "tools/tenants.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include <ksmfs/control.h>
#include <ksmfs/xattr.h>

#include "tools/figures.h"
#include "tools/text.h"

/* What the daemon tells where there is no limit. */
static const int64_t no_size = INT64_C(1) << 44, no_inodes = INT64_C(1) << 26;

/* --- limits ---------------------------------------------------------------------------------------- */

bool limits_read(char *text, struct limits *ret)
{
	char *word, *rest = text;

	*ret = (struct limits){ 0 };
	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (!value || !value[1])
			return false;
		*value++ = '\0';
		if (!strcmp(word, "size"))
			ret->size = value;
		else if (!strcmp(word, "inodes"))
			ret->inodes = value;
		else
			return false;
	}
	return true;
}

static bool is_none(const char *value)
{
	return value && !strcmp(value, "none");
}

static int set_limit(const char *directory, const char *name, const char *value)
{
	int r;

	if (!value)
		return 0;
	if (!is_none(value))
		r = setxattr(directory, name, value, strlen(value), 0);
	else if ((r = removexattr(directory, name)) < 0 && errno == ENODATA)
		r = 0; /* there is none */
	return r < 0 ? -errno : 0;
}

int limits_set(const char *directory, struct limits *l)
{
	int r;

	l->failed = "size";
	r = set_limit(directory, KSMFS_XATTR_SIZE, l->size);
	if (r < 0)
		return r;
	l->failed = "inodes";
	return set_limit(directory, KSMFS_XATTR_INODES, l->inodes);
}

const char *limits_reason(const struct limits *l, int error)
{
	switch (error) {
	case EINVAL:
		return "no such limit (size: bytes, with k, m, g or t, or a percentage of RAM; inodes: a number), less than is in "
		       "use (df and df -i tell it), or not a directory in the root of the mount";
	case ENOTEMPTY:
		return is_none(strcmp(l->failed, "size") ? l->inodes : l->size) ?
			       "what was made in it still exists, if only as an open file: it stays a tenant until that is gone" :
			       "only an empty directory can become a tenant: make another, and move there what is in this one";
	case EPERM:
	case EACCES:
		return "only root of the host (CAP_SYS_ADMIN) sets limits";
	default:
		return strerror(error);
	}
}

/* --- tenants --------------------------------------------------------------------------------------- */

static void print_head(void)
{
	printf("%11s %11s %10s %10s %11s %11s  %s\n", "SIZE", "USED", "INODES", "IUSED", "TAKES", "SAVED", "TENANT");
}

static void print_bytes(const struct figures *f, const char *name, int64_t none)
{
	int64_t value = figures_value(f, name);
	char buf[32];

	printf("%11s ", value == none ? "none" : text_bytes((double)value, buf));
}

static void print_number(const struct figures *f, const char *name, int64_t none)
{
	int64_t value = figures_value(f, name);

	if (value == none)
		printf("%10s ", "none");
	else
		printf("%10" PRId64 " ", value);
}

static void print_line(const char *name, const struct figures *f)
{
	print_bytes(f, "size", no_size);
	print_bytes(f, "logical_bytes", -1);
	print_number(f, "nr_inodes", no_inodes);
	print_number(f, "inodes", -1);
	print_bytes(f, "proportional_bytes", -1);
	print_bytes(f, "saved_bytes", -1);
	putchar(' ');
	text_path(name);
	putchar('\n');
}

static void print_raw(const char *name, const struct figures *f, bool first)
{
	if (!first)
		putchar('\n');
	fputs("tenant ", stdout);
	text_raw_path(name);
	putchar('\n');
	for (unsigned i = 0; i < f->count; i++)
		printf("%s %" PRId64 "\n", f->row[i].name, f->row[i].value);
}

static void print_json(const char *name, const struct figures *f, bool first)
{
	fputs(first ? "\n  {\"tenant\": " : ",\n  {\"tenant\": ", stdout);
	text_json_path(name);
	for (unsigned i = 0; i < f->count; i++)
		printf(", \"%s\": %" PRId64, f->row[i].name, f->row[i].value);
	putchar('}');
}

static int print_tenant(const char *directory, const char *name, char form, bool first)
{
	struct figures f;
	char *path;
	int r;

	if (asprintf(&path, "%s/%s/stats", directory, name) < 0)
		return -ENOMEM;
	r = figures_read_file(path, &f);
	free(path);
	if (r < 0)
		return r;
	if (form == 'r')
		print_raw(name, &f, first);
	else if (form == 'j')
		print_json(name, &f, first);
	else
		print_line(name, &f);
	return 0;
}

static int is_name(const struct dirent *e)
{
	return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

int tenants_print(const char *mount, char form)
{
	struct dirent **entries;
	bool first = true;
	char *directory;
	int n, r = 0;

	if (asprintf(&directory, "%s/" KSMFS_TENANTS, mount) < 0)
		return -ENOMEM;
	n = scandir(directory, &entries, is_name, alphasort);
	if (n < 0)
		r = -errno;
	else if (!form)
		print_head();
	for (int i = 0; i < n; i++) {
		int each = r < 0 ? 0 : print_tenant(directory, entries[i]->d_name, form, first);

		if (each < 0 && each != -ENOENT) /* one that has ended meanwhile is no tenant */
			r = each;
		first = first && each < 0;
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	free(directory);
	return r;
}
