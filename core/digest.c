/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "digest.h"

#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "lock.h"

int digest_key_draw(struct digest_key *ret)
{
	ssize_t n = getrandom(ret->secret, sizeof(ret->secret), 0);

	if (n < 0)
		return -errno;
	return n == sizeof(ret->secret) ? 0 : -EIO;
}

struct digest digest_page(const struct digest_key *key, uint16_t domain, const void *page)
{
	XXH128_hash_t h = XXH3_128bits_withSecret(page, PAGE_BYTES, key->secret,
						  sizeof(key->secret));
	/* With a secret of our own XXH3 takes no seed for long input, so the domain is mixed in
	 * behind it: an odd multiplier moves every domain to other digests. */
	uint64_t mix = domain * UINT64_C(0x9e3779b97f4a7c15);

	lock_assert_may_sleep();
	return (struct digest){ { h.low64 ^ mix ^ (mix >> 32), h.high64 ^ mix } };
}

bool page_is_zero(const void *page)
{
	uint64_t word[2]; /* a page in a request may lie at any address */

	/* Most pages show in their first words that they are not; memcmp does the rest. */
	memcpy(word, page, sizeof(word));
	return !word[0] && !word[1] &&
	       !memcmp(page, (const uint8_t *)page + sizeof(word[0]), PAGE_BYTES - sizeof(word[0]));
}

bool page_equal(const void *a, const void *b)
{
	lock_assert_may_sleep();
	return !memcmp(a, b, PAGE_BYTES);
}
