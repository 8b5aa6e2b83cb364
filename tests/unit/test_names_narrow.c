/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tests of names once more, with names.c built so narrow that names meet all the time: 128
 * places a directory, 65 of them first places. */
#define NAME_PLACES UINT64_C(128)
#include "core/names.c"

#include "tests/unit/test_names.c"
