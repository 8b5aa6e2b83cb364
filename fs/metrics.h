/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/metrics.h - every figure as OpenMetrics text, for programs that collect such.
 *
 * Owns     nothing.
 * Keeps    a figure is ksmfs_ and its name in attrs.def, or ksmfs_tenant_ and its name in tenants.def with the
 *          tenant as a label; what only grows ends with _total, as the format wants it.
 * Threads  pure functions of their arguments.
 * Fails    with the stream.
 */
#pragma once

#include <stdio.h>

#include "core/volume.h"
#include "fs/tenant_figures.h"

enum { METRICS_TENANTS_HEAD = 4096 }; /* bytes that metrics_print_tenants() takes besides those of tenants, at most */

void metrics_print(const int64_t value[ATTRS], FILE *out);
/* The figures of these, of `all` that there are. */
void metrics_print_tenants(const struct tenant_told *tenant, unsigned count, unsigned all, FILE *out);
/* What one of that name takes there, at most. */
size_t metrics_tenant_bytes(const char *name);
/* After everything else. */
void metrics_end(FILE *out);
