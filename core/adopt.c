/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/adopt.c - leaf by leaf.
 *
 * Nodes are few (one for a thousand slots) and are walked first, by one thread: from then on tables can be followed.
 * Then whoever is idle takes the next leaves, in the order of inodes and pages.  So it does not matter whether
 * there is one large file or very many small ones.  Files of eight pages have their slots in their record, which is
 * a leaf like any other.
 */
#include "adopt.h"

#include <unistd.h>

#include "advice.h"
#include "inspect.h"
#include "ptab.h"

enum {
	LEAVES = 32, /* taken at a time */
	WORTH_A_THREAD = 64, /* leaves */
};

struct leaf {
	struct inode *inode;
	_Atomic uint32_t *slot;
	uint64_t index;
	unsigned count;
};

/* --- nodes ------------------------------------------------------------------------------------ */

struct nodes {
	struct frames *frames;
	uint64_t count;
};

static int adopt_node(void *arg, uint32_t node)
{
	struct nodes *n = arg;

	n->count++;
	return frames_adopt_node(n->frames, node);
}

static int adopt_nodes(struct inode *i, struct nodes *n)
{
	int r = ptab_walk_nodes(i, n->frames, adopt_node, n);

	return r ? r : advice_walk_nodes(i, n->frames, adopt_node, n);
}

/* --- slots ------------------------------------------------------------------------------------ */

static unsigned take_leaves(struct adoption *a, struct leaf leaf[LEAVES])
{
	unsigned n = 0;

	lock_take(&a->lock);
	while (n < LEAVES && a->inode && !a->result) {
		struct leaf *l = &leaf[n];

		rwlock_take_shared(&a->inode->map);
		l->slot = ptab_leaf(a->inode, a->pool->frames, &a->index, &l->count);
		rwlock_drop_shared(&a->inode->map);
		if (l->slot) {
			l->inode = a->inode;
			l->index = a->index;
			a->index += l->count;
			n++;
		} else {
			a->inode = itable_next(a->pool->itable, &a->number);
			a->index = 0;
		}
	}
	lock_drop(&a->lock);
	return n;
}

static int adopt_frames(struct pool *p, const struct leaf *l) REQUIRES_SHARED(l->inode->map)
{
	bool unmerged = pool_setting(p, ATTR_run) == 2;
	uint16_t domain = l->inode->record->domain;
	int r = 0;

	if (unmerged || advice_is_plain(l->inode))
		return frames_adopt(p->frames, l->slot, l->count, domain, unmerged);
	for (unsigned n = 0; n < l->count && !r; n++)
		if (slot_is_frame(l->slot[n]))
			r = frames_adopt(p->frames, l->slot + n, 1, domain,
					 !advice_may_merge(l->inode, p->frames, l->index + n));
	return r;
}

/* What pool_slot_changed() counts, of all at once. */
static void count_slots(struct pool *p, const struct leaf *l)
{
	struct inode_record *record = l->inode->record;
	unsigned count[FRAMES_FIRST] = { 0 }, frames = 0, kept;

	for (unsigned n = 0; n < l->count; n++) {
		uint32_t slot = atomic_load_explicit(&l->slot[n], memory_order_relaxed);

		if (slot_is_frame(slot))
			frames++;
		else
			count[slot]++;
	}
	kept = frames + count[SLOT_RESERVED] + count[SLOT_ZERO];
	if (record->root)
		atomic_fetch_add(&record->slots, kept);
	else if (record->slots != kept) /* all there are: nearly always it says so, and is not stored into */
		record->slots = kept;
	if (count[SLOT_ZERO]) {
		pool_count(p, ATTR_ksm_zero_pages, count[SLOT_ZERO]);
		pool_count(p, ATTR_store_data_pages, count[SLOT_ZERO]);
	}
	if (count[SLOT_RESERVED] + count[SLOT_LENT])
		pool_count(p, ATTR_store_reserved_pages, count[SLOT_RESERVED] + count[SLOT_LENT]);
	if (count[SLOT_LENT]) /* who lends makes the mark after that, and who gives back takes it away first */
		atomic_fetch_or(&record->flags, INODE_LENT);
	if (kept + count[SLOT_LENT])
		(void)pool_charge(p, l->inode, kept + count[SLOT_LENT], true);
}

static int adopt_leaf(struct pool *p, const struct leaf *l)
{
	int r;

	rwlock_take_shared(&l->inode->map);
	r = adopt_frames(p, l);
	rwlock_drop_shared(&l->inode->map);
	if (!r)
		count_slots(p, l);
	return r;
}

static void *adopt_slots(void *arg)
{
	struct adoption *a = arg;
	HOLDS_INODES(a->pool->itable);
	struct leaf leaf[LEAVES];
	unsigned n;

	while ((n = take_leaves(a, leaf)))
		for (unsigned k = 0; k < n; k++) {
			int r = adopt_leaf(a->pool, &leaf[k]);

			if (r < 0)
				a->result = r;
		}
	return NULL;
}

static void start_threads(struct adoption *a, uint64_t leaves)
{
	long cpus = MIN(sysconf(_SC_NPROCESSORS_ONLN), (long)ADOPT_THREADS_MAX);

	while ((long)a->threads + 1 < cpus && a->threads < leaves / WORTH_A_THREAD &&
	       !pthread_create(&a->thread[a->threads], NULL, adopt_slots, a))
		a->threads++;
}

int adopt_begin(struct adoption *a, struct pool *p)
{
	HOLDS_INODES(p->itable);
	struct nodes nodes = { .frames = p->frames };
	uint32_t number = 0;
	struct inode *i;
	int r = 0;

	*a = (struct adoption){ .pool = p };
	lock_init(&a->lock, RANK_SCAN);
	while (!r && (i = itable_next(p->itable, &number))) {
		if (i->record->root)
			i->record->slots = 0;
		r = inspect_record(i->record) ? adopt_nodes(i, &nodes) : -EUCLEAN;
	}
	if (r < 0) {
		a->result = r;
		return r;
	}
	a->inode = itable_next(p->itable, &a->number);
	start_threads(a, nodes.count + itable_used(p->itable) / LEAVES);
	return 0;
}

int adopt_end(struct adoption *a)
{
	adopt_slots(a);
	while (a->threads)
		pthread_join(a->thread[--a->threads], NULL);
	lock_fini(&a->lock);
	if (!a->result)
		frames_adopt_end(a->pool->frames);
	return a->result;
}
