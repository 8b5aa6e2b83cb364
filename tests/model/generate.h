/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/generate.h - operations from a seed. */
#pragma once

#include "op.h"

/* The same seed gives the same sequence.  `full`: for a file system that is nearly full.  `tops`: in the root there are
 * directories that may be tenants, and nothing else. */
void generate(uint64_t seed, bool full, bool tops, struct op *ret, size_t count);
