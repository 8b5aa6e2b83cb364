/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/inode_chunks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "core/failpoint.h"

enum { CHUNKS = INODE_SLAB + 5, LAST = CHUNKS - 1 };

static struct inode_record record[CHUNKS * INODE_CHUNK];

static int setup(void **state)
{
	struct inode_chunks *c;

	if (inode_chunks_new(CHUNKS, &c))
		return -1;
	c->record = record;
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	inode_chunks_free(*state);
	return 0;
}

static void use(struct inode_chunks *c, uint32_t chunk)
{
	assert_int_equal(inode_chunks_reserve(c, chunk), 0);
	inode_chunks_use(c, chunk);
}

static struct inode *first_of(struct inode_chunks *c, uint32_t chunk)
{
	return inode_chunks_at(c, chunk << INODE_CHUNK_BITS);
}

static unsigned resident(struct inode_chunks *c, uint32_t chunk)
{
	unsigned char in[INODE_CHUNK_BYTES / PAGE_BYTES];
	unsigned n = 0;

	assert_int_equal(mincore(first_of(c, chunk), INODE_CHUNK_BYTES, in), 0);
	for (unsigned k = 0; k < ARRAY_SIZE(in); k++)
		n += in[k] & 1;
	return n;
}

static void use__each_knows_its_number_and_its_record(void **state)
{
	static const uint32_t chunk[] = { 0, INODE_SLAB - 1, INODE_SLAB, LAST };
	struct inode_chunks *c = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(chunk); k++)
		use(c, chunk[k]);
	for (unsigned k = 0; k < ARRAY_SIZE(chunk); k++)
		for (unsigned n = 0; n < INODE_CHUNK; n++) {
			struct inode *i = inode_chunks_at(c, (chunk[k] << INODE_CHUNK_BITS) + n);

			assert_int_equal(i->number, (chunk[k] << INODE_CHUNK_BITS) + n);
			assert_ptr_equal(i->record, &record[i->number]);
			lock_take(&i->attr);
			lock_drop(&i->attr);
		}
	assert_true(inode_chunks_has(c, LAST));
	assert_false(inode_chunks_has(c, LAST - 1));
	assert_false(inode_chunks_has(c, CHUNKS));
	assert_false(inode_chunks_has(c, UINT32_MAX));
	assert_int_equal(inode_chunks_bytes(c), ARRAY_SIZE(chunk) * INODE_CHUNK_BYTES);
}

static void forget__takes_only_what_is_leaving(void **state)
{
	struct inode_chunks *c = *state;

	use(c, 0);
	use(c, 1);
	inode_chunks_leave(c, 1);
	for (uint32_t chunk = 0; chunk < 3; chunk++)
		inode_chunks_forget(c, chunk);
	assert_true(inode_chunks_has(c, 0));
	assert_int_equal(resident(c, 0), INODE_CHUNK_BYTES / PAGE_BYTES);
	assert_int_equal(resident(c, 1), 0);
	assert_int_equal(inode_chunks_bytes(c), INODE_CHUNK_BYTES);
	assert_int_equal(c->leaving, 0);
}

static void forget__waits_for_who_is_inside(void **state)
{
	struct inode_chunks *c = *state;
	struct stay s;

	use(c, LAST);
	s = grace_enter(&c->grace);
	inode_chunks_leave(c, LAST);
	assert_false(inode_chunks_has(c, LAST));
	inode_chunks_forget(c, LAST);
	assert_int_equal(first_of(c, LAST)->number, LAST << INODE_CHUNK_BITS);
	assert_int_equal(inode_chunks_bytes(c), INODE_CHUNK_BYTES);
	assert_int_equal(c->leaving, 1);
	grace_leave(&s);
	inode_chunks_forget(c, LAST);
	assert_int_equal(resident(c, LAST), 0);
	assert_int_equal(inode_chunks_bytes(c), 0);
	assert_int_equal(c->leaving, 0);
}

/* C1: its holder has locked what others find, and what he asked for at first does not count any more. */
static void use__while_it_is_leaving_it_is_the_same(void **state)
{
	struct inode_chunks *c = *state;
	struct inode *i;
	struct stay s;

	use(c, 3);
	i = first_of(c, 3);
	i->seq = 5;
	lock_take(&i->attr);
	s = grace_enter(&c->grace);
	inode_chunks_leave(c, 3);
	use(c, 3);
	assert_true(inode_chunks_has(c, 3));
	assert_int_equal(c->leaving, 0);
	grace_leave(&s);
	inode_chunks_forget(c, 3);
	assert_ptr_equal(first_of(c, 3), i);
	assert_int_equal(i->seq, 5);
	lock_drop(&i->attr);
	assert_int_equal(inode_chunks_bytes(c), INODE_CHUNK_BYTES);
	s = grace_enter(&c->grace);
	inode_chunks_leave(c, 3);
	inode_chunks_forget(c, 3);
	assert_int_equal(i->seq, 5);
	grace_leave(&s);
}

static void use__again_it_is_new_and_in_the_same_place(void **state)
{
	struct inode_chunks *c = *state;
	struct inode *i;

	use(c, 7);
	i = first_of(c, 7);
	i->seq = 5;
	inode_chunks_leave(c, 7);
	inode_chunks_forget(c, 7);
	assert_null(i->record); /* whoever holds one against the rules */
	use(c, 7);
	assert_ptr_equal(first_of(c, 7), i);
	assert_int_equal(i->seq, 0);
	assert_int_equal(i->number, 7 << INODE_CHUNK_BITS);
	lock_take(&i->attr);
	lock_drop(&i->attr);
}

static void reserve__without_memory_changes_nothing(void **state)
{
	struct inode_chunks *c = *state, *new = NULL;
	unsigned nth = 0;

	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(inode_chunks_reserve(c, 2), -ENOMEM);
	assert_int_equal(inode_chunks_reserve(c, 2), 0);
	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(inode_chunks_reserve(c, 3), 0); /* it is there */
	do
		failpoint_arm(FAIL_ALLOC, ++nth);
	while (inode_chunks_new(CHUNKS, &new) == -ENOMEM);
	failpoint_arm(FAIL_ALLOC, 0);
	assert_int_equal(nth, 4);
	assert_non_null(new);
	inode_chunks_free(new);
	inode_chunks_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(use__each_knows_its_number_and_its_record),
		TEST(forget__takes_only_what_is_leaving),
		TEST(forget__waits_for_who_is_inside),
		TEST(use__while_it_is_leaving_it_is_the_same),
		TEST(use__again_it_is_new_and_in_the_same_place),
		TEST(reserve__without_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
