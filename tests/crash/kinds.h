/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/kinds.h - all kinds of jobs. */
#pragma once

#include "run.h"

extern const struct kind mapped_files, written_files, direct_files; /* files.c */
extern const struct kind names;                                     /* names.c */
extern const struct kind listing;                                   /* listing.c */
extern const struct kind held;                                      /* held.c */
extern const struct kind controls;                                  /* controls.c */
