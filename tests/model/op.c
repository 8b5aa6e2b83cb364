/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/op.c - operations as text: `pwrite who=1 fd=2 off=4096 ...`; what is 0 or empty is not said. */
#include "op.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *const op_names[OP_KINDS] = {
#define KIND(name, weight, fields) [OP_##name] = #name,
#include "kinds.def"
#undef KIND
};

/* Modes and flags are read in octal. */
enum type { UNSIGNED, OCTAL, SIGNED, TEXT, TRUTH };

static const struct field {
	const char *name;
	enum type type;
	size_t at;
} fields[] = {
	{"who", UNSIGNED, offsetof(struct op, who)},     {"umask", OCTAL, offsetof(struct op, umask)},
	{"fd", UNSIGNED, offsetof(struct op, fd)},       {"fd2", UNSIGNED, offsetof(struct op, fd2)},
	{"map", UNSIGNED, offsetof(struct op, map)},     {"flags", OCTAL, offsetof(struct op, flags)},
	{"mode", OCTAL, offsetof(struct op, mode)},   {"name", UNSIGNED, offsetof(struct op, name)},
	{"data", UNSIGNED, offsetof(struct op, data)},   {"tick", TRUTH, offsetof(struct op, tick)},
	{"off", SIGNED, offsetof(struct op, off)},       {"off2", SIGNED, offsetof(struct op, off2)},
	{"len", SIGNED, offsetof(struct op, len)},       {"path", TEXT, offsetof(struct op, path)},
	{"path2", TEXT, offsetof(struct op, path2)},
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static size_t print_text(const char *text, char *line, size_t room)
{
	size_t n = 0;

	for (; *text && n + 4 < room; text++) {
		if (isgraph((unsigned char)*text) && *text != '%')
			line[n++] = *text;
		else
			n += (size_t)snprintf(line + n, room - n, "%%%02x", (unsigned char)*text);
	}
	line[n] = '\0';
	return n;
}

void op_print(const struct op *op, char line[static OP_LINE_BYTES])
{
	size_t n = (size_t)snprintf(line, OP_LINE_BYTES, "%s", op_names[op->kind]);

	for (unsigned i = 0; i < FIELDS; i++) {
		const struct field *f = &fields[i];
		const char *at = (const char *)op + f->at;
		size_t room = OP_LINE_BYTES - n;
		unsigned u = f->type <= OCTAL ? *(const unsigned *)(const void *)at : 0;

		if (f->type == TRUTH && *(const bool *)(const void *)at) {
			n += (size_t)snprintf(line + n, room, " %s=1", f->name);
		} else if (f->type <= OCTAL && u) {
			n += (size_t)snprintf(line + n, room, f->type == OCTAL ? " %s=0%o" : " %s=%u", f->name, u);
		} else if (f->type == SIGNED && *(const int64_t *)(const void *)at) {
			n += (size_t)snprintf(line + n, room, " %s=%lld", f->name, (long long)*(const int64_t *)(const void *)at);
		} else if (f->type == TEXT && *at) {
			n += (size_t)snprintf(line + n, room, " %s=", f->name);
			n += print_text(at, line + n, OP_LINE_BYTES - n);
		}
	}
}

static void parse_text(const char *from, size_t len, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < OP_PATH_BYTES; i++) {
		if (from[i] == '%' && i + 2 < len) {
			char hex[3] = {from[i + 1], from[i + 2], 0};

			to[n++] = (char)strtoul(hex, NULL, 16);
			i += 2;
		} else {
			to[n++] = from[i];
		}
	}
	to[n] = '\0';
}

static bool parse_field(const char *word, size_t len, struct op *ret)
{
	const char *equals = memchr(word, '=', len);

	for (unsigned i = 0; equals && i < FIELDS; i++) {
		const struct field *f = &fields[i];
		void *at = (char *)ret + f->at;

		if (strlen(f->name) != (size_t)(equals - word) || memcmp(f->name, word, strlen(f->name)) != 0)
			continue;
		if (f->type <= OCTAL)
			*(unsigned *)at = (unsigned)strtoul(equals + 1, NULL, 0);
		else if (f->type == SIGNED)
			*(int64_t *)at = strtoll(equals + 1, NULL, 0);
		else if (f->type == TRUTH)
			*(bool *)at = equals[1] == '1';
		else
			parse_text(equals + 1, len - (size_t)(equals + 1 - word), at);
		return true;
	}
	return false;
}

bool op_parse(const char *line, struct op *ret)
{
	size_t len = strcspn(line, " \n");

	memset(ret, 0, sizeof(*ret));
	for (ret->kind = 0; ret->kind < OP_KINDS; ret->kind++)
		if (strlen(op_names[ret->kind]) == len && memcmp(op_names[ret->kind], line, len) == 0)
			break;
	if (ret->kind == OP_KINDS)
		return false;
	for (line += len; *line == ' '; line += len) {
		line++;
		len = strcspn(line, " \n");
		if (!parse_field(line, len, ret))
			return false;
	}
	return ret->who < OP_USERS && ret->fd < OP_FDS && ret->fd2 < OP_FDS && ret->map < OP_MAPS;
}

bool ops_save(const char *path, const char *title, const struct op *ops, size_t count)
{
	static _Thread_local char line[OP_LINE_BYTES];
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fprintf(f, "# %s\n", title);
	for (size_t i = 0; i < count; i++) {
		op_print(&ops[i], line);
		fprintf(f, "%s\n", line);
	}
	return fclose(f) == 0;
}

bool ops_load(const char *path, struct op **ret, size_t *ret_count)
{
	static char line[OP_LINE_BYTES];
	FILE *f = fopen(path, "r");
	struct op *ops = NULL;
	size_t count = 0;
	bool good = f;

	while (good && fgets(line, sizeof(line), f)) {
		if (*line == '#' || *line == '\n')
			continue;
		struct op *more = realloc(ops, (count + 1) * sizeof(*ops));

		good = more && op_parse(line, &more[count++]);
		ops = more ? more : ops;
	}
	if (f)
		fclose(f);
	*ret = ops;
	*ret_count = count;
	return good;
}
