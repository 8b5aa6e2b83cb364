/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contrib/man/attrs2man.c - a manual page from its template and core/attrs.def.
 *
 * A line @SETTINGS@ becomes the list of files that can be written, @FIGURES@ the list of those that are
 * only read, and @VERSION@ anywhere the version.  So the manual knows each row of the table, always.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

static void put_setting(const char *path, const char *unit, const char *help, uint64_t min, uint64_t max,
			uint64_t preset)
{
	put_item(path, unit, help);
	printf("From %llu to %llu, at first %llu.\n", (unsigned long long)min, (unsigned long long)max,
	       (unsigned long long)preset);
}

static void put_settings(void)
{
#define ATTR_SETTING(name, path, min, max, preset, unit, help) put_setting(path, unit, help, min, max, preset);
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
		} else if ((at = strstr(line, "@VERSION@"))) {
			printf("%.*s%s%s", (int)(at - line), line, KSMFS_VERSION, at + strlen("@VERSION@"));
		} else {
			fputs(line, stdout);
		}
	}
	fclose(f);
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
