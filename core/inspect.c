/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/inspect.c - what recover.c believes.
 *
 * Derived state is made to agree with what is there, so it cannot tell when that is wrong.  Here are the rules that
 * what is there keeps by itself:
 *   T2  words of a record are in their range                                      [check_record]
 *   B1  tables and ranges are trees of frames that nobody else has                [visit_node]
 *   S2  slots say something known, or the number of a frame that is no node       [check_slots]
 *   L1  its tenant is a directory that says so itself             [has_tenant]
 *   T3  there is a root directory, and only regular files have pages              [check_record, inspect]
 */
#include "inspect.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "advice.h"
#include "failpoint.h"
#include "ptab.h"
#include "volume_inside.h"

enum { BITS = 64 };

struct look {
	struct volume *v;
	void (*report)(void *arg, const char *violation);
	void *arg;
	int violations;
	uint64_t *node; /* a bit a frame: it is part of a table */
	uint32_t capacity;
	uint32_t number; /* of the record being looked at */
};

static void violation(struct look *l, const char *fmt, ...) printf_like(2, 3);

static void violation(struct look *l, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n = snprintf(text, sizeof(text), "inode %u: ", l->number);

	va_start(args, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args);
	va_end(args);
	l->violations++;
	l->report(l->arg, text);
}

static bool attr_is_sound(const struct inode_attr *a)
{
	return a->size <= FILE_BYTES_MAX && a->mtime.nsec < 1000000000 && a->atime.nsec < 1000000000 &&
	       a->ctime.nsec < 1000000000 && a->btime.nsec < 1000000000;
}

/* The first word that cannot be. */
static const char *what_is_wrong(const struct inode_record *r)
{
	if (r->used > INODE_DYING)
		return "neither free nor used nor dying";
	if (r->used == INODE_FREE)
		return NULL;
	if (r->live > 1)
		return "it does not say which of its attributes count";
	if (!attr_is_sound(&r->attr[r->live]))
		return "its size, or one of its times, is none";
	if (r->root >> 32 > PTAB_LEVELS_MAX)
		return "its page table is higher than any";
	if (r->ranges >> 32 > ADVICE_POINTS_MAX || !(r->ranges >> 32) != !r->ranges)
		return "it has more ranges than there can be";
	return NULL;
}

bool inspect_record(const struct inode_record *r)
{
	return !what_is_wrong(r);
}

static bool is_node(const struct look *l, uint32_t frame)
{
	return l->node[frame / BITS] >> (frame % BITS) & 1;
}

static int visit_node(void *arg, uint32_t node)
{
	struct look *l = arg;

	if (node < FRAMES_FIRST || node >= l->capacity) {
		violation(l, "page table node %u is no frame", node);
		return -EUCLEAN; /* its children cannot be followed */
	}
	if (is_node(l, node)) {
		violation(l, "page table node %u is one already", node);
		return -EUCLEAN;
	}
	l->node[node / BITS] |= UINT64_C(1) << (node % BITS);
	return 0;
}

/* L1 */
static bool has_tenant(const struct look *l, const struct inode *i)
{
	uint32_t tenant = i->record->tenant, number = tenant;
	const struct inode *dir = tenant ? itable_next(l->v->pool.itable, &number) : NULL;

	return !tenant || (dir && dir->number == tenant && dir->record->tenant == tenant &&
			   S_ISDIR(dir->record->attr[dir->record->live & 1].mode));
}

/* False: it cannot be followed. */
static bool check_record(struct look *l, const struct inode *i)
{
	const char *wrong = what_is_wrong(i->record);
	const struct frames *f = l->v->pool.frames;
	mode_t mode;

	l->number = i->number;
	if (wrong) {
		violation(l, "%s", wrong);
		return false;
	}
	if (ptab_walk_nodes(i, f, visit_node, l) < 0 || advice_walk_nodes(i, f, visit_node, l) < 0)
		return false;
	if (!has_tenant(l, i))
		violation(l, "belongs to tenant %u, which does not exist", (uint32_t)i->record->tenant);
	mode = i->record->attr[i->record->live].mode;
	if (i->record->root && i->record->used == INODE_USED && !S_ISREG(mode))
		violation(l, "has pages, and is no file (mode %o)", mode);
	return true;
}

static void check_slots(struct look *l, struct inode *i) REQUIRES_SHARED(i->map)
{
	_Atomic uint32_t *slot;

	l->number = i->number;
	for (uint64_t index = 0; (slot = ptab_next(i, l->v->pool.frames, index, FILE_PAGES_MAX, &index)); index++) {
		if (slot_is_frame(*slot) ? *slot >= l->capacity : *slot > SLOT_LENT)
			violation(l, "slot %" PRIu64 " says %u, which is no frame", index, *slot);
		else if (slot_is_frame(*slot) && is_node(l, *slot))
			violation(l, "slot %" PRIu64 " refers to frame %u, which is part of a page table", index,
				  *slot);
	}
}

static void check_root(struct look *l)
{
	struct inode *root = volume_inode(l->v, ROOT_INO);

	l->number = (uint32_t)ROOT_INO;
	if (itable_header(l->v->pool.itable)->records <= 1)
		return; /* nothing was ever in it */
	if (!root || !S_ISDIR(inode_attr_get(root).mode))
		violation(l, "it should be the root directory, and is none");
}

int inspect(struct volume *v, void (*report)(void *arg, const char *violation), void *arg)
{
	HOLDS_INODES(v->pool.itable);
	uint32_t capacity = (uint32_t)MIN(v->frames_arena.bytes >> PAGE_SHIFT, (uint64_t)UINT32_MAX), number;
	_cleanup_(mem_cleanup) uint64_t *node = mem_alloc(capacity / BITS + 1, sizeof(*node));
	struct look l = { .v = v, .report = report, .arg = arg, .node = node, .capacity = capacity };
	bool sound = true;
	struct inode *i;

	if (!node)
		return -ENOMEM;
	for (number = 0; (i = itable_next(v->pool.itable, &number));)
		sound &= check_record(&l, i);
	for (number = 0; sound && (i = itable_next(v->pool.itable, &number));) {
		rwlock_take_shared(&i->map);
		check_slots(&l, i);
		rwlock_drop_shared(&i->map);
	}
	if (sound)
		check_root(&l);
	return l.violations;
}
