/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/fuzz/fuzz_attrs.c - any bytes written to any control file: a value within its range, or refused. */
#include "core/attrs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t untouched = 0x5555555555555555;

	for (unsigned a = 0; a < ATTRS; a++) {
		uint64_t value = untouched;
		int r = attr_parse(a, (const char *)data, size, &value);

		if (r < 0) {
			ASSERT(r == -EINVAL || r == -ERANGE);
			ASSERT(value == untouched);
			continue;
		}
		ASSERT(attr_rows[a].kind == ATTR_KIND_SETTING);
		ASSERT(value >= attr_rows[a].min && value <= attr_rows[a].max);
	}
	return 0;
}
