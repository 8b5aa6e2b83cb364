/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/takeover.h - receipts that a dead worker has left, until their requests come again.
 *
 * What had been read and not answered the kernel sends again, marked (RESENT). If the worker had done it, and
 * died before it could answer, or before we could know that the answer had been taken, its receipt tells.
 *
 * Owns     the list of receipts at the end of the session.
 * Keeps    K1 a receipt is in its slot or in the list (for an instant in both, alike) until its request has
 *             come again, or no longer can.
 *          K2 what was counted for an answer that was never begun, and is not asked for again (the kernel drops what
 *             waits for us when its caller is killed), is taken back.
 *          K3 the list is long enough: of each life of a worker at most a receipt for each slot enters it, and
 *             those of the life before last are gone.
 * Threads  takeover_keep() before there are any; takeover_match() any.
 * Fails    never; a list that is full, which K3 says cannot be, is told to the log.
 */
#pragma once

#include "core/volume.h"
#include "fs/session.h"

/* Of the `unique` of a request that is sent again, which is answered with it. */
#define TAKEOVER_RESENT (UINT64_C(1) << 63)

/* All receipts in slots, for volume_open(). */
struct receipts takeover_receipts(struct session *s);

/* After volume_open(), before requests are read. */
void takeover_keep(struct session *s);

/* Receipts whose requests come no more are done with, by a thread that is in `slot` and has no receipt there. */
void takeover_settle(struct session *s, struct session_slot *slot, struct volume *v);

/* A request has been read into `slot`: the receipt it has left, if any, is the slot's from here on. */
void takeover_match(struct session *s, struct session_slot *slot);
