/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/inspect.h - are the memfds what somebody may go on with? Looked at as they are, before anything is rebuilt.
 *
 * Owns     nothing.
 * Keeps    changes nothing, and follows nothing that could lead out of the store.
 * Threads  one, and nobody else is at work on them.
 * Fails    inspect(): -ENOMEM.
 */
#pragma once

#include "inode.h"

struct volume;

/* Could this have been written by us? Whoever follows the record's table, ranges and attributes relies on it. */
bool inspect_record(const struct inode_record *r) must_check;

/* Every record, table and slot: what is wrong goes to `report` in words; how many there were. */
int inspect(struct volume *v, void (*report)(void *arg, const char *violation), void *arg) must_check;
