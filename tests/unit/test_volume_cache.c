/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

static void count(void *arg)
{
	++*(unsigned *)arg;
}

static unsigned errands(struct fixture *f, bool pressure, struct volume_errand *ret)
{
	int64_t wait;

	return volume_errands(f->v, pressure, ret, VOLUME_ERRANDS, &wait);
}

static void sample__is_asked_for_by_who_reads_and_told_to_who_reads_next(void **state)
{
	struct fixture *f = *state;
	struct volume_errand e[VOLUME_ERRANDS];
	uint64_t ino = make_file(f, "a");
	unsigned told = 0;

	put_page(f, ino, 0, 1);
	volume_on_errand(f->v, count, &told);
	assert_int_equal(figure(f, ATTR_store_cache_age_ms), -1);
	assert_int_equal(told, 1);
	assert_int_equal(errands(f, false, e), 1);
	assert_true(e[0].ino == ino && !e[0].drops);
	volume_errand_done(f->v, &e[0], 5, 5, 0);
	assert_int_equal(errands(f, false, e), 0); /* it is over */
	assert_figure(f, store_cache_bytes, 5 * PAGE_BYTES);
	assert_true(figure(f, ATTR_store_cache_age_ms) >= 0);
	assert_int_equal(told, 1); /* not yet again */
	f->v->cache.not_before = 0;
	assert_figure(f, store_cache_bytes, 5 * PAGE_BYTES);
	assert_int_equal(told, 2);
}

static void sample__is_not_asked_for_where_nobody_takes_it(void **state)
{
	struct fixture *f = *state;

	assert_figure(f, store_cache_age_ms, -1);
	assert_false(f->v->cache.asked);
}

static void errand__drops_what_may_be_dropped(void **state)
{
	struct fixture *f = *state;
	struct volume_errand e[VOLUME_ERRANDS];
	uint64_t ino = make_file(f, "a");
	unsigned told = 0;

	volume_on_errand(f->v, count, &told);
	put_page(f, ino, 0, 1);
	assert_int_equal(errands(f, true, e), 1);
	assert_true(e[0].ino == ino && e[0].drops && volume_may_look(f->v, ino, true));
	assert_int_equal(volume_file_open(f->v, ino, 0), 0);
	assert_false(volume_may_look(f->v, ino, true));
	volume_errand_done(f->v, &e[0], 0, 0, -EBUSY);
	volume_file_release(f->v, ino, 0);
	assert_int_equal(errands(f, true, e), 1);
	volume_errand_done(f->v, &e[0], 1, 0, 0);
	assert_int_equal(errands(f, true, e), 0);
	assert_figure(f, trim_bytes, PAGE_BYTES);
	assert_false(volume_may_look(f->v, ino + 1, true));
}

static void errand__files_of_who_was_there_before(void **state)
{
	struct fixture *f = *state;
	struct volume_errand e[VOLUME_ERRANDS];
	unsigned told = 0, n;
	uint64_t ino = make_file(f, "a");

	fixture_reopen(f);
	volume_on_errand(f->v, count, &told);
	n = errands(f, true, e);
	assert_true(n == 1 && e[0].ino == ino && e[0].drops);
}

/* Its file would stay open until one of them is written. */
static void errand__is_none_while_writebacks_are_parked(void **state)
{
	struct fixture *f = *state;
	struct volume_errand e[VOLUME_ERRANDS];
	uint64_t ino = make_file(f, "a");
	unsigned told = 0;
	int64_t wait;

	volume_on_errand(f->v, count, &told);
	put_page(f, ino, 0, 1);
	volume_count_parked(f->v, 1);
	assert_int_equal(volume_errands(f->v, true, e, VOLUME_ERRANDS, &wait), 0);
	assert_true(wait > 0);
	assert_false(volume_may_look(f->v, ino, false));
	volume_count_parked(f->v, -1);
	assert_true(volume_may_look(f->v, ino, false));
	assert_int_equal(errands(f, true, e), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(sample__is_asked_for_by_who_reads_and_told_to_who_reads_next),
		FIXTURE_TEST(sample__is_not_asked_for_where_nobody_takes_it),
		FIXTURE_TEST(errand__drops_what_may_be_dropped),
		FIXTURE_TEST(errand__is_none_while_writebacks_are_parked),
		FIXTURE_TEST(errand__files_of_who_was_there_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
