/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/inode_table.h - a table of inodes of its own for a test, which is alone with it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/inode.h"

enum { MAX_INODES = 1000 };

struct table {
	int fd;
	struct room *room;
	struct itable *t;
	bool empty;
};

static const struct inode_attr attr = { .mode = S_IFREG | 0640, .nlink = 1, .size = 5 };

static inline void limit(struct table *t, uint64_t inodes)
{
	itable_rows(t->t)->settings.value[ATTR_nr_inodes] = inodes;
}

static inline int setup(void **state)
{
	static struct table table;

	memset(&table, 0, sizeof(table));
	*state = &table;
	if (arena_memfd("test", &table.fd) || room_new(&table.room) ||
	    itable_open(table.fd, table.room, false, &table.t, &table.empty))
		return -1;
	limit(&table, MAX_INODES);
	return 0;
}

static inline int teardown(void **state)
{
	struct table *table = *state;

	itable_close(table->t);
	room_free(table->room);
	return close(table->fd);
}

/* The test is alone: what it gets stays until it says otherwise. */
static inline int try_new(struct table *t, struct inode **ret)
{
	HOLDS_INODES(t->t);

	return itable_new(t->t, &attr, 4, ret);
}

static inline struct inode *get(struct table *t, uint64_t ino)
{
	HOLDS_INODES(t->t);

	return itable_get(t->t, ino);
}

static inline struct inode *next(struct table *t, uint32_t *io_number)
{
	HOLDS_INODES(t->t);

	return itable_next(t->t, io_number);
}

static inline struct inode *new(struct table *t)
{
	struct inode *i;

	assert_int_equal(try_new(t, &i), 0);
	return i;
}

static inline void bury(struct table *t, struct inode *i)
{
	inode_attr_begin(i)->nlink = 0;
	inode_attr_end(i);
	assert_true(inode_bury(i));
	itable_free(t->t, i);
}

static inline int reopen(struct table *t)
{
	itable_close(t->t);
	t->t = NULL;
	return itable_open(t->fd, t->room, false, &t->t, &t->empty);
}

static inline uint64_t memory_bytes(struct table *t)
{
	struct stat st;

	assert_int_equal(fstat(t->fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static inline void reclaim_all(struct table *t)
{
	uint32_t chunk = 0;

	while (itable_reclaim(t->t, &chunk, 1))
		;
	chunk = 0;
	while (itable_let_go(t->t, &chunk, 1))
		;
}

static inline void make_many(struct table *t, unsigned count)
{
	while (itable_used(t->t) < count)
		new(t);
}

static inline void bury_all_but_the_first(struct table *t)
{
	struct inode *i;

	for (uint32_t number = 2; (i = next(t, &number));)
		bury(t, i);
}
