/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_inside.h - what lies behind the door, for the files that make up core/volume.
 *
 * Owns     struct volume.
 * Keeps    W1 names change under `names_lock`, one operation at a time, with the inodes they touch.
 * Threads  each public call enters the gate and leaves it before it returns, and is inside (HOLDS_INODES) as long as
 *          it has a struct inode: nobody keeps one for longer.
 * Fails    see volume.h.
 */
#pragma once

#include "arena.h"
#include "domains.h"
#include "indexdb.h"
#include "keeper.h"
#include "names.h"
#include "pool.h"
#include "receipt.h"
#include "room.h"
#include "sample.h"
#include "scan.h"
#include "tenants.h"
#include "trim.h"
#include "volume.h"

struct volume {
	struct gate gate;
	struct lock names_lock;
	struct room *room;
	void (*on_dirty_max)(void *arg, uint64_t bytes);
	void *on_dirty_max_arg;
	enum volume_atime atime, dir_atime;
	struct arena frames_arena;
	struct pool pool;
	struct names *names;
	struct domains *domains;
	struct tenants *tenants;
	struct indexdb *indexdb; /* the ledger's; NULL: not opened yet */
	_Atomic uint64_t indexdb_bytes; /* when the ledger last looked */
	bool noswap;
	int shared_fd; /* volume_beside(): -1 none */
	pid_t parent;  /* 0 none */
	bool taken_over;   /* from somebody who had it before us */
	uint32_t recalled; /* the keeper's: frames that recall.h has gone through */
	struct scan *scan;
	struct keeper *keeper;
	_Atomic uint32_t unburied; /* records with INODE_UNBURIED */
	struct trim trim;
	struct {
		_Atomic uint64_t bytes; /* of the last sample */
		_Atomic int64_t taken;  /* when that was over; 0: there is none; times in ms */
		_Atomic int64_t not_before; /* the next */
		atomic_bool served; /* by somebody who runs errands */
		atomic_bool asked;
		bool sampling;  /* from here on of who runs errands */
		int64_t began;
		struct sample sample;
	} cache;
	char dir[];
};

/* The inode `ino`, to who is inside; NULL is -ESTALE. */
static inline struct inode *volume_inode(struct volume *v, uint64_t ino)
{
	return itable_get(v->pool.itable, ino);
}

/* What a directory's size says, as on tmpfs: 20 bytes an entry, "." and ".." included. */
static inline uint64_t volume_dir_size(uint64_t entries)
{
	return (entries + 2) * 20;
}

/* Free `i` with all it holds if nobody knows it any more: true.  Inside the gate, no lock held. */
bool volume_bury(struct volume *v, struct inode *i);
/* The end of a dying inode without slots: its record is free, at once or (INODE_UNBURIED) when names.db takes changes
 * again.  Inside the gate, NAMES at most. */
void volume_discard(struct volume *v, struct inode *i);
/* Those that wait for it. */
void volume_bury_rest(struct volume *v);

/* A write of `len` bytes at `offset` is over and has stored `done` of them: size, times, privileges.  What it may have
 * stored further on than it tells goes.  flags: enum volume_write. */
void volume_write_ends(struct volume *v, struct inode *i, uint64_t offset, uint64_t len, uint64_t done, unsigned flags);

/* volume_cache.c: the figures. A sample is taken, if it is time; nobody waits for it. */
void volume_ask_sample(struct volume *v);
int64_t volume_cache_age_ms(struct volume *v); /* -1: there is none */

/* volume_lookup.c: of the names.  A directory that things can be put into or looked up in. */
int volume_get_dir(struct volume *v, uint64_t ino, struct inode **ret) must_check;
/* A name goes that its maker was never told of, with the inode it was made for; if it is still that one's, and nobody
 * knows of it. */
int volume_unmake_name(struct volume *v, uint64_t dir, struct name name, struct inode *i) must_check;
void volume_fill(struct inode *i, struct volume_entry *ret);
int volume_names_errno(int r); /* of names.h */

/* settle.c: what the threads of a dead process were in the middle of is finished, or was never begun. */
int settle_receipts(struct volume *v, const struct receipts *receipts) must_check;

/* recover.c: rebuild what is derived from what the memfds and names.db hold, before threads start. */
int recover(struct volume *v, const struct receipts *receipts) must_check;

/* check.c, with the gate closed. */
int check(struct volume *v, check_report *report, void *arg) must_check;
