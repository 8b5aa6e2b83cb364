/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control_hooks.h - .ksmfs/debug/, for tests: what core/failpoint.h arms, as files of a mount.
 *
 * Owns     nothing.
 * Keeps    H1 only built with the option `hooks`: without it none of these files exists.
 *          H2 what a file says is what is still armed.
 * Threads  any.
 * Fails    -EINVAL, -ERANGE: not a number that can be armed; nothing has changed.
 */
#pragma once

#include <stdio.h>

#include "core/base.h"

/* Path in .ksmfs/ of the `n`th, NULL behind the last. */
const char *control_hook_path(unsigned n);

void control_hook_print(unsigned n, FILE *out);
int control_hook_set(unsigned n, const char *text, size_t len) must_check;
