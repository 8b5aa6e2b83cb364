/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_open.c - who has a file open, and who may store into it through a mapping.
 *
 * Pages of zeroes in the kernel's cache are of two kinds.  Those that were read while somebody may store are paid for.
 * Those that were read before are not: the file is stale, and who would be the first to store must not find them.
 *
 *   fresh -> stale   a hole is read; or what was lent goes back      [fault_read.c, range_return_lent]
 *   stale -> fresh   somebody has dropped them from the cache        [volume_cache_dropped]
 *
 * Neither is marked while somebody may store or is about to (`comers`, who count themselves before they look).  So
 * whoever has opened it has no such pages, and is never disturbed: whatever is marked then, by a reader who pays after
 * all, means nothing.  Both outlive this process, `comers` do not: nobody has been answered.
 */
#include <fcntl.h>
#include <string.h>

#include "guard.h"
#include "log.h"
#include "range.h"
#include "receipt.h"
#include "volume_inside.h"

/* Only a descriptor open for both can be mapped shared and stored into. */
static bool can_store(int flags)
{
	return (flags & O_ACCMODE) == O_RDWR;
}

/* --- to store -------------------------------------------------------------------------------------- */

static bool is_stale(const struct inode *i)
{
	return !i->record->stores && (i->record->flags & INODE_HOLES_SERVED);
}

static void come(struct inode *i)
{
	atomic_fetch_add(&i->comers, 1);
}

/* Counted by now, or he has given up: then what was lent meanwhile goes back. */
static void be_here(struct volume *v, struct inode *i)
{
	if (atomic_fetch_sub(&i->comers, 1) > 1 || i->record->stores || !(i->record->flags & INODE_LENT))
		return;
	gate_enter(&v->gate);
	range_return_lent(&v->pool, i);
	gate_leave(&v->gate);
}

bool volume_storer_comes(struct volume *v, uint64_t ino)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	if (!i)
		return false;
	come(i);
	return is_stale(i);
}

void volume_cache_dropped(struct volume *v, uint64_t ino)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	if (i)
		atomic_fetch_and(&i->record->flags, ~(uint32_t)INODE_HOLES_SERVED);
}

void volume_storer_came(struct volume *v, uint64_t ino)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);

	if (i)
		be_here(v, i);
}

/* --- open and close --------------------------------------------------------------------------------- */

static int count_open(struct volume *v, struct inode *i, uint64_t ino, bool stores)
{
	const struct receipt_change change = { .opens = 1, .stores = stores, .then = RECEIPT_OPENED };

	if (!receipt_count(i, ino, &change, NULL))
		return -ESTALE;
	trim_use(&v->trim, i, TRIM_OPENED);
	return 0;
}

static int open_to_store(struct volume *v, struct inode *i, uint64_t ino)
{
	int r = VOLUME_STALE;

	come(i);
	if (!is_stale(i)) {
		if (!i->record->stores)
			i->record->mtime_set = 0;
		r = count_open(v, i, ino, true);
	}
	be_here(v, i);
	return r;
}

int volume_file_open(struct volume *v, uint64_t ino, int flags)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	int r;

	if (receipt_in(RECEIPT_OPENED))
		return 0;
	r = i ? guard_open(i, flags) : -ESTALE;
	if (r < 0)
		return r;
	return can_store(flags) ? open_to_store(v, i, ino) : count_open(v, i, ino, false);
}

static void let_go(struct volume *v, uint64_t ino, const struct receipt_change *change)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	struct receipt_counts before;

	if (!i)
		return;
	gate_enter(&v->gate);
	if (receipt_count(i, ino, change, &before)) {
		trim_use(&v->trim, i, TRIM_RELEASED);
		if (!volume_bury(v, i) && change->stores && before.stores == 1)
			range_return_lent(&v->pool, i);
	}
	gate_leave(&v->gate);
}

void volume_file_release(struct volume *v, uint64_t ino, int flags)
{
	const struct receipt_change change = { .opens = -1, .stores = -can_store(flags), .then = RECEIPT_RELEASED };

	if (!receipt_in(RECEIPT_RELEASED))
		let_go(v, ino, &change);
}

/* Its maker was killed before he could be told, and nobody else has found it: the kernel believes that there is no such
 * name, and would neither show nor remove it. */
static void unmake(struct volume *v, const struct receipt_names *n)
{
	HOLDS_INODES(v->pool.itable);
	const struct name name = { n->name, n->len };
	struct inode *i = volume_inode(v, n->ino);
	int r;

	if (!i)
		return;
	r = volume_unmake_name(v, n->dir, name, i);
	if (r < 0)
		log_debug("what nobody was told of stays: %s", strerror(-r));
}

void volume_take_back(struct volume *v)
{
	const struct receipt *made = receipt_in(RECEIPT_MADE), *r = made ? made : receipt_in(RECEIPT_OPENED);
	struct receipt_names names;

	volume_unlist(v);
	if (!r)
		return;
	names = r->names;
	let_go(v, r->ino, &(struct receipt_change){ .lookups = made ? -1 : 0, .opens = -(int)r->opens,
						    .stores = -(int)r->stores, .then = RECEIPT_RELEASED });
	if (made && names.how == RECEIPT_ADD && names.ino == r->ino)
		unmake(v, &names);
}
