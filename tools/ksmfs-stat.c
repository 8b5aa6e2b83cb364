/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/ksmfs-stat.c - the figures of a mount, for people.
 *
 * Reads MOUNT/.ksmfs/stats, which is one consistent snapshot, and core/attrs.def, which says what each
 * line of it means.  What was saved; or every figure as well, by its group (the part of its path before
 * the slash); or a line each interval.  A figure that an older or newer daemon does not have is left out
 * or has no help.
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
#include <time.h>
#include <unistd.h>

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

enum { TEXT_BYTES = 64, WATCH_MAX_SECONDS = 86400, WATCH_HEAD_LINES = 20 };
/* A mount that holds less shows a loss whatever it shares: the daemon itself takes some MiB. */
static const int64_t little_data = 64 << 20;

struct figures {
	char text[ATTRS][TEXT_BYTES]; /* as the daemon tells it */
	int64_t value[ATTRS]; /* of numbers */
	bool known[ATTRS], number[ATTRS];
};

static const char usage[] =
	"Usage: ksmfs-stat [--all | --watch SECONDS | --raw | --json] MOUNT\n"
	"Print what the ksmfs mounted at MOUNT shares, and what that saves.\n"
	"\n"
	"  -a, --all      every figure as well, with a few words\n"
	"  -w, --watch N  a line every N seconds, with what happened in each of them\n"
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

static const char *judge(int64_t saving, int64_t cache, int64_t data)
{
	if (saving >= 0)
		return "memory that tmpfs would take more";
	if (saving + cache > 0)
		return "a loss, for as long as the kernel keeps the second copy";
	return data < little_data ? "a loss, as of any mount that holds so little: the daemon itself takes some MiB" :
				    "a loss: tmpfs would take less memory";
}

static void print_summary(const char *mount, const struct figures *f)
{
	const int64_t *v = f->value;
	int64_t data = v[ATTR_store_data_bytes], saving = v[ATTR_store_net_saving], cache = v[ATTR_store_cache_bytes];
	int64_t overhead = data - v[ATTR_store_frame_bytes] - cache - saving;

	printf("%s\n", mount);
	print_bytes("data in files", data, "what tmpfs would hold in memory");
	print_bytes("frames", v[ATTR_store_frame_bytes], "what the store holds for it");
	print_bytes("spent on knowing it", overhead, "the daemon's own memory, what it costs the kernel, databases");
	if (v[ATTR_store_cache_age_ms] < 0)
		printf("  %-28s %14s  %s\n", "page cache", "not known",
		       "nobody has looked yet, or can (a mount of an ordinary user, Linux before 6.5)");
	else
		print_bytes("page cache", cache, "a second copy, which the kernel gives up when memory is short");
	print_bytes("NET SAVING", saving, judge(saving, cache, data));
	if (data > 0 && -saving <= data)
		printf("  %-28s %13.1f%%  of the data in files\n", "", 100.0 * (double)saving / (double)data);
	if (cache > 0)
		print_bytes("without the page cache", saving + cache, "what is saved when memory is short");
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

/* The columns of --watch: what there is, and pages of each second. */
static const struct column {
	const char *head;
	enum attr attr, more; /* ATTRS: nothing more */
	bool rate;
} columns[] = {
	{ "DATA", ATTR_store_data_bytes, ATTRS, false },
	{ "FRAMES", ATTR_store_frame_bytes, ATTRS, false },
	{ "CACHE", ATTR_store_cache_bytes, ATTRS, false },
	{ "SAVING", ATTR_store_net_saving, ATTRS, false },
	{ "SHARING", ATTR_pages_sharing, ATTRS, false },
	{ "ZERO", ATTR_ksm_zero_pages, ATTRS, false },
	{ "VOLATILE", ATTR_pages_volatile, ATTRS, false },
	{ "WRITTEN/s", ATTR_store_pages_written, ATTRS, true },
	{ "MERGED/s", ATTR_fault_merged, ATTR_scan_merged, true },
	{ "SPLIT/s", ATTR_fault_cow_breaks, ATTRS, true },
	{ "SCANNED/s", ATTR_pages_scanned, ATTRS, true },
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static int64_t column_value(const struct column *c, const struct figures *f)
{
	return f->value[c->attr] + (c->more < ATTRS ? f->value[c->more] : 0);
}

/* `before`: as it was `seconds` ago, NULL at first. */
static void print_line(const struct figures *f, const struct figures *before, double seconds)
{
	char buf[32];

	for (unsigned i = 0; i < COLUMNS; i++) {
		const struct column *c = &columns[i];
		int64_t value = column_value(c, f);
		int64_t grown = before ? value - column_value(c, before) : -1;

		if (c->rate && grown >= 0)
			printf(" %10.0f", (double)grown / seconds);
		else if (c->rate || (c->attr == ATTR_store_cache_bytes && f->value[ATTR_store_cache_age_ms] < 0))
			printf(" %10s", "-");
		else
			printf(" %10s", text_bytes((double)value * (strcmp(rows[c->attr].unit, "bytes") ? PAGE_BYTES : 1), buf));
	}
	putchar('\n');
	fflush(stdout);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Until the figures cannot be read any more, or nobody reads what is printed. */
static int watch(const char *mount, struct figures *f, unsigned seconds)
{
	static struct figures before;
	double then = 0, at = now();

	for (unsigned line = 0; !ferror(stdout); line++) {
		struct figures next = { 0 };
		int r;

		if (line % WATCH_HEAD_LINES == 0)
			for (unsigned i = 0; i < COLUMNS; i++)
				printf(" %10s%s", columns[i].head, i + 1 == COLUMNS ? "\n" : "");
		print_line(f, line ? &before : NULL, at - then);
		sleep(seconds);
		before = *f;
		then = at;
		r = read_figures(mount, &next);
		if (r < 0)
			return r;
		*f = next;
		at = now();
	}
	return 0;
}

/* Who reads a figure has somebody look into the page cache; the first time that takes a moment. */
static int read_settled(const char *mount, struct figures *ret)
{
	int r = read_figures(mount, ret);

	for (int tries = 5; r == 0 && tries > 0 && ret->value[ATTR_store_cache_age_ms] < 0; tries--) {
		struct figures next = { 0 };

		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
		r = read_figures(mount, &next);
		*ret = next;
	}
	return r;
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

static int complain_usage(const char *what)
{
	fprintf(stderr, "ksmfs-stat: %s (see ksmfs-stat --help)\n", what);
	return 2;
}

static int show(const char *mount, char form, unsigned seconds)
{
	static struct figures f;
	int r = form == 'r' || form == 'j' ? read_figures(mount, &f) : read_settled(mount, &f);

	if (r == 0 && form == 'w')
		r = watch(mount, &f, seconds);
	if (r < 0) {
		fprintf(stderr, "ksmfs-stat: %s: %s\n", mount, reason(mount, r));
		return 1;
	}
	if (form == 'r')
		print_raw(&f);
	else if (form == 'j')
		print_json(&f);
	else if (form != 'w')
		print_summary(mount, &f);
	if (form == 'a')
		print_groups(&f);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "watch", required_argument, NULL, 'w' },
		{ "raw", no_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	unsigned long seconds = 0;
	char form = 0, *end;
	int c;

	while ((c = getopt_long(argc, argv, "aw:rjhV", options, NULL)) != -1) {
		switch (c) {
		case 'w':
			seconds = strtoul(optarg, &end, 10);
			if (*end || seconds < 1 || seconds > WATCH_MAX_SECONDS)
				return complain_usage("--watch needs a number of seconds, 1 to 86400");
			form = 'w';
			break;
		case 'a':
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
			return 2; /* getopt_long() has said why */
		}
	}
	if (argc - optind != 1)
		return complain_usage("needs one MOUNT");
	return show(argv[optind], form, (unsigned)seconds);
}
