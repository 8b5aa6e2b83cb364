/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/figures.c - "name value" lines in, tables and JSON out. */
#include "tools/figures.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include <ksmfs/xattr.h>

#include "tools/text.h"

enum { PAGE_BYTES = 4096 };

static const struct {
	const char *name, *help;
	bool is_pages;
} known[] = {
	{ "slots", "pages that hold data", true },
	{ "merged", "on memory that other pages share", true },
	{ "unshared", "looked at, and unlike any other", true },
	{ "zero", "zeroes, without memory", true },
	{ "volatile", "changing too often, or not looked at yet", true },
	{ "untracked", "left out of merging, or not looked at since that ended", true },
	{ "left_out", "may not be merged, holes included", true },
	{ "saved_bytes", "what it would take without merging, less what it takes", false },
	{ "proportional_bytes", "what it takes, a shared page divided by those who share it", false },
	{ "profit_bytes", "saved, less what is spent to know it", false },
};

static const struct {
	const char *value, *help;
} advice[] = {
	{ "0", "nothing is merged" },
	{ "1", "pages may be merged" },
	{ "keep", "nothing more is merged; what is merged stays" },
};

/* --- reading ------------------------------------------------------------------------------------- */

/* The value with a NUL behind it. */
static int read_attribute(const char *path, bool follow, const char *name, char *buf, size_t size)
{
	ssize_t n = follow ? getxattr(path, name, buf, size - 1) : lgetxattr(path, name, buf, size - 1);

	if (n < 0)
		return errno == EOPNOTSUPP ? -ENODATA : -errno;
	buf[n] = '\0';
	return 0;
}

/* Cut the text at its spaces and newlines. */
static void find_rows(struct figures *f)
{
	char *line = f->text, *next, *space, *end;

	for (; *line && f->count < FIGURES_MAX; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		space = strchr(line, ' ');
		if (!space)
			continue;
		*space = '\0';
		f->row[f->count].name = line;
		f->row[f->count].value = strtoll(space + 1, &end, 10);
		f->count += end != space + 1 && !*end;
	}
}

int figures_read(const char *path, bool follow, struct figures *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = read_attribute(path, follow, KSMFS_XATTR_MERGEABLE, ret->mergeable, sizeof(ret->mergeable));
	if (r == 0)
		r = read_attribute(path, follow, KSMFS_XATTR_STAT, ret->text, sizeof(ret->text));
	if (r == 0)
		find_rows(ret);
	return r;
}

int figures_read_file(const char *file, struct figures *ret)
{
	FILE *f = fopen(file, "re");
	size_t n;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!f)
		return -errno;
	n = fread(ret->text, 1, sizeof(ret->text) - 1, f);
	ret->text[n] = '\0';
	r = ferror(f) ? -EIO : 0;
	fclose(f);
	if (r == 0)
		find_rows(ret);
	return r;
}

int64_t figures_value(const struct figures *f, const char *name)
{
	for (unsigned i = 0; i < f->count; i++)
		if (!strcmp(f->row[i].name, name))
			return f->row[i].value;
	return 0;
}

/* --- for people ---------------------------------------------------------------------------------- */

static const char *advice_help(const char *value)
{
	for (unsigned i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		if (!strcmp(advice[i].value, value))
			return advice[i].help;
	return "";
}

static void print_row(const char *name, int64_t value)
{
	const char *help = "";
	bool is_pages = false;
	char buf[32];

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(known[i].name, name)) {
			help = known[i].help;
			is_pages = known[i].is_pages;
		}
	}
	printf("  %-18s %12" PRId64 " %-5s ", name, value, is_pages ? "pages" : "");
	printf("%11s  %s\n", text_bytes((double)value * (is_pages ? PAGE_BYTES : 1), buf), help);
}

void figures_print(const char *path, const struct figures *f)
{
	text_path(path);
	printf("\n  %-18s %12s %18s %s\n", "mergeable", f->mergeable, "", advice_help(f->mergeable));
	for (unsigned i = 0; i < f->count; i++)
		print_row(f->row[i].name, f->row[i].value);
}

static const char *bytes_of(const struct figures *f, const char *name, double unit, char buf[static 32])
{
	for (unsigned i = 0; i < f->count; i++)
		if (!strcmp(f->row[i].name, name))
			return text_bytes((double)f->row[i].value * unit, buf);
	return "?";
}

void figures_print_head(void)
{
	printf("\n  %-9s %11s %11s %11s %11s %11s  %s\n", "MERGEABLE", "DATA", "MERGED", "ZERO", "TAKES", "SAVED", "FILE");
}

void figures_print_line(const char *path, const struct figures *f)
{
	char buf[5][32];

	printf("  %-9s %11s %11s %11s %11s %11s  ", f->mergeable, bytes_of(f, "slots", PAGE_BYTES, buf[0]),
	       bytes_of(f, "merged", PAGE_BYTES, buf[1]), bytes_of(f, "zero", PAGE_BYTES, buf[2]),
	       bytes_of(f, "proportional_bytes", 1, buf[3]), bytes_of(f, "saved_bytes", 1, buf[4]));
	text_path(path);
	putchar('\n');
}

/* --- for programs -------------------------------------------------------------------------------- */

void figures_print_raw(const char *path, const struct figures *f)
{
	fputs("path ", stdout);
	text_raw_path(path);
	printf("\nmergeable %s\n", f->mergeable);
	for (unsigned i = 0; i < f->count; i++)
		printf("%s %" PRId64 "\n", f->row[i].name, f->row[i].value);
}

void figures_print_json(const char *path, const struct figures *f)
{
	fputs("  {\"path\": ", stdout);
	text_json_path(path);
	printf(", \"mergeable\": \"%s\"", f->mergeable);
	for (unsigned i = 0; i < f->count; i++)
		printf(", \"%s\": %" PRId64, f->row[i].name, f->row[i].value);
	putchar('}');
}
