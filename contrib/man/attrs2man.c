/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contrib/man/attrs2man.c - a manual page from its template, core/attrs.def and fs/tenants.def.
 *
 * A line @SETTINGS@ becomes the list of files that can be written, @FIGURES@ the list of those that are
 * only read, @TENANTS@ that of a tenant's, and @VERSION@ anywhere the version.  So the manual knows each row of the
 * tables, always.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct form {
	enum { NUMBER, CAP, BOOL, WORDS, LIMIT } kind;
	const char *words;
};

#define ATTR_FORM_NUMBER   NUMBER, NULL
#define ATTR_FORM_CAP      CAP, NULL
#define ATTR_FORM_BOOL     BOOL, NULL
#define ATTR_FORM_WORDS(w) WORDS, w
#define ATTR_FORM_BYTES    LIMIT, NULL
#define ATTR_FORM_COUNT    LIMIT, NULL

/* Text for roff: a leading dot or quote would be a request, and a backslash an escape. */
static void put(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

static void put_item(const char *path, const char *unit, const char *help)
{
	printf(".It Pa %s", path);
	if (*unit)
		printf(" Pq %s", unit);
	putchar('\n');
	put(help);
	puts(".");
}

/* The word before the next '|'; its length. */
static size_t put_word(const char *words)
{
	size_t len = strcspn(words, "|");
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)len, words);
	fputs(".Cm ", stdout);
	put(word);
	return len;
}

/* "none|scan-time" as "none or scan-time, at first none." */
static void put_words(const char *words, uint64_t preset)
{
	const char *first = words;

	for (size_t len = put_word(words); words[len]; len = put_word(words)) {
		words += len + 1;
		fputs("\nor\n", stdout);
	}
	while (preset-- > 0)
		first += strcspn(first, "|") + 1;
	fputs(" ,\nat first\n", stdout);
	put_word(first);
	fputs(" .\n", stdout);
}

static void put_range(const struct form *form, uint64_t min, uint64_t max, uint64_t preset)
{
	switch (form->kind) {
	case BOOL:
		printf("0 or 1, at first %llu.\n", (unsigned long long)preset);
		break;
	case WORDS:
		put_words(form->words, preset);
		break;
	case LIMIT:
		printf("At most %llu, which 0 stands for, at first what the mount option says.\n",
		       (unsigned long long)max);
		break;
	case CAP:
	case NUMBER:
		if (max == UINT64_MAX)
			printf("From %llu on", (unsigned long long)min);
		else
			printf("From %llu to %llu", (unsigned long long)min, (unsigned long long)max);
		printf("%s, at first %llu.\n", form->kind == CAP ? ", or 0" : "", (unsigned long long)preset);
		break;
	}
}

static void put_settings(void)
{
#define ATTR_SETTING(name, path, is, min, max, preset, unit, help) \
	put_item(path, unit, help);                                \
	put_range(&(struct form){ ATTR_FORM_##is }, min, max, preset);
#define ATTR_COUNTER(...)
#define ATTR_GAUGE(...)
#define ATTR_COMPUTED(...)
#include "core/attrs.def"
#undef ATTR_SETTING
#undef ATTR_COUNTER
#undef ATTR_GAUGE
#undef ATTR_COMPUTED
}

static void put_figures(void)
{
#define ATTR_SETTING(...)
#define ATTR_COUNTER(name, path, unit, help) put_item(path, unit, help);
#define ATTR_GAUGE(name, path, unit, help) put_item(path, unit, help);
#define ATTR_COMPUTED(name, path, unit, help) put_item(path, unit, help);
#include "core/attrs.def"
}

static void put_tenants(void)
{
#define TENANT_KNOWN(name, unit, value, help) put_item(#name, unit, help);
#define TENANT_SUMMED(name, unit, value, help) put_item(#name, unit, help);
#include "fs/tenants.def"
}

int main(int argc, char **argv)
{
	char line[512], *at;
	FILE *f;

	if (argc != 2) {
		fputs("Usage: attrs2man TEMPLATE\n", stderr);
		return 2;
	}
	f = fopen(argv[1], "re");
	if (!f) {
		perror(argv[1]);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!strcmp(line, "@SETTINGS@\n")) {
			put_settings();
		} else if (!strcmp(line, "@FIGURES@\n")) {
			put_figures();
		} else if (!strcmp(line, "@TENANTS@\n")) {
			put_tenants();
		} else if ((at = strstr(line, "@VERSION@"))) {
			printf("%.*s%s%s", (int)(at - line), line, KSMFS_VERSION, at + strlen("@VERSION@"));
		} else {
			fputs(line, stdout);
		}
	}
	fclose(f);
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
