/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume.c - opening, closing, settings. */
#include "volume.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "advice.h"
#include "failpoint.h"
#include "inspect.h"
#include "ledger.h"
#include "log.h"
#include "paths.h"
#include "range.h"
#include "recall.h"
#include "unmerge.h"
#include "volume_tenants.h"
#include "volume_xattr.h"

enum {
	STORE_MIN = 1 << 16, /* frames */
	DIRTY_SHARE = 32,    /* of a cgroup's limit may be dirty, and is kept for writing it ... */
	DIRTY_BYTES_MIN = 8 << 20,
	DIRTY_BYTES_MAX = 64 << 20,
};

_Static_assert(INO_END == (uint64_t)INODE_GENERATIONS << 32, "one bound in two headers");

int volume_memfds(int *ret_frames_fd, int *ret_inodes_fd)
{
	int r = arena_memfd("ksmfs-frames", ret_frames_fd);

	if (r < 0)
		return r;
	r = arena_memfd("ksmfs-inodes", ret_inodes_fd);
	if (r < 0)
		close(*ret_frames_fd);
	return r;
}

int volume_readable(int inodes_fd)
{
	return itable_readable(inodes_fd);
}

/* Frame numbers that are mapped, whatever the size says: what the machine has now, with swap, and half as much again,
 * which may be added to it.  Only address space: memory is taken as frames are. */
static uint64_t store_pages(void)
{
	struct sysinfo machine;
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);

	if (sysinfo(&machine) == 0)
		pages += (uint64_t)machine.totalswap * machine.mem_unit >> PAGE_SHIFT;
	return MIN(pages + pages / 2 + STORE_MIN, (uint64_t)UINT32_MAX);
}

static void kick(void *arg)
{
	struct volume *v = arg;

	scan_kick(v->scan);
	keeper_change(v->keeper);
}

static void starving(void *arg)
{
	scan_urge(((struct volume *)arg)->scan);
}

static void low(void *arg)
{
	keeper_low(((struct volume *)arg)->keeper);
}

static void limit_moved(void *arg, uint64_t limit)
{
	struct volume *v = arg;
	uint64_t dirty_max = UINT64_MAX, share = limit / DIRTY_SHARE;

	if (limit != UINT64_MAX) {
		dirty_max = MIN(share, (uint64_t)DIRTY_BYTES_MAX);
		dirty_max = MAX(dirty_max, (uint64_t)DIRTY_BYTES_MIN);
	}
	frames_reserve(v->pool.frames, limit == UINT64_MAX ? 0 : (unsigned)(dirty_max >> PAGE_SHIFT));
	if (v->on_dirty_max)
		v->on_dirty_max(v->on_dirty_max_arg, dirty_max);
}

static bool refill(void *arg)
{
	return frames_refill_ahead(((struct volume *)arg)->pool.frames);
}

static void surplus(void *arg)
{
	keeper_surplus(((struct volume *)arg)->keeper);
}

static void pass_done(void *arg)
{
	keeper_change(((struct volume *)arg)->keeper);
}

enum { RECLAIM_CHUNKS = 32, LET_GO_CHUNKS = 1024 /* most of which are not leaving */ };

static void each_chunk(struct volume *v, bool (*some)(struct itable *t, uint32_t *io_chunk, unsigned max), unsigned max)
{
	uint32_t chunk = 0;
	bool more = true;

	while (more) {
		gate_enter(&v->gate);
		lock_take(&v->names_lock);
		more = some(v->pool.itable, &chunk, max);
		lock_drop(&v->names_lock);
		gate_leave(&v->gate);
	}
}

/* Removals have left records behind as well as frames. */
static void reclaim_records(struct volume *v)
{
	each_chunk(v, itable_reclaim, RECLAIM_CHUNKS);
	each_chunk(v, itable_let_go, LET_GO_CHUNKS);
	if (itable_has_leaving(v->pool.itable))
		keeper_surplus(v->keeper); /* somebody may hold some still: the next time */
}

static bool reclaim(void *arg)
{
	struct volume *v = arg;

	if (frames_reclaim(v->pool.frames))
		return true;
	reclaim_records(v);
	content_reclaim(v->pool.content);
	return false;
}

static bool pressing(void *arg)
{
	return frames_pressing(((struct volume *)arg)->pool.frames);
}

static void index_behind(void *arg)
{
	struct volume *v = arg;
	bool done = ledger_write(v);

	volume_bury_rest(v);
	if (!done || v->unburied)
		keeper_change(v->keeper); /* try again, when its share of time has come */
}

static bool recall(void *arg)
{
	struct volume *v = arg;
	bool more = recall_some(&v->pool, &v->recalled);

	if (!more)
		keeper_change(v->keeper);
	return more;
}

/* A line for each file, as far as the scrubber tells them. */
static void damage_found(void *arg, const struct scrub_report *found)
{
	static struct log_cause cause[SCRUB_FILES];
	struct volume *v = arg;
	char buf[PATHS_BYTES];
	struct paths *paths;

	log_err("%u frames of memory have changed by themselves, and with them %llu pages of files; %llu of these are "
		"repaired", found->frames, (unsigned long long)found->slots, (unsigned long long)found->repaired);
	if (paths_gather(v->names, itable_header(v->pool.itable)->records, &paths) < 0)
		return;
	for (unsigned n = 0; n < found->files; n++) {
		const struct scrub_file *f = &found->file[n];

		log_write(&cause[n], LOG_LEVEL_ERR, "changed by itself: %llu pages (%llu repaired), the first at byte %llu, of %s",
			  (unsigned long long)f->slots, (unsigned long long)f->repaired,
			  (unsigned long long)f->index << PAGE_SHIFT, paths_of(paths, f->number, buf));
	}
	paths_free(paths);
}

static int open_store(struct volume *v, const struct volume_config *config, bool *ret_empty)
{
	struct pool *p = &v->pool;
	int r;

	r = room_new(&v->room);
	if (!r)
		r = tenants_new(&v->tenants);
	if (!r)
		r = itable_open(config->inodes_fd, v->room, config->copy, &p->itable, ret_empty);
	if (!r)
		r = arena_open(config->frames_fd, store_pages() << PAGE_SHIFT, config->copy, &v->frames_arena);
	if (!r)
		arena_stay_swappable(&v->frames_arena);
	if (!r)
		r = frames_new(&v->frames_arena, v->room, &itable_rows(p->itable)->counters, &p->frames);
	if (!r)
		frames_keep_damaged(p->frames, itable_header(p->itable)->damaged);
	if (!r)
		r = content_new(p->frames, &p->content);
	if (r < 0)
		return r;
	p->gate = &v->gate;
	p->counters = &itable_rows(p->itable)->counters;
	p->settings = &itable_rows(p->itable)->settings;
	p->key = &itable_header(p->itable)->key;
	v->noswap = config->noswap;
	v->shared_fd = -1;
	trim_init(&v->trim, p);
	v->atime = config->atime;
	v->dir_atime = config->dir_atime;
	return 0;
}

static int open_threads(struct volume *v)
{
	const struct keeper_jobs jobs = { .arg = v, .refill = refill, .reclaim = reclaim,
					   .pressing = pressing, .index = index_behind, .recall = recall };
	int r = scan_new(&v->pool, &v->scan);

	if (!r)
		r = keeper_new(&jobs, &v->keeper);
	if (r < 0)
		return r;
	scan_on_pass(v->scan, pass_done, v);
	scrub_on_report(scan_scrub(v->scan), damage_found, v);
	room_on_limit(v->room, limit_moved, v);
	frames_on_low(v->pool.frames, low, v);
	frames_on_surplus(v->pool.frames, surplus, v);
	v->pool.on_change = kick;
	v->pool.on_change_arg = v;
	v->pool.on_starving = starving;
	v->pool.on_starving_arg = v;
	return 0;
}

/* What an empty volume starts with: whoever goes on with it finds the settings as they are then. */
static void preset(struct volume *v, enum attr attr, uint64_t value)
{
	const struct attr_row *row = &attr_rows[attr];

	value = MAX(value, row->min);
	atomic_store(&v->pool.settings->value[attr], MIN(value, row->max));
}

static int make_root(struct volume *v, const struct volume_config *config)
{
	HOLDS_INODES(v->pool.itable);
	struct inode_attr attr = {
		.mode = S_IFDIR | (config->mode & 07777),
		.uid = config->uid,
		.gid = config->gid,
		.nlink = 2,
		.size = volume_dir_size(0),
		.parent = ROOT_INO,
	};
	struct inode *root;
	int r;

	preset(v, ATTR_size, config->size_pages << PAGE_SHIFT);
	preset(v, ATTR_nr_inodes, config->nr_inodes);
	preset(v, ATTR_store_limit, config->store_limit_pages << PAGE_SHIFT);
	preset(v, ATTR_merge_on_write, config->merge_on_write);
	preset(v, ATTR_domain, config->domain);
	inode_stamp(&attr, INODE_ATIME | INODE_MTIME | INODE_CTIME | INODE_BTIME);
	r = itable_new(v->pool.itable, &attr, 0, &root);
	if (r < 0)
		return r;
	if (inode_ino(root) != ROOT_INO) /* there has been another in its place */
		return -EUCLEAN;
	if (config->merge_optin)
		advice_set_whole(&v->pool, root, ADVICE_UNMERGEABLE);
	return 0;
}

/* Names that an earlier mount left behind in a directory of its owner's mean nothing to new inodes. */
static void remove_stale_names(const char *dir)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char path[PATH_MAX];

	for (unsigned n = 0; n < ARRAY_SIZE(suffix); n++) {
		snprintf(path, sizeof(path), "%s/names.db%s", dir, suffix[n]);
		(void)unlink(path);
	}
}

/* With the gate closed: from here on everybody goes by the settings as they are now. */
static void rules_changed(struct volume *v)
{
	frames_limit(v->pool.frames, (uint32_t)pool_setting(&v->pool, ATTR_max_page_sharing),
		     pool_setting(&v->pool, ATTR_max_kernel_pages));
	frames_set_store_limit(v->pool.frames, pages_of(pool_setting(&v->pool, ATTR_store_limit)));
	v->pool.rules++;
}

int volume_open(const struct volume_config *config, struct volume **ret)
{
	struct volume *v = mem_alloc_lines(sizeof(*v) + strlen(config->dir) + 1);
	bool empty = false;
	int r;

	if (!v)
		return -ENOMEM;
	memcpy(v->dir, config->dir, strlen(config->dir));
	gate_init(&v->gate);
	lock_init(&v->names_lock, RANK_NAMES);
	r = open_store(v, config, &empty);
	if (!r)
		r = open_threads(v);
	if (!r && config->report && inspect(v, config->report, config->report_arg))
		r = -EUCLEAN;
	empty |= !r && !itable_used(v->pool.itable); /* it ended before there was anything in it */
	if (!r && empty)
		remove_stale_names(v->dir);
	if (!r)
		r = names_open(v->dir, itable_header(v->pool.itable)->names_secret, &v->names);
	if (!r && empty)
		r = make_root(v, config);
	if (!r)
		r = domains_new((enum domains_by)pool_setting(&v->pool, ATTR_domain), v->names, &v->domains);
	if (!r && !empty)
		r = recover(v, &config->receipts);
	if (!r)
		rules_changed(v);
	v->taken_over = !empty;
	/* Whoever had it before us may still hold a lock on it, which nobody waits for: then the keeper opens it. */
	if (!r && empty && !config->copy)
		ledger_open(v);
	if (r < 0) {
		volume_close(v);
		return r;
	}
	*ret = v;
	return 0;
}

int volume_start(struct volume *v)
{
	int r = scan_start(v->scan);

	if (v->taken_over) {
		keeper_surplus(v->keeper); /* whoever had all this before us may have left more than we know of */
		keeper_recall(v->keeper);
	}
	return r < 0 ? r : keeper_start(v->keeper);
}

void volume_close(struct volume *v)
{
	if (!v)
		return;
	scan_free(v->scan);
	keeper_free(v->keeper);
	indexdb_close(v->indexdb);
	domains_free(v->domains);
	names_close(v->names);
	content_free(v->pool.content);
	frames_free(v->pool.frames);
	arena_close(&v->frames_arena);
	itable_close(v->pool.itable);
	tenants_free(v->tenants);
	room_free(v->room);
	lock_fini(&v->names_lock);
	gate_fini(&v->gate);
	mem_free(v);
}

bool volume_bury(struct volume *v, struct inode *i)
{
	bool had_pages = i->record->slots;

	if (tenant_keeps(i) || !inode_bury(i))
		return false;
	range_clear(&v->pool, i, 0, FILE_PAGES_MAX);
	advice_cut(&v->pool, i, 0);
	volume_discard(v, i);
	if (had_pages) /* where sharing is limited there may be room now */
		pool_changed(&v->pool);
	else
		keeper_change(v->keeper);
	return true;
}

/* The last of a tenant may be what its directory has waited for. */
static void free_record(struct volume *v, struct inode *i)
{
	struct tenant *t = i->tenant;
	bool is_dir = t && t->dir == i;

	domains_leave(v->domains, i->record->domain);
	if (is_dir)
		tenants_end(v->tenants, i);
	itable_free(v->pool.itable, i);
	keeper_surplus(v->keeper);
	if (!t || is_dir)
		return;
	tenant_leave(t);
	(void)volume_bury(v, t->dir);
}

void volume_discard(struct volume *v, struct inode *i)
{
	if (volume_drop_xattrs(v, i)) {
		free_record(v, i);
		return;
	}
	atomic_fetch_add(&v->unburied, 1);
	atomic_fetch_or(&i->record->flags, INODE_UNBURIED); /* from here on anybody may have another try */
	keeper_change(v->keeper);
}

void volume_bury_rest(struct volume *v)
{
	HOLDS_INODES(v->pool.itable);
	uint32_t number = 0, tries = v->unburied;
	struct inode *i;

	while (tries && (i = itable_next(v->pool.itable, &number))) {
		if (!(i->record->flags & INODE_UNBURIED))
			continue;
		gate_enter(&v->gate);
		if (atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_UNBURIED) & INODE_UNBURIED) {
			atomic_fetch_sub(&v->unburied, 1);
			volume_discard(v, i);
			tries--;
		}
		gate_leave(&v->gate);
	}
}

const char *volume_dir(const struct volume *v)
{
	return v->dir;
}

/* `run` says 2 already, so nothing is merged behind us. */
static int unmerge(struct volume *v, uint32_t run_stores, const struct interrupt *interrupt)
{
	int r = unmerge_all(&v->pool, run_stores, interrupt);

	gate_close(&v->gate);
	if (v->pool.run_stores == run_stores) { /* else the cursor and `run` are somebody else's by now */
		scan_rewind(v->scan);
		if (r < 0)
			v->pool.settings->value[ATTR_run] = 0;
		else
			pool_count(&v->pool, ATTR_full_scans, -counters_sum(v->pool.counters, ATTR_full_scans));
		rules_changed(v);
	}
	gate_open(&v->gate);
	pool_changed(&v->pool); /* a batch may have been split after somebody else had set `run` to 1 */
	return r;
}

/* How fast the scanner goes, not what it finds. */
static bool is_pace(enum attr attr)
{
	return attr == ATTR_pages_to_scan || attr == ATTR_sleep_millisecs || attr == ATTR_scrub_pages_per_second ||
	       (attr >= ATTR_advisor_mode && attr <= ATTR_advisor_max_pages_to_scan);
}

int volume_set(struct volume *v, enum attr attr, uint64_t value, const struct interrupt *interrupt)
{
	struct settings_use use;
	uint32_t run_stores;
	int r;

	gate_close(&v->gate); /* when this returns, nobody goes by the old value any more */
	use = (struct settings_use){ .pages_shared = counters_sum(v->pool.counters, ATTR_pages_shared),
				     .charged = v->pool.charged,
				     .inodes = itable_charged(v->pool.itable),
				     .frames = frames_used(v->pool.frames) };
	r = settings_store(v->pool.settings, attr, value, &use);
	v->pool.run_stores += r == SETTINGS_CHANGED && attr == ATTR_run;
	run_stores = v->pool.run_stores;
	if (r == SETTINGS_CHANGED)
		rules_changed(v);
	gate_open(&v->gate);
	if (r != SETTINGS_CHANGED)
		return r;
	if (attr == ATTR_trim_mode || attr == ATTR_trim_age)
		trim_tell(&v->trim);
	if (attr == ATTR_size || attr == ATTR_nr_inodes || attr == ATTR_store_limit || attr == ATTR_trim_mode ||
	    attr == ATTR_trim_age)
		return 0; /* nothing to the scanner */
	if (attr == ATTR_run && value == 2)
		return unmerge(v, run_stores, interrupt);
	if (!is_pace(attr))
		scan_kick(v->scan);
	scan_wake(v->scan);
	return 0;
}

void volume_on_dirty_max(struct volume *v, void (*call)(void *arg, uint64_t bytes), void *arg)
{
	v->on_dirty_max_arg = arg;
	v->on_dirty_max = call;
	room_tell_limit(v->room);
}

void volume_on_room(struct volume *v, void (*call)(void *arg), void *arg)
{
	frames_on_room(v->pool.frames, call, arg);
}

bool volume_is_at_store_limit(struct volume *v)
{
	return !frames_left(v->pool.frames, FRAMES_URGENT);
}

void volume_count_parked(struct volume *v, int n)
{
	gate_enter(&v->gate);
	pool_count(&v->pool, ATTR_fault_parked, n);
	if (n > 0)
		pool_count(&v->pool, ATTR_fault_memory_waits, n);
	gate_leave(&v->gate);
}

void volume_took_over(struct volume *v, uint64_t usecs)
{
	gate_enter(&v->gate);
	pool_count(&v->pool, ATTR_takeovers, 1);
	pool_count(&v->pool, ATTR_takeover_usecs, (int64_t)usecs - counters_sum(v->pool.counters, ATTR_takeover_usecs));
	gate_leave(&v->gate);
}

int volume_check(struct volume *v, check_report *report, void *arg)
{
	int r;

	gate_close(&v->gate);
	r = check(v, report, arg);
	gate_open(&v->gate);
	return r;
}

int volume_settle(struct volume *v, unsigned ms)
{
	const struct timespec step = { .tv_nsec = 1000 * 1000 };

	for (unsigned n = 0; n < ms; n++) {
		if (scan_is_idle(v->scan) && keeper_is_idle(v->keeper))
			return 0;
		nanosleep(&step, NULL);
	}
	return -ETIMEDOUT;
}
