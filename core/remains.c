/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "remains.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "names_inside.h"

/* Each counts what must not be: record numbers are the low 32 bits of an inode's, and a key's bits from 31 on. */
static const struct {
	const char *sql, *what;
} rules[] = {
	{ "SELECT count(*) FROM entry WHERE key >> 31 <> 1 AND key >> 31 NOT IN (SELECT ino & 4294967295 FROM entry)",
	  "names are in directories that have none" },
	{ "SELECT count(*) FROM entry WHERE length(name) NOT BETWEEN 1 AND 255 OR instr(name, x'2f') OR instr(name, x'00')",
	  "names are no names" },
	{ "SELECT count(*) FROM (SELECT 1 FROM entry GROUP BY key >> 31, name HAVING count(*) > 1)",
	  "names are in their directory more than once" },
	{ "SELECT count(*) FROM (SELECT 1 FROM entry WHERE ino & 4294967295 IN (SELECT key >> 31 FROM entry)"
	  " GROUP BY ino HAVING count(*) > 1)",
	  "directories have more names than one" },
};

static int count(struct catalog *c, const char *sql, uint64_t *ret)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r = catalog_prepare(c, sql, &stmt);

	if (!r)
		r = catalog_step(c, stmt);
	if (r == CATALOG_ROW)
		*ret = (uint64_t)sqlite3_column_int64(stmt, 0);
	return r < 0 ? r : 0;
}

/* SQLite's own look at the file: "ok", or a line for each thing. */
static int check_file(struct catalog *c, void (*report)(void *arg, const char *what), void *arg)
{
	_cleanup_(catalog_reset) sqlite3_stmt *stmt = NULL;
	int r = catalog_prepare(c, "PRAGMA integrity_check(20)", &stmt), wrong = 0;

	while (!r && (r = catalog_step(c, stmt)) == CATALOG_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		r = 0;
		if (text && !strcmp(text, "ok"))
			continue;
		report(arg, text ? text : "names.db is damaged");
		wrong++;
	}
	return r < 0 ? r : wrong;
}

static int check_rows(struct catalog *c, void (*report)(void *arg, const char *what), void *arg)
{
	char text[128];
	int wrong = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(rules); n++) {
		uint64_t found = 0;
		int r = count(c, rules[n].sql, &found);

		if (r < 0)
			return r;
		if (!found)
			continue;
		snprintf(text, sizeof(text), "%" PRIu64 " %s", found, rules[n].what);
		report(arg, text);
		wrong++;
	}
	return wrong;
}

static int examine(const char *path, void (*report)(void *arg, const char *what), void *arg, uint64_t *ret_names)
{
	_cleanup_(catalog_cleanup) struct catalog *c = NULL;
	int r = catalog_open(path, CATALOG_OWNER, &names_schema, &c), wrong;

	if (r < 0)
		return r;
	wrong = check_file(c, report, arg);
	if (wrong)
		return wrong; /* rows mean nothing then */
	r = count(c, "SELECT count(*) FROM entry", ret_names);
	return r < 0 ? r : check_rows(c, report, arg);
}

int remains_examine(const char *dir, void (*report)(void *arg, const char *what), void *arg, uint64_t *ret_names)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/names.db", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (access(path, F_OK) < 0) /* opening would make one */
		return -errno;
	r = examine(path, report, arg, ret_names);
	if (r != -EUCLEAN)
		return r;
	report(arg, "names.db is damaged, or of another format");
	return 1;
}
