/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was shared is in the index again, without the scanner. */
#include "core/recall.h"

#include "tests/unit/fixture.h"

enum { A = 1, B = 2, PAGES = 500 };

static void recall_all(struct fixture *f)
{
	uint32_t frame = 0;

	while (recall_some(&f->v->pool, &frame))
		;
}

static void recall__whoever_writes_the_same_shares_at_once(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two"), new = make_file(f, "new");

	put_pages(f, one, 0, 200, A, 1);
	put_pages(f, one, 200, 200, A + 200, 1);
	put_pages(f, two, 0, 200, A, 1);
	fixture_reopen(f);
	assert_figure(f, index_entries, 0);
	recall_all(f);
	fixture_check(f);
	assert_figure(f, index_entries, 200);
	put_pages(f, new, 0, 200, A, 1);
	assert_figure(f, pages_sharing, 400);
	assert_int_equal(slot_at(f, new, 199), slot_at(f, one, 199));
	put_page(f, new, 200, A + 300); /* those with one slot are the scanner's */
	assert_int_not_equal(slot_at(f, new, 200), slot_at(f, one, 300));
	put_page(f, one, 5, B * 1000); /* and what is in the index is split as ever */
	assert_page(f, two, 5, A + 5);
	fixture_check(f);
}

static void recall__nothing_while_nothing_is_merged(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one");
	uint32_t frame = 0;

	put_pages(f, one, 0, 8, A, 0);
	fixture_reopen(f);
	set(f, ATTR_run, 0);
	assert_false(recall_some(&f->v->pool, &frame));
	assert_figure(f, index_entries, 0);
}

static void recall__what_is_left_out_stays_out(void **state)
{
	struct fixture *f = *state;
	uint64_t kept = make_file(f, "kept"), one = make_file(f, "one");

	put_pages(f, kept, 0, 8, A, 0);
	assert_int_equal(volume_advise(f->v, kept, VOLUME_KEEP, NULL), 0);
	fixture_reopen(f);
	recall_all(f);
	assert_figure(f, index_entries, 0);
	put_page(f, one, 0, A);
	assert_int_not_equal(slot_at(f, one, 0), slot_at(f, kept, 0));
	fixture_check(f);
}

static void recall__two_frames_with_the_same_bytes(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_pages(f, one, 0, 4, A, 0);
	set(f, ATTR_run, 0);
	put_page(f, two, 0, A);
	assert_int_equal(volume_copy(f->v, &(struct volume_copy){ .from = two, .to = two, .to_offset = PAGE_BYTES,
								 .len = PAGE_BYTES }, 0, NULL), PAGE_BYTES);
	set(f, ATTR_run, 1);
	assert_int_not_equal(slot_at(f, one, 0), slot_at(f, two, 0));
	fixture_reopen(f);
	recall_all(f);
	fixture_check(f);
	scan(f, 3);
	fixture_check(f);
	assert_int_equal(slot_at(f, one, 0), slot_at(f, two, 0));
}

static void start__recalls_in_the_background(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one");

	for (unsigned n = 0; n < 8; n++) {
		put_pages(f, one, n * 2 * PAGES, PAGES / 2, A, 1);
		put_pages(f, one, n * 2 * PAGES + PAGES, PAGES / 2, A + PAGES / 2, 1);
	}
	set(f, ATTR_pages_to_scan, 0);
	fixture_reopen(f);
	assert_int_equal(volume_start(f->v), 0);
	for (unsigned n = 0; n < 2000 && figure(f, ATTR_index_entries) < PAGES; n++)
		rest_ms(1);
	assert_figure(f, index_entries, PAGES);
	assert_figure(f, scan_indexed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(recall__whoever_writes_the_same_shares_at_once),
		FIXTURE_TEST(recall__nothing_while_nothing_is_merged),
		FIXTURE_TEST(recall__what_is_left_out_stays_out),
		FIXTURE_TEST(recall__two_frames_with_the_same_bytes),
		FIXTURE_TEST(start__recalls_in_the_background),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
