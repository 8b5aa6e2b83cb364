/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/receipt.c.  Who is killed in the middle: test_settle.c. */
#include "core/receipt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/inode.h"
#include "tests/unit/fixture.h"

enum { REQUEST = 77 };

static void begin(void)
{
	static struct receipt receipt;

	receipt_use(&receipt);
	receipt_begin(REQUEST);
}

static void refused__can_be_asked_for_again_and_is_refused_again(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	struct volume_entry e;

	assert_int_equal(volume_setxattr(f->v, a, name_of("user.old"), name_of("1"), 0), 0);
	for (unsigned n = 0; n < 2; n++) {
		begin();
		assert_int_equal(volume_link(f->v, a, ROOT_INO, name_of("a"), &e), -EEXIST);
		assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("none")), -ENOENT);
		assert_int_equal(volume_setxattr(f->v, a, name_of("user.old"), name_of("2"), VOLUME_XATTR_CREATE),
				 -EEXIST);
		assert_int_equal(volume_removexattr(f->v, a, name_of("user.none")), -ENODATA);
		fixture_reopen(f);
	}
	receipt_use(NULL);
}

static void begin__another_request_starts_from_nothing(void **state)
{
	struct fixture *f = *state;

	begin();
	make_file(f, "x");
	assert_non_null(receipt_in(RECEIPT_MADE));
	receipt_begin(REQUEST + 1);
	assert_null(receipt_in(RECEIPT_MADE));
	make_file(f, "y");
	receipt_end();
	assert_null(receipt_in(RECEIPT_MADE));
	receipt_use(NULL);
}

/* What settle.c reads after a death; a later request must not find anything of an earlier one. */
static void doubt__says_all_of_it_and_begin_forgets_it(void **state)
{
	const struct receipt_names move = { .how = RECEIPT_MOVE, .dir = 11, .new_dir = 12, .ino = 13, .replaced = 14,
					    .opens = 1, .stores = 1 };
	static struct receipt r;

	(void)state;
	receipt_use(&r);
	receipt_begin(REQUEST);
	receipt_doubt(&move, name_of("from"), name_of("to_it"));
	assert_ptr_equal(receipt_in(RECEIPT_DOUBT), &r);
	assert_int_equal(r.names.how, RECEIPT_MOVE);
	assert_int_equal(r.names.dir, 11);
	assert_int_equal(r.names.new_dir, 12);
	assert_int_equal(r.names.ino, 13);
	assert_int_equal(r.names.replaced, 14);
	assert_int_equal(r.names.opens, 1);
	assert_int_equal(r.names.stores, 1);
	assert_int_equal(r.names.len, 4);
	assert_memory_equal(r.names.name, "from", 4);
	assert_int_equal(r.names.new_len, 5);
	assert_memory_equal(r.names.new_name, "to_it", 5);
	r.steps = 3;
	r.answering = 1;
	receipt_begin(REQUEST); /* the same: nothing is forgotten */
	assert_int_equal(r.steps, 3);
	receipt_begin(REQUEST + 1);
	assert_int_equal(r.steps, 0);
	assert_int_equal(r.answering, 0);
	assert_int_equal(r.state, RECEIPT_NONE);
	receipt_end();
	receipt_use(NULL);
}

/* Without a receipt, and with one. */
static void count__changes_who_knows_it_and_says_what_was_before(void **state)
{
	const struct receipt_change comes = { .lookups = 2, .opens = 1, .stores = 1, .then = RECEIPT_OPENED };
	const struct receipt_change goes = { .lookups = -2, .opens = -1, .stores = -1, .then = RECEIPT_RELEASED };
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), had = inode_of(f->v, a)->record->lookups;
	struct inode *i = inode_of(f->v, a);

	for (unsigned with = 0; with < 2; with++) {
		struct receipt_counts before = { .lookups = 99, .opens = 99, .stores = 99 };

		if (with)
			begin();
		assert_true(receipt_count(i, a, &comes, &before));
		assert_int_equal(before.lookups, had);
		assert_int_equal(before.opens, 0);
		assert_int_equal(before.stores, 0);
		assert_int_equal(i->record->lookups, had + 2);
		assert_int_equal(i->record->opens, 1);
		assert_int_equal(i->record->stores, 1);
		assert_true(receipt_count(i, a, &goes, &before));
		assert_int_equal(before.lookups, had + 2);
		assert_int_equal(before.opens, 1);
		assert_int_equal(before.stores, 1);
		assert_int_equal(i->record->lookups, had);
		assert_int_equal(i->record->opens + i->record->stores, 0);
		assert_int_equal(receipt_in(RECEIPT_RELEASED) != NULL, with);
	}
	receipt_end();
	receipt_use(NULL);
	fixture_check(f);
}

/* A hole that somebody has read must leave the cache of who can store: nothing else is done before. */
static void open__leaves_nothing_when_the_cache_must_go_first(void **state)
{
	struct volume_read bytes;
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a");
	struct stat st = { .st_size = PAGE_BYTES };

	assert_int_equal(volume_setattr(f->v, a, &st, VOLUME_SET_SIZE, &st), 0);
	assert_int_equal(volume_read(f->v, a, 0, PAGE_BYTES, &bytes), 0);
	volume_read_done(&bytes);
	for (unsigned n = 0; n < 2; n++) {
		begin();
		assert_int_equal(volume_file_open(f->v, a, O_RDWR), VOLUME_STALE);
		assert_null(receipt_in(RECEIPT_OPENED));
		fixture_reopen(f);
	}
	for (unsigned n = 0; n < 2; n++) { /* and is done once */
		begin();
		assert_int_equal(open_fresh(f->v, a), VOLUME_OPENED);
		assert_int_equal(inode_of(f->v, a)->record->stores, 1);
		fixture_reopen(f);
	}
	receipt_end();
	receipt_use(NULL);
	volume_file_release(f->v, a, O_RDWR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(refused__can_be_asked_for_again_and_is_refused_again),
		FIXTURE_TEST(begin__another_request_starts_from_nothing),
		FIXTURE_TEST(doubt__says_all_of_it_and_begin_forgets_it),
		FIXTURE_TEST(count__changes_who_knows_it_and_says_what_was_before),
		FIXTURE_TEST(open__leaves_nothing_when_the_cache_must_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
