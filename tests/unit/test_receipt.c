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
		FIXTURE_TEST(open__leaves_nothing_when_the_cache_must_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
