/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/text.c - figures and paths as text. */
#include "tools/text.h"

#include <stddef.h>
#include <stdio.h>

const char *text_bytes(double bytes, char buf[static 32])
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double n = bytes < 0 ? -bytes : bytes;
	unsigned i = 0;

	while (n >= 1024 && i < sizeof(unit) / sizeof(unit[0]) - 1) {
		n /= 1024;
		i++;
	}
	snprintf(buf, 32, i ? "%s%.1f %s" : "%s%.0f %s", bytes < 0 ? "-" : "", n, unit[i]);
	return buf;
}

void text_path(const char *path)
{
	for (; *path; path++)
		putchar((unsigned char)*path < ' ' || *path == 0x7f ? '?' : *path);
}

void text_raw_path(const char *path)
{
	for (; *path; path++) {
		if (*path == '\n')
			fputs("\\n", stdout);
		else if (*path == '\\')
			fputs("\\\\", stdout);
		else
			putchar(*path);
	}
}

/* Bytes of the character at `s` if it is UTF-8 as RFC 3629 has it (shortest form, no surrogates), else 0. */
static size_t utf8_bytes(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0; /* also at the end of the string */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void text_json_path(const char *path)
{
	const unsigned char *s = (const unsigned char *)path;
	size_t len;

	putchar('"');
	for (; *s; s += len ? len : 1) {
		len = utf8_bytes(s);
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (*s < ' ' || *s == 0x7f)
			printf("\\u%04x", *s);
		else if (len)
			fwrite(s, 1, len, stdout);
		else
			printf("\\udc%02x", *s);
	}
	putchar('"');
}
