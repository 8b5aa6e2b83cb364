/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/inode.h - inode records in the inode memfd, and the locks that go with them.
 *
 * Owns     the inode memfd: a header (format, key, settings, counters) and one record an inode.
 * Keeps    T1 an inode number (generation << 32 | record) never recurs: a record is reused, lowest first,
 *             with the next generation.
 *          T2 the memfd is consistent at every instant: attributes are kept twice and change by one store
 *             of `live`; everything else in a record is single atomic words.
 *          T3 a record with neither name nor lookup nor open file is free, or about to be.
 * Threads  takes ATTR (one inode's attributes) and ITABLE (which records are used) itself; `map` is for
 *          ptab, fault and range.  struct inode is never moved.  Who gets one (itable_new, _get, _next) is inside
 *          (HOLDS_INODES, asserted), and may use it until he leaves, whatever becomes of the inode: he looks whether it
 *          is live under a lock.  One that is live, and stays so, is nobody's to give back.
 * Fails    -ESTALE, -ENOSPC (nr_inodes), -ENOMEM; -EUCLEAN for a memfd that is none of ours.
 */
#pragma once

#include <sys/stat.h>
#include <time.h>

#include "arena.h"
#include "digest.h"
#include "frames.h"
#include "grace.h"
#include "lock.h"
#include "room.h"
#include "rows.h"

enum {
	INODE_DIRECT = 8,
	INODE_SPACE = 1024, /* bytes of extended attributes that count as an inode, as on tmpfs */
	DOMAIN_ALONE = UINT16_MAX, /* a domain in which nothing is merged */
};

/* From this generation on inode numbers are not ours: whoever is above us numbers his own things with them. */
#define INODE_GENERATIONS UINT32_C(0xffff0000)

/* What stat(2) shows, less what is counted elsewhere. */
struct inode_attr {
	uint32_t mode, uid, gid, nlink;
	uint64_t rdev;
	uint64_t size; /* bytes */
	uint64_t parent; /* of a directory */
	struct {
		int64_t sec;
		uint64_t nsec;
	} atime, mtime, ctime, btime;
};

enum inode_use { INODE_FREE, INODE_USED, INODE_DYING };

enum inode_flag {
	INODE_HOLES_SERVED = 1 << 0, /* holes were read while nobody could store into them */
	INODE_LENT = 1 << 1,         /* holes were reserved by reads: given back at the last release */
	INODE_UNMERGEABLE = 1 << 2,  /* advice.h, as are those below and `ranges` */
	INODE_KEEP = 1 << 3,
	INODE_XATTRS = 1 << 4,       /* has or had extended attributes: without it nobody need ask names.db */
	INODE_IMMUTABLE = 1 << 5,    /* guard.h, to INODE_NOATIME */
	INODE_APPEND = 1 << 6,
	INODE_NODUMP = 1 << 7,
	INODE_NOATIME = 1 << 8,
	INODE_LINKABLE = 1 << 9,     /* made without a name, and may get one (O_TMPFILE) */
	INODE_UNBURIED = 1 << 10,    /* dying, and its extended attributes could not be dropped yet */
};

struct inode_record {
	_Atomic uint32_t used; /* enum inode_use; free: only generation means anything */
	_Atomic uint32_t generation;
	_Atomic uint32_t live; /* which attr counts */
	_Atomic uint32_t flags;
	struct inode_attr attr[2];
	_Atomic uint64_t lookups; /* who knows it: receipt_count() alone changes it */
	_Atomic uint32_t opens, stores;
	_Atomic uint64_t root;   /* page table: height << 32 | frame; height 0: the direct slots count */
	_Atomic uint32_t direct[INODE_DIRECT];
	_Atomic uint64_t ranges; /* what was said of ranges: points << 32 | frame, or 0 */
	_Atomic uint64_t slots;  /* slots that are neither holes nor lent */
	_Atomic uint64_t mtime_set; /* when somebody set mtime (seconds since boot), 0: since then written */
	_Atomic uint16_t domain; /* fixed at creation; unmerging may still ask who had the record before */
	_Atomic uint32_t tenant; /* record number of a directory, or 0: tenants.h */
	_Atomic uint32_t resizing; /* writes and truncations on their way: there may be something beyond the end */
} __attribute__((aligned(64)));

/* What the memfd begins with. */
struct inode_header {
	uint64_t magic;
	uint32_t format; /* of both memfds */
	uint32_t record_bytes;
	uint32_t names_format; /* of names.db */
	_Atomic uint32_t live_rows; /* which of the two counts */
	_Atomic uint64_t records; /* one above the highest ever used */
	uint64_t names_secret;
	struct digest_key key;
	_Atomic uint32_t damaged[FRAMES_DAMAGED]; /* frames whose bytes have changed by themselves; 0: no more */
	struct rows rows[2];
};

struct tenant;

struct inode {
	struct inode_record *record;
	uint32_t number;
	_Atomic uint32_t seq; /* grows when slots were taken away or moved under the exclusive map lock */
	_Atomic uint32_t comers; /* who is about to open it so as to store: volume_open.c */
	_Atomic(struct tenant *) tenant; /* NULL: none */
	struct rwlock map;
	struct lock attr;
	_Atomic uint64_t cached; /* trim.h: what the kernel may hold of it */
} __attribute__((aligned(16))); /* 256 of them are whole pages: inode_chunks.h */

struct itable;

/* Map the memfd, for as many inodes as `nr_inodes` could ever say: only address space.  An empty one is formatted
 * (*ret_empty).  `copy`: as arena.h. */
int itable_open(int fd, struct room *room, bool copy, struct itable **ret, bool *ret_empty) must_check;
void itable_close(struct itable *t);
struct inode_header *itable_header(struct itable *t);
struct rows *itable_rows(struct itable *t);

/* Without mapping it: is what lies in the memfd, and with it in the other and in names.db, of a format that this
 * program goes on with? -EUCLEAN: no. */
int itable_readable(int fd) must_check;

/* A new record, used, with these attributes, no names and no lookups.  At most `nr_inodes` are used, whatever their
 * numbers: where it was lowered some may lie above. */
int itable_new(struct itable *t, const struct inode_attr *attr, uint16_t domain, struct inode **ret) must_check;
/* The record is free, its generation over.  It has no slots any more. */
void itable_free(struct itable *t, struct inode *inode);

struct grace *itable_grace(struct itable *t);

/* Among declarations: to the end of the block the caller is inside, and what he gets stays where it is. */
#define HOLDS_INODES(t) \
	_cleanup_(grace_leave) __attribute__((unused)) struct stay holds_inodes = grace_enter(itable_grace(t))

/* NULL: no such inode (any more). */
struct inode *itable_get(struct itable *t, uint64_t ino);

/* Records that nobody uses give their memory back, in chunks, `max` of those from `io_chunk` (at first 0) on.  True:
 * there may be more.  Under NAMES, as itable_new(). */
bool itable_reclaim(struct itable *t, uint32_t *io_chunk, unsigned max);
/* And then their struct inode does, of chunks that nobody inside may have found; of others when they have left.  As
 * itable_reclaim(), but looking at no more than `max`. */
bool itable_let_go(struct itable *t, uint32_t *io_chunk, unsigned max);
bool itable_has_leaving(const struct itable *t); /* there are such others */

/* The next used inode from record number `*number` on, which is moved behind it; NULL at the end. */
struct inode *itable_next(struct itable *t, uint32_t *number);

/* Names of a file beyond its first count against the limit, too, as on tmpfs: they take memory, and nothing else
 * bounds them.  -ENOSPC; with `force` also beyond the limit. */
int itable_add_names(struct itable *t, uint64_t n, bool force) must_check;
void itable_drop_name(struct itable *t);

uint64_t itable_used(const struct itable *t);
uint64_t itable_names(const struct itable *t); /* those counted above */

/* And so do bytes of extended attributes, INODE_SPACE of them as much as an inode.  -ENOSPC, `force` as above. */
int itable_take_space(struct itable *t, uint64_t bytes, bool force) must_check;
void itable_give_space(struct itable *t, uint64_t bytes);
uint64_t itable_space(const struct itable *t); /* bytes taken */

/* What the limit holds for: all of it, in inodes. */
static inline uint64_t itable_charged(const struct itable *t)
{
	return itable_used(t) + itable_names(t) + (itable_space(t) + INODE_SPACE - 1) / INODE_SPACE;
}
uint64_t itable_bytes(struct itable *t);
uint64_t itable_private_bytes(struct itable *t); /* of these, what is not in the memfd */

static inline uint64_t inode_ino(const struct inode *i)
{
	return (uint64_t)i->record->generation << 32 | i->number;
}

static inline bool inode_is_live(const struct inode *i, uint64_t ino)
{
	return i->record->used == INODE_USED && inode_ino(i) == ino;
}

/* Whether nobody knows it any more: no name, no lookup, no open file.  True once: it is dying then, and the
 * caller's to clear and free. */
bool inode_bury(struct inode *i) must_check;

/* May somebody store into it through a mapping, or soon?  Who comes is counted before he is one of `stores`, and after,
 * so this order never misses him. */
static inline bool inode_may_store(const struct inode *i)
{
	return i->comers || i->record->stores;
}

/* A copy of the attributes. */
struct inode_attr inode_attr_get(struct inode *i);

/* Change attributes: begin gives a copy to change, end publishes it, all under ATTR. */
struct inode_attr *inode_attr_begin(struct inode *i) ACQUIRES(i->attr);
void inode_attr_end(struct inode *i) RELEASES(i->attr);

uint64_t inode_size(struct inode *i);

/* Around whatever may store pages before it stores the size that they need, or the other way round: whoever takes
 * over looks beyond the end of no other files. */
static inline void inode_resize_begin(struct inode *i)
{
	atomic_fetch_add(&i->record->resizing, 1);
}

static inline void inode_resize_end(struct inode *i)
{
	atomic_fetch_sub(&i->record->resizing, 1);
}

void inode_stat(struct inode *i, struct stat *ret);

/* Stamp with the time of now, as the kernel's current_time(): coarse. */
enum inode_stamp { INODE_ATIME = 1, INODE_MTIME = 2, INODE_CTIME = 4, INODE_BTIME = 8 };
void inode_stamp(struct inode_attr *attr, unsigned which);
