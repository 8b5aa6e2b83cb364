/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/fuzz/fuzz_options.c - any bytes as mount options: accepted, or refused with one line. */
#include <stdlib.h>
#include <string.h>

#include "fs/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct options o;
	char err[OPTIONS_ERROR_BYTES] = "";
	char *text;
	int r;

	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	r = options_parse(text, &o, err, sizeof(err));
	free(text);
	if (r < 0) {
		ASSERT(r == -EINVAL && err[0] && strlen(err) < sizeof(err));
		return 0;
	}
	options_resolve(&o, 1 << 20, 0, 0);
	ASSERT(o.size_pages > 0 && o.size_pages <= FILE_PAGES_MAX);
	ASSERT(o.nr_inodes > 0 && o.nr_inodes < UINT32_MAX);
	ASSERT((o.mode & ~07777U) == 0);
	ASSERT(strlen(o.index) < sizeof(o.index) && strlen(o.kernel) < sizeof(o.kernel));
	return 0;
}
