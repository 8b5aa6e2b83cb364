/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/metrics.h"

#include <inttypes.h>
#include <string.h>

static const char *type_of(const struct attr_row *row)
{
	if (row->kind == ATTR_KIND_COUNTER)
		return "counter";
	return row->kind == ATTR_KIND_SETTING && row->form == FORM_WORDS ? "stateset" : "gauge";
}

/* A line for each word, with 1 at the present one. */
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
		const char *type = type_of(row);

		fprintf(out, "# TYPE ksmfs_%s %s\n# HELP ksmfs_%s %s%s%s%s\n", row->name, type, row->name, row->help,
			*row->unit ? " (" : "", row->unit, *row->unit ? ")" : "");
		if (strcmp(type, "stateset") == 0)
			print_words(row, value[i], out);
		else
			fprintf(out, "ksmfs_%s%s %" PRId64 "\n", row->name,
				row->kind == ATTR_KIND_COUNTER ? "_total" : "", value[i]);
	}
	fputs("# EOF\n", out);
}
