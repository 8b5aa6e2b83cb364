/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/recall.h - the content index again, after a takeover, from the frames that several slots refer to.
 *
 * Owns     nothing: it is told how far it has come.
 * Keeps    V1 what is shared is found by whoever writes the same, once all frames have been gone through, however
 *             long the scanner takes for a pass.
 *          V2 a frame enters the index as any other does: under the digest of its bytes, which cannot change
 *             meanwhile.  Nobody's notes are believed.
 * Threads  one; enters the gate itself, for RECALL_PAGES at most, and holds no lock when it is called.
 * Fails    it does not: what was left out is found by the scanner.
 */
#pragma once

#include "pool.h"

enum { RECALL_PAGES = 64 };

/* Some frames from `*io_frame` (0 at first) on, which is moved behind them.  False: there are no more, or nothing is
 * merged by now. */
bool recall_some(struct pool *p, uint32_t *io_frame);
