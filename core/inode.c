/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/inode.c - a table that a dead process leaves readable.
 *
 *   FREE -> USED   attributes first, then `used`      [itable_new]
 *   USED -> DYING  nobody knows it any more           [inode_bury]
 *   DYING -> FREE  the generation first, then `used`  [itable_free]
 *
 * Attributes are two words or more, so there are two sets: a change fills the one that does not
 * count and then flips `live`.  Whoever dies in between has changed nothing, and nothing has to be
 * finished or undone.
 *
 * A chunk of records of which none is used gives its memory back (itable_reclaim), and reads as free ones then.  All
 * that a free record has to remember is its generation: the highest is kept, in one word behind all records, and
 * who uses one of them again goes on from there.
 *
 * Locks and other things that mean something only to a running process are not in the memfd but in
 * struct inode, which comes and goes with the memory of its record (inode_chunks.h).
 */
#include "inode.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "failpoint.h"
#include "inode_chunks.h"
#include "log.h"
#include "names.h"

#ifndef MEMFD_FORMAT /* tests make a program of another */
#define MEMFD_FORMAT 6
#endif

enum { CHUNK_BITS = INODE_CHUNK_BITS, CHUNK = INODE_CHUNK };
#define MAGIC UINT64_C(0x736f6e692d6d736b) /* "ksm-inos" */

#define CHUNK_BYTES (CHUNK * sizeof(struct inode_record))
_Static_assert(CHUNK_BYTES % PAGE_BYTES == 0, "a chunk's memory is its own");
#define FIRST_OFFSET ((sizeof(struct inode_header) + 4095) / 4096 * 4096)

struct itable {
	struct arena arena;
	struct room *room;
	struct lock lock;
	_Atomic uint64_t *used_bits; /* changed under the lock */
	struct inode_chunks *inodes; /* those in use, and no others, have memory for their records */
	uint32_t lowest GUARDED_BY(lock); /* no free record below */
	atomic_uint_fast64_t used, names, space; /* changed under the lock; space in bytes */
	atomic_uint chunks; /* there may have been records in */
};

/* Record numbers are 1 to this: there are never more inodes than the largest limit. */
static uint64_t numbers_max(void)
{
	return attr_rows[ATTR_nr_inodes].max;
}

static struct inode_record *record_at(struct itable *t, uint32_t number)
{
	return (struct inode_record *)(t->arena.base + FIRST_OFFSET) + number;
}

/* What the generations of a chunk have come to that has given its memory back. */
static _Atomic uint32_t *floor_of(struct itable *t, uint32_t chunk)
{
	size_t chunks = (numbers_max() >> CHUNK_BITS) + 1;

	return (_Atomic uint32_t *)(t->arena.base + FIRST_OFFSET + chunks * CHUNK_BYTES) + chunk;
}

struct inode_header *itable_header(struct itable *t)
{
	return (struct inode_header *)t->arena.base;
}

struct rows *itable_rows(struct itable *t)
{
	struct inode_header *h = itable_header(t);

	return &h->rows[h->live_rows & 1];
}

static int format(struct itable *t)
{
	struct inode_header *h = itable_header(t);
	int r;

	r = arena_populate(&t->arena, 0, FIRST_OFFSET);
	if (!r)
		r = digest_key_draw(&h->key);
	if (r < 0)
		return r;
	if (getrandom(&h->names_secret, sizeof(h->names_secret), 0) != sizeof(h->names_secret))
		return -EIO;
	rows_reset(itable_rows(t));
	h->format = MEMFD_FORMAT;
	h->record_bytes = sizeof(struct inode_record);
	h->names_format = NAMES_FORMAT;
	h->records = 1;
	failpoint_kill(KILL_header_filled);
	h->magic = MAGIC;
	return 0;
}

struct grace *itable_grace(struct itable *t)
{
	return &t->inodes->grace;
}

static size_t chunk_offset(uint32_t chunk)
{
	return FIRST_OFFSET + chunk * CHUNK_BYTES;
}

/* Memory for a chunk's records, for the word that outlives them, and for struct inode. */
static int populate(struct itable *t, uint32_t chunk)
{
	size_t word = (size_t)((uint8_t *)floor_of(t, chunk) - t->arena.base) & ~(size_t)(PAGE_BYTES - 1);
	int r = room_take(t->room, CHUNK_BYTES + PAGE_BYTES + INODE_CHUNK_BYTES);

	if (!r)
		r = inode_chunks_reserve(t->inodes, chunk);
	if (!r)
		r = arena_populate(&t->arena, word, PAGE_BYTES);
	return r < 0 ? r : arena_populate(&t->arena, chunk_offset(chunk), CHUNK_BYTES);
}

/* Make place for one more chunk of records, or for one again. */
static int extend(struct itable *t, uint32_t chunk)
{
	int r;

	if (inode_chunks_has(t->inodes, chunk))
		return 0;
	r = populate(t, chunk);
	if (r < 0)
		return r;
	inode_chunks_use(t->inodes, chunk);
	t->chunks = MAX((uint32_t)t->chunks, chunk + 1);
	return 0;
}

static bool is_readable(const struct inode_header *h)
{
	return h->magic == MAGIC && h->format == MEMFD_FORMAT && h->record_bytes == sizeof(struct inode_record) &&
	       h->names_format == NAMES_FORMAT && h->records <= numbers_max() + 1;
}

int itable_readable(int fd)
{
	struct inode_header h;
	ssize_t n = pread(fd, (void *)&h, sizeof(h), 0);

	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(h) && is_readable(&h) ? 0 : -EUCLEAN;
}

static int adopt_rows(struct itable *t)
{
	struct inode_header *h = itable_header(t);
	unsigned live = h->live_rows & 1;
	int r = 0;

	if (rows_fit(&h->rows[live])) {
		counters_reset_gauges(&h->rows[live].counters);
	} else {
		r = rows_adopt(&h->rows[!live], &h->rows[live]);
		if (r == 0)
			h->live_rows = !live;
	}
	return r;
}

static bool has_data(int fd, uint32_t chunk)
{
	off_t at = (off_t)chunk_offset(chunk), data = lseek(fd, at, SEEK_DATA);

	return data >= at && data < (off_t)chunk_offset(chunk + 1);
}

/* Records that were used have memory, or others of their chunk: a number beyond that was never written by us. */
static bool has_memory(int fd, uint64_t records)
{
	return records <= numbers_max() + 1 && (records <= 1 || has_data(fd, (uint32_t)((records - 1) >> CHUNK_BITS)));
}

static void adopt_records(struct itable *t, uint32_t chunk)
{
	uint32_t from = MAX(chunk << CHUNK_BITS, 1u), end = (chunk + 1) << CHUNK_BITS;

	for (uint32_t i = from; i < end && i < itable_header(t)->records; i++) {
		if (!record_at(t, i)->used)
			continue;
		t->used_bits[i / 64] |= UINT64_C(1) << (i % 64);
		t->used++;
	}
}

/* Who is killed while he takes memory for a chunk has taken some of it: what has any has all. */
static int complete(struct itable *t, int fd, uint32_t chunk)
{
	off_t end = (off_t)chunk_offset(chunk + 1);

	if (t->arena.fd < 0 || lseek(fd, (off_t)chunk_offset(chunk), SEEK_HOLE) >= end)
		return 0;
	return arena_populate(&t->arena, chunk_offset(chunk), CHUNK_BYTES);
}

/* To look at what has no memory would bring some. */
static int adopt_chunk(struct itable *t, int fd, uint32_t chunk)
{
	int r;

	if (!has_data(fd, chunk))
		return 0;
	r = complete(t, fd, chunk);
	if (!r)
		r = inode_chunks_reserve(t->inodes, chunk);
	if (r < 0)
		return r;
	inode_chunks_use(t->inodes, chunk);
	adopt_records(t, chunk);
	return 0;
}

/* The records of a file system that is gone on with. */
static int adopt(struct itable *t, int fd)
{
	struct inode_header *h = itable_header(t);
	int r;

	if (!is_readable(h) || !has_memory(fd, h->records))
		return -EUCLEAN;
	r = adopt_rows(t);
	if (r < 0)
		return r;
	t->chunks = (uint32_t)((h->records + CHUNK - 1) >> CHUNK_BITS);
	for (uint32_t chunk = 0; !r && chunk < t->chunks; chunk++)
		r = adopt_chunk(t, fd, chunk);
	return r;
}

/* Who is killed while he formats it leaves a part of the header at most, which does not say that it is one, and nothing
 * behind it. */
static int has_nothing(int fd, bool *ret)
{
	uint64_t magic = 0;

	if (pread(fd, &magic, sizeof(magic), offsetof(struct inode_header, magic)) < 0)
		return -errno;
	*ret = !magic && lseek(fd, (off_t)FIRST_OFFSET, SEEK_DATA) < 0;
	return 0;
}

int itable_open(int fd, struct room *room, bool copy, struct itable **ret, bool *ret_empty)
{
	uint64_t chunks = (numbers_max() >> CHUNK_BITS) + 1;
	struct itable *t;
	int r = has_nothing(fd, ret_empty);

	if (r < 0)
		return r;
	t = mem_alloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->room = room;
	t->lowest = 1;
	lock_init(&t->lock, RANK_ITABLE);
	t->used_bits = mem_alloc(numbers_max() / 64 + 1, sizeof(*t->used_bits));
	r = t->used_bits ? inode_chunks_new((uint32_t)chunks, &t->inodes) : -ENOMEM;
	if (!r)
		r = arena_open(fd, chunk_offset((uint32_t)chunks) + chunks * sizeof(uint32_t), copy, &t->arena);
	if (!r)
		t->inodes->record = record_at(t, 0);
	if (!r)
		r = *ret_empty ? format(t) : adopt(t, fd);
	if (r < 0) {
		itable_close(t);
		return r;
	}
	*ret = t;
	return 0;
}

void itable_close(struct itable *t)
{
	if (!t)
		return;
	inode_chunks_free(t->inodes);
	lock_fini(&t->lock);
	mem_free((void *)t->used_bits);
	arena_close(&t->arena);
	mem_free(t);
}

/* Bytes, as on tmpfs: an inode or a name has INODE_SPACE. */
static uint64_t space_left(struct itable *t)
{
	uint64_t limit = settings_get(&itable_rows(t)->settings, ATTR_nr_inodes) * INODE_SPACE;
	uint64_t taken = (t->used + t->names) * INODE_SPACE + t->space;

	return limit > taken ? limit - taken : 0;
}

static bool is_full(struct itable *t) REQUIRES(t->lock)
{
	return space_left(t) < INODE_SPACE;
}

/* Claim the lowest free number; 0 when the table is full. */
static uint32_t claim(struct itable *t)
{
	uint32_t found = 0;

	lock_take(&t->lock);
	for (uint64_t w = t->lowest / 64; !found && !is_full(t) && w <= numbers_max() / 64; w++) {
		uint64_t free = ~t->used_bits[w];

		if (w == 0)
			free &= ~UINT64_C(1); /* number 0 is nobody's */
		if (free && w * 64 + (unsigned)__builtin_ctzll(free) <= numbers_max())
			found = w * 64 + (unsigned)__builtin_ctzll(free);
	}
	if (found) {
		t->used_bits[found / 64] |= UINT64_C(1) << (found % 64);
		t->lowest = found;
		t->used++;
	}
	lock_drop(&t->lock);
	return found;
}

static void unclaim(struct itable *t, uint32_t number)
{
	lock_take(&t->lock);
	t->used_bits[number / 64] &= ~(UINT64_C(1) << (number % 64));
	t->lowest = MIN(t->lowest, number);
	t->used--;
	lock_drop(&t->lock);
}

int itable_new(struct itable *t, const struct inode_attr *attr, uint16_t domain, struct inode **ret)
{
	struct inode_header *h = itable_header(t);
	uint32_t number = claim(t);
	struct inode_record *record;
	int r = 0;

	ASSERT(grace_is_inside());
	if (!number)
		return -ENOSPC;
	/* Inodes are made under NAMES, one at a time: nobody else adds chunks. */
	while (!r && t->chunks <= number >> CHUNK_BITS)
		r = extend(t, t->chunks);
	if (!r)
		r = extend(t, number >> CHUNK_BITS);
	if (r < 0) {
		unclaim(t, number);
		return r;
	}
	record = record_at(t, number);
	record->generation = MAX((uint32_t)record->generation, (uint32_t)*floor_of(t, number >> CHUNK_BITS));
	*ret = inode_chunks_at(t->inodes, number);
	(*ret)->cached = 0;
	(*ret)->comers = 0;
	*inode_attr_begin(*ret) = *attr;
	inode_attr_end(*ret);
	record->flags = 0;
	record->lookups = 0;
	record->opens = record->stores = 0;
	record->root = 0;
	record->ranges = 0;
	record->slots = 0;
	record->mtime_set = 0;
	record->resizing = 0;
	record->domain = domain;
	record->tenant = 0;
	(*ret)->tenant = NULL;
	for (unsigned i = 0; i < INODE_DIRECT; i++)
		record->direct[i] = 0;
	if (number >= h->records)
		h->records = number + 1;
	failpoint_kill(KILL_inode_filled);
	record->used = INODE_USED;
	failpoint_kill(KILL_inode_used);
	return 0;
}

void itable_free(struct itable *t, struct inode *inode)
{
	struct inode_record *record = inode->record;

	/* The generation first, or the number could recur. */
	failpoint_kill(KILL_inode_cleared);
	record->generation = record->generation + 1 >= INODE_GENERATIONS ? 1 : record->generation + 1;
	failpoint_kill(KILL_inode_renumbered);
	record->used = INODE_FREE;
	unclaim(t, inode->number);
}

/* Of those that are not, the record is left alone: it may have no memory. */
static bool is_claimed(struct itable *t, uint32_t number)
{
	return atomic_load_explicit(&t->used_bits[number / 64], memory_order_acquire) >> (number % 64) & 1;
}

static bool is_unused(struct itable *t, uint32_t chunk)
{
	uint64_t used = 0;

	for (unsigned w = 0; w < CHUNK / 64; w++)
		used |= t->used_bits[chunk * (CHUNK / 64) + w];
	return !used;
}

/* Said first: whoever takes over finds words that are as high, and no records without memory that count. */
static void give_back(struct itable *t, uint32_t chunk)
{
	struct inode_header *h = itable_header(t);
	uint32_t floor = *floor_of(t, chunk), last;

	for (uint32_t i = 0; i < CHUNK; i++)
		floor = MAX(floor, (uint32_t)record_at(t, (chunk << CHUNK_BITS) + i)->generation);
	*floor_of(t, chunk) = floor;
	inode_chunks_leave(t->inodes, chunk);
	while (!inode_chunks_has(t->inodes, last = (uint32_t)((h->records - 1) >> CHUNK_BITS)))
		h->records = (uint64_t)last << CHUNK_BITS;
	failpoint_kill(KILL_inode_chunk_empty);
	if (arena_release(&t->arena, chunk_offset(chunk), CHUNK_BYTES) < 0)
		log_warning("free inode records could not be given back to the system");
}

bool itable_reclaim(struct itable *t, uint32_t *io_chunk, unsigned max)
{
	for (; max && *io_chunk < t->chunks; ++*io_chunk)
		if (inode_chunks_has(t->inodes, *io_chunk) && is_unused(t, *io_chunk)) {
			give_back(t, *io_chunk);
			max--;
		}
	return *io_chunk < t->chunks;
}

bool itable_let_go(struct itable *t, uint32_t *io_chunk, unsigned max)
{
	for (; max && *io_chunk < t->chunks && t->inodes->leaving; ++*io_chunk, max--)
		inode_chunks_forget(t->inodes, *io_chunk);
	return *io_chunk < t->chunks && t->inodes->leaving;
}

bool itable_has_leaving(const struct itable *t)
{
	return t->inodes->leaving;
}

/* Whoever is making one has claimed its number first; from then on it is not given back. */
static struct inode *find(struct itable *t, uint32_t number)
{
	ASSERT(grace_is_inside());
	if (number > numbers_max() || !is_claimed(t, number) || !inode_chunks_has(t->inodes, number >> CHUNK_BITS))
		return NULL;
	return inode_chunks_at(t->inodes, number);
}

struct inode *itable_get(struct itable *t, uint64_t ino)
{
	struct inode *inode = find(t, (uint32_t)ino);

	return inode && inode_is_live(inode, ino) ? inode : NULL;
}

struct inode *itable_next(struct itable *t, uint32_t *number)
{
	uint64_t end = itable_header(t)->records;

	for (uint32_t n = MAX(*number, 1u); n < end; n++) {
		struct inode *inode = find(t, n);

		if (inode && inode->record->used) {
			*number = n + 1;
			return inode;
		}
	}
	return NULL;
}

int itable_add_names(struct itable *t, uint64_t n, bool force)
{
	bool room;

	lock_take(&t->lock);
	room = force || !is_full(t);
	t->names += room ? n : 0;
	lock_drop(&t->lock);
	return room ? 0 : -ENOSPC;
}

void itable_drop_name(struct itable *t)
{
	lock_take(&t->lock);
	ASSERT(t->names);
	t->names--;
	lock_drop(&t->lock);
}

uint64_t itable_names(const struct itable *t)
{
	return t->names;
}

uint64_t itable_used(const struct itable *t)
{
	return t->used;
}

int itable_take_space(struct itable *t, uint64_t bytes, bool force)
{
	bool room;

	lock_take(&t->lock);
	room = force || bytes <= space_left(t);
	t->space += room ? bytes : 0;
	lock_drop(&t->lock);
	return room ? 0 : -ENOSPC;
}

void itable_give_space(struct itable *t, uint64_t bytes)
{
	lock_take(&t->lock);
	ASSERT(t->space >= bytes);
	t->space -= bytes;
	lock_drop(&t->lock);
}

uint64_t itable_space(const struct itable *t)
{
	return t->space;
}

uint64_t itable_private_bytes(struct itable *t)
{
	return inode_chunks_bytes(t->inodes) + itable_header(t)->records / 8;
}

uint64_t itable_bytes(struct itable *t)
{
	uint64_t bytes = itable_private_bytes(t);

	for (uint32_t n = 0; n < t->chunks; n++)
		bytes += inode_chunks_has(t->inodes, n) ? CHUNK_BYTES : 0;
	return bytes;
}

bool inode_bury(struct inode *i)
{
	struct inode_record *record = i->record;
	bool dead;

	lock_take(&i->attr);
	dead = record->used == INODE_USED && !record->lookups && !record->opens &&
	       !record->attr[record->live].nlink;
	if (dead)
		record->used = INODE_DYING;
	lock_drop(&i->attr);
	if (dead)
		failpoint_kill(KILL_inode_dying);
	return dead;
}
