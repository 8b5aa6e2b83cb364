/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/bench/numbered.h - files of a volume that programs here fill. */
#pragma once

#include "core/volume.h"
#include "tests/lib/program.h"

static inline uint64_t make_file(struct volume *v, unsigned n)
{
	const struct volume_new new = { .mode = 0100644, .open_flags = -1 };
	struct volume_entry e;
	char name[32];

	(void)snprintf(name, sizeof(name), "file%u", n);
	must(volume_create(v, ROOT_INO, (struct name){ name, strlen(name) }, &new, &e) == 0, "create");
	return e.ino;
}
