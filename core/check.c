/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/check.c - a walk over everything, with everything standing still.
 *
 * What it looks at, by the numbers the headers give:
 *   S2 S3  each frame's references are the slots found, its class is what the counters say  [check_frames]
 *   I1-I3  each indexed frame is in the index once, under the digest of its bytes, alone    [check_indexed]
 *   B1     nodes are table frames, each linked once; slots refer to frames of the domain    [visit_*]
 *   O1     what was said of ranges is in order                                              [check_inode]
 *   G3     bytes beyond the end of a file are zero                                          [check_tail]
 *   Z1     what is charged is what there is                                                 [check_sums]
 *   L1-L4  a tenant is charged for what its inodes have                                    [check_tenants]
 *   D1 D2  who is in which domain, and how many                                             [visit_name, check_domains]
 *   X1 X2  extended attributes have an owner who knows, and a mode says what its list says   [check_xattrs]
 *   N, T3  link counts are the names; who has neither name nor lookup nor open is gone      [check_links]
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "advice.h"
#include "failpoint.h"
#include "ptab.h"
#include "volume_tenants.h"
#include "volume_xattr.h"

struct walk {
	struct volume *v;
	check_report *report;
	void *arg;
	int violations;
	uint32_t *refs; /* by frame: slots, or 1 for a node */
	uint32_t frames;
	uint64_t more_names; /* of files: beyond the first */
	uint32_t *names, *dirs; /* by record: names of it, and directories in it */
	uint64_t records;
	uint64_t slots, zero, reserved;
	uint64_t xattr_space;
	uint32_t *domains; /* inodes, by domain */
	struct inode *inode; /* being walked */
	uint64_t inode_slots, inode_lent;
};

static void violation(struct walk *w, const char *fmt, ...) printf_like(2, 3);

static void violation(struct walk *w, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	w->violations++;
	w->report(w->arg, text);
}

static int visit_node(void *arg, uint32_t node)
{
	struct walk *w = arg;

	if (node < FRAMES_FIRST || node >= w->frames) {
		violation(w, "inode %u: page table node %u is no frame", w->inode->number, node);
		return -EUCLEAN; /* its children cannot be followed */
	}
	if (!frames_look(w->v->pool.frames, node).table || w->refs[node])
		violation(w, "inode %u: frame %u is not its page table's alone", w->inode->number, node);
	w->refs[node]++;
	return 0;
}

static void visit_slot(struct walk *w, uint64_t index, uint32_t slot)
{
	w->inode_slots++;
	w->inode_lent += slot == SLOT_LENT;
	if (!slot_is_frame(slot)) {
		w->zero += slot == SLOT_ZERO;
		w->reserved += slot != SLOT_ZERO;
		if (slot > SLOT_LENT)
			violation(w, "inode %u: slot %" PRIu64 " says %u", w->inode->number, index, slot);
		return;
	}
	if (slot >= w->frames) {
		violation(w, "inode %u: slot %" PRIu64 " refers to frame %u beyond the store",
			  w->inode->number, index, slot);
		return;
	}
	if (frames_look(w->v->pool.frames, slot).domain != w->inode->record->domain)
		violation(w, "inode %u: slot %" PRIu64 " refers to frame %u of another domain",
			  w->inode->number, index, slot);
	w->refs[slot]++;
}

static void check_tail(struct walk *w, struct inode *i) REQUIRES_SHARED(i->map)
{
	uint64_t size = inode_size(i);
	_Atomic uint32_t *slot;
	const uint8_t *page;

	/* A write that waits half way has stored pages and not yet a size. */
	if (!(size % PAGE_BYTES) || !S_ISREG(inode_attr_get(i).mode) || w->v->pool.waiting)
		return;
	slot = ptab_slot(i, w->v->pool.frames, size >> PAGE_SHIFT);
	if (!slot || !slot_is_frame(*slot) || *slot >= w->frames)
		return;
	page = frames_data(w->v->pool.frames, *slot);
	for (unsigned n = size % PAGE_BYTES; n < PAGE_BYTES; n++) {
		if (page[n]) {
			violation(w, "inode %u: a byte beyond its end (%" PRIu64 ") is not zero",
				  i->number, size);
			return;
		}
	}
}

static void check_inode(struct walk *w, struct inode *i) REQUIRES_SHARED(i->map)
{
	uint64_t index = 0;
	_Atomic uint32_t *slot;

	w->inode = i;
	w->inode_slots = w->inode_lent = 0;
	if (ptab_walk_nodes(i, w->v->pool.frames, visit_node, w) < 0 ||
	    advice_walk_nodes(i, w->v->pool.frames, visit_node, w) < 0)
		return;
	if (!advice_is_sound(i, w->v->pool.frames))
		violation(w, "inode %u: what was said of its ranges is not in order", i->number);
	for (; (slot = ptab_next(i, w->v->pool.frames, index, FILE_PAGES_MAX, &index)); index++)
		visit_slot(w, index, *slot);
	if (w->inode_slots - w->inode_lent != i->record->slots)
		violation(w, "inode %u: counts %" PRIu64 " slots and has %" PRIu64, i->number,
			  (uint64_t)i->record->slots, w->inode_slots - w->inode_lent);
	w->slots += w->inode_slots;
	check_tail(w, i);
}

/* --- tenants and domains ------------------------------------------------------------------------ */

static void forget_tenants(struct walk *w)
{
	const struct tenants *ts = w->v->tenants;

	for (struct tenant *t = tenants_next(ts, NULL); t; t = tenants_next(ts, t))
		t->found.pages = t->found.space = t->found.inodes = 0;
}

static void count_inode(struct walk *w, struct inode *i)
{
	struct tenant *t = i->tenant;

	w->domains[i->record->domain]++;
	if (i->record->tenant != (t ? t->dir->number : 0))
		violation(w, "inode %u: its tenant is %u, and what it takes is another's", i->number,
			  (uint32_t)i->record->tenant);
	if (!t)
		return;
	t->found.pages += w->inode_slots;
	t->found.space += INODE_SPACE;
	t->found.inodes++;
}

static void count_space(struct inode *i, uint64_t bytes)
{
	struct tenant *t = i->tenant;

	if (t)
		t->found.space += bytes;
}

static void check_tenant(struct walk *w, const struct tenant *t)
{
	uint32_t number = t->dir->number;

	if (t->pages < t->found.pages || (!w->v->pool.waiting && t->pages != t->found.pages))
		violation(w, "tenant %u: %" PRIu64 " pages are charged for %" PRIu64 " slots", number,
			  (uint64_t)t->pages, t->found.pages);
	if (t->inodes != t->found.inodes)
		violation(w, "tenant %u: %" PRIu64 " inodes are counted, there are %" PRIu64, number,
			  (uint64_t)t->inodes, t->found.inodes);
	if (t->space != t->found.space)
		violation(w, "tenant %u: %" PRIu64 " bytes of inodes, names and extended attributes are charged, and there "
			  "are %" PRIu64, number, (uint64_t)t->space, t->found.space);
	if (t->size_pages == TENANT_NO_LIMIT && t->nr_inodes == TENANT_NO_LIMIT)
		violation(w, "tenant %u has no limit", number);
}

static void check_tenants(struct walk *w)
{
	const struct tenants *ts = w->v->tenants;
	unsigned count = 0;

	for (const struct tenant *t = tenants_next(ts, NULL); t; t = tenants_next(ts, t), count++)
		check_tenant(w, t);
	if (count != tenants_count(ts))
		violation(w, "%u tenants are counted, there are %u", tenants_count(ts), count);
}

static void check_domains(struct walk *w)
{
	for (uint32_t domain = 1; domain <= UINT16_MAX; domain++) {
		uint32_t counted = domains_inodes(w->v->domains, (uint16_t)domain, w->domains[domain]);

		if (counted != w->domains[domain])
			violation(w, "domain %u: %u inodes are counted, there are %u", domain, counted,
				  w->domains[domain]);
	}
}

/* --- frames ----------------------------------------------------------------------------------- */

static void check_indexed(struct walk *w, uint32_t frame, const struct frame_info *info)
{
	struct pool *p = &w->v->pool;
	unsigned count = content_count(p->content, frame);
	uint32_t other;
	struct digest d = digest_page(p->key, info->domain, frames_data(p->frames, frame));

	if (count != 1)
		violation(w, "frame %u is in the content index %u times", frame, count);
	if (digest_tag(d) != info->tag)
		violation(w, "frame %u has other bytes than it was indexed with", frame);
	if (!info->shelved && !content_has_twins(p->content) &&
	    content_find(p->content, info->tag, info->domain, frames_data(p->frames, frame), frame, &other) ==
		    CONTENT_FOUND) {
		violation(w, "frames %u and %u are in the content index with equal bytes", frame, other);
		content_unpin(p->content, other);
	}
}

static void check_frames(struct walk *w)
{
	struct pool *p = &w->v->pool;
	int64_t shared = 0, sharing = 0, unshared = 0, changing = 0, untracked = 0;
	uint64_t indexed = 0, used = 0, tables = 0;

	for (uint32_t frame = FRAMES_FIRST; frame < w->frames; frame++) {
		struct frame_info info = frames_look(p->frames, frame);

		if (info.refs != w->refs[frame])
			violation(w, "frame %u counts %u references and has %u", frame, info.refs,
				  w->refs[frame]);
		if (info.damaged && info.indexed)
			violation(w, "frame %u is damaged, and in the content index", frame);
		if (info.free && (info.refs || info.pins || info.indexed))
			violation(w, "frame %u is free and in use", frame);
		used += !info.free && (info.refs || info.pins || info.indexed);
		tables += info.table;
		if (info.indexed)
			check_indexed(w, frame, &info);
		indexed += info.indexed;
		if (info.table || !info.refs)
			continue;
		shared += info.refs > 1;
		sharing += info.refs - 1;
		unshared += info.refs == 1 && info.indexed;
		untracked += info.refs == 1 && !info.indexed && info.untracked;
		changing += info.refs == 1 && !info.indexed && !info.untracked;
	}
	const struct {
		enum attr attr;
		int64_t found;
	} sums[] = {
		{ ATTR_pages_shared, shared },
		{ ATTR_pages_sharing, sharing },
		{ ATTR_pages_unshared, unshared },
		{ ATTR_pages_volatile, changing },
		{ ATTR_pages_untracked, untracked },
		{ ATTR_ksm_zero_pages, (int64_t)w->zero },
		{ ATTR_store_reserved_pages, (int64_t)w->reserved },
		{ ATTR_store_data_pages, (int64_t)(w->slots - w->reserved) },
	};
	for (unsigned n = 0; n < ARRAY_SIZE(sums); n++) {
		int64_t counted = counters_sum(w->v->pool.counters, sums[n].attr);

		if (counted != sums[n].found)
			violation(w, "%s says %" PRId64 " and there are %" PRId64,
				  attr_rows[sums[n].attr].name, counted, sums[n].found);
	}
	if (indexed != content_entries(p->content))
		violation(w, "the content index has %" PRIu64 " entries for %" PRIu64 " frames",
			  content_entries(p->content), indexed);
	if (used != frames_used(p->frames) || tables != frames_tables(p->frames))
		violation(w, "%" PRIu64 " frames (%" PRIu64 " tables) are in use, counted are %" PRIu64
			  " (%" PRIu64 ")", used, tables, frames_used(p->frames),
			  frames_tables(p->frames));
}

static void check_sums(struct walk *w)
{
	struct pool *p = &w->v->pool;

	/* Requests that wait have charged what they will fill. */
	if (p->charged < w->slots || (!p->waiting && p->charged != w->slots))
		violation(w, "%" PRIu64 " pages are charged for %" PRIu64 " slots",
			  (uint64_t)p->charged, w->slots);
}

/* --- names ------------------------------------------------------------------------------------ */

static struct inode *by_number(struct volume *v, uint32_t number)
{
	uint32_t next = number;
	struct inode *i = itable_next(v->pool.itable, &next);

	return i && i->number == number ? i : NULL;
}

static int visit_name(void *arg, uint32_t dir, const struct names_entry *e)
{
	struct walk *w = arg;
	struct inode *i = volume_inode(w->v, e->ino);
	struct inode_attr attr;

	struct inode *above = by_number(w->v, dir);

	if (!i || !above) {
		violation(w, "a name in directory %u is of inode %" PRIu64 ", which is not there", dir,
			  e->ino);
		return 0;
	}
	attr = inode_attr_get(i);
	w->names[i->number]++;
	if (!volume_may_be_in(w->v, i, above))
		violation(w, "inode %u (tenant %u, domain %u) is in directory %u of another", i->number,
			  (uint32_t)i->record->tenant, i->record->domain, dir);
	if (!S_ISDIR(attr.mode))
		return 0;
	w->dirs[dir]++;
	if ((uint32_t)attr.parent != dir)
		violation(w, "directory %u is in %u and says %u", i->number, dir,
			  (uint32_t)attr.parent);
	return 0;
}

static void check_links(struct walk *w, struct inode *i)
{
	struct inode_attr attr = inode_attr_get(i);
	uint32_t names = w->names[i->number], links = names;

	if (S_ISDIR(attr.mode) && (names || inode_ino(i) == ROOT_INO))
		links = 2 + w->dirs[i->number];
	else if (names > 1)
		w->more_names += names - 1, count_space(i, (uint64_t)(names - 1) * INODE_SPACE);
	if (attr.nlink != links)
		violation(w, "inode %u says %u links and has %u", i->number, attr.nlink, links);
	if (!links && !i->record->lookups && !i->record->opens && i->record->used == INODE_USED && !tenant_keeps(i))
		violation(w, "inode %u has no name, and nobody knows it", i->number);
}

static int visit_xattr(void *arg, const struct names_xattr *x)
{
	struct walk *w = arg;
	uint32_t number = (uint32_t)x->ino;
	struct inode *i = itable_next(w->v->pool.itable, &number);
	mode_t mode;
	int r;

	w->xattr_space += x->space;
	if (!i || inode_ino(i) != x->ino || !(i->record->flags & INODE_XATTRS)) {
		violation(w, "inode %" PRIu64 " has %s and does not know it", x->ino, x->name);
		return 0;
	}
	count_space(i, x->space);
	if (!volume_is_access_acl((struct name){ x->name, x->len }))
		return 0;
	r = volume_access_mode(w->v, i, &mode);
	if (!r && mode != inode_attr_get(i).mode)
		violation(w, "inode %u: its access control list says mode %o", i->number, mode);
	return r;
}

static int check_xattrs(struct walk *w)
{
	int r = names_xattr_walk(w->v->names, visit_xattr, w);
	uint64_t charged = itable_space(w->v->pool.itable);

	if (!r && charged != w->xattr_space)
		violation(w, "%" PRIu64 " bytes of extended attributes are charged, and there are %" PRIu64, charged,
			  w->xattr_space);
	return r;
}

static bool walk_init(struct walk *w)
{
	w->frames = frames_end(w->v->pool.frames);
	w->records = itable_header(w->v->pool.itable)->records;
	w->refs = mem_alloc(w->frames, sizeof(*w->refs));
	w->names = mem_alloc(w->records, sizeof(*w->names));
	w->dirs = mem_alloc(w->records, sizeof(*w->dirs));
	w->domains = mem_alloc(UINT16_MAX + 1, sizeof(*w->domains));
	forget_tenants(w);
	return w->refs && w->names && w->dirs && w->domains;
}

static void walk_fini(struct walk *w)
{
	mem_free(w->refs);
	mem_free(w->names);
	mem_free(w->dirs);
	mem_free(w->domains);
}

int check(struct volume *v, check_report *report, void *arg)
{
	HOLDS_INODES(v->pool.itable);
	struct walk w = { .v = v, .report = report, .arg = arg };
	struct inode *i;
	uint32_t number;
	int r = walk_init(&w) ? 0 : -ENOMEM;

	if (!r) {
		for (number = 0; (i = itable_next(v->pool.itable, &number));) {
			rwlock_take_shared(&i->map);
			check_inode(&w, i);
			count_inode(&w, i);
			rwlock_drop_shared(&i->map);
		}
		check_frames(&w);
		check_sums(&w);
		r = names_walk(v->names, visit_name, &w);
		if (!r)
			r = check_xattrs(&w);
	}
	for (number = 0; !r && (i = itable_next(v->pool.itable, &number));)
		check_links(&w, i);
	if (!r && w.more_names != itable_names(v->pool.itable))
		violation(&w, "%" PRIu64 " names beyond the first are counted, there are %" PRIu64,
			  itable_names(v->pool.itable), w.more_names);
	if (!r) {
		check_tenants(&w);
		check_domains(&w);
	}
	walk_fini(&w);
	return r < 0 ? r : w.violations;
}
