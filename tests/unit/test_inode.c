/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/inode_table.h"

#include "core/failpoint.h"
#include "core/receipt.h"

static void new__the_first_is_one_and_the_lowest_comes_first(void **state)
{
	struct table *t = *state;
	struct inode *one = new(t), *two = new(t), *three = new(t);

	assert_true(t->empty);
	assert_int_equal(inode_ino(one), 1);
	assert_int_equal(inode_ino(three), 3);
	assert_int_equal(itable_used(t->t), 3);
	bury(t, two);
	assert_int_equal(new(t)->number, 2);
	assert_int_equal(new(t)->number, 4);
}

static void space__is_taken_from_what_inodes_may_take(void **state)
{
	struct table *t = *state;
	struct inode *one, *more;

	limit(t, 10);
	one = new(t);
	assert_int_equal(itable_charged(t->t), 1);
	assert_int_equal(itable_take_space(t->t, INODE_SPACE, false), 0);
	assert_int_equal(itable_charged(t->t), 2);
	assert_int_equal(itable_take_space(t->t, 1, false), 0); /* one that is begun is one less */
	assert_int_equal(itable_charged(t->t), 3);
	assert_int_equal(itable_take_space(t->t, 8 * INODE_SPACE, false), -ENOSPC);
	assert_int_equal(itable_take_space(t->t, 8 * INODE_SPACE - 1, false), 0);
	assert_int_equal(itable_charged(t->t), 10);
	assert_int_equal(itable_take_space(t->t, 1, false), -ENOSPC);
	assert_int_equal(itable_add_names(t->t, 1, false), -ENOSPC);
	assert_int_equal(try_new(t, &more), -ENOSPC);
	assert_int_equal(itable_take_space(t->t, 5, true), 0);
	assert_int_equal(itable_space(t->t), 9 * INODE_SPACE + 5);
	itable_give_space(t->t, INODE_SPACE + 4);
	assert_int_equal(try_new(t, &more), -ENOSPC); /* a byte is missing */
	itable_give_space(t->t, 1);
	bury(t, new(t));
	bury(t, one);
	itable_give_space(t->t, itable_space(t->t));
	assert_int_equal(itable_charged(t->t), 0);
}

static void new__a_number_never_recurs(void **state)
{
	struct table *t = *state;
	uint64_t last = 0;

	for (unsigned n = 0; n < 1000; n++) {
		struct inode *i = new(t);

		assert_int_equal(i->number, 1);
		assert_true(inode_ino(i) > last);
		last = inode_ino(i);
		assert_ptr_equal(get(t, last), i);
		bury(t, i);
		assert_null(get(t, last));
	}
}

static void new__generations_go_round_without_those_of_others(void **state)
{
	struct table *t = *state;
	struct inode *i = new(t);

	i->record->generation = INODE_GENERATIONS - 1;
	bury(t, i);
	assert_int_equal(new(t)->record->generation, 1);
}

static void new__a_record_starts_anew(void **state)
{
	struct table *t = *state;
	struct inode *i = new(t);

	i->record->flags = INODE_LENT;
	i->record->direct[3] = 99;
	i->record->domain = 7;
	bury(t, i);
	i = new(t);
	assert_int_equal(i->record->flags, 0);
	assert_int_equal(i->record->direct[3], 0);
	assert_int_equal(i->record->domain, 4);
	assert_int_equal(inode_size(i), 5);
}

static void new__a_full_table_is_enospc(void **state)
{
	struct table *t = *state;
	struct inode *i, *last = NULL;

	for (unsigned n = 0; n < MAX_INODES; n++)
		last = new(t);
	assert_int_equal(try_new(t, &i), -ENOSPC);
	bury(t, last);
	assert_int_equal(new(t)->number, MAX_INODES);
}

static void new__without_memory_changes_nothing(void **state)
{
	struct table *t = *state;
	struct inode *i;
	unsigned nth = 0;
	int r;

	do {
		assert_int_equal(itable_used(t->t), 0);
		failpoint_arm(FAIL_ALLOC, ++nth);
		r = try_new(t, &i);
		failpoint_arm(FAIL_ALLOC, 0);
	} while (r == -ENOMEM);
	assert_int_equal(r, 0);
	assert_int_equal(inode_ino(i), 1);
	assert_true(nth > 3);
}

static void get__what_is_not_there_is_null(void **state)
{
	struct table *t = *state;

	new(t);
	assert_null(get(t, 0));
	assert_null(get(t, 2));
	assert_null(get(t, UINT64_C(1) << 32 | 1));
	assert_null(get(t, UINT32_MAX));
	assert_null(get(t, UINT64_MAX));
}

static void next__meets_all_in_use(void **state)
{
	struct table *t = *state;
	struct inode *i[5];
	uint32_t number = 0;

	for (unsigned n = 0; n < 5; n++)
		i[n] = new(t);
	bury(t, i[0]);
	bury(t, i[3]);
	assert_ptr_equal(next(t, &number), i[1]);
	assert_ptr_equal(next(t, &number), i[2]);
	assert_ptr_equal(next(t, &number), i[4]);
	assert_null(next(t, &number));
}

static void bury__whoever_knows_it_keeps_it(void **state)
{
	struct table *t = *state;
	const struct receipt_change looked_up = { .lookups = 1, .then = RECEIPT_LISTED };
	struct inode *i = new(t);
	uint64_t ino = inode_ino(i);

	assert_false(inode_bury(i)); /* its name */
	inode_attr_begin(i)->nlink = 0;
	inode_attr_end(i);
	assert_true(receipt_count(i, ino, &looked_up, NULL));
	assert_false(inode_bury(i));
	i->record->lookups = 0;
	i->record->opens = 1;
	assert_false(inode_bury(i));
	i->record->opens = 0;
	assert_true(inode_bury(i));
	assert_false(inode_bury(i)); /* true once */
	assert_false(receipt_count(i, ino, &looked_up, NULL));
	assert_null(get(t, ino));
	itable_free(t->t, i);
}

static void attr__a_change_that_was_not_published_has_not_happened(void **state)
{
	struct table *t = *state;
	struct inode *i = new(t);

	inode_attr_begin(i)->size = 77;
	assert_int_equal(i->record->attr[i->record->live].size, 5);
	inode_attr_end(i);
	assert_int_equal(inode_size(i), 77);
	assert_int_equal(inode_attr_get(i).mode, attr.mode);
}

static void stat__shows_attributes_and_what_is_counted(void **state)
{
	struct table *t = *state;
	struct inode *i = new(t);
	struct stat st;

	i->record->slots = 3;
	inode_stamp(inode_attr_begin(i), INODE_MTIME);
	inode_attr_end(i);
	inode_stat(i, &st);
	assert_int_equal(st.st_ino, 1);
	assert_int_equal(st.st_mode, attr.mode);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_blocks, 24);
	assert_int_equal(st.st_nlink, 1);
	assert_int_not_equal(st.st_mtim.tv_sec, 0);
	assert_int_equal(st.st_atim.tv_sec, 0);
}

static void open__rows_of_another_program_go_by_their_names(void **state)
{
	struct table *t = *state;
	struct rows *r = itable_rows(t->t);
	ptrdiff_t old = r - itable_header(t->t)->rows, now;

	r->settings.value[ATTR_run] = 55;
	r->name[ATTR_run] = r->name[ATTR_sleep_millisecs];
	r->name[ATTR_sleep_millisecs] = 4711; /* which we do not know */
	assert_int_equal(reopen(t), 0);
	r = itable_rows(t->t);
	now = r - itable_header(t->t)->rows;
	assert_int_not_equal(now, old);
	assert_true(settings_get(&r->settings, ATTR_run) == 1);
	assert_true(settings_get(&r->settings, ATTR_sleep_millisecs) == 55);
	assert_int_equal(reopen(t), 0);
	assert_int_equal(itable_rows(t->t) - itable_header(t->t)->rows, now);
}

static void open__more_rows_than_there_can_be_are_not_ours(void **state)
{
	struct table *t = *state;

	itable_rows(t->t)->all = ATTR_ROWS_MAX + 1;
	assert_int_equal(reopen(t), -EUCLEAN);
}

static void readable__only_what_open_goes_on_with(void **state)
{
	struct table *t = *state;
	struct inode_header *h = itable_header(t->t);

	assert_int_equal(itable_readable(t->fd), 0);
	h->names_format++;
	assert_int_equal(itable_readable(t->fd), -EUCLEAN);
	assert_int_equal(reopen(t), -EUCLEAN);
	assert_int_equal(ftruncate(t->fd, 100), 0);
	assert_int_equal(itable_readable(t->fd), -EUCLEAN);
}

static void open__records_behind_no_header_are_not_ours(void **state)
{
	struct table *t = *state;

	new(t);
	itable_header(t->t)->magic = 0;
	assert_int_equal(reopen(t), -EUCLEAN);
}

static void open__more_records_than_there_can_be_are_not_ours(void **state)
{
	struct table *t = *state;

	itable_header(t->t)->records = (1 << 26) + 2;
	assert_int_equal(reopen(t), -EUCLEAN);
}

/* Of 600 every other goes: 300 are left, as far up as number 600. */
static void new__a_limit_is_on_how_many_not_on_numbers(void **state)
{
	struct table *t = *state;
	struct inode *i;

	for (unsigned n = 0; n < 600; n++)
		new(t);
	for (unsigned n = 1; n < 600; n += 2)
		bury(t, get(t, n));
	limit(t, 301);
	assert_int_equal(new(t)->number, 1);
	assert_int_equal(try_new(t, &i), -ENOSPC);
	assert_non_null(get(t, 600));
	limit(t, 2000);
	for (unsigned n = 302; n <= 2000; n++)
		i = new(t);
	assert_int_equal(i->number, 2000);
	assert_int_equal(try_new(t, &i), -ENOSPC);
}

static void open__again_finds_the_records(void **state)
{
	struct table *t = *state;
	struct inode *i = NULL;
	struct digest_key key = itable_header(t->t)->key;

	for (unsigned n = 0; n < 300; n++)
		i = new(t);
	bury(t, get(t, 17));
	inode_attr_begin(i)->size = 123;
	inode_attr_end(i);
	itable_close(t->t);
	t->t = NULL;
	assert_int_equal(itable_open(t->fd, t->room, false, &t->t, &t->empty), 0);
	assert_false(t->empty);
	assert_memory_equal(&itable_header(t->t)->key, &key, sizeof(key));
	assert_int_equal(itable_used(t->t), 299);
	assert_int_equal(inode_size(get(t, 300)), 123);
	assert_int_equal(inode_ino(new(t)), UINT64_C(1) << 32 | 17);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new__the_first_is_one_and_the_lowest_comes_first),
		TEST(space__is_taken_from_what_inodes_may_take),
		TEST(new__a_number_never_recurs),
		TEST(new__generations_go_round_without_those_of_others),
		TEST(new__a_record_starts_anew),
		TEST(new__a_full_table_is_enospc),
		TEST(new__a_limit_is_on_how_many_not_on_numbers),
		TEST(open__records_behind_no_header_are_not_ours),
		TEST(open__more_records_than_there_can_be_are_not_ours),
		TEST(open__rows_of_another_program_go_by_their_names),
		TEST(open__more_rows_than_there_can_be_are_not_ours),
		TEST(readable__only_what_open_goes_on_with),
		TEST(new__without_memory_changes_nothing),
		TEST(get__what_is_not_there_is_null),
		TEST(next__meets_all_in_use),
		TEST(bury__whoever_knows_it_keeps_it),
		TEST(attr__a_change_that_was_not_published_has_not_happened),
		TEST(stat__shows_attributes_and_what_is_counted),
		TEST(open__again_finds_the_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
