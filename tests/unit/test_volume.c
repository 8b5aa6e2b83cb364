/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/volume.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/fixture.h"

enum { A = 1 };

static void open__an_empty_volume_is_a_root_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct names_entry e;
	struct stat st;
	unsigned count;

	assert_int_equal(volume_getattr(f->v, ROOT_INO, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 01777);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(volume_list(f->v, ROOT_INO, 0, &e, 1, &count), 0);
	assert_int_equal(count, 0);
	assert_counts(f, 0, 0, 0, 0, 0);
	assert_figure(f, store_frames, 0);
	assert_figure(f, store_inodes, 1);
	assert_figure(f, merge_on_write, 1);
	assert_string_equal(volume_dir(f->v), f->dir);
}

static void open__where_no_database_can_be_is_an_error(void **state)
{
	struct volume_config config = { .dir = "/nonexistent", .size_pages = 10, .nr_inodes = 10 };
	struct volume *v = NULL;

	(void)state;
	assert_int_equal(volume_memfds(&config.frames_fd, &config.inodes_fd), 0);
	assert_int_equal(volume_open(&config, &v), -ENOENT);
	close(config.frames_fd);
	assert_true(volume_open(&config, &v) < 0);
	close(config.inodes_fd);
	volume_close(v);
}

static void statfs__is_the_size_and_what_is_left(void **state)
{
	struct fixture *f = *state;
	struct statvfs st;

	set_size(f, 100);
	put_pages(f, make_file(f, "file"), 0, 10, A, 0); /* logical pages: shared or not */
	assert_int_equal(volume_statfs(f->v, ROOT_INO, &st), 0);
	assert_int_equal(st.f_bsize, PAGE_BYTES);
	assert_int_equal(st.f_blocks, 100);
	assert_int_equal(st.f_bfree, 90);
	assert_int_equal(st.f_files, f->config.nr_inodes);
	assert_int_equal(st.f_ffree, f->config.nr_inodes - 2);
	set_size(f, 5);
	assert_int_equal(volume_statfs(f->v, ROOT_INO, &st), 0);
	assert_int_equal(st.f_bavail, 0);
}

static void set__limits_hold_at_once_and_for_who_goes_on(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct statvfs st;

	assert_figure(f, size, (int64_t)(f->config.size_pages << PAGE_SHIFT));
	assert_figure(f, nr_inodes, (int64_t)f->config.nr_inodes);
	put_pages(f, ino, 0, 10, A, 0);
	assert_int_equal(volume_set(f->v, ATTR_size, 9 * PAGE_BYTES, NULL), -EINVAL);
	assert_int_equal(volume_set(f->v, ATTR_size, 10 * PAGE_BYTES, NULL), 0);
	assert_int_equal(put_bytes(f, ino, 10 * PAGE_BYTES, 1, 'x'), -ENOSPC);
	assert_int_equal(volume_set(f->v, ATTR_size, 12 * PAGE_BYTES, NULL), 0);
	assert_int_equal(put_bytes(f, ino, 10 * PAGE_BYTES, 1, 'x'), 1);
	assert_int_equal(volume_set(f->v, ATTR_nr_inodes, 1, NULL), -EINVAL);
	assert_int_equal(volume_set(f->v, ATTR_nr_inodes, 2, NULL), 0);
	fixture_reopen(f);
	assert_int_equal(volume_statfs(f->v, ROOT_INO, &st), 0);
	assert_int_equal(st.f_blocks, 12);
	assert_int_equal(st.f_bfree, 1);
	assert_int_equal(st.f_files, 2);
	assert_int_equal(st.f_ffree, 0);
	assert_figure(f, size, 12 * PAGE_BYTES);
	assert_int_equal(volume_set(f->v, ATTR_nr_inodes, 5000, NULL), 0);
	for (unsigned n = 0; n < 4998; n++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "f%u", n);
		make_file(f, name);
	}
	assert_int_equal(volume_statfs(f->v, ROOT_INO, &st), 0);
	assert_int_equal(st.f_ffree, 0);
}

static void set__only_settings_within_their_range(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(volume_set(f->v, ATTR_pages_to_scan, 5, NULL), 0);
	assert_figure(f, pages_to_scan, 5);
	assert_int_equal(volume_set(f->v, ATTR_run, 99, NULL), -EINVAL);
	assert_int_equal(volume_set(f->v, ATTR_sleep_millisecs, UINT64_C(1) << 40, NULL), -EINVAL);
	assert_int_equal(volume_set(f->v, ATTR_pages_shared, 1, NULL), -EINVAL);
	assert_figure(f, run, 1);
	assert_figure(f, pages_shared, 0);
}

static void set__what_depends_on_others_is_refused_as_ksm_does(void **state)
{
	struct fixture *f = *state;

	put_pages(f, make_file(f, "file"), 0, 10, A, 0);
	assert_figure(f, pages_shared, 1);
	assert_int_equal(volume_set(f->v, ATTR_max_page_sharing, 2, NULL), -EBUSY);
	assert_int_equal(volume_set(f->v, ATTR_max_page_sharing, 0, NULL), 0);
	set(f, ATTR_advisor_mode, ADVISOR_SCAN_TIME);
	assert_int_equal(volume_set(f->v, ATTR_pages_to_scan, 500, NULL), -EINVAL);
	assert_figure(f, pages_to_scan, 500);
}

static void start__what_was_written_is_merged(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	set(f, ATTR_merge_on_write, 0);
	set(f, ATTR_sleep_millisecs, 0);
	assert_int_equal(volume_start(f->v), 0);
	for (unsigned n = 0; n < 10; n++)
		put_pages(f, ino, n * BATCH_PAGES, BATCH_PAGES, A, 1);
	put_pages(f, ino, 10 * BATCH_PAGES, BATCH_PAGES, A, 1);
	assert_int_equal(volume_settle(f->v, 0), -ETIMEDOUT);
	for (unsigned n = 0; n < 2000 && !scan_is_idle(f->v->scan); n++)
		rest_ms(1);
	assert_counts(f, BATCH_PAGES, 10 * BATCH_PAGES, 0, 0, 0);
}

static void close__null_is_fine(void **state)
{
	(void)state;
	volume_close(NULL);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(open__an_empty_volume_is_a_root_and_nothing_else),
	cmocka_unit_test(open__where_no_database_can_be_is_an_error),
	FIXTURE_TEST(statfs__is_the_size_and_what_is_left),
	FIXTURE_TEST(set__limits_hold_at_once_and_for_who_goes_on),
	FIXTURE_TEST(set__only_settings_within_their_range),
	FIXTURE_TEST(set__what_depends_on_others_is_refused_as_ksm_does),
	FIXTURE_TEST(start__what_was_written_is_merged),
	cmocka_unit_test(close__null_is_fine),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
