/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/scan.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { A = 1, SOON_MS = 500 };

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
	assert_true(scans >= SCAN_PASSES);
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
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
