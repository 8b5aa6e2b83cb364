/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/scrub.c - two walks: over frames, slowly, and when that has found something over slots.
 *
 *   in the index -> DAMAGED              its bytes do not have its tag             [verify]
 *   DAMAGED      -> DAMAGED, with a copy equal bytes were met in another slot      [look_for_copy]
 *   a slot of it -> the copy             swung as the scanner does when it merges  [repair_slot]
 *   DAMAGED      -> free                 its last slot has gone: repaired, written, or removed  [settle_damage]
 *
 * A frame does not know its slots, so who uses it, where a copy is, and which slots are to be repaired is found by
 * going through all slots of all files, in rounds: the first finds users and copies, and from the copy on slots are
 * swung; the next swings those that came before.  It looks again, while there is anything to repair, once in each
 * pass over the frames.  What is damaged is pinned while it is in the list, so its number means the same all the time.
 */
#include "scrub.h"

#include <string.h>

#include "failpoint.h"
#include "merge.h"
#include "ptab.h"

enum {
	PERIOD_MS = 100,      /* between two bursts, unless there is less than a page to read in that time */
	BURST_PAGES = 1024,   /* at most */
	BURST_LOOK = 1 << 14, /* frames, most of which may not be in the index */
	CHUNK = 64,           /* pages in one stay inside the gate */
	DAMAGES = 64,         /* in the list; beyond, one without a copy is not looked after any more */
	ROUND_MS = 5,         /* between two parts of a round, */
	ROUND_SLOTS = 4096,   /* which are as long as this */
	OWED_MS = 100,        /* between two rounds */
	ROUNDS_MAX = 20,      /* with a copy, before it waits for the next pass, too */
};

struct damage {
	uint32_t frame; /* pinned */
	uint32_t tag;   /* that it had when its bytes were right */
	uint32_t copy;  /* of these, pinned; 0: none yet */
	uint16_t domain;
	unsigned round; /* the first that looks at it */
	unsigned tries; /* rounds that began with this copy */
};

struct scrub {
	struct pool *pool;
	uint32_t next; /* frame */
	uint64_t due_ms;
	struct damage damage[DAMAGES];
	unsigned damages;
	bool in_rounds;
	unsigned round;
	uint64_t round_due_ms;
	uint32_t number; /* the cursor of a round: a record, and a page of it */
	uint64_t index;
	struct scrub_report found;
	uint64_t report_not_before_ms;
	void (*report)(void *arg, const struct scrub_report *what);
	void *report_arg;
};

int scrub_new(struct pool *p, struct scrub **ret)
{
	struct scrub *s = mem_alloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->pool = p;
	s->next = FRAMES_FIRST;
	*ret = s;
	return 0;
}

void scrub_on_report(struct scrub *s, void (*report)(void *arg, const struct scrub_report *what), void *arg)
{
	s->report = report;
	s->report_arg = arg;
}

/* --- damages ------------------------------------------------------------------------------------- */

static void let_go_of_copy(struct scrub *s, struct damage *d)
{
	if (d->copy)
		content_unpin(s->pool->content, d->copy);
	d->copy = 0;
	d->tries = 0;
}

static void forget(struct scrub *s, struct damage *d)
{
	let_go_of_copy(s, d);
	content_unpin(s->pool->content, d->frame);
	*d = s->damage[--s->damages];
}

void scrub_free(struct scrub *s)
{
	if (!s)
		return;
	while (s->damages)
		forget(s, &s->damage[0]);
	mem_free(s);
}

static struct damage *damage_of(struct scrub *s, uint32_t frame)
{
	for (unsigned n = 0; n < s->damages; n++)
		if (s->damage[n].frame == frame)
			return s->damage[n].round <= s->round ? &s->damage[n] : NULL;
	return NULL;
}

static void make_place(struct scrub *s)
{
	for (unsigned n = 0; n < s->damages && s->damages == DAMAGES; n++)
		if (!s->damage[n].copy && s->damage[n].round < s->round)
			forget(s, &s->damage[n]);
}

static void start_round(struct scrub *s)
{
	s->in_rounds = true;
	s->round++;
	s->number = 0;
	s->index = 0;
}

/* `frame` is pinned: the list keeps that. */
static void remember(struct scrub *s, uint32_t frame, const struct frame_info *info)
{
	s->found.frames++;
	pool_count(s->pool, ATTR_scrub_errors, 1);
	make_place(s);
	if (s->damages == DAMAGES) {
		content_unpin(s->pool->content, frame);
		return;
	}
	s->damage[s->damages++] = (struct damage){
		.frame = frame, .tag = info->tag, .domain = info->domain, .round = s->round + 1,
	};
	if (!s->in_rounds)
		start_round(s);
}

/* --- frames -------------------------------------------------------------------------------------- */

static uint32_t tag_of(struct scrub *s, uint16_t domain, uint32_t frame)
{
	return digest_tag(digest_page(s->pool->key, domain, frames_data(s->pool->frames, frame)));
}

/* False: it is not in the index. */
static bool verify(struct scrub *s, uint32_t frame)
{
	struct pool *p = s->pool;
	struct frame_info info;

	if (!content_pin(p->content, frame))
		return false;
	info = frames_look(p->frames, frame); /* its bytes and its tag do not change now */
	pool_count(p, ATTR_scrub_pages, 1);
	if (tag_of(s, info.domain, frame) != info.tag && content_condemn(p->content, frame))
		remember(s, frame, &info);
	else
		content_unpin(p->content, frame);
	return true;
}

static void pass_ends(struct scrub *s)
{
	s->next = FRAMES_FIRST;
	pool_count(s->pool, ATTR_scrub_passes, 1);
	if (s->damages && !s->in_rounds)
		start_round(s); /* there may be a copy by now */
}

/* Up to `pages`, or a part of them, inside the gate once; how many frames were looked at.  At the end of a pass it
 * stops, so that an index with few pages, or none, is not gone through again and again. */
static unsigned verify_chunk(struct scrub *s, unsigned look, unsigned *io_pages, bool *ret_end)
{
	uint32_t end = frames_end(s->pool->frames);
	unsigned looked = 0, done = 0;

	gate_enter(s->pool->gate);
	while (looked < look && done < MIN(*io_pages, (unsigned)CHUNK) && s->next < end) {
		if (frames_look(s->pool->frames, s->next).indexed)
			done += verify(s, s->next);
		s->next++;
		looked++;
	}
	*ret_end = s->next >= end;
	if (*ret_end)
		pass_ends(s);
	gate_leave(s->pool->gate);
	*io_pages -= done;
	return looked;
}

static void burst(struct scrub *s, unsigned pages)
{
	unsigned look = BURST_LOOK;
	bool end = false;

	while (pages && look && !end)
		look -= verify_chunk(s, look, &pages, &end);
}

/* So many pages, and the next so many milliseconds later. */
static uint64_t pace(uint64_t rate, unsigned *ret_pages)
{
	uint64_t pages = MAX(rate * PERIOD_MS / 1000, UINT64_C(1));

	*ret_pages = (unsigned)MIN(pages, (uint64_t)BURST_PAGES);
	return MAX(*ret_pages * UINT64_C(1000) / rate, UINT64_C(1));
}

/* --- slots --------------------------------------------------------------------------------------- */

static void note_slot(struct scrub *s, struct inode *i, uint64_t index, bool repaired)
{
	struct scrub_report *r = &s->found;
	struct scrub_file *file = NULL;

	r->slots += !repaired;
	r->repaired += repaired;
	for (unsigned n = 0; n < r->files; n++)
		if (r->file[n].number == i->number)
			file = &r->file[n];
	if (!file && !repaired && r->files < SCRUB_FILES) {
		file = &r->file[r->files++];
		*file = (struct scrub_file){ .number = i->number, .index = index };
	}
	if (file) {
		file->slots += !repaired;
		file->repaired += repaired;
	}
}

/* I7, but for the tag. */
static bool is_near(const uint8_t *a, const uint8_t *b)
{
	unsigned differ = 0;

	for (unsigned n = 0; n < PAGE_BYTES && differ <= SCRUB_NEAR; n++)
		differ += a[n] != b[n];
	return differ <= SCRUB_NEAR;
}

/* A frame of its own, with the bytes of `from` (pinned).  If others with these bytes are in the index it stays out, and
 * the scanner brings them together as the rules want. */
static void take_copy(struct scrub *s, struct damage *d, uint32_t from)
{
	struct pool *p = s->pool;
	uint32_t copy, found;
	enum content_r r = CONTENT_ABSENT;

	if (frames_take(p->frames, d->domain, 1, FRAMES_ORDINARY, &copy) == FRAMES_FULL)
		return;
	memcpy(frames_data(p->frames, copy), frames_data(p->frames, from), PAGE_BYTES);
	if (pool_setting(p, ATTR_run) == 1)
		r = content_find(p->content, d->tag, d->domain, frames_data(p->frames, copy), copy, &found);
	if (r == CONTENT_FOUND)
		content_unpin(p->content, found);
	if (r != CONTENT_INSERTED) {
		frames_mark_dirty(p->frames, copy);
		pool_changed(p);
	}
	let_go_of_copy(s, d);
	d->copy = copy;
}

static bool may_be_copy(const struct damage *d, const struct frame_info *info)
{
	return !d->copy && info->domain == d->domain && (!info->indexed || info->tag == d->tag);
}

static void look_for_copy(struct scrub *s, struct inode *i, uint64_t index, uint32_t frame)
{
	struct pool *p = s->pool;
	struct frame_info info = frames_look(p->frames, frame);
	bool worth_it = false;

	for (unsigned n = 0; n < s->damages; n++)
		worth_it |= may_be_copy(&s->damage[n], &info);
	if (!worth_it || info.damaged || merge_pin(p, i, index, frame) != MERGE_HELD)
		return;
	for (unsigned n = 0; n < s->damages; n++) {
		struct damage *d = &s->damage[n];

		if (may_be_copy(d, &info) &&
		    is_near(frames_data(p->frames, d->frame), frames_data(p->frames, frame)) &&
		    tag_of(s, d->domain, frame) == d->tag)
			take_copy(s, d, frame);
	}
	content_unpin(p->content, frame);
}

/* A copy may have fewer slots than are to be repaired (max_page_sharing, max_kernel_pages): then they get another. */
static void repair_slot(struct scrub *s, struct damage *d, struct inode *i, uint64_t index)
{
	enum merge_hold r = merge_swing(s->pool, i, index, d->frame, d->copy);

	if (r == MERGE_REFUSED) {
		take_copy(s, d, d->copy);
		r = merge_swing(s->pool, i, index, d->frame, d->copy);
	}
	if (r != MERGE_HELD)
		return; /* by the next round */
	pool_count(s->pool, ATTR_scrub_repaired, 1);
	note_slot(s, i, index, true);
}

static void visit_slot(struct scrub *s, struct inode *i, uint64_t index, uint32_t frame)
{
	struct damage *d = damage_of(s, frame);

	if (!d) {
		look_for_copy(s, i, index, frame);
		return;
	}
	if (d->round == s->round)
		note_slot(s, i, index, false);
	if (d->copy)
		repair_slot(s, d, i, index);
}

struct place {
	uint64_t index;
	uint32_t frame;
};

/* Frames of an inode from the cursor on; *io_look slots less to look at.  False: the inode is done. */
static bool collect(struct scrub *s, struct inode *i, struct place place[CHUNK], unsigned *ret_count, unsigned *io_look)
{
	bool more = true;

	*ret_count = 0;
	rwlock_take_shared(&i->map);
	while (*ret_count < CHUNK && *io_look && more) {
		_Atomic uint32_t *slot = ptab_next(i, s->pool->frames, s->index, FILE_PAGES_MAX, &s->index);
		uint32_t frame = slot ? *slot : SLOT_HOLE;

		if (slot_is_frame(frame))
			place[(*ret_count)++] = (struct place){ s->index, frame };
		more = slot;
		s->index++;
		--*io_look;
	}
	rwlock_drop_shared(&i->map);
	return more;
}

/* A part of a round inside the gate once; false at its end. */
static bool round_chunk(struct scrub *s, unsigned *io_look)
{
	HOLDS_INODES(s->pool->itable);
	struct place place[CHUNK];
	uint32_t number = s->number;
	struct inode *i = itable_next(s->pool->itable, &number);
	unsigned count;

	if (!i)
		return false;
	if (i->number != s->number)
		s->index = 0;
	s->number = i->number;
	--*io_look;
	if (!collect(s, i, place, &count, io_look)) {
		s->number++;
		s->index = 0;
	}
	for (unsigned n = 0; n < count; n++)
		visit_slot(s, i, place[n].index, place[n].frame);
	return true;
}

/* What has no slot any more is over.  Whether there is more to do for this one. */
static bool settle_damage(struct scrub *s, struct damage *d)
{
	if (d->round > s->round)
		return true;
	if (!frames_look(s->pool->frames, d->frame).refs) {
		forget(s, d);
		return false;
	}
	if (d->copy && d->tries++ == ROUNDS_MAX)
		let_go_of_copy(s, d);
	return d->copy;
}

static void round_ends(struct scrub *s)
{
	bool more = false;

	for (unsigned n = s->damages; n--;)
		more |= settle_damage(s, &s->damage[n]);
	s->in_rounds = false;
	if (more)
		start_round(s);
}

/* When to come again. */
static uint64_t go_on_with_round(struct scrub *s)
{
	unsigned look = ROUND_SLOTS;
	bool more = true;

	while (look && more) {
		gate_enter(s->pool->gate);
		more = round_chunk(s, &look);
		if (!more)
			round_ends(s);
		gate_leave(s->pool->gate);
	}
	return more ? ROUND_MS : OWED_MS;
}

/* ------------------------------------------------------------------------------------------------- */

static void tell(struct scrub *s, uint64_t now_ms)
{
	if (s->report)
		s->report(s->report_arg, &s->found);
	s->found = (struct scrub_report){ 0 };
	s->report_not_before_ms = now_ms + SCRUB_REPORT_MS;
}

static uint64_t until(uint64_t due_ms, uint64_t now_ms, uint64_t wait)
{
	uint64_t left = due_ms > now_ms ? due_ms - now_ms : 1;

	return wait ? MIN(wait, left) : left;
}

uint64_t scrub_run(struct scrub *s, uint64_t now_ms)
{
	uint64_t rate = pool_setting(s->pool, ATTR_scrub_pages_per_second), wait = 0;
	unsigned pages;

	if (rate && now_ms >= s->due_ms) {
		s->due_ms = now_ms + pace(rate, &pages);
		burst(s, pages);
	}
	if (s->in_rounds && now_ms >= s->round_due_ms)
		s->round_due_ms = now_ms + go_on_with_round(s);
	if (s->found.frames && !s->in_rounds && now_ms >= s->report_not_before_ms)
		tell(s, now_ms);
	if (rate)
		wait = until(s->due_ms, now_ms, wait);
	if (s->in_rounds)
		wait = until(s->round_due_ms, now_ms, wait);
	else if (s->found.frames)
		wait = until(s->report_not_before_ms, now_ms, wait);
	return wait;
}
