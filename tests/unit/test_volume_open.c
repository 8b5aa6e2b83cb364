/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>

#include "tests/unit/fixture.h"

/* While the cache is being dropped, so that it needs not be once more. */
static void come__holes_are_reserved_for_who_is_about_to_store(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 20);
	assert_page(f, ino, 3, 0);
	assert_true(volume_storer_comes(f->v, ino));
	assert_page(f, ino, 3, 0);
	assert_page(f, ino, 4, 0);
	assert_figure(f, store_reserved_pages, 2);
	volume_cache_dropped(f->v, ino);
	assert_page(f, ino, 5, 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_OPENED);
	volume_storer_came(f->v, ino);
	assert_figure(f, store_reserved_pages, 3);
	volume_file_release(f->v, ino, O_RDWR);
	assert_figure(f, store_reserved_pages, 0);
}

static void come__what_was_reserved_for_who_never_came_goes_back(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 20);
	assert_false(volume_storer_comes(f->v, ino));
	assert_page(f, ino, 3, 0);
	assert_figure(f, store_reserved_pages, 1);
	volume_storer_came(f->v, ino);
	assert_figure(f, store_reserved_pages, 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_STALE);
}

/* Not even by a reader who leaves his mark late, and pays. */
static void open__never_stale_while_somebody_has_it_open_to_store(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 20);
	open_file(f, ino);
	assert_page(f, ino, 3, 0);
	atomic_fetch_or(&inode_of(f->v, ino)->record->flags, INODE_HOLES_SERVED);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_OPENED);
	assert_false(volume_storer_comes(f->v, ino));
	volume_storer_came(f->v, ino);
	volume_file_release(f->v, ino, O_RDWR);
	volume_file_release(f->v, ino, O_RDWR);
}

/* Two come, and one of them opens and closes it: what was lent to him is the other's, too. */
static void come__nothing_becomes_stale_for_who_is_about_to_store(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 20);
	assert_false(volume_storer_comes(f->v, ino));
	open_file(f, ino);
	assert_page(f, ino, 3, 0);
	volume_file_release(f->v, ino, O_RDWR);
	assert_figure(f, store_reserved_pages, 1);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_OPENED);
	volume_storer_came(f->v, ino);
	volume_file_release(f->v, ino, O_RDWR);
	assert_figure(f, store_reserved_pages, 0);
}

static void open__only_to_read_or_only_to_write_is_never_stale(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 20);
	assert_page(f, ino, 3, 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDONLY), VOLUME_OPENED);
	assert_int_equal(volume_file_open(f->v, ino, O_WRONLY), VOLUME_OPENED);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_STALE);
	volume_file_release(f->v, ino, O_WRONLY);
	volume_file_release(f->v, ino, O_RDONLY);
}

/* Who was asked to drop them may have come no further than the mark: it is still there for the next. */
static void open__stale_until_the_pages_have_gone_whoever_dies(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 20);
	assert_page(f, ino, 3, 0);
	assert_true(volume_storer_comes(f->v, ino));
	fixture_reopen(f);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_STALE);
	assert_page(f, ino, 4, 0);
	assert_figure(f, store_reserved_pages, 0);
	open_file(f, ino);
	volume_file_release(f->v, ino, O_RDWR);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(come__holes_are_reserved_for_who_is_about_to_store),
	FIXTURE_TEST(come__what_was_reserved_for_who_never_came_goes_back),
	FIXTURE_TEST(open__never_stale_while_somebody_has_it_open_to_store),
	FIXTURE_TEST(come__nothing_becomes_stale_for_who_is_about_to_store),
	FIXTURE_TEST(open__only_to_read_or_only_to_write_is_never_stale),
	FIXTURE_TEST(open__stale_until_the_pages_have_gone_whoever_dies),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
