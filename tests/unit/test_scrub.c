/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that forgets: bits are flipped behind everybody's back, and the scrubber is run by a clock of ours. */
#include "core/scrub.h"

#include "core/ptab.h"
#include "core/volume_inside.h"
#include "tests/unit/fixture.h"

enum { A = 1, B = 2, MANY = 1000 };

struct world {
	struct fixture *f;
	uint64_t now_ms;
	unsigned reports;
	struct scrub_report report;
};

static struct world world;

static void keep_report(void *arg, const struct scrub_report *what)
{
	struct world *w = arg;

	w->report = *what;
	w->reports++;
}

static int setup(void **state)
{
	int r = fixture_setup(state);

	world = (struct world){ .f = *state, .now_ms = 1 };
	if (!r) {
		scrub_on_report(scan_scrub(world.f->v->scan), keep_report, &world);
		set(*state, ATTR_scrub_pages_per_second, MANY);
	}
	return r;
}

#define SCRUB_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

/* For so many milliseconds. */
static void scrub(struct fixture *f, uint64_t ms)
{
	for (uint64_t end = world.now_ms + ms; world.now_ms < end;) {
		uint64_t wait = scrub_run(scan_scrub(f->v->scan), world.now_ms);

		if (!wait)
			return;
		world.now_ms += wait;
	}
}

static void flip(struct fixture *f, uint64_t ino, uint64_t index, unsigned byte)
{
	((uint8_t *)frames_data(f->v->pool.frames, slot_at(f, ino, index)))[byte] ^= 0x10;
}

/* What is read: the page, but for that byte. */
static void assert_flipped(struct fixture *f, uint64_t ino, uint64_t index, unsigned byte, uint64_t what)
{
	uint8_t is[PAGE_BYTES], should[PAGE_BYTES];

	fill_page(should, what);
	should[byte] ^= 0x10;
	assert_int_equal(get_bytes(f, ino, index * PAGE_BYTES, PAGE_BYTES, is), PAGE_BYTES);
	assert_memory_equal(is, should, PAGE_BYTES);
}

/* Two files that share A, one that has it for itself, out of merging. */
struct files {
	uint64_t one, two, own;
};

static struct files build(struct fixture *f)
{
	struct files w = { make_file(f, "one"), make_file(f, "two"), make_file(f, "own") };

	put_page(f, w.one, 0, A);
	put_page(f, w.two, 3, A);
	assert_int_equal(slot_at(f, w.one, 0), slot_at(f, w.two, 3));
	return w;
}

static void put_copy(struct fixture *f, const struct files *w)
{
	assert_int_equal(volume_advise(f->v, w->own, VOLUME_UNMERGEABLE, NULL), 0);
	put_page(f, w->own, 7, A);
	assert_int_not_equal(slot_at(f, w->own, 7), slot_at(f, w->one, 0));
}

static void run__what_is_as_it_was_is_left_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, 200, A, 1);
	scrub(f, 1000);
	assert_true(figure(f, ATTR_scrub_passes) >= 2);
	assert_true(figure(f, ATTR_scrub_pages) >= 400);
	assert_figure(f, scrub_errors, 0);
	assert_int_equal(world.reports, 0);
	assert_counts(f, 0, 0, 200, 0, 0);
}

static void run__reads_as_many_pages_as_it_may(void **state)
{
	struct fixture *f = *state;

	put_pages(f, make_file(f, "file"), 0, 200, A, 1);
	set(f, ATTR_scrub_pages_per_second, 5);
	scrub(f, 4000);
	assert_in_range(figure(f, ATTR_scrub_pages), 18, 21);
	assert_figure(f, scrub_passes, 0);
}

static void run__off_it_asks_for_no_time(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);

	set(f, ATTR_scrub_pages_per_second, 0);
	flip(f, w.one, 0, 100);
	assert_int_equal(scrub_run(scan_scrub(f->v->scan), 1), 0);
	assert_figure(f, scrub_pages, 0);
	flip(f, w.one, 0, 100); /* back: the check would see it */
}

static void run__a_flipped_bit_is_found_and_told(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);

	flip(f, w.one, 0, 100);
	scrub(f, 1000);
	assert_figure(f, scrub_errors, 1);
	assert_figure(f, scrub_repaired, 0);
	assert_figure(f, scrub_damaged, 1);
	assert_int_equal(world.reports, 1);
	assert_int_equal(world.report.frames, 1);
	assert_int_equal(world.report.slots, 2);
	assert_int_equal(world.report.repaired, 0);
	assert_int_equal(world.report.files, 2);
	assert_int_equal(world.report.file[1].number, (uint32_t)w.two);
	assert_int_equal(world.report.file[1].index, 3);
	assert_flipped(f, w.one, 0, 100, A); /* the bytes as they are */
	assert_flipped(f, w.two, 3, 100, A);
	scrub(f, 30000);
	assert_figure(f, scrub_errors, 1); /* and once */
	assert_int_equal(world.reports, 1);
}

static void run__nothing_is_merged_with_a_damaged_page(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);
	uint64_t like = make_file(f, "like");
	uint8_t damaged[PAGE_BYTES];
	uint32_t frame = slot_at(f, w.one, 0);

	flip(f, w.one, 0, 100);
	scrub(f, 1000);
	fill_page(damaged, A);
	damaged[100] ^= 0x10;
	assert_int_equal(volume_write(f->v, like, 0, damaged, PAGE_BYTES, 0), PAGE_BYTES);
	scan(f, 3);
	assert_int_not_equal(slot_at(f, like, 0), frame);
	assert_int_equal(frames_look(f->v->pool.frames, frame).refs, 2);
	assert_false(frames_look(f->v->pool.frames, frame).indexed);
}

static void damaged__who_takes_over_knows_it_while_it_is_there(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);
	uint64_t like = make_file(f, "like");
	uint8_t damaged[PAGE_BYTES];
	uint32_t frame = slot_at(f, w.one, 0);

	flip(f, w.one, 0, 100);
	scrub(f, 1000);
	for (unsigned n = 0; n < 2; n++) {
		fixture_reopen(f);
		assert_figure(f, scrub_damaged, 1);
		assert_true(frames_look(f->v->pool.frames, frame).damaged);
	}
	fill_page(damaged, A);
	damaged[100] ^= 0x10;
	assert_int_equal(volume_write(f->v, like, 0, damaged, PAGE_BYTES, 0), PAGE_BYTES);
	scan(f, 3);
	assert_int_not_equal(slot_at(f, like, 0), frame);
	drop_file(f, "one", w.one);
	drop_file(f, "two", w.two);
	assert_figure(f, scrub_damaged, 0);
	fixture_reopen(f);
	assert_figure(f, scrub_damaged, 0);
}

static void run__a_copy_does_not_refer_to_a_damaged_page(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);
	struct volume_copy c = { .from = w.one, .to = make_file(f, "copy"), .len = PAGE_BYTES };
	uint32_t frame = slot_at(f, w.one, 0);

	flip(f, w.one, 0, 100);
	scrub(f, 1000);
	assert_int_equal(volume_copy(f->v, &c, 0, NULL), PAGE_BYTES);
	assert_int_not_equal(slot_at(f, c.to, 0), frame);
	assert_flipped(f, c.to, 0, 100, A);
}

static void run__what_is_written_gets_another_frame(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);
	uint32_t frame = slot_at(f, w.one, 0);

	flip(f, w.one, 0, 100);
	scrub(f, 1000);
	put_page(f, w.one, 0, B);
	assert_page(f, w.one, 0, B);
	assert_all_counts(f, 0, 0, 1, 0, 0, 1);
	assert_int_equal(put_bytes(f, w.two, 3 * PAGE_BYTES + 5, 1, 'x'), 1); /* alone, and not in place */
	assert_int_not_equal(slot_at(f, w.two, 3), frame);
	scrub(f, 1000);
	assert_figure(f, scrub_damaged, 0);
	assert_true(frames_look(f->v->pool.frames, frame).free);
}

static void run__an_equal_page_repairs_it(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);
	uint32_t frame = slot_at(f, w.one, 0);
	struct volume_read r;

	put_copy(f, &w);
	flip(f, w.one, 0, 100);
	flip(f, w.one, 0, 4095);
	assert_int_equal(volume_read(f->v, w.two, 3 * PAGE_BYTES, PAGE_BYTES, &r), 0);
	scrub(f, 2000);
	assert_figure(f, scrub_errors, 1);
	assert_figure(f, scrub_repaired, 2);
	assert_int_equal(world.report.slots, 2);
	assert_int_equal(world.report.repaired, 2);
	assert_page(f, w.one, 0, A);
	assert_page(f, w.two, 3, A);
	assert_int_equal(slot_at(f, w.one, 0), slot_at(f, w.two, 3)); /* shared as before */
	assert_int_not_equal(slot_at(f, w.one, 0), slot_at(f, w.own, 7)); /* which is left out of it */
	assert_int_equal(((const uint8_t *)r.iov[0].iov_base)[100] ^ 0x10,
			 ((const uint8_t *)frames_data(f->v->pool.frames, slot_at(f, w.one, 0)))[100]);
	volume_read_done(&r); /* who was reading has kept what he had */
	assert_true(frames_look(f->v->pool.frames, frame).free);
	assert_figure(f, scrub_damaged, 0);
	put_page(f, w.own, 8, B);
	put_page(f, w.one, 1, A); /* found again */
	assert_int_equal(slot_at(f, w.one, 0), slot_at(f, w.one, 1));
}

static void run__a_copy_that_comes_later_repairs_it_too(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);

	flip(f, w.one, 0, 100);
	scrub(f, 3000);
	assert_figure(f, scrub_damaged, 1);
	put_page(f, w.own, 0, A); /* enters the index */
	scrub(f, 3000);
	assert_figure(f, scrub_damaged, 0);
	scan(f, 3);
	assert_counts(f, 1, 2, 0, 0, 0);
	assert_page(f, w.two, 3, A);
}

static void run__a_page_that_is_only_alike_is_no_copy(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);

	put_copy(f, &w);
	assert_int_equal(put_bytes(f, w.own, 7 * PAGE_BYTES + 9, 1, 'x'), 1);
	flip(f, w.one, 0, 100);
	scrub(f, 3000);
	assert_figure(f, scrub_repaired, 0);
	assert_flipped(f, w.one, 0, 100, A);
}

static void run__too_much_damage_is_not_repaired(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);

	put_copy(f, &w);
	for (unsigned n = 0; n <= SCRUB_NEAR; n++)
		flip(f, w.one, 0, n * 7);
	scrub(f, 3000);
	assert_figure(f, scrub_errors, 1);
	assert_figure(f, scrub_repaired, 0);
}

static void run__a_limit_on_sharing_does_not_keep_it_from_repair(void **state)
{
	struct fixture *f = *state;
	struct files w;

	set(f, ATTR_max_page_sharing, 2);
	w = build(f);
	put_page(f, w.two, 4, A);
	put_page(f, w.two, 5, A);
	put_copy(f, &w);
	set(f, ATTR_max_kernel_pages, 2);
	flip(f, w.one, 0, 100);
	flip(f, w.two, 4, 200);
	scrub(f, 3000);
	assert_figure(f, scrub_errors, 2);
	assert_figure(f, scrub_damaged, 0);
	assert_page(f, w.one, 0, A);
	for (unsigned n = 3; n <= 5; n++)
		assert_page(f, w.two, n, A);
}

static void run__many_are_found_and_told_at_once(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), own = make_file(f, "own");

	put_pages(f, ino, 0, 200, A, 1);
	assert_int_equal(volume_advise(f->v, own, VOLUME_UNMERGEABLE, NULL), 0);
	put_pages(f, own, 0, 200, A, 1);
	for (unsigned n = 0; n < 200; n++)
		flip(f, ino, n, n);
	set(f, ATTR_scrub_pages_per_second, 100000);
	scrub(f, 60000);
	assert_figure(f, scrub_errors, 200);
	assert_int_equal(world.report.files, 1);
	/* More than can be looked after: the rest stays as it is. */
	assert_int_equal(figure(f, ATTR_scrub_damaged) + figure(f, ATTR_scrub_repaired), 200);
	assert_true(figure(f, ATTR_scrub_repaired) >= 64);
	for (unsigned n = 0; n < 200; n++)
		if (!frame_at(f, ino, n).damaged)
			assert_page(f, ino, n, A + n);
}

static void run__what_goes_meanwhile_is_let_go(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);

	flip(f, w.one, 0, 100);
	scrub(f, 1000);
	drop_file(f, "one", w.one);
	drop_file(f, "two", w.two);
	scrub(f, 2000);
	assert_figure(f, scrub_damaged, 0);
	assert_figure(f, store_frames, 0);
}

static void run__unmerging_takes_it_apart_as_any_other(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);

	flip(f, w.one, 0, 100);
	scrub(f, 1000);
	set(f, ATTR_run, 2);
	assert_all_counts(f, 0, 0, 0, 0, 0, 2);
	assert_flipped(f, w.one, 0, 100, A);
	assert_flipped(f, w.two, 3, 100, A);
}

static void thread__a_setting_starts_it(void **state)
{
	struct fixture *f = *state;
	struct files w = build(f);

	set(f, ATTR_scrub_pages_per_second, 0);
	set(f, ATTR_run, 0);
	assert_int_equal(scan_start(f->v->scan), 0);
	flip(f, w.one, 0, 100);
	rest_ms(20);
	assert_figure(f, scrub_pages, 0);
	set(f, ATTR_scrub_pages_per_second, MANY);
	for (unsigned n = 0; n < 10000 && !figure(f, ATTR_scrub_errors); n++)
		rest_ms(1);
	assert_figure(f, scrub_errors, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRUB_TEST(run__what_is_as_it_was_is_left_alone),
		SCRUB_TEST(run__reads_as_many_pages_as_it_may),
		SCRUB_TEST(run__off_it_asks_for_no_time),
		SCRUB_TEST(run__a_flipped_bit_is_found_and_told),
		SCRUB_TEST(run__nothing_is_merged_with_a_damaged_page),
		SCRUB_TEST(damaged__who_takes_over_knows_it_while_it_is_there),
		SCRUB_TEST(run__a_copy_does_not_refer_to_a_damaged_page),
		SCRUB_TEST(run__what_is_written_gets_another_frame),
		SCRUB_TEST(run__an_equal_page_repairs_it),
		SCRUB_TEST(run__a_copy_that_comes_later_repairs_it_too),
		SCRUB_TEST(run__a_page_that_is_only_alike_is_no_copy),
		SCRUB_TEST(run__too_much_damage_is_not_repaired),
		SCRUB_TEST(run__a_limit_on_sharing_does_not_keep_it_from_repair),
		SCRUB_TEST(run__many_are_found_and_told_at_once),
		SCRUB_TEST(run__what_goes_meanwhile_is_let_go),
		SCRUB_TEST(run__unmerging_takes_it_apart_as_any_other),
		SCRUB_TEST(thread__a_setting_starts_it),
	};

	if (DIGEST_BITS < 32)
		return 77; /* skipped: tags of fewer bits prove nothing */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
