/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/ledger.h - what is shared and what each file costs, gathered for index.db.
 *
 * Owns     nothing but what it has gathered, until it is written.
 * Keeps    Y1 it holds the gate for one batch at a time, and no lock while it talks to SQLite.
 *          Y2 pages are read only where sharing has changed since the last time.
 * Threads  the keeper's; outside the gate.
 * Fails    it does not: what could not be written is written the next time.
 */
#pragma once

#include "base.h"

struct volume;

/* Have index.db open; ledger_write() does so, too. */
void ledger_open(struct volume *v);

/* Bring index.db up to date. False: somebody holds a lock on it, or memory was short; try again. */
bool ledger_write(struct volume *v);
