/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/generate.h - operations from a seed. */
#pragma once

#include "op.h"

/* The same seed gives the same sequence.  `full`: for a file system that is nearly full. */
void generate(uint64_t seed, bool full, struct op *ret, size_t count);
