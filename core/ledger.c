/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/ledger.c - three tables, each gathered a batch at a time and then written.
 *
 *   page        frames that several slots refer to, with a digest that says which are the same
 *   sharer      which files refer to the most shared of them, and how often
 *   file_cost   what each file has, what of it is shared, and its part of what it shares
 *
 * The figures of different files are not of one instant: this is for people.
 */
#include "ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failpoint.h"
#include "log.h"
#include "paths.h"
#include "ptab.h"
#include "volume_inside.h"

enum {
	TOP_FRAMES = 64,    /* of the most shared, that `sharer` tells about */
	FILES_MAX = 65536,  /* rows of file_cost */
	SHARERS_MAX = 65536,
	WALK_SLOTS = 4096,  /* looked at before the gate is left for a moment */
	INDEX_ROWS = 1 << 20,
};

/* --- page ------------------------------------------------------------------------------------- */

/* The shared frames of one range, in `page`. */
static unsigned gather_pages(struct volume *v, uint32_t first, struct indexdb_page *page)
{
	struct pool *p = &v->pool;
	uint32_t end = MIN(first + FRAMES_RANGE, frames_end(p->frames));
	unsigned n = 0;

	gate_enter(&v->gate);
	for (uint32_t frame = MAX(first, (uint32_t)FRAMES_FIRST); frame < end; frame++) {
		struct frame_info info = frames_look(p->frames, frame);
		struct digest d;

		if (info.refs < 2 || !content_pin(p->content, frame))
			continue;
		d = digest_page(p->key, info.domain, frames_data(p->frames, frame));
		content_unpin(p->content, frame);
		page[n++] = (struct indexdb_page){ .frame = frame,
						   .refs = info.refs,
						   .domain = info.domain,
						   .digest = { d.half[0], d.half[1] } };
	}
	gate_leave(&v->gate);
	return n;
}

static void count_rows(struct volume *v, unsigned rows)
{
	pool_count(&v->pool, ATTR_index_rows_written, rows);
}

static bool write_pages(struct volume *v)
{
	_cleanup_(mem_cleanup) struct indexdb_page *page = mem_alloc(FRAMES_RANGE, sizeof(*page));
	struct frames *f = v->pool.frames;
	bool all = page != NULL;

	for (uint64_t first = 0; all && first < frames_end(f); first += FRAMES_RANGE) {
		uint64_t end = first + FRAMES_RANGE;
		unsigned n, rows = 0;

		if (!frames_changed(f, (uint32_t)first))
			continue;
		n = gather_pages(v, (uint32_t)first, page);
		if (end >= frames_end(f)) /* rows that somebody before us has left are of frames that are no more */
			end = UINT32_MAX;
		all = indexdb_sync_pages(v->indexdb, (uint32_t)first, (uint32_t)end, page, n, &rows) == INDEXDB_OK;
		if (!all)
			frames_mark_changed(f, (uint32_t)first);
		count_rows(v, rows);
	}
	return all;
}

/* --- the most shared frames --------------------------------------------------------------------- */

struct top {
	unsigned count;
	struct {
		uint32_t frame, refs;
	} entry[TOP_FRAMES]; /* by refs while gathering, by frame after */
};

static int by_refs(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (x[1] > y[1]) - (x[1] < y[1]);
}

static int by_frame(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (x[0] > y[0]) - (x[0] < y[0]);
}

static void gather_top(struct volume *v, struct top *top)
{
	uint32_t end = frames_end(v->pool.frames);

	top->count = 0;
	for (uint32_t frame = FRAMES_FIRST; frame < end; frame++) {
		struct frame_info info = frames_look(v->pool.frames, frame);

		if (info.refs < 2 || info.table)
			continue;
		if (top->count == TOP_FRAMES) {
			if (info.refs <= top->entry[0].refs)
				continue;
			top->count--;
			top->entry[0] = top->entry[top->count];
		}
		top->entry[top->count].frame = frame;
		top->entry[top->count++].refs = info.refs;
		if (top->count == TOP_FRAMES)
			qsort(top->entry, top->count, sizeof(top->entry[0]), by_refs);
	}
	qsort(top->entry, top->count, sizeof(top->entry[0]), by_frame);
}

static int top_find(const struct top *top, uint32_t frame)
{
	const uint32_t key[2] = { frame };
	const void *at = bsearch(key, top->entry, top->count, sizeof(top->entry[0]), by_frame);

	return at ? (int)((const char *)at - (const char *)top->entry) / (int)sizeof(top->entry[0]) : -1;
}

/* --- files ------------------------------------------------------------------------------------ */

struct files {
	struct top top;
	unsigned costs_count, sharers_count;
	struct indexdb_cost *cost;
	char *texts; /* their paths */
	struct indexdb_sharer *sharer;
	uint32_t n[TOP_FRAMES]; /* of the file being looked at */
	uint64_t parts;         /* and what it takes: frames_part() */
};

static void look_slot(struct volume *v, struct files *f, struct indexdb_cost *cost, uint32_t slot)
{
	struct frame_info info;
	int at;

	if (slot == SLOT_RESERVED || slot == SLOT_LENT)
		return;
	cost->data_pages++;
	if (slot == SLOT_ZERO)
		return;
	info = frames_look(v->pool.frames, slot);
	f->parts += frames_part(&info);
	if (info.refs < 2)
		return;
	cost->shared_pages++;
	at = top_find(&f->top, slot);
	if (at >= 0)
		f->n[at]++;
}

/* Up to WALK_SLOTS of a file's slots; false at its end, or when it has gone. */
static bool look_some(struct volume *v, struct files *f, struct inode *i, uint64_t *io_index,
		      struct indexdb_cost *cost)
{
	_Atomic uint32_t *slot = NULL;
	bool live;

	gate_enter(&v->gate);
	rwlock_take_shared(&i->map);
	live = inode_is_live(i, cost->ino);
	for (unsigned n = 0; live && n < WALK_SLOTS; n++, ++*io_index) {
		slot = ptab_next(i, v->pool.frames, *io_index, FILE_PAGES_MAX, io_index);
		if (!slot)
			break;
		look_slot(v, f, cost, *slot);
	}
	rwlock_drop_shared(&i->map);
	gate_leave(&v->gate);
	return slot != NULL;
}

/* The next of them; false at the end. */
static bool gather_file(struct volume *v, struct files *f, uint32_t *io_number)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = itable_next(v->pool.itable, io_number);
	struct indexdb_cost *cost = &f->cost[f->costs_count];
	uint64_t index = 0;

	if (!i)
		return false;
	*cost = (struct indexdb_cost){ .ino = inode_ino(i) };
	memset(f->n, 0, sizeof(f->n));
	f->parts = 0;
	while (look_some(v, f, i, &index, cost))
		;
	cost->proportional_bytes = f->parts >> FRAMES_PART_BITS;
	if (!cost->data_pages)
		return true;
	f->costs_count++;
	for (unsigned n = 0; n < f->top.count && f->sharers_count < SHARERS_MAX; n++)
		if (f->n[n])
			f->sharer[f->sharers_count++] = (struct indexdb_sharer){
				.frame = f->top.entry[n].frame, .ino = cost->ino, .n = f->n[n]
			};
	return true;
}

/* Side by side: tens of thousands of pieces of the heap would be in the way of what other threads have there. */
static bool add_texts(struct files *f, const struct paths *paths)
{
	char buf[PATHS_BYTES], *at;
	size_t bytes = 1;

	for (unsigned n = 0; n < f->costs_count; n++)
		bytes += strlen(paths_of(paths, (uint32_t)f->cost[n].ino, buf)) + 1;
	at = f->texts = mem_alloc(bytes, 1);
	for (unsigned n = 0; at && n < f->costs_count; n++) {
		f->cost[n].path = at;
		at = stpcpy(at, paths_of(paths, (uint32_t)f->cost[n].ino, buf)) + 1;
	}
	return at != NULL;
}

/* Paths last, so that a file's name is as new as its figures. */
static bool add_paths(struct volume *v, struct files *f)
{
	struct paths *paths;
	bool ok = paths_gather(v->names, itable_header(v->pool.itable)->records, &paths) == 0;

	if (ok)
		ok = add_texts(f, paths);
	paths_free(paths);
	return ok;
}

static bool write_files(struct volume *v)
{
	uint64_t most = MIN(itable_used(v->pool.itable), (uint64_t)FILES_MAX);
	struct files f = { .cost = mem_alloc(most + 1, sizeof(*f.cost)),
			   .sharer = mem_alloc(SHARERS_MAX, sizeof(*f.sharer)) };
	unsigned rows = 0;
	uint32_t number = 0;
	bool ok = f.cost && f.sharer;

	if (ok) {
		gather_top(v, &f.top);
		while (f.costs_count < most && gather_file(v, &f, &number))
			;
		ok = add_paths(v, &f) &&
		     indexdb_replace_files(v->indexdb, f.cost, f.costs_count, f.sharer,
					   f.sharers_count, &rows) == INDEXDB_OK;
		count_rows(v, rows);
	}
	mem_free(f.texts);
	mem_free(f.cost);
	mem_free(f.sharer);
	return ok;
}

void ledger_open(struct volume *v)
{
	if (!v->indexdb && indexdb_open(v->dir, INDEX_ROWS, &v->indexdb) < 0) {
		log_warning("%s/index.db cannot be opened; the mount goes on without it", v->dir);
		v->indexdb = NULL;
	}
	if (v->indexdb)
		v->indexdb_bytes = indexdb_bytes(v->indexdb);
}

bool ledger_write(struct volume *v)
{
	unsigned starts;
	bool ok;

	ledger_open(v);
	if (!v->indexdb)
		return true; /* with the next change there is another try */
	if (!names_have_space(v->names)) {
		pool_count(&v->pool, ATTR_index_batches_skipped, 1);
		return false;
	}
	starts = indexdb_starts(v->indexdb);
	ok = write_pages(v) && write_files(v);
	if (indexdb_starts(v->indexdb) != starts) { /* an empty file: all of it again */
		frames_mark_all_changed(v->pool.frames);
		ok = false;
	}
	if (!ok)
		pool_count(&v->pool, ATTR_index_batches_skipped, 1);
	v->indexdb_bytes = indexdb_bytes(v->indexdb);
	return ok;
}
