/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/fuzz/fuzz_attrs.c - any bytes written to any control file: a value within its range, or refused.
 *
 * What was taken prints as text that is taken for the same value.
 */
#include "core/attrs.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t untouched = 0x5555555555555555;

	for (unsigned a = 0; a < ATTRS; a++) {
		uint64_t value = untouched;
		char text[ATTR_TEXT_BYTES];
		uint64_t again;
		int r = attr_parse(a, (const char *)data, size, &value);

		if (r < 0) {
			ASSERT(r == -EINVAL || (r == -ERANGE && attr_rows[a].form == FORM_CAP));
			ASSERT(value == untouched);
			continue;
		}
		ASSERT(attr_takes(a, value));
		attr_print(a, (int64_t)value, text);
		ASSERT(attr_parse(a, text, strlen(text), &again) == 0 && again == value);
	}
	return 0;
}
