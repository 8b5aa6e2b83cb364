/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/metrics.h"

#include <inttypes.h>
#include <string.h>

/* A line for each word, with 1 at the present one: what OpenMetrics calls a stateset, but by that name many readers,
 * node_exporter among them, would refuse all of it. */
static void print_words(const struct attr_row *row, int64_t value, FILE *out)
{
	const char *word = row->words;

	for (int64_t n = 0; *word; n++) {
		int len = (int)strcspn(word, "|");

		fprintf(out, "ksmfs_%s{ksmfs_%s=\"%.*s\"} %d\n", row->name, row->name, len, word, n == value);
		word += len + (word[len] == '|');
	}
}

void metrics_print(const int64_t value[ATTRS], FILE *out)
{
	for (unsigned i = 0; i < ATTRS; i++) {
		const struct attr_row *row = &attr_rows[i];
		bool grows = row->kind == ATTR_KIND_COUNTER;

		fprintf(out, "# TYPE ksmfs_%s %s\n# HELP ksmfs_%s %s%s%s%s\n", row->name, grows ? "counter" : "gauge",
			row->name, row->help, *row->unit ? " (" : "", row->unit, *row->unit ? ")" : "");
		if (row->kind == ATTR_KIND_SETTING && row->form == FORM_WORDS)
			print_words(row, value[i], out);
		else
			fprintf(out, "ksmfs_%s%s %" PRId64 "\n", row->name, grows ? "_total" : "", value[i]);
	}
}

/* --- tenants -------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character that `s` begins with, 0: it is none. */
static unsigned character_bytes(const char *s)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least;
	} form[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	const uint8_t *b = (const uint8_t *)s;

	for (unsigned more = 0; more < ARRAY_SIZE(form); more++) {
		uint32_t code = b[0] & (uint8_t)~form[more].mask;
		unsigned n = 1;

		if ((b[0] & form[more].mask) != form[more].lead)
			continue;
		for (; n <= more && (b[n] & 0xc0) == 0x80; n++)
			code = code << 6 | (b[n] & 0x3f);
		if (n <= more || code < form[more].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return 0;
		return more + 1;
	}
	return 0;
}

/* A name as a label's value: the format knows three escapes, and takes no bytes that are not UTF-8. */
static void print_label(const char *name, FILE *out)
{
	unsigned bytes;

	for (; *name; name += MAX(bytes, 1u)) {
		bytes = character_bytes(name);
		if (*name == '\n')
			fputs("\\n", out);
		else if (*name == '"' || *name == '\\')
			fprintf(out, "\\%c", *name);
		else if (bytes == 0)
			fprintf(out, "\\\\x%02x", (uint8_t)*name);
		else
			fwrite(name, 1, bytes, out);
	}
}

void metrics_print_tenants(const struct tenant_told *tenant, unsigned count, unsigned all, FILE *out)
{
	if (!all)
		return;
	fprintf(out, "# TYPE ksmfs_tenants gauge\n# HELP ksmfs_tenants directories with a limit of their own\n"
		     "ksmfs_tenants %u\n", all);
	for (unsigned i = 0; i < TENANT_FIGURES; i++) {
		const struct tenant_row *row = &tenant_rows[i];

		fprintf(out, "# TYPE ksmfs_tenant_%s gauge\n# HELP ksmfs_tenant_%s %s (%s)\n", row->name, row->name,
			row->help, row->unit);
		for (unsigned n = 0; n < count; n++) {
			fprintf(out, "ksmfs_tenant_%s{tenant=\"", row->name);
			print_label(tenant[n].tenant.name, out);
			fprintf(out, "\"} %" PRIu64 "\n", tenant[n].value[i]);
		}
	}
}

size_t metrics_tenant_bytes(const char *name)
{
	size_t label = 0, around = 0;

	for (; *name; name++) /* a byte that is no UTF-8 takes five */
		label += *name >= ' ' && *name <= '~' && *name != '"' && *name != '\\' ? 1 : 5;
	for (unsigned i = 0; i < TENANT_FIGURES; i++)
		around += strlen(tenant_rows[i].name) + sizeof("ksmfs_tenant_{tenant=\"\"} 18446744073709551615\n");
	return around + TENANT_FIGURES * label;
}

void metrics_end(FILE *out)
{
	fputs("# EOF\n", out);
}
