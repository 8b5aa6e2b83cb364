/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/room.c - the smallest of what the machine and each memory cgroup above us have left.
 *
 * Reading these files costs tens of microseconds, so each look draws an allowance of a share of what
 * is left, and only when that is used up or old is the next look taken: far from the limit rarely, near it
 * at every step.  Others take memory, too, so an allowance is less than the reserve.
 */
#include "room.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "clock.h"
#include "failpoint.h"
#include "lock.h"

enum {
	LEVELS = 16,         /* of nested cgroups that are looked at */
	ALLOWANCE_SHARE = 8, /* an eighth of what is left ... */
	ALLOWANCE_BYTES_MAX = ROOM_RESERVE_BYTES / 2, /* ... and never more, but for who wants that at once */
};

/* v1 has no word for it: it tells the largest number there is. */
#define NO_LIMIT (UINT64_C(1) << 62)

struct hierarchy {
	const char *limit, *usage, *cache[2]; /* names of files, and of lines of memory.stat */
};

static const struct hierarchy v1 = { "memory.limit_in_bytes", "memory.usage_in_bytes",
				     { "\ntotal_inactive_file ", "\ntotal_active_file " } };
static const struct hierarchy v2 = { "memory.max", "memory.current",
				     { "\ninactive_file ", "\nactive_file " } };

struct level {
	const struct hierarchy *kind;
	int limit, usage, stat;
};

struct room {
	struct lock lock;
	uint64_t allowance GUARDED_BY(lock);
	int64_t looked_ms GUARDED_BY(lock); /* when it was drawn */
	uint64_t limit GUARDED_BY(lock); /* as on_limit was told */
	void (*on_limit)(void *arg, uint64_t bytes);
	void *on_limit_arg;
	int meminfo;
	unsigned levels;
	struct level level[LEVELS];
};

static bool slurp(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

static uint64_t number_after(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

/* UINT64_MAX when the level has no limit or cannot be read. */
static uint64_t level_limit(const struct level *l)
{
	char buf[32];
	uint64_t limit;

	if (!slurp(l->limit, buf, sizeof(buf)) || buf[0] == 'm') /* "max" */
		return UINT64_MAX;
	limit = strtoull(buf, NULL, 10);
	return limit < NO_LIMIT ? limit : UINT64_MAX;
}

static uint64_t level_left(const struct level *l)
{
	char buf[8192];
	uint64_t limit = level_limit(l), usage, cache = 0;

	if (limit == UINT64_MAX || !slurp(l->usage, buf, sizeof(buf)))
		return UINT64_MAX;
	usage = strtoull(buf, NULL, 10);
	if (l->stat >= 0 && slurp(l->stat, buf, sizeof(buf)))
		for (unsigned i = 0; i < 2; i++) /* clean cache gives way to us */
			cache += number_after(buf, l->kind->cache[i]);
	usage -= MIN(usage, cache);
	return limit > usage ? limit - usage : 0;
}

static uint64_t look(struct room *r)
{
	char buf[4096];
	uint64_t left = UINT64_MAX;

	if (r->meminfo >= 0 && slurp(r->meminfo, buf, sizeof(buf)) && strstr(buf, "MemAvailable:"))
		left = number_after(buf, "MemAvailable:") << 10;
	for (unsigned i = 0; i < r->levels; i++)
		left = MIN(left, level_left(&r->level[i]));
	return left > ROOM_RESERVE_BYTES ? left - ROOM_RESERVE_BYTES : 0;
}

static uint64_t allow(uint64_t left, uint64_t bytes)
{
	uint64_t share = MIN(left / ALLOWANCE_SHARE, (uint64_t)ALLOWANCE_BYTES_MAX);

	return MAX(bytes, share);
}

/* An allowance drawn from another limit is none. */
static bool limit_moved_locked(struct room *r) REQUIRES(r->lock)
{
	uint64_t limit = UINT64_MAX;

	lock_assert_held(&r->lock);
	for (unsigned i = 0; i < r->levels; i++)
		limit = MIN(limit, level_limit(&r->level[i]));
	if (limit == r->limit)
		return false;
	r->limit = limit;
	r->allowance = 0;
	return true;
}

static int take_locked(struct room *r, uint64_t bytes) REQUIRES(r->lock)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC_COARSE);
	uint64_t left;

	lock_assert_held(&r->lock);
	if (r->allowance < bytes || now - r->looked_ms >= ROOM_LOOK_MS) {
		left = look(r);
		r->looked_ms = now;
		r->allowance = left < bytes ? 0 : allow(left, bytes);
	}
	if (r->allowance < bytes)
		return -ENOMEM;
	r->allowance -= bytes;
	return 0;
}

int room_take(struct room *r, uint64_t bytes)
{
	uint64_t limit;
	bool moved;
	int result;

	if (failpoint_hit(FAIL_ALLOC))
		return -ENOMEM;
	lock_take(&r->lock);
	moved = limit_moved_locked(r);
	limit = r->limit;
	result = take_locked(r, bytes);
	lock_drop(&r->lock);
	if (moved && r->on_limit)
		r->on_limit(r->on_limit_arg, limit);
	return result;
}

void room_tell_limit(struct room *r)
{
	uint64_t limit;

	lock_take(&r->lock);
	(void)limit_moved_locked(r);
	limit = r->limit;
	lock_drop(&r->lock);
	if (r->on_limit)
		r->on_limit(r->on_limit_arg, limit);
}

void room_on_limit(struct room *r, void (*call)(void *arg, uint64_t bytes), void *arg)
{
	r->on_limit_arg = arg;
	r->on_limit = call;
}

bool room_spare(struct room *r, uint64_t bytes)
{
	uint64_t left;

	lock_take(&r->lock);
	left = look(r);
	lock_drop(&r->lock);
	return left >= bytes + ROOM_SPARE_BYTES;
}

static void level_add(struct room *r, const char *dir, const struct hierarchy *kind)
{
	struct level *l = &r->level[r->levels];
	int fd;

	if (r->levels == LEVELS)
		return;
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	*l = (struct level){
		.kind = kind,
		.limit = openat(fd, kind->limit, O_RDONLY | O_CLOEXEC),
		.usage = openat(fd, kind->usage, O_RDONLY | O_CLOEXEC),
		.stat = openat(fd, "memory.stat", O_RDONLY | O_CLOEXEC),
	};
	close(fd);
	if (l->limit >= 0 && l->usage >= 0) {
		r->levels++;
		return;
	}
	/* the root of a hierarchy has no limit */
	const int opened[] = { l->limit, l->usage, l->stat };
	for (unsigned i = 0; i < ARRAY_SIZE(opened); i++)
		if (opened[i] >= 0)
			close(opened[i]);
}

/* This process's group and each above it, as far as they can be seen. */
static void find_levels(struct room *r, enum cgroup_kind kind)
{
	struct cgroup group;

	if (cgroup_find(kind, &group) < 0)
		return;
	do
		level_add(r, group.path, kind == CGROUP_V2 ? &v2 : &v1);
	while (cgroup_up(&group));
}

int room_new(struct room **ret)
{
	struct room *r = mem_alloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	lock_init(&r->lock, RANK_ROOM);
	r->limit = UINT64_MAX;
	r->meminfo = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	find_levels(r, CGROUP_V1_MEMORY);
	find_levels(r, CGROUP_V2);
	*ret = r;
	return 0;
}

void room_free(struct room *r)
{
	if (!r)
		return;
	if (r->meminfo >= 0)
		close(r->meminfo);
	for (unsigned i = 0; i < r->levels; i++) {
		close(r->level[i].limit);
		close(r->level[i].usage);
		if (r->level[i].stat >= 0)
			close(r->level[i].stat);
	}
	lock_fini(&r->lock);
	mem_free(r);
}
