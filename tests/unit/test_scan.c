/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/scan.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { A = 1, SOON_MS = 10000 /* on a busy machine */ };

/* The scanner without the housekeeper, who takes his time. */
static void start(struct fixture *f)
{
	set(f, ATTR_sleep_millisecs, 1);
	assert_int_equal(scan_start(f->v->scan), 0);
}

static void settle(struct fixture *f)
{
	for (unsigned n = 0; n < SOON_MS && !scan_is_idle(f->v->scan); n++)
		rest_ms(1);
	assert_true(scan_is_idle(f->v->scan));
}

static void pass__looks_at_every_frame_once(void **state)
{
	struct fixture *f = *state;

	put_pages(f, make_file(f, "one"), 0, 200, A, 1);
	(void)make_file(f, "empty");
	put_pages(f, make_file(f, "two"), 5000, 100, A, 0);
	put_page(f, make_file(f, "three"), 3, 0); /* zero pages need no look */
	scan(f, 1);
	assert_figure(f, pages_scanned, 300);
	assert_figure(f, full_scans, 1);
}

static void thread__three_passes_and_then_sleep(void **state)
{
	struct fixture *f = *state;
	int64_t scans, scanned;

	set(f, ATTR_merge_on_write, 0);
	put_pages(f, make_file(f, "file"), 0, 10, A, 0);
	start(f);
	settle(f);
	assert_counts(f, 1, 9, 0, 0, 0);
	scans = figure(f, ATTR_full_scans);
	scanned = figure(f, ATTR_pages_scanned);
	assert_int_equal(scans, SCAN_PASSES);
	rest_ms(20);
	assert_figure(f, full_scans, scans); /* not one more */
	assert_figure(f, pages_scanned, scanned);
}

static void thread__a_change_wakes_it(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	int64_t wakeups;

	set(f, ATTR_merge_on_write, 0);
	start(f);
	settle(f);
	wakeups = figure(f, ATTR_scan_wakeups);
	put_pages(f, ino, 0, 10, A, 0);
	settle(f);
	assert_counts(f, 1, 9, 0, 0, 0);
	assert_true(figure(f, ATTR_scan_wakeups) > wakeups);
}

static void thread__run_0_stops_it_and_1_lets_it_go_on(void **state)
{
	struct fixture *f = *state;

	set(f, ATTR_merge_on_write, 0);
	set(f, ATTR_run, 0);
	put_pages(f, make_file(f, "file"), 0, 10, A, 0);
	start(f);
	settle(f);
	assert_counts(f, 0, 0, 0, 0, 10);
	assert_figure(f, full_scans, 0);
	set(f, ATTR_run, 1);
	settle(f);
	assert_counts(f, 1, 9, 0, 0, 0);
}

/* How often the scanner's thread has gone to sleep. */
static long switches(void)
{
	char line[256], path[300], name[32];
	long found = -1;
	struct dirent *d;
	DIR *tasks = opendir("/proc/self/task");

	while (found < 0 && (d = readdir(tasks))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", d->d_name);
		file = fopen(path, "re");
		name[0] = '\0';
		while (file && fgets(line, sizeof(line), file)) {
			(void)sscanf(line, "Name: %31s", name);
			if (!strcmp(name, "ksmfs-scan"))
				(void)sscanf(line, "voluntary_ctxt_switches: %ld", &found);
		}
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return found;
}

static void thread__run_0_sleeps_through_any_number_of_writes(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	long before;

	set(f, ATTR_run, 0);
	start(f);
	settle(f);
	rest_ms(20);
	before = switches();
	assert_true(before >= 0);
	for (unsigned n = 0; n < 200; n++) {
		put_page(f, ino, 0, A + n % 2);
		rest_ms(1);
	}
	assert_true(switches() - before < 20);
}

static void thread__a_long_sleep_does_not_keep_it_from_ending(void **state)
{
	struct fixture *f = *state;

	set(f, ATTR_sleep_millisecs, UINT32_MAX);
	assert_int_equal(scan_start(f->v->scan), 0);
	rest_ms(5);
} /* the teardown stops it */

static void thread__another_sleep_holds_at_once(void **state)
{
	struct fixture *f = *state;

	set(f, ATTR_merge_on_write, 0);
	put_pages(f, make_file(f, "file"), 0, 10, A, 0);
	set(f, ATTR_sleep_millisecs, UINT32_MAX);
	assert_int_equal(scan_start(f->v->scan), 0);
	rest_ms(20); /* now it sleeps, for weeks */
	assert_false(scan_is_idle(f->v->scan));
	set(f, ATTR_sleep_millisecs, 1);
	settle(f);
	assert_counts(f, 1, 9, 0, 0, 0);
}

static void thread__the_advisor_sets_pages_to_scan_after_each_pass(void **state)
{
	struct fixture *f = *state;
	int64_t advised;

	put_pages(f, make_file(f, "file"), 0, 10, A, 0);
	set(f, ATTR_advisor_min_pages_to_scan, 300);
	set(f, ATTR_advisor_max_pages_to_scan, 1000);
	set(f, ATTR_advisor_mode, ADVISOR_SCAN_TIME);
	assert_figure(f, pages_to_scan, 300);
	start(f);
	settle(f);
	advised = figure(f, ATTR_pages_to_scan); /* a pass of next to no time: ten percent of a CPU */
	assert_in_range(advised, 301, 1000);
	set(f, ATTR_advisor_mode, ADVISOR_NONE);
	settle(f);
	assert_figure(f, pages_to_scan, 100);
	set(f, ATTR_run, 1);
	settle(f);
	assert_figure(f, pages_to_scan, 100);
}

static void pass__files_may_vanish_under_the_cursor(void **state)
{
	struct fixture *f = *state;
	char name[] = "a";

	set(f, ATTR_merge_on_write, 0);
	set(f, ATTR_pages_to_scan, 1);
	start(f);
	for (unsigned n = 0; n < 50; n++) {
		uint64_t ino;

		name[0] = (char)('a' + n % 26);
		ino = make_file(f, name);
		put_pages(f, ino, 0, 20, A, n % 2);
		drop_file(f, name, ino);
	}
	set(f, ATTR_pages_to_scan, 1000);
	settle(f);
	assert_figure(f, store_frames, 0);
}

static void called(void *arg)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
}

static void pass__its_end_is_told_when_it_has_merged(void **state)
{
	struct fixture *f = *state;
	static atomic_uint passes;

	uint64_t ino = make_file(f, "f");

	set(f, ATTR_merge_on_write, 0);
	put_pages(f, ino, 0, 4, 1, 0); /* left for the scanner: quiet in the first pass, merged in the second */
	passes = 0;
	scan_on_pass(f->v->scan, called, &passes);
	start(f);
	settle(f);
	assert_true(figure(f, ATTR_full_scans) >= SCAN_PASSES);
	assert_int_equal(passes, 1);
	drop_file(f, "f", ino);
}

static void new__fails_without_memory(void **state)
{
	struct fixture *f = *state;
	struct scan *s = NULL;

	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(scan_new(&f->v->pool, &s), -ENOMEM);
	scan_free(s);
}

/* --- what is looked at, and when -------------------------------------------------------------------- */

static void pass__files_out_of_merging_are_not_looked_at(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	set(f, ATTR_merge_on_write, 0);
	put_pages(f, one, 0, 50, A, 0);
	put_pages(f, two, 0, 50, A, 0);
	assert_int_equal(volume_advise(f->v, one, VOLUME_UNMERGEABLE, NULL), 0);
	assert_int_equal(volume_advise(f->v, two, VOLUME_KEEP, NULL), 0);
	scan(f, 3);
	assert_figure(f, pages_scanned, 0);
	assert_figure(f, full_scans, 3);
	assert_all_counts(f, 0, 0, 0, 0, 0, 100);
	assert_int_equal(volume_advise_range(f->v, two, 10 * PAGE_BYTES, 7 * PAGE_BYTES, VOLUME_MERGEABLE, NULL), 0);
	scan(f, 2);
	assert_figure(f, pages_scanned, 14);
	assert_all_counts(f, 1, 6, 0, 0, 0, 93);
}

static void thread__what_was_skipped_is_merged_once_it_rests(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	uint8_t page[PAGE_BYTES];
	int64_t scans;

	fill_page(page, A);
	put_page(f, one, 0, A);
	put_page(f, two, 0, A + 1);
	put_page(f, two, 0, A); /* as it shall be in the end */
	assert_int_equal(put_bytes(f, two, 0, 1, 'x'), 1);
	set(f, ATTR_sleep_millisecs, 0);
	assert_int_equal(scan_start(f->v->scan), 0);
	for (unsigned n = 0; n < 200000 && figure(f, ATTR_pages_skipped) < 10; n++)
		assert_int_equal(put_bytes(f, two, 0, 1, (int)(n % 200)), 1);
	assert_true(figure(f, ATTR_pages_skipped) >= 10);
	scans = figure(f, ATTR_full_scans);
	assert_int_equal(volume_write(f->v, two, 0, page, 1, 0), 1);
	settle(f);
	assert_counts(f, 1, 1, 0, 0, 0);
	assert_true(figure(f, ATTR_full_scans) <= scans + 1 + SCAN_PASSES + 1); /* those under way, and three */
}

static void thread__without_smart_scan_nothing_is_skipped(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	int64_t scans;

	set(f, ATTR_smart_scan, 0);
	set(f, ATTR_sleep_millisecs, 0);
	put_page(f, ino, 0, A);
	assert_int_equal(scan_start(f->v->scan), 0);
	for (scans = 0; scans < 50; scans = figure(f, ATTR_full_scans))
		assert_int_equal(put_bytes(f, ino, 0, 1, (int)scans), 1);
	settle(f);
	assert_figure(f, pages_skipped, 0);
	assert_true(figure(f, ATTR_pages_scanned) >= 50);
}

/* --- limits ----------------------------------------------------------------------------------------- */

/* n equal pages, of which m may share a frame; written at once, or one after the other. */
static void share(struct fixture *f, uint64_t ino, unsigned m, unsigned n, bool at_once)
{
	int64_t shared = n / m + (n % m > 1), sharing = n % m > 1 ? n - shared : shared * (m - 1);

	set(f, ATTR_max_page_sharing, m);
	if (at_once)
		put_pages(f, ino, 0, n, A, 0);
	for (unsigned k = 0; !at_once && k < n; k++)
		put_page(f, ino, k, A);
	scan(f, 2);
	assert_counts(f, shared, sharing, n % m == 1, 0, 0);
	for (unsigned k = 0; k < n; k++)
		assert_page(f, ino, k, A);
	scan(f, 1);
	assert_counts(f, shared, sharing, n % m == 1, 0, 0);
	fixture_check(f);
	truncate_to_pages(f, ino, 0);
	assert_counts(f, 0, 0, 0, 0, 0);
}

static void limit__of_slots_on_a_frame_is_exact(void **state)
{
	static const unsigned most[] = { 2, 3, 5, 16, 200 }, pages[] = { 1, 2, 3, 4, 5, 16, 31, 33, 200, 256 };
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	for (unsigned on_write = 0; on_write < 2; on_write++) {
		set(f, ATTR_merge_on_write, on_write);
		for (unsigned m = 0; m < ARRAY_SIZE(most); m++) {
			for (unsigned n = 0; n < ARRAY_SIZE(pages); n++) {
				share(f, ino, most[m], pages[n], true);
				share(f, ino, most[m], pages[n], false);
			}
		}
	}
}

enum { SHARED_MAX = 5, CONTENTS = 20 };

static void share_few(struct fixture *f, bool on_write)
{
	uint64_t ino = make_file(f, "file"), other = make_file(f, "other");

	set(f, ATTR_merge_on_write, on_write);
	set(f, ATTR_max_kernel_pages, SHARED_MAX);
	for (unsigned n = 0; n < 3; n++) {
		put_pages(f, ino, n * CONTENTS, CONTENTS, A, 1);
		assert_true(figure(f, ATTR_pages_shared) <= SHARED_MAX);
	}
	scan(f, 3);
	assert_figure(f, pages_shared, SHARED_MAX);
	assert_figure(f, pages_sharing, 2 * SHARED_MAX); /* what is shared takes whoever comes, */
	put_pages(f, other, 0, CONTENTS, A, 1);
	scan(f, 3);
	assert_figure(f, pages_shared, SHARED_MAX);
	assert_figure(f, pages_sharing, 3 * SHARED_MAX); /* and comes later */
	set(f, ATTR_max_kernel_pages, SHARED_MAX + 2);
	scan(f, 3);
	assert_figure(f, pages_shared, SHARED_MAX + 2);
	set(f, ATTR_max_kernel_pages, 1); /* what is there stays */
	put_page(f, other, CONTENTS, A + CONTENTS - 1);
	scan(f, 3);
	assert_figure(f, pages_shared, SHARED_MAX + 2);
	set(f, ATTR_max_kernel_pages, 0);
	scan(f, 3);
	assert_counts(f, CONTENTS, 3 * CONTENTS + 1, 0, 0, 0);
	for (unsigned n = 0; n < 3 * CONTENTS; n++)
		assert_page(f, ino, n, A + n % CONTENTS);
	drop_file(f, "file", ino);
	drop_file(f, "other", other);
}

static void limit__of_shared_frames_is_kept_and_raised(void **state)
{
	share_few(*state, false);
	share_few(*state, true);
}

struct writer {
	struct fixture *f;
	pthread_t thread;
	uint64_t ino;
	unsigned wrong;
};

static void limit__room_that_a_removal_makes_is_used(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;

	set(f, ATTR_max_kernel_pages, 1);
	put_pages(f, a = make_file(f, "a"), 0, 2, A, 0);
	put_pages(f, b = make_file(f, "b"), 0, 8, A + 1, 0);
	start(f);
	settle(f);
	assert_figure(f, pages_shared, 1);
	assert_figure(f, pages_sharing, 1);
	drop_file(f, "a", a);
	settle(f);
	assert_figure(f, pages_shared, 1);
	assert_figure(f, pages_sharing, 7);
	truncate_to_pages(f, b, 0);
	set(f, ATTR_max_kernel_pages, 0);
	set(f, ATTR_max_page_sharing, 2);
	put_pages(f, b, 0, 3, A, 0); /* two on one frame, one beside it */
	settle(f);
	assert_counts(f, 1, 1, 1, 0, 0);
	put_page(f, b, 1, A + 9); /* now both frames have room */
	settle(f);
	assert_counts(f, 1, 1, 1, 0, 0);
}

static void *write_all(void *arg)
{
	struct writer *w = arg;
	uint8_t page[PAGE_BYTES];

	for (unsigned n = 0; n < 50 * CONTENTS; n++) {
		uint64_t offset = (uint64_t)(n * n % 64) << PAGE_SHIFT;

		fill_page(page, A + n * 7 % CONTENTS);
		w->wrong += volume_write(w->f->v, w->ino, offset, page, sizeof(page), 0) != sizeof(page);
	}
	return NULL;
}

static void limit__of_shared_frames_holds_at_every_instant(void **state)
{
	struct fixture *f = *state;
	struct writer w[3];

	set(f, ATTR_max_kernel_pages, SHARED_MAX);
	set(f, ATTR_sleep_millisecs, 0);
	assert_int_equal(scan_start(f->v->scan), 0);
	for (unsigned n = 0; n < ARRAY_SIZE(w); n++) {
		const char name[] = { (char)('a' + n), '\0' };

		w[n] = (struct writer){ .f = f, .ino = make_file(f, name) };
		assert_int_equal(pthread_create(&w[n].thread, NULL, write_all, &w[n]), 0);
	}
	for (unsigned n = 0; n < 50; n++) {
		assert_true(figure(f, ATTR_pages_shared) <= SHARED_MAX);
		rest_ms(1);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(w); n++) {
		pthread_join(w[n].thread, NULL);
		assert_int_equal(w[n].wrong, 0);
	}
	settle(f);
	assert_figure(f, pages_shared, SHARED_MAX);
}

/* Volatile pages, of which each has its like, written with merge_on_write 0 at whatever pace is set. */
static uint64_t make_pairs(struct fixture *f)
{
	uint64_t ino = make_file(f, "pairs");

	put_pages(f, ino, 0, 100, A, 1);
	put_pages(f, ino, 100, 100, A, 1);
	return ino;
}

/* Urged as by who waits: the last pass may have been a moment ago. */
static void urge_until(struct fixture *f, enum attr attr, int64_t value)
{
	for (unsigned n = 0; n < SOON_MS && figure(f, attr) != value; n++) {
		scan_urge(f->v->scan);
		rest_ms(1);
	}
	assert_int_equal(figure(f, attr), value);
}

static void urgent__all_is_merged_at_once_whatever_the_pace(void **state)
{
	static const uint64_t pace[][2] = { { 1, 1000000 }, { 0, 20 } }; /* pages_to_scan, sleep_millisecs */
	struct fixture *f = *state;

	set(f, ATTR_merge_on_write, 0);
	set(f, ATTR_smart_scan, 1);
	set(f, ATTR_sleep_millisecs, 1000000);
	assert_int_equal(scan_start(f->v->scan), 0);
	for (unsigned n = 0; n < ARRAY_SIZE(pace); n++) {
		uint64_t ino;

		set(f, ATTR_pages_to_scan, pace[n][0]);
		set(f, ATTR_sleep_millisecs, pace[n][1]);
		ino = make_pairs(f);
		assert_true(figure(f, ATTR_store_frames) > 150);
		urge_until(f, ATTR_pages_sharing, 100); /* nobody else is that quick */
		drop_file(f, "pairs", ino);
	}
}

static void urgent__not_again_before_something_has_changed(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	set(f, ATTR_merge_on_write, 0);
	set(f, ATTR_pages_to_scan, 0);
	ino = make_pairs(f);
	assert_int_equal(scan_start(f->v->scan), 0);
	urge_until(f, ATTR_scan_urgent_passes, 1);
	for (unsigned n = 0; n < 50; n++) {
		scan_urge(f->v->scan);
		rest_ms(1);
	}
	assert_figure(f, scan_urgent_passes, 1);
	put_page(f, ino, 7, 5 * A);
	urge_until(f, ATTR_scan_urgent_passes, 2);
}

static void urgent__nothing_is_merged_unless_run_is_1(void **state)
{
	struct fixture *f = *state;

	set(f, ATTR_merge_on_write, 0);
	set(f, ATTR_run, 0);
	(void)make_pairs(f);
	assert_int_equal(scan_start(f->v->scan), 0);
	for (unsigned n = 0; n < 20; n++) {
		scan_urge(f->v->scan);
		rest_ms(1);
	}
	assert_figure(f, scan_urgent_passes, 0);
	assert_counts(f, 0, 0, 0, 0, 200);
}

static void urgent__a_writer_without_a_frame_has_it_made(void **state)
{
	struct fixture *f = *state;
	uint64_t other = make_file(f, "other");
	uint8_t page[PAGE_BYTES];
	ssize_t n = 0;

	set(f, ATTR_merge_on_write, 0);
	set(f, ATTR_pages_to_scan, 0);
	assert_int_equal(scan_start(f->v->scan), 0);
	set(f, ATTR_store_limit, 216 << PAGE_SHIFT);
	(void)make_pairs(f);
	fill_page(page, 5 * A);
	for (unsigned k = 0; k < SOON_MS && n >= 0; k++) /* until there are no more */
		n = volume_write(f->v, other, (uint64_t)k << PAGE_SHIFT, page, sizeof(page), 0);
	assert_int_equal(n, -ENOSPC);
	for (unsigned k = 0; k < SOON_MS && !figure(f, ATTR_scan_urgent_passes); k++)
		rest_ms(1);
	assert_true(figure(f, ATTR_pages_sharing) >= 100);
	assert_int_equal(volume_write(f->v, other, 1 << 20, page, sizeof(page), 0), sizeof(page));
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(pass__looks_at_every_frame_once),
	FIXTURE_TEST(thread__three_passes_and_then_sleep),
	FIXTURE_TEST(thread__a_change_wakes_it),
	FIXTURE_TEST(thread__run_0_stops_it_and_1_lets_it_go_on),
	FIXTURE_TEST(thread__run_0_sleeps_through_any_number_of_writes),
	FIXTURE_TEST(thread__a_long_sleep_does_not_keep_it_from_ending),
	FIXTURE_TEST(thread__another_sleep_holds_at_once),
	FIXTURE_TEST(thread__the_advisor_sets_pages_to_scan_after_each_pass),
	FIXTURE_TEST(pass__files_may_vanish_under_the_cursor),
	FIXTURE_TEST(pass__its_end_is_told_when_it_has_merged),
	FIXTURE_TEST(new__fails_without_memory),
	FIXTURE_TEST(pass__files_out_of_merging_are_not_looked_at),
	FIXTURE_TEST(thread__what_was_skipped_is_merged_once_it_rests),
	FIXTURE_TEST(thread__without_smart_scan_nothing_is_skipped),
	FIXTURE_TEST(limit__of_slots_on_a_frame_is_exact),
	FIXTURE_TEST(limit__of_shared_frames_is_kept_and_raised),
	FIXTURE_TEST(limit__room_that_a_removal_makes_is_used),
	FIXTURE_TEST(limit__of_shared_frames_holds_at_every_instant),
	FIXTURE_TEST(urgent__all_is_merged_at_once_whatever_the_pace),
	FIXTURE_TEST(urgent__not_again_before_something_has_changed),
	FIXTURE_TEST(urgent__nothing_is_merged_unless_run_is_1),
	FIXTURE_TEST(urgent__a_writer_without_a_frame_has_it_made),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
