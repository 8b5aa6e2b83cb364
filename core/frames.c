/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/frames.c - one word says all about a frame.
 *
 *   COLD  -> WARM    memory taken from the system          [refill]
 *   WARM  -> HELD    pinned once, for whoever fills it     [frames_take]
 *   HELD  -> LIVE    the first slot refers to it           [frames_ref]
 *   LIVE  -> HELD    the last slot let go, somebody looks  [frames_unref]
 *   HELD, LIVE -> IDLE   nobody left, but still indexed    [frames_unpin, frames_unref]
 *   HELD, LIVE, IDLE -> WARM   nobody left                 [release, frames_clear_indexed]
 *   WARM  -> COLD    memory given back to the system       [frames_reclaim]
 *
 * IDLE is short: who made it so goes on to take it out of the index (content_unpin, content_unref), and only the one
 * whose compare-and-swap takes the last count or flag away frees the frame, so it is freed once.
 * WARM and COLD frames are linked through their tags, which nobody else needs then.
 */
#include "frames.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "failpoint.h"
#include "lock.h"
#include "log.h"

enum {
	REFS_BITS = 26,
	PINS_SHIFT = REFS_BITS,
	PINS_BITS = 15,
	DOMAIN_SHIFT = PINS_SHIFT + PINS_BITS,
	DOMAIN_BITS = 16,
	FLAGS_SHIFT = DOMAIN_SHIFT + DOMAIN_BITS,

	WARM_RESERVE = 256,   /* frames that only the urgent may take */
	WARM_SURPLUS = 1024,  /* beyond the reserve: not worth giving back */
	WARM_LOW = WARM_RESERVE + WARM_SURPLUS / 2, /* fewer: somebody else takes more meanwhile */
	REFILL = 512,         /* frames taken from the system at a time */
	RECLAIM = 64 * 1024,  /* and given back */
};

#define REF      (UINT64_C(1))
#define REFS     ((UINT64_C(1) << REFS_BITS) - 1)
#define PIN      (UINT64_C(1) << PINS_SHIFT)
#define PINS     (((UINT64_C(1) << PINS_BITS) - 1) << PINS_SHIFT)
#define INDEXED  (UINT64_C(1) << FLAGS_SHIFT)
#define DIRTY    (UINT64_C(2) << FLAGS_SHIFT)
#define TABLE    (UINT64_C(4) << FLAGS_SHIFT)
#define FREE     (UINT64_C(8) << FLAGS_SHIFT)
#define REWRITE_SHIFT (FLAGS_SHIFT + 4)
#define REWRITES (UINT64_C(3) << REWRITE_SHIFT)

_Static_assert(REWRITE_SHIFT + 2 <= 64, "a frame's word is full");
_Static_assert(FRAMES_REFS_MAX == REFS, "refs fill their bits");

struct list {
	uint32_t head; /* 0: empty */
	_Atomic uint32_t count; /* changed under the lock; looked at without it, as a hint */
};

struct frames {
	struct arena *arena;
	struct room *room;
	struct counters *counters;
	_Atomic uint64_t *word; /* by frame number */
	_Atomic uint32_t *tag;
	_Atomic uint8_t *changed; /* by range of frames */
	uint32_t capacity;
	struct lock lock;
	struct list warm GUARDED_BY(lock);
	struct list cold GUARDED_BY(lock);
	_Atomic uint32_t end; /* changed under lock */
	atomic_uint_fast64_t used, tables;
	void (*on_surplus)(void *arg);
	void *on_surplus_arg;
	atomic_bool surplus_told;
	void (*on_low)(void *arg);
	void *on_low_arg;
	atomic_bool low_told;
	void (*on_room)(void *arg);
	void *on_room_arg;
	atomic_bool awaited;
};

/* The counter a frame's slots are in, and how many there are: S3. */
static void account(struct frames *f, uint64_t word, int sign)
{
	uint64_t refs = word & REFS;

	if (!refs)
		return;
	if (refs == 1) {
		counters_add(f->counters,
			     word & INDEXED ? ATTR_pages_unshared : ATTR_pages_volatile, sign);
		return;
	}
	counters_add(f->counters, ATTR_pages_shared, sign);
	counters_add(f->counters, ATTR_pages_sharing, sign * (int64_t)(refs - 1));
}

static void transition(struct frames *f, uint32_t frame, uint64_t from, uint64_t to)
{
	const uint64_t what = REFS | INDEXED;

	if ((from & what) == (to & what) || (to & TABLE))
		return;
	account(f, from, -1);
	account(f, to, 1);
	counters_add(f->counters, ATTR_store_data_pages,
		     (int64_t)(to & REFS) - (int64_t)(from & REFS));
	if (((from & REFS) > 1 || (to & REFS) > 1) && !f->changed[frame / FRAMES_RANGE])
		f->changed[frame / FRAMES_RANGE] = 1;
}

static void push(struct frames *f, struct list *list, uint32_t frame)
{
	atomic_store_explicit(&f->tag[frame], list->head, memory_order_relaxed);
	list->head = frame;
	list->count++;
}

static uint32_t pop(struct frames *f, struct list *list)
{
	uint32_t frame = list->head;

	if (frame) {
		list->head = atomic_load_explicit(&f->tag[frame], memory_order_relaxed);
		list->count--;
	}
	return frame;
}

static void *metadata_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED || failpoint_hit(FAIL_ALLOC) ? NULL : p;
}

int frames_new(struct arena *arena, struct room *room, struct counters *counters,
	       struct frames **ret)
{
	struct frames *f = mem_alloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->arena = arena;
	f->room = room;
	f->counters = counters;
	f->capacity = MIN(arena->bytes >> PAGE_SHIFT, (uint64_t)UINT32_MAX);
	f->word = metadata_map(f->capacity * sizeof(*f->word));
	f->tag = metadata_map(f->capacity * sizeof(*f->tag));
	f->end = FRAMES_FIRST;
	lock_init(&f->lock, RANK_FRAMES);
	f->changed = mem_alloc(f->capacity / FRAMES_RANGE + 1, sizeof(*f->changed));
	if (!f->word || !f->tag || !f->changed) {
		frames_free(f);
		return -ENOMEM;
	}
	*ret = f;
	return 0;
}

void frames_free(struct frames *f)
{
	if (!f)
		return;
	if (f->word)
		munmap((void *)f->word, f->capacity * sizeof(*f->word));
	if (f->tag)
		munmap((void *)f->tag, f->capacity * sizeof(*f->tag));
	lock_fini(&f->lock);
	mem_free((void *)f->changed);
	mem_free(f);
}

void *frames_data(const struct frames *f, uint32_t frame)
{
	return f->arena->base + ((size_t)frame << PAGE_SHIFT);
}

static uint64_t load(const struct frames *f, uint32_t frame)
{
	ASSERT(frame >= FRAMES_FIRST && frame < f->capacity);
	return atomic_load_explicit(&f->word[frame], memory_order_acquire);
}

static bool swap(struct frames *f, uint32_t frame, uint64_t *from, uint64_t to)
{
	if (!atomic_compare_exchange_weak_explicit(&f->word[frame], from, to, memory_order_acq_rel,
						   memory_order_acquire))
		return false;
	transition(f, frame, *from, to);
	return true;
}

/* --- free lists ------------------------------------------------------------------------------- */

/* Frames without memory: those that had some before, then those never used. */
static unsigned take_cold(struct frames *f, uint32_t frame[REFILL])
{
	unsigned n = 0;

	lock_take(&f->lock);
	while (n < REFILL && f->cold.count)
		frame[n++] = pop(f, &f->cold);
	while (n < REFILL && f->end < f->capacity)
		frame[n++] = f->end++;
	lock_drop(&f->lock);
	for (unsigned i = 0; i < n; i++)
		atomic_store_explicit(&f->word[frame[i]], FREE, memory_order_relaxed);
	return n;
}

/* Back onto a list, so that they come out in the order of the array. */
static void give(struct frames *f, struct list *list, const uint32_t *frame, unsigned n)
{
	lock_take(&f->lock);
	while (n)
		push(f, list, frame[--n]);
	lock_drop(&f->lock);
}

/* Length of the run of neighbours that begins at frame[0]. */
static unsigned run_length(const uint32_t *frame, unsigned n)
{
	unsigned len = 1;

	while (len < n && frame[len] == frame[len - 1] + 1)
		len++;
	return len;
}

static int refill(struct frames *f)
{
	uint32_t frame[REFILL];
	unsigned n = take_cold(f, frame), done = 0;
	int r = n ? room_take(f->room, (uint64_t)n << PAGE_SHIFT) : -ENOMEM;

	while (!r && done < n) {
		unsigned len = run_length(frame + done, n - done);

		r = arena_populate(f->arena, (size_t)frame[done] << PAGE_SHIFT,
				   (size_t)len << PAGE_SHIFT);
		if (!r)
			done += len;
	}
	give(f, &f->cold, frame + done, n - done);
	give(f, &f->warm, frame, done);
	return done ? 0 : r;
}

static bool take_warm(struct frames *f, unsigned n, enum frames_urgency urgency, uint32_t *ret_frame)
{
	unsigned floor = urgency == FRAMES_URGENT ? 0 : WARM_RESERVE;
	bool enough;

	lock_take(&f->lock);
	enough = f->warm.count >= n + floor;
	for (unsigned i = 0; enough && i < n; i++)
		ret_frame[i] = pop(f, &f->warm);
	lock_drop(&f->lock);
	return enough;
}

/* The lists hold what was refilled for all, so another thread may be quicker: then refill again. */
static int take(struct frames *f, unsigned n, enum frames_urgency urgency, uint32_t *ret_frame)
{
	lock_assert_may_sleep();
	if (failpoint_hit(FAIL_ALLOC))
		return FRAMES_FULL;
	if (f->on_low && f->warm.count < WARM_LOW + n && !atomic_exchange(&f->low_told, true))
		f->on_low(f->on_low_arg);
	while (!take_warm(f, n, FRAMES_ORDINARY, ret_frame)) {
		if (!refill(f))
			continue;
		if (urgency == FRAMES_URGENT && take_warm(f, n, urgency, ret_frame))
			break;
		return FRAMES_FULL;
	}
	atomic_fetch_add(&f->used, n);
	return FRAMES_OK;
}

bool frames_refill_ahead(struct frames *f)
{
	atomic_store(&f->low_told, false);
	return f->warm.count < WARM_RESERVE + WARM_SURPLUS - REFILL && !refill(f);
}

void frames_on_low(struct frames *f, void (*call)(void *arg), void *arg)
{
	f->on_low_arg = arg;
	f->on_low = call;
}

int frames_take(struct frames *f, uint16_t domain, unsigned n, enum frames_urgency urgency,
		uint32_t *ret_frame)
{
	int r = take(f, n, urgency, ret_frame);

	for (unsigned i = 0; !r && i < n; i++)
		atomic_store_explicit(&f->word[ret_frame[i]],
				      PIN | (uint64_t)domain << DOMAIN_SHIFT, memory_order_release);
	return r;
}

int frames_take_table(struct frames *f, unsigned n, uint32_t *ret_frame)
{
	int r = take(f, n, FRAMES_URGENT, ret_frame);

	if (r)
		return r;
	for (unsigned i = 0; i < n; i++) {
		memset(frames_data(f, ret_frame[i]), 0, PAGE_BYTES);
		atomic_store_explicit(&f->word[ret_frame[i]], REF | TABLE, memory_order_release);
	}
	atomic_fetch_add(&f->tables, n);
	return FRAMES_OK;
}

/* The word says FREE already. */
static void release(struct frames *f, uint32_t frame)
{
	bool surplus;

	atomic_fetch_sub(&f->used, 1);
	lock_take(&f->lock);
	push(f, &f->warm, frame);
	surplus = f->warm.count > WARM_RESERVE + WARM_SURPLUS;
	lock_drop(&f->lock);
	if (surplus && f->on_surplus && !atomic_exchange(&f->surplus_told, true))
		f->on_surplus(f->on_surplus_arg);
	if (f->awaited && f->on_room && atomic_exchange(&f->awaited, false))
		f->on_room(f->on_room_arg);
}

void frames_put_table(struct frames *f, uint32_t frame)
{
	ASSERT(load(f, frame) & TABLE);
	atomic_store_explicit(&f->word[frame], FREE, memory_order_release);
	atomic_fetch_sub(&f->tables, 1);
	release(f, frame);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static unsigned take_surplus(struct frames *f, uint32_t *frame)
{
	unsigned n = 0;

	lock_take(&f->lock);
	while (n < RECLAIM && f->warm.count > WARM_RESERVE + WARM_SURPLUS / 2)
		frame[n++] = pop(f, &f->warm);
	lock_drop(&f->lock);
	return n;
}

bool frames_reclaim(struct frames *f)
{
	_cleanup_(mem_cleanup) uint32_t *frame = mem_alloc(RECLAIM, sizeof(*frame));
	unsigned n;

	atomic_store(&f->surplus_told, false);
	if (!frame)
		return false; /* the next free tells again */
	n = take_surplus(f, frame);
	qsort(frame, n, sizeof(*frame), by_number);
	for (unsigned i = 0, len; i < n; i += len) {
		len = run_length(frame + i, n - i);
		if (arena_release(f->arena, (size_t)frame[i] << PAGE_SHIFT,
				  (size_t)len << PAGE_SHIFT) < 0)
			log_warning("%u free frames could not be given back to the system", len);
	}
	give(f, &f->cold, frame, n);
	return n > 0;
}

void frames_on_surplus(struct frames *f, void (*call)(void *arg), void *arg)
{
	f->on_surplus_arg = arg;
	f->on_surplus = call;
}

void frames_await(struct frames *f)
{
	f->awaited = true;
}

void frames_on_room(struct frames *f, void (*call)(void *arg), void *arg)
{
	f->on_room_arg = arg;
	f->on_room = call;
}

/* --- counts and flags ------------------------------------------------------------------------- */

struct frame_info frames_look(const struct frames *f, uint32_t frame)
{
	uint64_t word = load(f, frame);

	return (struct frame_info){
		.refs = word & REFS,
		.pins = (word & PINS) >> PINS_SHIFT,
		.domain = (uint16_t)(word >> DOMAIN_SHIFT),
		.indexed = word & INDEXED,
		.dirty = word & DIRTY,
		.table = word & TABLE,
		.free = word & FREE,
		.rewrites = (word & REWRITES) >> REWRITE_SHIFT,
		.tag = atomic_load_explicit(&f->tag[frame], memory_order_relaxed),
	};
}

bool frames_pin(struct frames *f, uint32_t frame)
{
	uint64_t word = load(f, frame);

	do {
		ASSERT(!(word & (FREE | TABLE)));
		if ((word & PINS) == PINS)
			return false;
	} while (!swap(f, frame, &word, word + PIN));
	return true;
}

bool frames_ref(struct frames *f, uint32_t frame)
{
	uint64_t word = load(f, frame);

	do {
		ASSERT(!(word & (FREE | TABLE)));
		if ((word & REFS) == REFS)
			return false;
	} while (!swap(f, frame, &word, word + REF));
	return true;
}

/* Take one count away; the last one leaves FREE, or IDLE where the index still finds it. */
static enum frames_r put(struct frames *f, uint32_t frame, uint64_t count)
{
	uint64_t word = load(f, frame), to;

	do {
		to = word - count;
		if (!(to & (REFS | PINS | INDEXED)))
			to = FREE;
	} while (!swap(f, frame, &word, to));
	if (to == FREE)
		release(f, frame);
	return to & (REFS | PINS | FREE) ? FRAMES_OK : FRAMES_IDLE;
}

enum frames_r frames_unpin(struct frames *f, uint32_t frame)
{
	ASSERT(load(f, frame) & PINS);
	return put(f, frame, PIN);
}

enum frames_r frames_unref(struct frames *f, uint32_t frame)
{
	ASSERT(load(f, frame) & REFS);
	return put(f, frame, REF);
}

bool frames_own(const struct frames *f, uint32_t frame)
{
	return (load(f, frame) & (REFS | PINS | INDEXED)) == REF;
}

static void set_bits(struct frames *f, uint32_t frame, uint64_t clear, uint64_t set)
{
	uint64_t word = load(f, frame);

	while (!swap(f, frame, &word, (word & ~clear) | set))
		;
}

void frames_mark_dirty(struct frames *f, uint32_t frame)
{
	if (!(load(f, frame) & DIRTY))
		set_bits(f, frame, 0, DIRTY);
}

bool frames_clear_dirty(struct frames *f, uint32_t frame)
{
	return atomic_fetch_and(&f->word[frame], ~DIRTY) & DIRTY;
}

void frames_set_rewrites(struct frames *f, uint32_t frame, unsigned rewrites)
{
	uint64_t bits = (uint64_t)MIN(rewrites, (unsigned)FRAMES_REWRITES_MAX) << REWRITE_SHIFT;

	if ((load(f, frame) & REWRITES) != bits)
		set_bits(f, frame, REWRITES, bits);
}

void frames_set_indexed(struct frames *f, uint32_t frame, uint32_t tag)
{
	atomic_store_explicit(&f->tag[frame], tag, memory_order_relaxed);
	set_bits(f, frame, DIRTY, INDEXED);
}

bool frames_clear_indexed(struct frames *f, uint32_t frame, enum frames_unindex when)
{
	uint64_t word = load(f, frame), to;

	do {
		uint64_t counts = word & (REFS | PINS);

		if (!(word & INDEXED) || (when == FRAMES_UNINDEX_IDLE && counts) ||
		    (when == FRAMES_UNINDEX_OWNED && counts != REF))
			return false;
		to = counts ? word & ~INDEXED : FREE;
	} while (!swap(f, frame, &word, to));
	if (to == FREE)
		release(f, frame);
	return true;
}

bool frames_changed(struct frames *f, uint32_t first)
{
	return atomic_exchange(&f->changed[first / FRAMES_RANGE], 0);
}

void frames_mark_changed(struct frames *f, uint32_t first)
{
	f->changed[first / FRAMES_RANGE] = 1;
}

void frames_mark_all_changed(struct frames *f)
{
	for (uint32_t n = 0; n <= f->capacity / FRAMES_RANGE; n++)
		f->changed[n] = 1;
}

/* --- figures ---------------------------------------------------------------------------------- */

uint32_t frames_end(const struct frames *f)
{
	return f->end;
}

uint64_t frames_used(const struct frames *f)
{
	return f->used;
}

uint64_t frames_tables(const struct frames *f)
{
	return f->tables;
}

uint64_t frames_warm(const struct frames *f)
{
	return f->warm.count; /* a figure: not worth the lock */
}

uint64_t frames_metadata_bytes(const struct frames *f)
{
	return (uint64_t)f->end * (sizeof(*f->word) + sizeof(*f->tag));
}

/* --- taking over ------------------------------------------------------------------------------ */

int frames_adopt(struct frames *f, uint32_t frame, uint16_t domain, bool table)
{
	uint64_t word;

	if (frame < FRAMES_FIRST || frame >= f->capacity)
		return -EUCLEAN;
	word = f->word[frame];
	if (table ? word != 0 : (word & TABLE) || (word & REFS) == REFS)
		return -EUCLEAN;
	f->end = MAX(f->end, frame + 1);
	if (!word) {
		f->used++;
		f->tables += table;
		word = table ? TABLE : (uint64_t)domain << DOMAIN_SHIFT | DIRTY;
	}
	transition(f, frame, f->word[frame], word + REF);
	f->word[frame] = word + REF;
	return 0;
}

void frames_adopt_end(struct frames *f)
{
	lock_take(&f->lock);
	for (uint32_t frame = f->end; frame-- > FRAMES_FIRST;) {
		if (f->word[frame])
			continue;
		f->word[frame] = FREE;
		push(f, &f->cold, frame);
	}
	lock_drop(&f->lock);
}
