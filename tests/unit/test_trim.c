/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/trim.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "fixture.h"

enum { AGE = 30 };

static struct inode *inode(struct fixture *f, uint64_t ino)
{
	return inode_of(f->v, ino);
}

/* As if the last use of it, or its trimming, were `s` longer ago. */
static void grow_old(struct fixture *f, uint64_t ino, uint32_t s)
{
	uint64_t word = inode(f, ino)->cached;

	/* Before the machine was started, too: it may be young. */
	inode(f, ino)->cached = (word & ~(uint64_t)UINT32_MAX) | (uint32_t)(word - s);
}

static uint64_t cached_file(struct fixture *f, const char *name)
{
	uint64_t ino = make_file(f, name);

	put_page(f, ino, 0, 1);
	return ino;
}

/* One file at most; the look is over then. */
static unsigned look(struct fixture *f, bool pressure, struct trim_due *ret)
{
	struct trim_due due;
	int64_t wait;
	unsigned n = trim_due(&f->v->trim, pressure, ret, 1, &wait);

	if (n)
		assert_int_equal(trim_due(&f->v->trim, pressure, &due, 1, &wait), 0);
	return n;
}

static bool is_due(struct fixture *f, uint64_t ino, bool pressure)
{
	struct trim_due due;

	return look(f, pressure, &due) && due.ino == ino;
}

static int64_t wait_for(struct fixture *f)
{
	struct trim_due due;
	int64_t wait;

	assert_int_equal(trim_due(&f->v->trim, false, &due, 1, &wait), 0);
	return wait;
}

static void trimmed(struct fixture *f, uint64_t before, uint64_t after, int error)
{
	const struct trim_outcome o = { .before = before, .after = after, .error = error };
	struct trim_due due;

	assert_int_equal(look(f, true, &due), 1);
	trim_done(&f->v->trim, &due, &o);
}

static void due__what_was_written_and_what_was_read(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");
	uint8_t byte;

	assert_true(is_due(f, ino, true));
	trimmed(f, 1, 0, 0);
	assert_false(is_due(f, ino, true));
	get_bytes(f, ino, 0, 1, &byte);
	inode(f, ino)->cached &= ~(UINT64_C(0xff) << 32);
	assert_true(is_due(f, ino, true));
}

static void due__not_what_nobody_has_read(void **state)
{
	struct fixture *f = *state;

	make_file(f, "a");
	assert_int_equal(wait_for(f), -1);
	assert_int_equal(look(f, true, &(struct trim_due){ 0 }), 0);
}

static void due__not_before_it_is_old_enough(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");

	assert_in_range(wait_for(f), (AGE - 2) * 1000, (AGE + 1) * 1000);
	grow_old(f, ino, AGE - 2);
	assert_false(is_due(f, ino, false));
	grow_old(f, ino, 2);
	assert_true(is_due(f, ino, false));
}

static void due__a_use_begins_its_age_anew(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");

	grow_old(f, ino, AGE);
	assert_int_equal(volume_file_open(f->v, ino, O_RDONLY), 0);
	volume_file_release(f->v, ino, O_RDONLY);
	assert_false(is_due(f, ino, false));
}

static void due__closed_is_open_to_nobody(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");

	assert_int_equal(volume_file_open(f->v, ino, O_RDONLY), 0);
	grow_old(f, ino, AGE);
	assert_false(is_due(f, ino, false));
	assert_false(is_due(f, ino, true));
	assert_int_equal(wait_for(f), -1);
	volume_file_release(f->v, ino, O_RDONLY);
	assert_true(is_due(f, ino, true));
}

static void due__cold_is_open_to_no_writer(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");

	set(f, ATTR_trim_mode, TRIM_COLD);
	assert_int_equal(volume_file_open(f->v, ino, O_RDONLY), 0);
	assert_true(is_due(f, ino, true));
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	assert_false(is_due(f, ino, true));
	volume_file_release(f->v, ino, O_RDWR);
	assert_true(is_due(f, ino, true));
	volume_file_release(f->v, ino, O_RDONLY);
}

static void due__off_is_never(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");

	set(f, ATTR_trim_mode, TRIM_OFF);
	grow_old(f, ino, AGE);
	assert_int_equal(wait_for(f), -1);
	assert_false(is_due(f, ino, true));
}

static void due__all_of_many_in_parts(void **state)
{
	struct fixture *f = *state;
	struct trim_due due[4];
	unsigned all = 0, n;
	int64_t wait;
	char name[8];

	for (unsigned i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "%u", i);
		cached_file(f, name);
	}
	do {
		n = trim_due(&f->v->trim, true, due, 4, &wait);
		all += n;
	} while (n == 4);
	assert_int_equal(all, 10);
}

static void done__what_comes_back_soon_is_left_alone_for_twice_as_long(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");
	uint8_t byte;

	trimmed(f, 1, 0, 0);
	assert_figure(f, trim_ranges, 1);
	assert_figure(f, trim_bytes, PAGE_BYTES);
	grow_old(f, ino, AGE / 2);
	get_bytes(f, ino, 0, 1, &byte);
	assert_figure(f, trim_refaults, 1);
	grow_old(f, ino, AGE - 2); /* and not even under pressure before it is as old as it had to be then */
	assert_false(is_due(f, ino, true));
	grow_old(f, ino, AGE);
	assert_true(is_due(f, ino, true));
	assert_false(is_due(f, ino, false));
	grow_old(f, ino, 2);
	assert_true(is_due(f, ino, false));
}

static void done__what_comes_back_late_is_no_refault(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");
	uint8_t byte;

	trimmed(f, 1, 0, 0);
	grow_old(f, ino, AGE + 2);
	get_bytes(f, ino, 0, 1, &byte);
	assert_figure(f, trim_refaults, 0);
	assert_true(is_due(f, ino, true));
}

/* Pages that the kernel does not let go of: mapped, or locked.  They are not asked for again and again. */
static void done__what_stays_is_tried_less_and_less_until_somebody_closes_it(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");
	struct trim_due due;
	unsigned tries = 0;

	set(f, ATTR_trim_mode, TRIM_COLD);
	assert_int_equal(volume_file_open(f->v, ino, O_RDONLY), 0);
	for (; tries < 100 && wait_for(f) >= 0; tries++) {
		grow_old(f, ino, AGE << tries);
		assert_int_equal(look(f, false, &due), 1);
		trim_done(&f->v->trim, &due, &(struct trim_outcome){ .before = 8, .after = 8 });
	}
	assert_int_equal(tries, 8);
	assert_figure(f, trim_ranges, 0);
	volume_file_release(f->v, ino, O_RDONLY);
	assert_true(wait_for(f) > 0);
}

static void done__used_meanwhile_is_as_young_as_that(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");
	struct trim_due due;

	grow_old(f, ino, AGE);
	assert_int_equal(look(f, false, &due), 1);
	put_page(f, ino, 1, 2);
	trim_done(&f->v->trim, &due, &(struct trim_outcome){ .before = 1 });
	assert_true(wait_for(f) > 0);
}

static void done__what_the_kernel_has_forgotten_is_not_asked_for_again(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");

	trimmed(f, 0, 0, -ESTALE);
	assert_int_equal(wait_for(f), -1);
	put_page(f, ino, 0, 2);
	volume_forget(f->v, ino, 1);
	assert_int_equal(look(f, true, &(struct trim_due){ 0 }), 0);
	assert_int_equal(wait_for(f), -1);
}

static void count(void *arg)
{
	++*(unsigned *)arg;
}

static void tell__once_who_sleeps_for_ever(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "a");
	unsigned told = 0;

	trim_on_due(&f->v->trim, count, &told);
	assert_int_equal(wait_for(f), -1);
	put_page(f, ino, 0, 1);
	put_page(f, ino, 0, 2);
	assert_int_equal(told, 1);
	assert_true(wait_for(f) > 0); /* and knows when to look */
	put_page(f, make_file(f, "b"), 0, 1);
	assert_int_equal(told, 1);
	set(f, ATTR_trim_age, 2);
	assert_int_equal(told, 2);
}

static void suspect__files_of_whoever_had_them_before(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = cached_file(f, "a");
	struct trim_due due[4];
	int64_t wait;

	fixture_reopen(f);
	assert_false(is_due(f, ino, true));
	trim_suspect_all(&f->v->trim);
	assert_int_equal(trim_due(&f->v->trim, true, due, ARRAY_SIZE(due), &wait), 1);
	assert_int_equal(due[0].ino, ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(due__what_was_written_and_what_was_read),
		FIXTURE_TEST(due__not_what_nobody_has_read),
		FIXTURE_TEST(due__not_before_it_is_old_enough),
		FIXTURE_TEST(due__a_use_begins_its_age_anew),
		FIXTURE_TEST(due__closed_is_open_to_nobody),
		FIXTURE_TEST(due__cold_is_open_to_no_writer),
		FIXTURE_TEST(due__off_is_never),
		FIXTURE_TEST(due__all_of_many_in_parts),
		FIXTURE_TEST(done__what_comes_back_soon_is_left_alone_for_twice_as_long),
		FIXTURE_TEST(done__what_comes_back_late_is_no_refault),
		FIXTURE_TEST(done__what_stays_is_tried_less_and_less_until_somebody_closes_it),
		FIXTURE_TEST(done__used_meanwhile_is_as_young_as_that),
		FIXTURE_TEST(done__what_the_kernel_has_forgotten_is_not_asked_for_again),
		FIXTURE_TEST(tell__once_who_sleeps_for_ever),
		FIXTURE_TEST(suspect__files_of_whoever_had_them_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
