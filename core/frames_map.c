/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/frames_map.c - which frames nobody uses, and which of them have memory: two bits each.
 *
 *   bits `held` `warm`
 *         no     no     COLD: no memory
 *         yes    yes    WARM: memory, and nobody's
 *         yes    no     in use, in somebody's hands, or unswept
 *
 * The lowest are given out first and the highest go back first, so what is in use gathers at the lower end.  That is
 * for the sake of what a region of frames costs when it has come to an end: its words, tags and histories, and the
 * kernel's page tables, go back to the system when its last frame is cold.
 */
#include "frames_inside.h"

#include <string.h>

#include "bulk.h"

enum { WORD = 64, REGION_WORDS = FRAMES_RANGE / WORD };

_Static_assert(((size_t)FRAMES_RANGE << PAGE_SHIFT) % ARENA_TABLE_BYTES == 0, "a region has page tables of its own");

static bool has(const uint64_t *bits, uint32_t frame)
{
	return bits[frame / WORD] >> (frame % WORD) & 1;
}

static void set(uint64_t *bits, uint32_t frame)
{
	bits[frame / WORD] |= UINT64_C(1) << (frame % WORD);
}

static void clear(uint64_t *bits, uint32_t frame)
{
	bits[frame / WORD] &= ~(UINT64_C(1) << (frame % WORD));
}

static size_t bits_bytes(const struct frames *f)
{
	return (size_t)f->regions * FRAMES_RANGE / 8;
}

bool frames_map_init(struct frames *f)
{
	f->held = bulk_map(bits_bytes(f));
	f->warm_bits = bulk_map(bits_bytes(f));
	f->region = bulk_map(f->regions * sizeof(*f->region));
	if (!f->held || !f->warm_bits || !f->region)
		return false;
	frames_map_hold(f, 0, FRAMES_FIRST); /* never frames */
	return true;
}

void frames_map_fini(struct frames *f)
{
	bulk_unmap(f->held, bits_bytes(f));
	bulk_unmap(f->warm_bits, bits_bytes(f));
	bulk_unmap(f->region, f->regions * sizeof(*f->region));
}

static void hold(struct frames *f, uint32_t frame)
{
	struct region *r = &f->region[frame / FRAMES_RANGE];

	set(f->held, frame);
	r->held++;
	f->known += !r->known;
	r->known = true;
}

/* Of a large store they are millions: a region at a time. */
static void hold_region(struct frames *f, uint32_t at)
{
	memset(&f->held[(size_t)at * REGION_WORDS], 0xff, FRAMES_RANGE / 8);
	f->known += !f->region[at].known;
	f->region[at] = (struct region){ .held = FRAMES_RANGE, .known = true };
}

void frames_map_hold(struct frames *f, uint32_t from, uint32_t end)
{
	while (from < end) {
		if (from % FRAMES_RANGE == 0 && end - from >= FRAMES_RANGE) {
			hold_region(f, from / FRAMES_RANGE);
			from += FRAMES_RANGE;
			continue;
		}
		if (!has(f->held, from))
			hold(f, from);
		from++;
	}
}

/* --- warm ------------------------------------------------------------------------------------- */

void frames_map_warm(struct frames *f, uint32_t frame)
{
	uint32_t at = frame / FRAMES_RANGE;

	ASSERT(has(f->held, frame) && !has(f->warm_bits, frame));
	set(f->warm_bits, frame);
	f->region[at].warm++;
	f->warm++;
	f->warm_from = MIN(f->warm_from, at);
}

static void take_warm(struct frames *f, uint32_t frame)
{
	clear(f->warm_bits, frame);
	f->region[frame / FRAMES_RANGE].warm--;
	f->warm--;
}

static uint32_t lowest(uint32_t at, unsigned w, uint64_t bits)
{
	return at * FRAMES_RANGE + w * WORD + (unsigned)__builtin_ctzll(bits);
}

void frames_map_take_warm(struct frames *f, unsigned n, uint32_t *ret_frame)
{
	ASSERT(f->warm >= n);
	while (n) {
		uint64_t *bits = &f->warm_bits[(size_t)f->warm_from * REGION_WORDS];

		for (unsigned w = 0; n && w < REGION_WORDS && f->region[f->warm_from].warm; w++)
			for (; n && bits[w]; n--, ret_frame++) {
				*ret_frame = lowest(f->warm_from, w, bits[w]);
				take_warm(f, *ret_frame);
			}
		if (n)
			f->warm_from++;
	}
}

/* As many from the upper end, in the order of their numbers, as fit behind frame[0]. */
unsigned frames_map_take_surplus(struct frames *f, unsigned keep, unsigned max, uint32_t *ret_frame)
{
	unsigned n = f->warm > keep ? MIN(f->warm - keep, max) : 0, left = n;

	for (uint32_t at = (f->end - 1) / FRAMES_RANGE; left; at--) {
		uint64_t *bits = &f->warm_bits[(size_t)at * REGION_WORDS];

		for (unsigned w = REGION_WORDS; left && w-- > 0 && f->region[at].warm;)
			for (; left && bits[w]; left--) {
				ret_frame[left - 1] =
					at * FRAMES_RANGE + w * WORD + WORD - 1 - (unsigned)__builtin_clzll(bits[w]);
				take_warm(f, ret_frame[left - 1]);
			}
	}
	return n;
}

/* --- cold, and unswept ------------------------------------------------------------------------ */

/* It is free, and its word says so from here on: nobody takes it for unswept. */
static uint32_t hand_out(struct frames *f, uint32_t frame)
{
	if (!has(f->held, frame))
		hold(f, frame);
	atomic_store_explicit(&f->word[frame], FREE, memory_order_relaxed);
	return frame;
}

unsigned frames_map_take_cold(struct frames *f, uint32_t end, unsigned max, uint32_t *ret_frame)
{
	uint32_t at = f->cold_from;
	unsigned n = 0;

	for (; n < max && (uint64_t)at * FRAMES_RANGE < end; at++) {
		const uint64_t *bits = &f->held[(size_t)at * REGION_WORDS];

		if (f->region[at].held == FRAMES_RANGE) {
			f->cold_from += at == f->cold_from;
			continue;
		}
		for (unsigned w = 0; n < max && w < REGION_WORDS; w++)
			while (n < max && ~bits[w]) {
				uint32_t frame = lowest(at, w, ~bits[w]);

				if (frame >= end)
					return n;
				ret_frame[n++] = hand_out(f, frame);
			}
	}
	return n;
}

/* Of a region that has come to an end the words are 0, too, and nothing is held. */
unsigned frames_map_take_unswept(struct frames *f, unsigned max, uint32_t *ret_frame)
{
	unsigned n = 0;

	for (; n < max && f->unswept < f->unswept_end; f->unswept++)
		if (!atomic_load_explicit(&f->word[f->unswept], memory_order_relaxed) && has(f->held, f->unswept))
			ret_frame[n++] = hand_out(f, f->unswept);
	return n;
}

/* Nobody knows anything of its frames that has to be remembered. */
static void forget(struct frames *f, uint32_t at)
{
	size_t first = (size_t)at * FRAMES_RANGE;

	bulk_forget((void *)&f->word[first], FRAMES_RANGE * sizeof(*f->word));
	bulk_forget((void *)&f->tag[first], FRAMES_RANGE * sizeof(*f->tag));
	bulk_forget((void *)&f->history[first], FRAMES_RANGE * sizeof(*f->history));
	arena_forget(f->arena, first << PAGE_SHIFT, (size_t)FRAMES_RANGE << PAGE_SHIFT);
	f->region[at].known = false;
	f->known--;
}

void frames_map_cold(struct frames *f, uint32_t frame)
{
	uint32_t at = frame / FRAMES_RANGE;

	ASSERT(has(f->held, frame) && !has(f->warm_bits, frame));
	clear(f->held, frame);
	f->cold_from = MIN(f->cold_from, at);
	if (--f->region[at].held == 0)
		forget(f, at);
}

uint64_t frames_metadata_bytes(const struct frames *f)
{
	const uint64_t each = FRAMES_RANGE * FRAMES_COST_BYTES + 2 * FRAMES_RANGE / 8 + sizeof(*f->region);

	_Static_assert(sizeof(*f->word) + sizeof(*f->tag) + sizeof(*f->history) == FRAMES_COST_BYTES, "all of it");
	return f->known * each;
}
