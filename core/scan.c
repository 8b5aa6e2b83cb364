/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/scan.c - asleep unless something has changed.
 *
 *   IDLE    -> RUNNING   a change, or a setting                  [scan_kick]
 *   RUNNING -> IDLE      three passes that began after the last change, and more while something
 *                        could not be looked at                  [pass_begins, pass_done]
 *
 * Of the three, the first may skip pages that have never come to rest (smart_scan); the last two look at
 * everything, which is what it takes to merge: so nothing that has come to rest is left lying because it was
 * skipped.
 *
 * When no frame can be had, an urgent pass comes first: over all that is not in the content index, at once, as if it
 * had come to rest, whatever pages_to_scan, sleep_millisecs and smart_scan say.  It takes a ninth of a CPU at most, and
 * is not made again before something has changed.  It has a cursor of its own, and is none of the three.
 *
 * A change during a pass only sets `fresh`; the next pass then is the first of three again.  So a
 * write costs one load while the scanner runs, and a wake-up only when it sleeps.  `fresh` is set before
 * `idle` is read, and `idle` before `fresh` (both sequentially consistent): no wake-up is lost.
 */
#include "scan.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "advice.h"
#include "advisor.h"
#include "clock.h"
#include "failpoint.h"
#include "merge.h"
#include "ptab.h"

enum {
	SCANNER_NICE = 5,
	SCAN_LOOK = 4096, /* slots, in one hold of a map lock */
	URGENT_SHARE = 8, /* after an urgent pass, so many times as long as it took there is no other */
	OWED_MS = 100,    /* before another pass for what somebody else had, or there was no memory for */
};

struct cursor {
	uint32_t number;
	uint64_t index;
};

/* What there was when the last urgent pass began: with the same, another finds nothing. */
struct urgent {
	atomic_bool wished;
	int64_t written;
	uint32_t rules;
	bool done, owed; /* there has been one; and something that somebody else had */
	uint64_t not_before_ms;
};

struct scan {
	struct pool *pool;
	struct scrub *scrub;
	struct lock lock;
	pthread_cond_t cond;
	pthread_t thread;
	bool started;
	bool stop GUARDED_BY(lock);
	bool kicked GUARDED_BY(lock); /* end a sleep early */
	atomic_bool fresh, idle;
	unsigned passes_left; /* the scanner's own, as is the cursor */
	bool merged; /* in this pass */
	bool may_skip; /* in this pass */
	bool owed; /* something could not be looked at in this pass */
	struct cursor at;
	struct urgent urgent;
	void (*on_pass)(void *arg);
	void *on_pass_arg;
	struct advisor advisor;
	uint64_t advised; /* pages_to_scan as the advisor left it; anything else: the mode was changed */
	uint64_t began_ms, began_cpu_ms;
	bool under_way; /* a pass */
	bool timed;     /* ... from its beginning and without a rest, for the advisor */
};

struct found {
	uint64_t index;
	uint32_t frame;
};

int scan_new(struct pool *p, struct scan **ret)
{
	struct scan *s = mem_alloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s)
		return -ENOMEM;
	if (scrub_new(p, &s->scrub) < 0) {
		mem_free(s);
		return -ENOMEM;
	}
	s->pool = p;
	s->fresh = true;
	lock_init(&s->lock, RANK_SCAN);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->cond, &attr);
	pthread_condattr_destroy(&attr);
	*ret = s;
	return 0;
}

void scan_on_pass(struct scan *s, void (*done)(void *arg), void *arg)
{
	s->on_pass = done;
	s->on_pass_arg = arg;
}

struct scrub *scan_scrub(struct scan *s)
{
	return s->scrub;
}

void scan_kick(struct scan *s)
{
	if (!atomic_load_explicit(&s->fresh, memory_order_relaxed))
		atomic_store(&s->fresh, true);
	else
		atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load(&s->idle) || pool_setting(s->pool, ATTR_run) != 1 ||
	    !pool_setting(s->pool, ATTR_pages_to_scan))
		return; /* who sets them wakes after that */
	lock_take(&s->lock);
	s->kicked = true;
	pthread_cond_signal(&s->cond);
	lock_drop(&s->lock);
}

void scan_urge(struct scan *s)
{
	if (pool_setting(s->pool, ATTR_run) == 1 && !atomic_exchange(&s->urgent.wished, true))
		scan_wake(s);
}

void scan_wake(struct scan *s)
{
	lock_take(&s->lock);
	s->kicked = true;
	pthread_cond_signal(&s->cond);
	lock_drop(&s->lock);
}

void scan_rewind(struct scan *s)
{
	s->at = (struct cursor){ 0 };
}

bool scan_is_idle(struct scan *s)
{
	return s->idle && !s->urgent.wished && (!s->fresh || pool_setting(s->pool, ATTR_run) != 1 ||
			   !pool_setting(s->pool, ATTR_pages_to_scan));
}

static bool has_nothing_to_merge(const struct inode *i)
{
	return i->record->domain == DOMAIN_ALONE || (advice_of_whole(i) != ADVICE_MERGEABLE && !i->record->ranges);
}

static bool is_wanted(struct frames *f, uint32_t slot, enum merge_how how)
{
	return slot_is_frame(slot) && (how != MERGE_URGENT || !frames_look(f, slot).indexed);
}

/* Up to `max` of an inode's frames from the cursor on.  Zero pages and reservations need no look. */
static unsigned collect(struct pool *p, struct cursor *at, struct inode *i, struct found *found, unsigned max,
			enum merge_how how)
{
	bool plain = advice_is_plain(i), end = has_nothing_to_merge(i);
	struct frames *f = p->frames;
	unsigned n = 0;

	rwlock_take_shared(&i->map);
	for (unsigned k = 0; n < max && k < SCAN_LOOK && !end; k++) {
		_Atomic uint32_t *slot = ptab_next(i, f, at->index, FILE_PAGES_MAX, &at->index);
		uint32_t frame = slot ? *slot : SLOT_HOLE;

		if (is_wanted(f, frame, how) && (plain || advice_may_merge(i, f, at->index)))
			found[n++] = (struct found){ at->index, frame };
		end = !slot;
		at->index++;
	}
	rwlock_drop_shared(&i->map);
	if (end) /* of this one: on to the next */
		*at = (struct cursor){ .number = i->number + 1 };
	return n;
}

static void count(struct scan *s, enum merge_r r)
{
	if (r == MERGE_SKIPPED) {
		pool_count(s->pool, ATTR_pages_skipped, 1);
		return;
	}
	pool_count(s->pool, ATTR_pages_scanned, 1);
	s->owed |= r == MERGE_LATER;
	if (r == MERGE_MERGED || r == MERGE_ZEROED)
		pool_count(s->pool, ATTR_scan_merged, 1);
	s->merged |= r == MERGE_INDEXED || r == MERGE_MERGED || r == MERGE_ZEROED;
	if (r == MERGE_INDEXED)
		pool_count(s->pool, ATTR_scan_indexed, 1);
}

/* The inode at the cursor, or the next behind it. */
static struct inode *inode_at_cursor(struct pool *p, struct cursor *at)
{
	uint32_t number = at->number;
	struct inode *i = itable_next(p->itable, &number);

	if (i && i->number != at->number)
		*at = (struct cursor){ .number = i->number };
	return i;
}

/* Look at up to `max` pages of one inode; *ret_done of them.  NULL at the end of the pass. */
static struct inode *look_at_some(struct scan *s, struct cursor *at, unsigned max, enum merge_how how,
				  unsigned *ret_done)
{
	HOLDS_INODES(s->pool->itable);
	struct found found[SCAN_CHUNK];
	unsigned n = 0, inodes = 0;
	struct inode *i;

	while ((i = inode_at_cursor(s->pool, at)) && inodes++ < SCAN_CHUNK) {
		n = collect(s->pool, at, i, found, MIN(max, (unsigned)SCAN_CHUNK), how);
		if (n)
			break;
	}
	for (unsigned k = 0; k < n; k++)
		count(s, merge_page(s->pool, i, found[k].index, found[k].frame, how));
	failpoint_kill(KILL_scan_chunk);
	*ret_done = n;
	return i;
}

/* True at the end of the pass. */
static bool scan_chunk(struct scan *s, unsigned max, unsigned *ret_done)
{
	struct inode *i = look_at_some(s, &s->at, max, s->may_skip ? MERGE_SMART : MERGE_THOROUGH, ret_done);

	if (!i) {
		failpoint_kill(KILL_scan_pass);
		scan_rewind(s);
		pool_count(s->pool, ATTR_full_scans, 1);
	}
	return !i;
}

void scan_pass(struct scan *s)
{
	unsigned done;
	bool end;

	do {
		gate_enter(s->pool->gate);
		end = scan_chunk(s, SCAN_CHUNK, &done);
		gate_leave(s->pool->gate);
	} while (!end);
}

enum doze { DOZE_OVER, DOZE_KICKED, DOZE_STOP };

/* Sleep until kicked or stopped, at most `ms` (0: as long as it takes). */
static enum doze doze(struct scan *s, uint64_t ms)
{
	struct timespec until;
	enum doze how;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	lock_take(&s->lock);
	while (!s->stop && !s->kicked && r != ETIMEDOUT)
		r = ms ? pthread_cond_timedwait(&s->cond, &s->lock.mutex, &until) :
			 pthread_cond_wait(&s->cond, &s->lock.mutex);
	how = s->stop ? DOZE_STOP : s->kicked ? DOZE_KICKED : DOZE_OVER;
	s->kicked = false;
	lock_drop(&s->lock);
	return how;
}

/* The same, but for scrubbing, where there is some to do. False: stop. */
static bool rest(struct scan *s, uint64_t ms)
{
	uint64_t now = clock_ms(CLOCK_MONOTONIC), until = now + ms;
	enum doze how;

	do {
		uint64_t left = until - now, due = scrub_run(s->scrub, now);

		how = doze(s, ms && (!due || due > left) ? left : due);
		now = clock_ms(CLOCK_MONOTONIC);
	} while (how == DOZE_OVER && (!ms || now < until));
	return how != DOZE_STOP;
}

static bool must_run(struct scan *s)
{
	return pool_setting(s->pool, ATTR_run) == 1 && pool_setting(s->pool, ATTR_pages_to_scan) &&
	       (s->fresh || s->passes_left);
}

/* Nothing to do: sleep without a time-out. */
static bool idle(struct scan *s)
{
	bool go_on = true;

	s->timed = false;
	atomic_store(&s->idle, true);
	while (go_on && !must_run(s) && !s->urgent.wished)
		go_on = rest(s, 0);
	atomic_store(&s->idle, false);
	pool_count(s->pool, ATTR_scan_wakeups, 1);
	return go_on;
}

static void pass_done(struct scan *s)
{
	s->passes_left -= s->passes_left > (s->owed ? 1 : 0);
	if (s->on_pass && s->merged)
		s->on_pass(s->on_pass_arg);
	s->merged = false;
}

/* Inside the gate, as is the end: nobody changes advisor_mode meanwhile. */
static void pass_begins(struct scan *s)
{
	uint64_t now = pool_setting(s->pool, ATTR_pages_to_scan);

	s->under_way = true;
	s->owed = false;
	if (atomic_exchange(&s->fresh, false)) /* this pass sees what has changed until now */
		s->passes_left = SCAN_PASSES;
	s->may_skip = s->passes_left == SCAN_PASSES && pool_setting(s->pool, ATTR_smart_scan);
	s->timed = pool_setting(s->pool, ATTR_advisor_mode) == ADVISOR_SCAN_TIME;
	if (!s->timed || now != s->advised)
		s->advisor = (struct advisor){ 0 };
	s->advised = now;
	s->began_ms = clock_ms(CLOCK_MONOTONIC);
	s->began_cpu_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID);
}

static void pass_ends(struct scan *s)
{
	s->under_way = false;
	if (!s->timed || pool_setting(s->pool, ATTR_advisor_mode) != ADVISOR_SCAN_TIME ||
	    pool_setting(s->pool, ATTR_pages_to_scan) != s->advised)
		return;
	s->advised = advisor_pages(&s->advisor, s->pool->settings, clock_ms(CLOCK_MONOTONIC) - s->began_ms,
				   clock_ms(CLOCK_THREAD_CPUTIME_ID) - s->began_cpu_ms);
	atomic_store(&s->pool->settings->value[ATTR_pages_to_scan], s->advised);
}

/* One batch of pages_to_scan, in chunks so that the gate is never held for long. False: a pass ended. */
static bool batch(struct scan *s)
{
	uint64_t left = pool_setting(s->pool, ATTR_pages_to_scan);

	while (left) {
		unsigned done;
		bool end;

		gate_enter(s->pool->gate);
		if (pool_setting(s->pool, ATTR_run) != 1) {
			gate_leave(s->pool->gate);
			return true;
		}
		if (!s->under_way)
			pass_begins(s);
		end = scan_chunk(s, (unsigned)MIN(left, (uint64_t)SCAN_CHUNK), &done);
		if (end)
			pass_ends(s);
		gate_leave(s->pool->gate);
		if (end) {
			pass_done(s);
			return false;
		}
		left -= MAX(done, 1u); /* files without pages are looked at, too */
	}
	return true;
}

/* --- when no frame can be had ------------------------------------------------------------------- */

static bool has_stopped(struct scan *s)
{
	bool stop;

	lock_take(&s->lock);
	stop = s->stop;
	lock_drop(&s->lock);
	return stop;
}

/* Is there something that the last one has not seen? */
static bool urgent_begins(struct scan *s, uint64_t now)
{
	int64_t written = counters_sum(s->pool->counters, ATTR_store_pages_written);
	struct urgent *u = &s->urgent;

	if (now < u->not_before_ms ||
	    (u->done && !u->owed && u->written == written && u->rules == s->pool->rules))
		return false;
	u->done = true;
	u->written = written;
	u->rules = s->pool->rules;
	return true;
}

static void urgent_pass(struct scan *s)
{
	uint64_t began = clock_ms(CLOCK_MONOTONIC);
	struct cursor at = { 0 };
	bool was_owed = s->owed, go_on = true;
	unsigned done;

	s->urgent.wished = false;
	if (!urgent_begins(s, began))
		return;
	s->owed = false;
	while (go_on && !has_stopped(s)) {
		gate_enter(s->pool->gate);
		go_on = pool_setting(s->pool, ATTR_run) == 1 && look_at_some(s, &at, SCAN_CHUNK, MERGE_URGENT, &done);
		if (!go_on)
			pool_count(s->pool, ATTR_scan_urgent_passes, 1);
		gate_leave(s->pool->gate);
	}
	s->urgent.owed = s->owed;
	s->owed = was_owed;
	s->urgent.not_before_ms = began + (1 + URGENT_SHARE) * (clock_ms(CLOCK_MONOTONIC) - began);
}

static void *scanner(void *arg)
{
	struct scan *s = arg;
	bool go_on = true;

	pthread_setname_np(pthread_self(), "ksmfs-scan");
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), SCANNER_NICE);
	while (go_on) {
		uint64_t ms = pool_setting(s->pool, ATTR_sleep_millisecs);

		if (s->urgent.wished)
			urgent_pass(s);
		if (!must_run(s)) {
			go_on = idle(s);
			continue;
		}
		batch(s);
		if (s->owed && !s->under_way)
			ms = MAX(ms, (uint64_t)OWED_MS);
		if (ms) {
			go_on = rest(s, ms);
		} else {
			(void)scrub_run(s->scrub, clock_ms(CLOCK_MONOTONIC));
			sched_yield();
			go_on = !has_stopped(s);
		}
	}
	return NULL;
}

int scan_start(struct scan *s)
{
	int r = pthread_create(&s->thread, NULL, scanner, s);

	s->started = !r;
	return -r;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	if (s->started) {
		lock_take(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->cond);
		lock_drop(&s->lock);
		pthread_join(s->thread, NULL);
	}
	pthread_cond_destroy(&s->cond);
	lock_fini(&s->lock);
	scrub_free(s->scrub);
	mem_free(s);
}
