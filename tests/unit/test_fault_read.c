/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/fault.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { A = 1 };

struct reader {
	struct fixture *f;
	uint64_t ino;
	atomic_bool done;
};

static void *read_one(void *arg)
{
	struct reader *r = arg;
	uint8_t page[PAGE_BYTES];

	(void)get_bytes(r->f, r->ino, 0, sizeof(page), page);
	r->done = true;
	return NULL;
}

static void read__holes_are_reserved_only_while_somebody_may_store(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 20);
	assert_page(f, ino, 3, 0);
	assert_figure(f, store_reserved_pages, 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_STALE); /* that page of zeroes is not paid for */
	assert_int_equal(inode_of(f->v, ino)->record->opens, 0);
	open_file(f, ino);
	assert_page(f, ino, 3, 0);
	assert_page(f, ino, 19, 0);
	assert_figure(f, store_reserved_pages, 2);
	assert_figure(f, store_data_pages, 0);
	put_page(f, ino, 3, A);
	assert_figure(f, store_reserved_pages, 1);
	volume_file_release(f->v, ino, O_RDWR);
	assert_figure(f, store_reserved_pages, 0);
	assert_int_equal(f->v->pool.charged, 1);
	assert_page(f, ino, 3, A);
}

static void read__a_hole_that_cannot_be_reserved_is_enospc(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume_read r;

	truncate_to_pages(f, ino, 20);
	put_page(f, ino, 0, A);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	set_size(f, 1);
	assert_int_equal(volume_read(f->v, ino, 0, 2 * PAGE_BYTES, &r), -ENOSPC);
	assert_int_equal(frame_at(f, ino, 0).pins, 0);
	assert_page(f, ino, 0, A);
	volume_file_release(f->v, ino, O_RDWR);
	assert_page(f, ino, 7, 0);
}

static void read__a_write_only_open_reserves_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 20);
	assert_int_equal(volume_file_open(f->v, ino, O_WRONLY), 0);
	assert_page(f, ino, 3, 0);
	assert_figure(f, store_reserved_pages, 0);
	volume_file_release(f->v, ino, O_WRONLY);
}

static void read__many_pages_are_pinned_until_done(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t should[PAGE_BYTES];
	struct volume_read r;

	put_pages(f, ino, 0, BATCH_PAGES, A, 1);
	assert_int_equal(volume_read(f->v, ino, 0, BATCH_PAGES * PAGE_BYTES + 1, &r), 0);
	assert_int_equal(r.bytes, BATCH_PAGES * PAGE_BYTES);
	assert_int_equal(frame_at(f, ino, 7).pins, 1);
	truncate_to_pages(f, ino, 0); /* even then */
	fill_page(should, A + BATCH_PAGES - 1);
	assert_memory_equal((uint8_t *)r.iov[r.count - 1].iov_base + r.iov[r.count - 1].iov_len - PAGE_BYTES,
			    should, PAGE_BYTES);
	assert_true(figure(f, ATTR_store_frames) >= BATCH_PAGES);
	volume_read_done(&r);
	assert_figure(f, store_frames, 0);
}

static void read__waits_for_a_page_that_is_being_changed(void **state)
{
	struct fixture *f = *state;
	struct pagelock_wait wait = { 0 };
	uint64_t ino = make_file(f, "file");
	struct reader r = { f, ino, false };
	pthread_t thread;

	put_page(f, ino, 0, A);
	assert_true(pagelock_try(&f->v->pool.pagelocks, (uint32_t)ino, 0, &wait));
	assert_int_equal(pthread_create(&thread, NULL, read_one, &r), 0);
	while (!f->v->pool.waiting)
		sched_yield();
	rest_ms(5);
	assert_false(r.done);
	pagelock_drop(&f->v->pool.pagelocks, (uint32_t)ino, 0);
	pthread_join(thread, NULL);
	assert_true(r.done);
	assert_true(figure(f, ATTR_fault_retries_resumed) > 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(read__holes_are_reserved_only_while_somebody_may_store),
	FIXTURE_TEST(read__a_hole_that_cannot_be_reserved_is_enospc),
	FIXTURE_TEST(read__a_write_only_open_reserves_nothing),
	FIXTURE_TEST(read__many_pages_are_pinned_until_done),
	FIXTURE_TEST(read__waits_for_a_page_that_is_being_changed),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
