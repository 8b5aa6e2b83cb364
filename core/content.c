/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/content.c - 256 small hash tables that grow by an eighth at a time, and shrink when somebody asks for it.
 *
 * The top byte of a tag is its shard; the rest, scaled to the shard's size, its place.  Entries are probed
 * linearly and removed by shifting back, so there are no tombstones.  A frame with as many slots as it may
 * have is shelved: it belongs to its shard without an entry, so that equal frames, of which there can be very
 * many then, are not passed over one by one.  As places follow the order of tags, a table that grows is copied
 * nearly in order, and only a 256th of the index at a time.  Each is on pages of its own, of which none is wasted: they
 * go back to the system whatever the others hold.
 */
#include "content.h"

#include "bulk.h"
#include "failpoint.h"
#include "lock.h"

enum {
	SHARD_BITS = 8,
	SHARDS = 1 << SHARD_BITS,
	PLACE_BITS = 32 - SHARD_BITS,
	SHARD_MIN = PAGE_BYTES / 8, /* entries; all sizes are multiples of it */
	FILL_PERCENT = 90,
	SPARSE_PERCENT = 40, /* so few, and it is worth moving them ... */
	ROOMY_PERCENT = 75,  /* ... closer together */
};

struct shard {
	struct lock lock;
	uint64_t *entry GUARDED_BY(lock); /* tag << 32 | frame; 0 is an empty place */
	uint32_t size GUARDED_BY(lock);
	uint32_t count GUARDED_BY(lock);
	uint32_t inserts GUARDED_BY(lock); /* ever: has anybody entered one meanwhile? */
	uint32_t shelved GUARDED_BY(lock); /* frames that belong here without an entry */
} __attribute__((aligned(64)));

struct content {
	struct frames *frames;
	atomic_bool twins;
	struct shard shard[SHARDS];
};

static struct shard *shard_of(struct content *c, uint32_t tag)
{
	return &c->shard[tag >> PLACE_BITS];
}

static uint32_t home(const struct shard *s, uint64_t entry)
{
	uint64_t place = (entry >> 32) & ((1u << PLACE_BITS) - 1);

	return (uint32_t)((place * s->size) >> PLACE_BITS);
}

static uint32_t after(const struct shard *s, uint32_t place)
{
	return place + 1 == s->size ? 0 : place + 1;
}

static uint64_t entry_of(uint32_t tag, uint32_t frame)
{
	return (uint64_t)tag << 32 | frame;
}

static void place(struct shard *s, uint64_t entry)
{
	uint32_t at = home(s, entry);

	while (s->entry[at])
		at = after(s, at);
	s->entry[at] = entry;
	s->count++;
}

static uint32_t whole_pages(uint64_t entries)
{
	return (uint32_t)((entries + SHARD_MIN - 1) / SHARD_MIN * SHARD_MIN);
}

/* All entries to a larger or smaller table; returns the old one, whose size *io_size is then. */
static uint64_t *move_to(struct shard *s, uint64_t *entry, uint32_t *io_size)
{
	struct shard old = { .entry = s->entry, .size = s->size };

	s->entry = entry;
	s->size = *io_size;
	s->count = 0;
	for (uint32_t i = 0; i < old.size; i++)
		if (old.entry[i])
			place(s, old.entry[i]);
	*io_size = old.size;
	return old.entry;
}

static bool grow(struct shard *s)
{
	uint32_t size = s->size + MAX((uint32_t)SHARD_MIN, s->size / 8 / SHARD_MIN * SHARD_MIN);
	uint64_t *entry = bulk_map(size * sizeof(*entry));

	if (!entry)
		return false;
	entry = move_to(s, entry, &size);
	bulk_unmap(entry, size * sizeof(*entry));
	return true;
}

/* What it would shrink to; 0: it is not sparse. */
static uint32_t smaller(const struct shard *s)
{
	if (s->size <= SHARD_MIN || (uint64_t)s->count * 100 >= (uint64_t)s->size * SPARSE_PERCENT)
		return 0;
	return whole_pages((uint64_t)s->count * 100 / ROOMY_PERCENT + 1);
}

static bool insert_locked(struct shard *s, uint64_t entry) REQUIRES(s->lock)
{
	lock_assert_held(&s->lock);
	if ((uint64_t)(s->count + 1) * 100 > (uint64_t)s->size * FILL_PERCENT && !grow(s))
		return false;
	place(s, entry);
	s->inserts++;
	return true;
}

/* s->size when it is not there. */
static uint32_t find_locked(const struct shard *s, uint64_t entry) REQUIRES(s->lock)
{
	uint32_t at;

	lock_assert_held(&s->lock);
	if (!s->size)
		return 0;
	for (at = home(s, entry); s->entry[at]; at = after(s, at))
		if (s->entry[at] == entry)
			return at;
	return s->size;
}

static void remove_locked(struct shard *s, uint64_t entry) REQUIRES(s->lock)
{
	uint32_t hole = find_locked(s, entry), at;

	ASSERT(hole < s->size); /* I1 */
	/* Whatever behind the hole was pushed past it moves back into it. */
	for (at = after(s, hole); s->entry[at]; at = after(s, at)) {
		uint32_t from = home(s, s->entry[at]);
		bool stays = hole <= at ? hole < from && from <= at : hole < from || from <= at;

		if (stays)
			continue;
		s->entry[hole] = s->entry[at];
		hole = at;
	}
	s->entry[hole] = 0;
	s->count--;
}

/* The lowest frame above `above` with this tag, 0 if there is none. Callers go up through
 * all that share a tag, comparing each outside the lock. */
static uint32_t next_locked(const struct shard *s, uint32_t tag, uint32_t above) REQUIRES(s->lock)
{
	uint32_t best = 0, at;

	lock_assert_held(&s->lock);
	for (at = home(s, entry_of(tag, 0)); s->entry[at]; at = after(s, at)) {
		uint32_t frame = (uint32_t)s->entry[at];

		if (s->entry[at] >> 32 == tag && frame > above && (!best || frame < best))
			best = frame;
	}
	return best;
}

int content_new(struct frames *frames, struct content **ret)
{
	struct content *c = mem_alloc_lines(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->frames = frames;
	for (unsigned i = 0; i < SHARDS; i++)
		lock_init(&c->shard[i].lock, RANK_CONTENT);
	*ret = c;
	return 0;
}

void content_free(struct content *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < SHARDS; i++) {
		bulk_unmap(c->shard[i].entry, c->shard[i].size * sizeof(*c->shard[i].entry));
		lock_fini(&c->shard[i].lock);
	}
	mem_free(c);
}

struct search {
	struct content *c;
	uint32_t tag;
	uint16_t domain;
	uint32_t but;  /* the frame that looks for its like */
	bool ordered;  /* false: whichever comes first; true: each in the order of frames */
	uint32_t frame; /* the last one compared; 0: none */
};

/* A frame that has slots enough is met once and not again: its entry goes, until a slot lets go of it.  Whoever
 * lets go looks at the mark after that, and we at the slots after the mark: one of us sees the other. */
static bool shelve(struct search *q, struct shard *s, uint32_t frame) REQUIRES(s->lock)
{
	frames_set_shelved(q->c->frames, frame, true);
	if (!frames_is_full(q->c->frames, frame)) {
		frames_set_shelved(q->c->frames, frame, false);
		return false;
	}
	remove_locked(s, entry_of(q->tag, frame));
	s->shelved++;
	return true;
}

enum fit { FIT_PINNED, FIT_NOT, FIT_FULL };

/* Pin it if it may be what is looked for. */
static enum fit fits(struct search *q, uint32_t frame)
{
	struct frames *f = q->c->frames;

	if (frame == q->but || frames_look(f, frame).domain != q->domain)
		return FIT_NOT;
	if (frames_is_full(f, frame))
		return FIT_FULL;
	return frames_pin(f, frame) ? FIT_PINNED : FIT_NOT;
}

/* The next to compare, pinned, in q->frame; false, and 0 there, when every one has been seen. */
static bool next_candidate(struct search *q, struct shard *s) REQUIRES(s->lock)
{
	uint32_t at, frame = q->frame;
	enum fit fit;

	lock_assert_held(&s->lock);
	q->frame = 0;
	if (!s->size)
		return false;
	for (at = home(s, entry_of(q->tag, 0)); !q->ordered && s->entry[at];) {
		q->frame = (uint32_t)s->entry[at];
		fit = s->entry[at] >> 32 == q->tag ? fits(q, q->frame) : FIT_NOT;
		if (fit == FIT_PINNED)
			return true;
		if (fit != FIT_FULL)
			at = after(s, at);
		else
			(void)shelve(q, s, q->frame); /* another has moved here, or it is worth another look */
	}
	while (q->ordered && (frame = next_locked(s, q->tag, frame))) {
		q->frame = frame;
		fit = fits(q, frame);
		if (fit == FIT_PINNED)
			return true;
		if (fit == FIT_FULL && !shelve(q, s, frame))
			frame--; /* worth another look */
	}
	q->frame = 0;
	return false;
}

static enum content_r enter(struct search *q, struct shard *s) REQUIRES(s->lock)
{
	uint64_t entry = entry_of(q->tag, q->but);

	struct frame_info info = { .indexed = true };

	if (q->but)
		info = frames_look(q->c->frames, q->but);
	if (info.indexed || info.damaged || !insert_locked(s, entry))
		return CONTENT_ABSENT;
	frames_set_indexed(q->c->frames, q->but, q->tag);
	return CONTENT_INSERTED;
}

/* Nearly always the first one with this tag is it.  If not, all are compared, in the order of frames, as
 * others come and go meanwhile. */
enum content_r content_find(struct content *c, uint32_t tag, uint16_t domain, const void *page,
			    uint32_t insert, uint32_t *ret_frame)
{
	struct search q = { .c = c, .tag = tag, .domain = domain, .but = insert };
	struct shard *s = shard_of(c, tag);
	enum content_r r = CONTENT_ABSENT;
	uint32_t inserts = 0;

	for (;;) {
		bool pinned, again;

		lock_take(&s->lock);
		if (!q.frame)
			inserts = s->inserts;
		pinned = next_candidate(&q, s);
		again = !pinned && inserts != s->inserts; /* one entered below where we are */
		if (!pinned && !again)
			r = enter(&q, s);
		lock_drop(&s->lock);
		if (again)
			continue;
		if (!pinned)
			return r;
		if (page_equal(frames_data(c->frames, q.frame), page)) {
			*ret_frame = q.frame;
			return CONTENT_FOUND;
		}
		content_unpin(c, q.frame);
		if (!q.ordered)
			q.frame = 0;
		q.ordered = true;
	}
}

bool content_has_twins(const struct content *c)
{
	return c->twins;
}

/* Does `frame` belong to this shard, under `tag`?  What does stays so while the shard is locked. */
static bool is_in(struct content *c, const struct shard *s, uint32_t tag, uint32_t frame) REQUIRES(s->lock)
{
	struct frame_info info = frames_look(c->frames, frame);

	if (find_locked(s, entry_of(tag, frame)) < s->size)
		return true;
	return info.indexed && info.shelved && info.tag == tag;
}

static void forget(struct content *c, struct shard *s, uint32_t tag, uint32_t frame, bool shelved) REQUIRES(s->lock)
{
	if (shelved)
		s->shelved--;
	else
		remove_locked(s, entry_of(tag, frame));
}

bool content_pin(struct content *c, uint32_t frame)
{
	struct frame_info info = frames_look(c->frames, frame);
	struct shard *s = shard_of(c, info.tag);
	bool pinned;

	if (!info.indexed)
		return false;
	lock_take(&s->lock);
	pinned = is_in(c, s, info.tag, frame) && frames_pin(c->frames, frame);
	lock_drop(&s->lock);
	return pinned;
}

static bool unindex(struct content *c, uint32_t frame, enum frames_unindex when)
{
	uint32_t tag = frames_look(c->frames, frame).tag;
	struct shard *s = shard_of(c, tag);
	bool cleared, shelved;

	lock_take(&s->lock);
	/* Until the shard is locked an idle frame may have been freed, filled and indexed anew, under
	 * another tag.  Then there is nothing for us to do: its new holders see to it.  The entry says so;
	 * the word alone could change between a look and the next. */
	cleared = is_in(c, s, tag, frame);
	shelved = cleared && frames_look(c->frames, frame).shelved;
	cleared = cleared && frames_clear_indexed(c->frames, frame, when);
	if (cleared)
		forget(c, s, tag, frame, shelved);
	lock_drop(&s->lock);
	return cleared;
}

bool content_withdraw(struct content *c, uint32_t frame)
{
	return unindex(c, frame, FRAMES_UNINDEX_OWNED);
}

bool content_condemn(struct content *c, uint32_t frame)
{
	struct frame_info info = frames_look(c->frames, frame);
	struct shard *s = shard_of(c, info.tag);
	bool in;

	lock_take(&s->lock);
	in = is_in(c, s, info.tag, frame);
	if (in) {
		forget(c, s, info.tag, frame, frames_look(c->frames, frame).shelved);
		frames_set_damaged(c->frames, frame);
	}
	lock_drop(&s->lock);
	return in;
}

void content_unpin(struct content *c, uint32_t frame)
{
	if (frames_unpin(c->frames, frame) == FRAMES_IDLE)
		(void)unindex(c, frame, FRAMES_UNINDEX_IDLE);
}

/* One slot less: it can be found again.  Without memory for its entry it waits for the next slot that goes. */
static void unshelve(struct content *c, uint32_t frame)
{
	uint32_t tag = frames_look(c->frames, frame).tag;
	struct shard *s = shard_of(c, tag);

	lock_take(&s->lock);
	if (is_in(c, s, tag, frame) && frames_look(c->frames, frame).shelved && !frames_is_full(c->frames, frame) &&
	    insert_locked(s, entry_of(tag, frame))) {
		frames_set_shelved(c->frames, frame, false);
		s->shelved--;
		c->twins = true;
	}
	lock_drop(&s->lock);
}

void content_unref(struct content *c, uint32_t frame)
{
	if (frames_unref(c->frames, frame) == FRAMES_IDLE)
		(void)unindex(c, frame, FRAMES_UNINDEX_IDLE);
	else if (frames_look(c->frames, frame).shelved) /* or another that has come in its place */
		unshelve(c, frame);
}

static uint32_t smaller_now(struct shard *s)
{
	uint32_t size;

	lock_take(&s->lock);
	size = smaller(s);
	lock_drop(&s->lock);
	return size;
}

/* What has become too large for what is left is a waste of memory, and no more: so it may fail. */
static void shrink(struct shard *s, uint32_t size)
{
	uint64_t *entry = bulk_map(size * sizeof(*entry));

	if (!entry)
		return;
	lock_take(&s->lock);
	if (smaller(s) && smaller(s) <= size)
		entry = move_to(s, entry, &size);
	lock_drop(&s->lock);
	bulk_unmap(entry, size * sizeof(*entry));
}

void content_reclaim(struct content *c)
{
	lock_assert_may_sleep();
	for (unsigned i = 0; i < ARRAY_SIZE(c->shard); i++) {
		uint32_t size = smaller_now(&c->shard[i]);

		if (size)
			shrink(&c->shard[i], size);
	}
}

uint64_t content_entries(struct content *c)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SHARDS; i++) {
		lock_take(&c->shard[i].lock);
		n += c->shard[i].count + c->shard[i].shelved;
		lock_drop(&c->shard[i].lock);
	}
	return n;
}

uint64_t content_bytes(struct content *c)
{
	uint64_t n = sizeof(*c);

	for (unsigned i = 0; i < SHARDS; i++) {
		lock_take(&c->shard[i].lock);
		n += c->shard[i].size * sizeof(*c->shard[i].entry);
		lock_drop(&c->shard[i].lock);
	}
	return n;
}

unsigned content_count(struct content *c, uint32_t frame)
{
	uint64_t entry = entry_of(frames_look(c->frames, frame).tag, frame);
	struct shard *s = shard_of(c, entry >> 32);
	unsigned n = 0;

	lock_take(&s->lock);
	if (s->size)
		for (uint32_t at = home(s, entry); s->entry[at]; at = after(s, at))
			n += s->entry[at] == entry;
	n += frames_look(c->frames, frame).shelved;
	lock_drop(&s->lock);
	return n;
}
