/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/fixture.h - a volume of its own for a test, checked when it ends.
 *
 * For cmocka's setup and teardown: *state is the struct fixture.  Its teardown fails the test when
 * volume_check() finds a violation.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/volume.h"
#include "core/volume_inside.h"

struct fixture {
	char *dir;
	struct volume_config config;
	struct volume *v;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* The first violation's text; 0 when all is well. */
int fixture_violations(struct volume *v, char *ret_text, size_t size);
void fixture_check(struct fixture *f);

/* Close and open again on the same memfds and directory. */
void fixture_reopen(struct fixture *f);

/* Another limit, whatever is in use. */
static inline void set_size(struct fixture *f, uint64_t pages)
{
	f->v->pool.settings->value[ATTR_size] = pages << PAGE_SHIFT;
}

static inline struct name name_of(const char *text)
{
	return (struct name){ text, strlen(text) };
}

/* An empty file in the root, or in `dir`, with one lookup; its inode number. */
uint64_t make_file(struct fixture *f, const char *name);
uint64_t make(struct fixture *f, uint64_t dir, const char *name, mode_t mode);
/* As those of the volume, and nobody remembers what was linked; open for reading and writing. */
int link_name(struct fixture *f, uint64_t ino, uint64_t dir, const char *name);
int move_name(struct fixture *f, uint64_t dir, const char *name, uint64_t to, const char *new, unsigned flags);
/* To store, with nothing in a cache: as volume_file_open(), and never VOLUME_STALE. */
int open_fresh(struct volume *v, uint64_t ino) must_check;
void open_file(struct fixture *f, uint64_t ino);
/* A file whose name has gone, and that is open. */
uint64_t make_open(struct fixture *f, uint64_t dir);
/* Its name goes, and the lookup of make(). */
void drop_file(struct fixture *f, const char *name, uint64_t ino);

/* Pages are told by numbers: 0 is zeroes, others never meet. */
void fill_page(void *page, uint64_t what);
void put_page(struct fixture *f, uint64_t ino, uint64_t index, uint64_t what);
/* `count` pages in one write, of `what`, `what` + `step`, ... */
void put_pages(struct fixture *f, uint64_t ino, uint64_t index, unsigned count, uint64_t what,
	       uint64_t step);
ssize_t put_bytes(struct fixture *f, uint64_t ino, uint64_t offset, size_t len, int byte);
size_t get_bytes(struct fixture *f, uint64_t ino, uint64_t offset, size_t len, void *ret);
bool page_is(struct fixture *f, uint64_t ino, uint64_t index, uint64_t what);
#define assert_page(f, ino, index, what) assert_true(page_is((f), (ino), (index), (what)))
void truncate_to_pages(struct fixture *f, uint64_t ino, uint64_t pages);

/* Of one that is there, and stays: who gives inodes back leaves it where it is. */
struct inode *inode_of(struct volume *v, uint64_t ino);

/* A record without a name. */
struct inode *make_record(struct fixture *f, const struct inode_attr *attr);

int64_t figure(struct fixture *f, enum attr attr);
#define assert_figure(f, name, value) assert_int_equal(figure((f), ATTR_##name), (value))

/* shared, sharing, unshared, zero, volatile: the page counters, all at once. */
void assert_counts(struct fixture *f, int64_t shared, int64_t sharing, int64_t unshared, int64_t zero,
		   int64_t changing);

/* The same, and pages_untracked, which assert_counts() wants to be 0. */
void assert_all_counts(struct fixture *f, int64_t shared, int64_t sharing, int64_t unshared, int64_t zero,
		       int64_t changing, int64_t untracked);

/* What the slot says; holes without a node too. */
uint32_t slot_at(struct fixture *f, uint64_t ino, uint64_t index);
struct frame_info frame_at(struct fixture *f, uint64_t ino, uint64_t index);

/* Frames run out: ordinary writers find `left` more, and then none until return_frames(). */
enum { HOARD_FRAMES = 4096 };
struct hoard {
	unsigned count;
	uint32_t capacity;
	uint32_t frame[HOARD_FRAMES];
};
void hoard_frames(struct fixture *f, struct hoard *h, unsigned left);
void return_frames(struct fixture *f, struct hoard *h);

void set(struct fixture *f, enum attr attr, uint64_t value);
void scan(struct fixture *f, unsigned passes);
void rest_ms(unsigned ms);

/* Does anybody wait for a page lock? */
bool somebody_sleeps(struct fixture *f);
