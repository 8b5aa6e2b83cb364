/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/content.h - the content index: which frame already holds these bytes.
 *
 * Owns     the entries (8 bytes: tag and frame) and the flag `indexed` of frames.
 * Keeps    I1 a frame is in the index once, under its tag, exactly while its word says `indexed`.
 *          I2 an indexed frame's bytes do not change: its owner takes it out first.
 *          I3 no two frames in the index have equal bytes in one domain, unless one had as many slots as
 *             it may: whoever enters one has, under the same hold of the shard's lock, seen every entry
 *             that could equal it.
 *          I4 it may forget; that costs sharing, never correctness.
 * Threads  takes one shard's lock (CONTENT) itself; bytes are compared with no lock of its own held.
 * Fails    content_find(): CONTENT_ABSENT, and CONTENT_INSERTED where asked to.  Without memory to
 *          grow it forgets the new entry (ABSENT).
 */
#pragma once

#include "digest.h"
#include "frames.h"

struct content;
enum content_r { CONTENT_FOUND, CONTENT_ABSENT, CONTENT_INSERTED };

int content_new(struct frames *frames, struct content **ret) must_check;
void content_free(struct content *c);

/* Find a frame of `domain` that holds exactly these bytes and may have one slot more; it comes back pinned.
 * If there is none and `insert` is not 0, that frame (held by the caller's pin, full of these bytes) enters
 * the index.  An `insert` that is in the index already is never what is found. */
enum content_r content_find(struct content *c, uint32_t tag, uint16_t domain, const void *page,
			    uint32_t insert, uint32_t *ret_frame);

/* Whether a frame that had as many slots as it may has place again: others with equal bytes may have come meanwhile. */
bool content_has_twins(const struct content *c);

/* Pin `frame` if it is in the index: then it cannot change until it is unpinned. */
bool content_pin(struct content *c, uint32_t frame);

/* Take the caller's own frame (one reference, no pin: checked) out of the index, so that it may be
 * written in place.  False: somebody else sees it. */
bool content_withdraw(struct content *c, uint32_t frame);

/* The caller has pinned it and found that its bytes are not what they were: take it out for good, whoever refers to
 * it.  False: it is not in. */
bool content_condemn(struct content *c, uint32_t frame);

/* Balance frames_pin() and frames_ref(), and free what nobody holds any more. */
void content_unpin(struct content *c, uint32_t frame);
void content_unref(struct content *c, uint32_t frame);

/* Give back what the index has become too large by; not under a lock of anybody's. */
void content_reclaim(struct content *c);

uint64_t content_entries(struct content *c);
uint64_t content_bytes(struct content *c);

/* With the gate closed: how often `frame` is in the index under its tag (1 for I1). */
unsigned content_count(struct content *c, uint32_t frame);
