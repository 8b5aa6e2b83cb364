/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/names_model.h - what names.db is to say, in plain memory, and operations on both.
 *
 * With few places (test_names_narrow.c) a directory holds 64 names for certain: MODEL_NAMES is
 * below that.
 */
#pragma once

#include "core/names.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODEL_DIRS = 3, MODEL_NAMES = 60, MODEL_INODES = 40, SECRET = 42, LEFT_BEHIND = 1000 };

static inline struct name text(const char *s)
{
	return (struct name){s, strlen(s)};
}

/* The nth of a set of names of all lengths and all bytes that a name may have. */
static inline struct name odd_name(unsigned nth, char buf[NAME_BYTES_MAX])
{
	size_t len = nth % 5 == 0 ? NAME_BYTES_MAX : 2 + nth % 20;

	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)(nth * 37 + i * (nth | 1));

		buf[i] = (char)(byte == 0 || byte == '/' ? '\n' : byte);
	}
	buf[0] = (char)(1 + nth % 46);	 /* below '/' */
	buf[1] = (char)(128 + nth / 46); /* so all differ */
	return (struct name){buf, len};
}

/* ino[dir][nth name], 0: absent.  An inode is a symbolic link if its number is divisible by 3. */
struct model {
	uint64_t ino[MODEL_DIRS][MODEL_NAMES];
	uint64_t offset[MODEL_DIRS][MODEL_NAMES];
};

static inline unsigned links_of(const struct model *m, uint64_t ino)
{
	unsigned links = 0;

	for (unsigned d = 0; d < MODEL_DIRS; d++)
		for (unsigned i = 0; i < MODEL_NAMES; i++)
			links += m->ino[d][i] == ino;
	return links;
}

static inline uint64_t dir_ino(unsigned dir)
{
	static const uint64_t inos[MODEL_DIRS] = {1, UINT64_C(7) << 32 | 2, UINT32_MAX};

	return inos[dir];
}

static inline struct name target_of(uint64_t ino, char buf[32])
{
	return (struct name){buf, (size_t)snprintf(buf, 32, "../target of %u", (unsigned)ino)};
}

struct find_arg {
	const struct model *model;
	unsigned count;
};

static inline int visit_known(void *arg, uint32_t dir_record, const struct names_entry *e)
{
	struct find_arg *a = arg;
	char buf[NAME_BYTES_MAX];

	a->count++;
	for (unsigned d = 0; d < MODEL_DIRS; d++)
		for (unsigned i = 0; i < MODEL_NAMES; i++) {
			struct name name = odd_name(i, buf);

			if ((uint32_t)dir_ino(d) == dir_record && e->len == name.len &&
			    memcmp(e->name, name.bytes, name.len) == 0)
				return a->model->ino[d][i] == e->ino ? 0 : -1;
		}
	return -1;
}

/* names.db says what the model says: whoever asks by name, by directory, or for everything. */
static inline void assert_equals_model(struct names *n, struct model *m)
{
	char buf[NAME_BYTES_MAX], link[SYMLINK_BYTES_MAX + 1], target_buf[32];
	struct find_arg all = {.model = m};
	unsigned names = 0;
	uint64_t ino;

	for (unsigned d = 0; d < MODEL_DIRS; d++)
		for (unsigned i = 0; i < MODEL_NAMES; i++) {
			int r = names_lookup(n, dir_ino(d), odd_name(i, buf), &ino);

			assert_int_equal(r, m->ino[d][i] ? NAMES_OK : NAMES_ABSENT);
			if (r == NAMES_OK)
				assert_int_equal(ino, m->ino[d][i]);
			names += r == NAMES_OK;
		}
	assert_int_equal(names_walk(n, visit_known, &all), 0);
	assert_int_equal(all.count, names);
	for (ino = 3; ino <= MODEL_INODES; ino += 3) {
		int r = names_readlink(n, ino, link);

		assert_int_equal(r, links_of(m, ino) ? NAMES_OK : NAMES_ABSENT);
		if (r == NAMES_OK)
			assert_string_equal(link, target_of(ino, target_buf).bytes);
	}
}

/* An entry keeps its offset for as long as it is there. */
static inline void assert_offsets_stable(struct names *n, struct model *m)
{
	static struct names_entry e[MODEL_NAMES];
	char buf[NAME_BYTES_MAX];

	for (unsigned d = 0; d < MODEL_DIRS; d++) {
		uint64_t behind = 0;
		unsigned count = 0, total = 0;

		do {
			assert_int_equal(names_list(n, dir_ino(d), behind, e, 7, &count), 0);
			for (unsigned k = 0; k < count; k++) {
				unsigned i = 0;

				assert_true(e[k].offset > behind);
				behind = e[k].offset;
				while (e[k].len != odd_name(i, buf).len ||
				       memcmp(e[k].name, buf, e[k].len) != 0)
					assert_true(++i < MODEL_NAMES);
				assert_int_equal(e[k].ino, m->ino[d][i]);
				if (m->offset[d][i])
					assert_int_equal(m->offset[d][i], e[k].offset);
				m->offset[d][i] = e[k].offset;
			}
			total += count;
		} while (count);
		for (unsigned i = 0; i < MODEL_NAMES; i++)
			total -= m->ino[d][i] != 0;
		assert_int_equal(total, 0);
	}
}

/* One operation on both; the model only follows when names.db says it did it. */
struct step {
	int what; /* 0 add, 1 remove, 2..4 rename as enum names_rename, 5 and 6 leaving `ino` behind */
	unsigned dir, name, new_dir, new_name;
	uint64_t ino;
};

static inline int apply_add(struct names *n, struct model *m, const struct step *s)
{
	char buf[NAME_BYTES_MAX], target_buf[32];
	struct name target = target_of(s->ino, target_buf);
	uint64_t *slot = &m->ino[s->dir][s->name];
	int r = names_add(n, dir_ino(s->dir), odd_name(s->name, buf), s->ino,
			  s->ino % 3 == 0 && !links_of(m, s->ino) ? &target : NULL);

	if (r < 0)
		return r;
	assert_int_equal(r, *slot ? NAMES_EXISTS : NAMES_OK);
	if (r == NAMES_OK) {
		*slot = s->ino;
		m->offset[s->dir][s->name] = 0;
	}
	return 0;
}

static inline int apply_remove(struct names *n, struct model *m, const struct step *s)
{
	char buf[NAME_BYTES_MAX];
	uint64_t *slot = &m->ino[s->dir][s->name];
	uint64_t ino = *slot ? *slot : s->ino;
	int r =
	    names_remove(n, dir_ino(s->dir), odd_name(s->name, buf), ino, links_of(m, ino) == 1);

	if (r < 0)
		return r;
	assert_int_equal(r, *slot ? NAMES_OK : NAMES_ABSENT);
	*slot = 0;
	return 0;
}

static inline int apply_rename(struct names *n, struct model *m, const struct step *s)
{
	char buf[NAME_BYTES_MAX], new_buf[NAME_BYTES_MAX];
	uint64_t *from = &m->ino[s->dir][s->name], *to = &m->ino[s->new_dir][s->new_name];
	uint64_t left = s->what >= 5 ? LEFT_BEHIND + s->ino : 0;
	enum names_rename how = (enum names_rename)(left ? s->what - 5 : s->what - 2);
	uint64_t expected = how == NAMES_RENAME_NOREPLACE ? 0 : *to;
	int r, want = NAMES_OK;

	r = names_rename(n, &(struct names_move){
				dir_ino(s->dir), odd_name(s->name, buf), *from ? *from : s->ino,
				dir_ino(s->new_dir), odd_name(s->new_name, new_buf), expected,
				links_of(m, *to) == 1 && how == NAMES_RENAME_REPLACE, how, left});
	if (r < 0)
		return r;
	if (!*from || (how == NAMES_RENAME_EXCHANGE && !*to))
		want = NAMES_ABSENT;
	else if (how == NAMES_RENAME_NOREPLACE && *to)
		want = NAMES_EXISTS;
	assert_int_equal(r, want);
	if (r != NAMES_OK || from == to)
		return 0;
	if (how == NAMES_RENAME_EXCHANGE) {
		uint64_t ino = *to;

		*to = *from;
		*from = ino;
		return 0;
	}
	if (!*to)
		m->offset[s->new_dir][s->new_name] = 0;
	*to = *from;
	*from = left;
	m->offset[s->dir][s->name] *= left != 0; /* it stays where it was */
	return 0;
}

static inline int apply(struct names *n, struct model *m, const struct step *s)
{
	if (s->what == 0)
		return apply_add(n, m, s);
	return s->what == 1 ? apply_remove(n, m, s) : apply_rename(n, m, s);
}

static inline struct step random_step(unsigned *seed)
{
	static const int what[] = {0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6};

	return (struct step){
	    .what = what[(unsigned)rand_r(seed) % ARRAY_SIZE(what)],
	    .dir = (unsigned)rand_r(seed) % MODEL_DIRS,
	    .name = (unsigned)rand_r(seed) % MODEL_NAMES,
	    .new_dir = (unsigned)rand_r(seed) % MODEL_DIRS,
	    .new_name = (unsigned)rand_r(seed) % MODEL_NAMES,
	    .ino = 1 + (unsigned)rand_r(seed) % MODEL_INODES,
	};
}
