/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/ksmfs-stat.c - the figures of a mount, for people.
 *
 * Reads MOUNT/.ksmfs/stats, which is one consistent snapshot, and core/attrs.def, which says what each
 * line of it means.  First what was saved, then every figure by its group (the part of its path before
 * the slash).  A figure that an older or newer daemon does not have is left out or has no help.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include <linux/magic.h>

#include <ksmfs/control.h>
#include <ksmfs/xattr.h>

#include "tools/text.h"

enum { PAGE_BYTES = 4096, ROOT_INO = 1 };

enum attr {
#define ATTR_SETTING(name, ...) ATTR_##name,
#define ATTR_COUNTER(name, ...) ATTR_##name,
#define ATTR_GAUGE(name, ...) ATTR_##name,
#define ATTR_COMPUTED(name, ...) ATTR_##name,
#include "core/attrs.def"
#undef ATTR_SETTING
#undef ATTR_COUNTER
#undef ATTR_GAUGE
#undef ATTR_COMPUTED
	ATTRS
};

static const struct row {
	const char *path, *unit, *help;
} rows[ATTRS] = {
#define ATTR_SETTING(name, path, form, min, max, preset, unit, help) { path, unit, help },
#define ATTR_COUNTER(name, path, unit, help) { path, unit, help },
#define ATTR_GAUGE(name, path, unit, help) { path, unit, help },
#define ATTR_COMPUTED(name, path, unit, help) { path, unit, help },
#include "core/attrs.def"
};

enum { TEXT_BYTES = 64 };

struct figures {
	char text[ATTRS][TEXT_BYTES]; /* as the daemon tells it */
	int64_t value[ATTRS]; /* of numbers */
	bool known[ATTRS], number[ATTRS];
};

static const char usage[] =
	"Usage: ksmfs-stat [--raw | --json] MOUNT\n"
	"Print the figures of the ksmfs mounted at MOUNT: what is shared, what it saves.\n"
	"\n"
	"  -r, --raw      one \"name value\" a line, as in MOUNT/.ksmfs/stats\n"
	"  -j, --json     one JSON object\n"
	"  -h, --help     print this and exit\n"
	"  -V, --version  print the version and exit\n"
	"\n"
	"The figures and how to judge them are described in ksmfs(8).\n";

static enum attr find(const char *path)
{
	enum attr a = 0;

	while (a < ATTRS && strcmp(rows[a].path, path))
		a++;
	return a;
}

static int read_figures(const char *mount, struct figures *ret)
{
	char *file, line[256];
	unsigned found = 0;
	FILE *f;

	if (asprintf(&file, "%s/" KSMFS_STATS, mount) < 0)
		return -ENOMEM;
	f = fopen(file, "re");
	free(file);
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		char *space = strchr(line, ' '), *end;
		enum attr a;

		if (!space)
			continue;
		*space++ = '\0';
		space[strcspn(space, "\n")] = '\0';
		a = find(line);
		if (a == ATTRS || !*space || strlen(space) >= TEXT_BYTES)
			continue;
		memcpy(ret->text[a], space, strlen(space) + 1);
		ret->value[a] = strtoll(space, &end, 10); /* the largest that fits, where a limit is none */
		ret->number[a] = !*end;
		ret->known[a] = true;
		found++;
	}
	if (ferror(f)) {
		fclose(f);
		return -EIO;
	}
	fclose(f);
	return found ? 0 : -ENODATA;
}

static void print_bytes(const char *what, int64_t bytes, const char *note)
{
	char buf[32];

	printf("  %-28s %14s  %s\n", what, text_bytes((double)bytes, buf), note);
}

static void print_summary(const char *mount, const struct figures *f)
{
	const int64_t *v = f->value;
	int64_t data = v[ATTR_store_data_bytes], overhead = data - v[ATTR_store_frame_bytes] -
						       v[ATTR_store_cache_bytes] - v[ATTR_store_net_saving];

	printf("%s\n", mount);
	print_bytes("data in files", data, "what tmpfs would hold in memory");
	print_bytes("frames", v[ATTR_store_frame_bytes], "what the store holds for it");
	print_bytes("spent on knowing it", overhead, "the daemon's own memory, what it costs the kernel, databases");
	if (v[ATTR_store_cache_age_ms] < 0)
		printf("  %-28s %14s  %s\n", "page cache", "not known", "nobody has looked yet, or can: ask again");
	else
		print_bytes("page cache", v[ATTR_store_cache_bytes], "a second copy, which the kernel gives up when memory is short");
	print_bytes("NET SAVING", v[ATTR_store_net_saving], v[ATTR_store_net_saving] < 0 ?
		    "a loss: tmpfs would take less memory" : "memory that tmpfs would take more");
	if (data > 0)
		printf("  %-28s %13.1f%%  of the data in files\n", "",
		       100.0 * (double)v[ATTR_store_net_saving] / (double)data);
	print_bytes("saved by sharing", v[ATTR_pages_sharing] * PAGE_BYTES, "slots on a frame that another slot has too");
	print_bytes("saved by zero pages", v[ATTR_ksm_zero_pages] * PAGE_BYTES, "pages of zeroes, without a frame");
	print_bytes("general_profit", v[ATTR_general_profit], "these two, less what it takes to find equal pages");
}

static size_t group_len(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static void print_groups(const struct figures *f)
{
	const char *group = NULL;
	size_t len = 0;
	char buf[32];

	for (enum attr a = 0; a < ATTRS; a++) {
		const char *unit = rows[a].unit;
		size_t l = group_len(rows[a].path);

		if (!f->known[a])
			continue;
		if (!group || l != len || strncmp(group, rows[a].path, l)) {
			group = rows[a].path;
			len = l;
			printf("\n%.*s\n", l ? (int)l : 7, l ? group : "merging");
		}
		printf("  %-28s %14s %-7s ", rows[a].path + (l ? l + 1 : 0), f->text[a], unit);
		if (!strcmp(unit, "pages") || !strcmp(unit, "frames"))
			printf("%11s  ", text_bytes((double)f->value[a] * PAGE_BYTES, buf));
		else
			printf("%11s  ", strcmp(unit, "bytes") ? "" : text_bytes((double)f->value[a], buf));
		puts(rows[a].help);
	}
}

static void print_raw(const struct figures *f)
{
	for (enum attr a = 0; a < ATTRS; a++)
		if (f->known[a])
			printf("%s %s\n", rows[a].path, f->text[a]);
}

/* A number as it is, a word between quotes: the table has none that would need more. */
static void print_json(const struct figures *f)
{
	const char *comma = "";

	putchar('{');
	for (enum attr a = 0; a < ATTRS; a++) {
		const char *quote = f->number[a] ? "" : "\"";

		if (!f->known[a])
			continue;
		printf("%s\n  \"%s\": %s%s%s", comma, rows[a].path, quote, f->text[a], quote);
		comma = ",";
	}
	puts("\n}");
}

/* As ksmfsctl(1) finds it: any file of ours has the attribute, and only the root has this number. */
static bool is_below_root(const char *path)
{
	struct statfs fs;
	struct stat st;

	return statfs(path, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC && stat(path, &st) == 0 &&
	       st.st_ino != ROOT_INO && getxattr(path, KSMFS_XATTR_MERGEABLE, NULL, 0) >= 0;
}

static const char *reason(const char *path, int r)
{
	switch (-r) {
	case ENOENT:
	case ENOTDIR:
	case ENODATA:
		if (is_below_root(path))
			return "inside a ksmfs, and not its root, which has the figures of all: name the mount point (findmnt -T "
			       "PATH tells it), or let ksmfsctl stat PATH tell those of what is here";
		return "no ksmfs is mounted there, or it has control=none";
	case EACCES:
		return "no permission: a mount with tenants, or several domains, tells its figures to root alone; ksmfsctl stat "
		       "DIRECTORY tells those of a directory to its owner";
	case ENOTCONN:
		return "the daemon of this mount is gone";
	default:
		return strerror(-r);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "raw", no_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct figures f = { 0 };
	char form = 0;
	int c, r;

	while ((c = getopt_long(argc, argv, "rjhV", options, NULL)) != -1) {
		switch (c) {
		case 'r':
		case 'j':
			form = (char)c;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("ksmfs-stat " KSMFS_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return 2;
	}
	r = read_figures(argv[optind], &f);
	if (r < 0) {
		fprintf(stderr, "ksmfs-stat: %s: %s\n", argv[optind], reason(argv[optind], r));
		return 1;
	}
	if (form == 'r') {
		print_raw(&f);
	} else if (form == 'j') {
		print_json(&f);
	} else {
		print_summary(argv[optind], &f);
		print_groups(&f);
	}
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
