/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/metrics.h - every figure as OpenMetrics text, for programs that collect such.
 *
 * Owns     nothing.
 * Keeps    a figure is ksmfs_ and its name in attrs.def; what only grows ends with _total, as the format wants it.
 * Threads  a pure function of its arguments.
 * Fails    with the stream.
 */
#pragma once

#include <stdio.h>

#include "core/attrs.h"

void metrics_print(const int64_t value[ATTRS], FILE *out);
