/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_lookup.c: names that are there, and who has been told of them. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/fixture.h"

static void list__goes_on_where_it_was_while_names_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct names_entry e[10];
	bool seen[100] = { false };
	uint64_t offset = 0;
	unsigned count;
	char name[16];

	for (unsigned n = 0; n < 100; n++) {
		(void)snprintf(name, sizeof(name), "%u", n);
		(void)make_file(f, name);
	}
	do {
		assert_int_equal(volume_list(f->v, ROOT_INO, offset, e, 10, &count), 0);
		for (unsigned n = 0; n < count; n++) {
			unsigned which = (unsigned)strtoul(e[n].name, NULL, 10);

			assert_false(seen[which]);
			seen[which] = true;
			offset = e[n].offset;
			(void)snprintf(name, sizeof(name), "%u", which);
			assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of(name)), 0);
			volume_forget(f->v, e[n].ino, 1);
		}
	} while (count);
	for (unsigned n = 0; n < 100; n++)
		assert_true(seen[n]);
	assert_figure(f, store_inodes, 1);
}

/* The kernel keeps these attributes, and does not ask. */
static void lookup__and_remember_tell_what_getattr_does(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make(f, ROOT_INO, "file", S_IFREG | 0640);
	struct volume_entry e = { 0 }, again = { 0 };
	struct stat st;

	put_page(f, ino, 2, 1);
	assert_int_equal(volume_getattr(f->v, ino, &st), 0);
	assert_int_equal(volume_lookup(f->v, ROOT_INO, name_of("file"), &e), 0);
	assert_int_equal(volume_remember(f->v, ino, &again), 0);
	assert_int_equal(e.ino, ino);
	assert_int_equal(st.st_size, 3 * PAGE_BYTES);
	assert_memory_equal(&e.attr, &st, sizeof(st));
	assert_memory_equal(&again.attr, &st, sizeof(st));
	fixture_check(f);
}

static void remember__only_what_is_there(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume_entry e;

	assert_int_equal(volume_remember(f->v, ino, &e), 0);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	assert_int_equal(volume_remember(f->v, ino, &e), -ESTALE); /* no name leads to it, though it is there */
	volume_forget(f->v, ino, 1);
	assert_non_null(inode_of(f->v, ino));
	volume_forget(f->v, ino, 100); /* more than there are: all */
	assert_int_equal(volume_remember(f->v, ino, &e), -ESTALE);
	volume_forget(f->v, ino, 1);
	volume_forget(f->v, ROOT_INO, 1);
	assert_non_null(inode_of(f->v, ROOT_INO));
}

static void unlist__takes_back_what_the_receipt_lists_and_nothing_else(void **state)
{
	static struct receipt receipt;
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), b = make_file(f, "b");
	struct volume_entry e;

	receipt_use(&receipt);
	receipt_begin(5);
	assert_int_equal(volume_remember(f->v, a, &e), 0);
	assert_int_equal(volume_remember(f->v, b, &e), 0);
	volume_unlist(f->v);
	volume_unlist(f->v);
	receipt_end();
	receipt_use(NULL);
	assert_int_equal(inode_of(f->v, a)->record->lookups, 1);
	assert_int_equal(inode_of(f->v, b)->record->lookups, 1);
}

static void forget__asked_for_again_goes_on_where_it_was(void **state)
{
	static struct receipt receipt;
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), b = make_file(f, "b");
	struct volume_entry e;

	assert_int_equal(volume_lookup(f->v, ROOT_INO, name_of("a"), &e), 0);
	assert_int_equal(volume_lookup(f->v, ROOT_INO, name_of("b"), &e), 0);
	receipt_use(&receipt);
	receipt_begin(5);
	volume_forget(f->v, a, 1);
	receipt_begin(5);
	volume_forget(f->v, a, 1);
	volume_forget(f->v, b, 1);
	receipt_end();
	receipt_use(NULL);
	assert_int_equal(inode_of(f->v, a)->record->lookups, 1);
	assert_int_equal(inode_of(f->v, b)->record->lookups, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(list__goes_on_where_it_was_while_names_come_and_go),
		FIXTURE_TEST(lookup__and_remember_tell_what_getattr_does),
		FIXTURE_TEST(remember__only_what_is_there),
		FIXTURE_TEST(unlist__takes_back_what_the_receipt_lists_and_nothing_else),
		FIXTURE_TEST(forget__asked_for_again_goes_on_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
