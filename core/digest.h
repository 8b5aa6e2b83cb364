/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/digest.h - what a page's bytes come to.
 *
 * Owns     nothing; the key is the volume's.
 * Keeps    equal bytes in one domain have equal digests; nothing else may be believed of them.
 * Threads  pure functions; they take longer than a map lock may be held, and assert that none is.
 * Fails    never.
 */
#pragma once

#include "base.h"

enum { DIGEST_SECRET_BYTES = 192 };

/* Drawn at mount: without it nobody outside can make two pages that meet in the index. */
struct digest_key {
	uint8_t secret[DIGEST_SECRET_BYTES];
};

struct digest {
	uint64_t half[2];
};

int digest_key_draw(struct digest_key *ret) must_check;

/* XXH3-128 of PAGE_BYTES bytes, keyed, with the domain mixed in. */
struct digest digest_page(const struct digest_key *key, uint16_t domain, const void *page);

/* What the content index keeps of it: the top DIGEST_BITS of 32 bits. */
static inline uint32_t digest_tag(struct digest d)
{
	return (uint32_t)d.half[0] & (uint32_t)(~UINT64_C(0) << (32 - DIGEST_BITS));
}

bool page_is_zero(const void *page);
bool page_equal(const void *a, const void *b);
