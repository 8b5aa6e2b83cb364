/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/advice.c - points in frames.
 *
 *   plain    -> one leaf     a first range                          [advice_set_range]
 *   one leaf -> root, leaves more points than a frame holds         [store_points]
 *   any      -> shorter      truncation: in place, the tail is freed [advice_cut]
 *
 * The record's word is the number of points << 32 | frame; up to POINTS of them, that frame holds them, else
 * it holds the numbers of the frames that do, each but the last of them full.  So the k-th point is found
 * without a search, and pages by bisection.  A change makes new frames and swings the word: what is there is
 * never half done.
 */
#include "advice.h"

#include <string.h>

#include "failpoint.h"

enum {
	POINTS = PAGE_BYTES / sizeof(uint64_t), /* in a leaf */
	LEAVES_MAX = ADVICE_POINTS_MAX / POINTS,
	AS_WHOLE = 3, /* what a point says: an enum advice, or this */
};
_Static_assert((int)LEAVES_MAX <= (int)PTAB_FANOUT, "one root is enough");

static unsigned points_of(uint64_t word)
{
	return (unsigned)(word >> 32);
}

static unsigned leaves_of(uint64_t word)
{
	return (points_of(word) + POINTS - 1) / POINTS;
}

static uint64_t point(uint64_t index, unsigned says)
{
	return index << 2 | says;
}

static uint64_t index_of(uint64_t point)
{
	return point >> 2;
}

static unsigned says(uint64_t point)
{
	return point & 3;
}

static uint32_t leaf_frame(const struct frames *f, uint64_t word, unsigned leaf)
{
	const uint32_t *root = frames_data(f, (uint32_t)word);

	return points_of(word) <= POINTS ? (uint32_t)word : root[leaf];
}

static _Atomic uint64_t *point_at(const struct frames *f, uint64_t word, unsigned k)
{
	_Atomic uint64_t *leaf = frames_data(f, leaf_frame(f, word, k / POINTS));

	return &leaf[k % POINTS];
}

/* The number of points at or before page `index`. */
static unsigned bisect(const struct frames *f, uint64_t word, uint64_t index)
{
	unsigned low = 0, high = points_of(word);

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (index_of(*point_at(f, word, middle)) <= index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static unsigned says_at(const struct frames *f, uint64_t word, uint64_t index)
{
	unsigned k = bisect(f, word, index);

	return k ? says(*point_at(f, word, k - 1)) : AS_WHOLE;
}

/* --- the whole -------------------------------------------------------------------------------- */

enum advice advice_of_whole(const struct inode *i)
{
	uint32_t flags = i->record->flags;

	if (flags & INODE_KEEP)
		return ADVICE_KEEP;
	return flags & INODE_UNMERGEABLE ? ADVICE_UNMERGEABLE : ADVICE_MERGEABLE;
}

static void set_flags(struct inode *i, enum advice advice)
{
	static const uint32_t flag[] = { [ADVICE_UNMERGEABLE] = INODE_UNMERGEABLE, [ADVICE_KEEP] = INODE_KEEP,
					 [ADVICE_MERGEABLE] = 0 };
	uint32_t flags = i->record->flags;

	/* OPEN and reads set other flags meanwhile, without a lock */
	while (!atomic_compare_exchange_weak(&i->record->flags, &flags,
					     (flags & ~(uint32_t)(INODE_UNMERGEABLE | INODE_KEEP)) | flag[advice]))
		;
}

void advice_set_whole(struct pool *p, struct inode *i, enum advice advice)
{
	advice_cut(p, i, 0);
	set_flags(i, advice);
}

void advice_inherit(struct inode *i, const struct inode *dir)
{
	set_flags(i, advice_of_whole(dir));
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool may_merge(const struct inode *i, unsigned says)
{
	return i->record->domain != DOMAIN_ALONE &&
	       (says == AS_WHOLE ? advice_of_whole(i) : (enum advice)says) == ADVICE_MERGEABLE;
}

bool advice_may_merge(const struct inode *i, const struct frames *f, uint64_t index)
{
	uint64_t word = i->record->ranges;

	return may_merge(i, word ? says_at(f, word, index) : AS_WHOLE);
}

uint64_t advice_left_out(const struct inode *i, const struct frames *f, uint64_t from, uint64_t end)
{
	uint64_t word = i->record->ranges, out = 0;
	unsigned k = bisect(f, word, from), now = says_at(f, word, from);

	while (from < end) {
		uint64_t next = k < points_of(word) ? index_of(*point_at(f, word, k)) : end;

		next = MIN(next, end);
		out += may_merge(i, now) ? 0 : next - from;
		if (k < points_of(word))
			now = says(*point_at(f, word, k++));
		from = next;
	}
	return out;
}

bool advice_is_sound(const struct inode *i, const struct frames *f)
{
	uint64_t word = i->record->ranges, before = point(0, AS_WHOLE), at = 0;

	for (unsigned k = 0; k < points_of(word); k++, before = at) {
		at = *point_at(f, word, k);
		if (says(at) == says(before) || (k && index_of(at) <= index_of(before)))
			return false;
	}
	return says(before) == AS_WHOLE;
}

int advice_walk_nodes(const struct inode *i, const struct frames *f, ptab_visit *visit, void *arg)
{
	uint64_t word = i->record->ranges;
	int r = word ? visit(arg, (uint32_t)word) : 0;

	for (unsigned n = 0; !r && leaves_of(word) > 1 && n < leaves_of(word); n++)
		r = visit(arg, leaf_frame(f, word, n));
	return r;
}

/* --- saying ----------------------------------------------------------------------------------- */

struct points {
	uint64_t *point;
	unsigned count;
};

/* Append, leaving out what would say the same as the one before. */
static void add(struct points *t, uint64_t index, unsigned what)
{
	if (t->count && index_of(t->point[t->count - 1]) == index)
		t->count--; /* of no length */
	if ((t->count ? says(t->point[t->count - 1]) : AS_WHOLE) != what)
		t->point[t->count++] = point(index, what);
}

static void copy_points(const struct frames *f, uint64_t word, unsigned from, unsigned end, struct points *t)
{
	for (unsigned k = from; k < end; k++) {
		uint64_t at = *point_at(f, word, k);

		add(t, index_of(at), says(at));
	}
}

/* Into frames of their own; *ret_word is what the record shall say. */
static int store_points(struct pool *p, const struct points *t, uint64_t *ret_word)
{
	uint32_t frame[1 + LEAVES_MAX];
	uint64_t word = (uint64_t)t->count << 32;
	unsigned leaves = leaves_of(word), n = leaves > 1 ? leaves + 1 : leaves;

	if (!t->count) {
		*ret_word = 0;
		return 0;
	}
	if (t->count > ADVICE_POINTS_MAX || !frames_spare(p->frames, n) ||
	    frames_take_table(p->frames, n, frame) != FRAMES_OK)
		return -ENOMEM;
	word |= frame[0];
	if (leaves > 1)
		memcpy(frames_data(p->frames, frame[0]), frame + 1, leaves * sizeof(*frame));
	for (unsigned k = 0; k < leaves; k++)
		memcpy(frames_data(p->frames, leaf_frame(p->frames, word, k)), t->point + k * POINTS,
		       MIN((unsigned)POINTS, t->count - k * POINTS) * sizeof(*t->point));
	*ret_word = word;
	return 0;
}

static int put_node(void *arg, uint32_t frame)
{
	frames_put_table(((struct pool *)arg)->frames, frame);
	return 0;
}

/* With what nobody refers to any more. */
static void put_points(struct pool *p, uint64_t word)
{
	struct inode_record record = { .ranges = word };
	const struct inode gone = { .record = &record };

	(void)advice_walk_nodes(&gone, p->frames, put_node, p);
}

int advice_set_range(struct pool *p, struct inode *i, uint64_t from, uint64_t end, enum advice advice)
{
	uint64_t word = i->record->ranges, new_word = 0;
	_cleanup_(mem_cleanup) uint64_t *point = mem_alloc(points_of(word) + 3, sizeof(*point));
	struct points t = { .point = point };
	uint64_t out;
	unsigned behind;
	int r;

	ASSERT(from < end && advice != ADVICE_KEEP);
	rwlock_take_shared(&i->map);
	out = advice_left_out(i, p->frames, from, end);
	rwlock_drop_shared(&i->map);
	if (advice_of_whole(i) != ADVICE_KEEP && out == (advice == ADVICE_MERGEABLE ? 0 : end - from))
		return 1;
	if (!point)
		return -ENOMEM;
	behind = bisect(p->frames, word, end);
	copy_points(p->frames, word, 0, bisect(p->frames, word, from), &t);
	add(&t, from, advice == advice_of_whole(i) ? AS_WHOLE : advice);
	add(&t, end, says_at(p->frames, word, end));
	copy_points(p->frames, word, behind, points_of(word), &t);
	r = store_points(p, &t, &new_word);
	if (r < 0)
		return r;
	failpoint_kill(KILL_advice_before);
	rwlock_take(&i->map);
	i->record->ranges = new_word;
	rwlock_drop(&i->map);
	failpoint_kill(KILL_advice_done);
	put_points(p, word);
	return 0;
}

/* O1: the first point from `end` on, if one is needed, gives back; those behind it are not counted any more. */
static uint64_t shorten(struct frames *f, uint64_t word, uint64_t end)
{
	unsigned k = end ? bisect(f, word, end - 1) : 0;

	if (k && says(*point_at(f, word, k - 1)) != AS_WHOLE)
		*point_at(f, word, k++) = point(end, AS_WHOLE);
	if (!k)
		return 0;
	/* one leaf is its own root */
	return (uint64_t)k << 32 | (k > POINTS ? (uint32_t)word : leaf_frame(f, word, 0));
}

void advice_cut(struct pool *p, struct inode *i, uint64_t end)
{
	uint32_t spare[1 + LEAVES_MAX];
	unsigned spares = 0;
	uint64_t word, new_word;

	if (!i->record->ranges)
		return;
	rwlock_take(&i->map);
	word = i->record->ranges;
	new_word = shorten(p->frames, word, end);
	for (unsigned n = new_word ? leaves_of(new_word) : 0; n < leaves_of(word); n++)
		spare[spares++] = leaf_frame(p->frames, word, n);
	if (leaves_of(word) > 1 && (uint32_t)new_word != (uint32_t)word)
		spare[spares++] = (uint32_t)word;
	failpoint_kill(KILL_advice_cutting);
	i->record->ranges = new_word;
	rwlock_drop(&i->map);
	while (spares)
		frames_put_table(p->frames, spare[--spares]);
}
