/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/privileges.h - which process keeps which capability, and why.
 *
 * Owns     the table.
 * Keeps    P1 what is not in the table is in no set of the process: effective, permitted, inheritable,
 *             bounding, ambient.
 *          P2 after privileges_seal() no exec gives anything back.
 * Threads  before there are threads: capabilities belong to threads, and they inherit them.
 * Fails    -errno: do not go on.
 */
#pragma once

#include "core/base.h"

enum role { ROLE_SUPERVISOR, ROLE_WORKER, ROLE_NOTIFIER };

int privileges_drop(enum role role) must_check;
int privileges_seal(void) must_check;

/* May the process call mount(2) itself?  Lock as much memory as it likes? */
bool privileges_can_mount(void);
bool privileges_can_lock(void);
