/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/range.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { A = 1, PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };

static void clear__frees_all_and_counts_a_change(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint32_t seq;

	put_pages(f, ino, 0, 200, A, 1);
	for (unsigned n = 1; n < 10; n++)
		put_pages(f, ino, n * 200, 200, A, 1);
	seq = inode_of(f->v, ino)->seq;
	truncate_to_pages(f, ino, 1);
	assert_true(inode_of(f->v, ino)->seq > seq);
	assert_counts(f, 0, 0, 1, 0, 0);
	assert_int_equal(f->v->pool.charged, 1);
	truncate_to_pages(f, ino, 0);
	assert_figure(f, store_frames, 0);
}

static void truncate__inside_a_page_zeroes_its_rest(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	struct stat st = { .st_size = PAGE_BYTES + 10 };
	uint8_t is[3 * PAGE_BYTES], should[3 * PAGE_BYTES] = { 0 };

	put_pages(f, one, 0, 3, A, 0);
	put_pages(f, two, 0, 3, A, 0);
	assert_int_equal(volume_setattr(f->v, two, &st, VOLUME_SET_SIZE, &st), 0);
	fixture_check(f);
	truncate_to_pages(f, two, 3);
	fill_page(should, A);
	memcpy(should + PAGE_BYTES, should, 10);
	assert_int_equal(get_bytes(f, two, 0, sizeof(is), is), sizeof(is));
	assert_memory_equal(is, should, sizeof(is));
	for (unsigned n = 0; n < 3; n++)
		assert_page(f, one, n, A);
}

static void truncate__where_zeroes_are_already_writes_none(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	uint8_t page[PAGE_BYTES] = "ten bytes";
	struct stat st = { .st_size = 10 };

	assert_int_equal(volume_write(f->v, one, 0, page, sizeof(page), 0), sizeof(page));
	assert_int_equal(volume_write(f->v, two, 0, page, sizeof(page), 0), sizeof(page));
	assert_counts(f, 1, 1, 0, 0, 0);
	failpoint_arm(FAIL_ALLOC, 1); /* nor would there be a frame */
	assert_int_equal(volume_setattr(f->v, two, &st, VOLUME_SET_SIZE, &st), 0);
	failpoint_arm(FAIL_ALLOC, 0);
	assert_counts(f, 1, 1, 0, 0, 0);
	st.st_size = 9;
	assert_int_equal(volume_setattr(f->v, two, &st, VOLUME_SET_SIZE, &st), 0);
	assert_counts(f, 1, 1, 0, 0, 0); /* a NUL */
	st.st_size = 8;
	assert_int_equal(volume_setattr(f->v, two, &st, VOLUME_SET_SIZE, &st), 0);
	assert_counts(f, 0, 0, 1, 0, 1);
}

static void punch__parts_become_zero_and_whole_pages_holes(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint8_t is[4 * PAGE_BYTES], should[4 * PAGE_BYTES];

	for (unsigned n = 0; n < 4; n++)
		fill_page(should + n * PAGE_BYTES, A + n);
	put_pages(f, ino, 0, 4, A, 1);
	assert_int_equal(volume_fallocate(f->v, ino, PUNCH, 100, 3 * PAGE_BYTES), 0);
	memset(should + 100, 0, 3 * PAGE_BYTES);
	assert_int_equal(get_bytes(f, ino, 0, sizeof(is), is), sizeof(is));
	assert_memory_equal(is, should, sizeof(is));
	assert_int_equal(slot_at(f, ino, 1), SLOT_HOLE);
	assert_int_equal(slot_at(f, ino, 2), SLOT_HOLE);
	assert_int_equal(f->v->pool.charged, 2);
	assert_int_equal(volume_fallocate(f->v, ino, PUNCH, 3 * PAGE_BYTES + 200, 100), 0); /* in one page */
	memset(should + 3 * PAGE_BYTES + 200, 0, 100);
	assert_int_equal(get_bytes(f, ino, 0, sizeof(is), is), sizeof(is));
	assert_memory_equal(is, should, sizeof(is));
}

static void punch__reserved_and_missing_pages_stay_as_they_are(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, 2 * PAGE_BYTES), 0);
	assert_int_equal(volume_fallocate(f->v, ino, PUNCH, 10, 20), 0);
	assert_int_equal(slot_at(f, ino, 0), SLOT_RESERVED);
	assert_int_equal(volume_fallocate(f->v, ino, PUNCH, 0, 1 << 30), 0);
	assert_int_equal(slot_at(f, ino, 0), SLOT_HOLE);
	assert_int_equal(f->v->pool.charged, 0);
}

static void reserve__all_or_none(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 1500, A);
	set_size(f, 3000);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, 3001 * PAGE_BYTES), -ENOSPC);
	assert_figure(f, store_reserved_pages, 0);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, 3000 * PAGE_BYTES), 0);
	assert_figure(f, store_reserved_pages, 2999);
	assert_figure(f, store_free_pages, 0);
	assert_page(f, ino, 1500, A);
	assert_page(f, ino, 2999, 0);
	put_pages(f, ino, 0, 10, A + 1, 1); /* paid for */
	assert_figure(f, store_reserved_pages, 2989);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, 3000 * PAGE_BYTES), 0); /* again: nothing to do */
}

static void reserve__without_memory_for_nodes_leaves_none(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	for (unsigned nth = 1; nth <= 3; nth++) {
		failpoint_arm(FAIL_ALLOC, nth);
		assert_int_equal(volume_fallocate(f->v, ino, 0, 5000 * PAGE_BYTES, 3000 * PAGE_BYTES), -ENOSPC);
		assert_figure(f, store_reserved_pages, 0);
		assert_figure(f, store_table_frames, 0);
		assert_int_equal(f->v->pool.charged, 0);
	}
	assert_int_equal(volume_fallocate(f->v, ino, 0, 5000 * PAGE_BYTES, 3000 * PAGE_BYTES), 0);
	assert_figure(f, store_reserved_pages, 3000);
}

struct release {
	struct fixture *f;
	uint64_t ino;
	_Atomic bool begun;
};

static void *release_file(void *arg)
{
	struct release *r = arg;

	r->begun = true;
	volume_file_release(r->f->v, r->ino, O_RDWR);
	return NULL;
}

/* RELEASE comes when it likes: an open() that finds some pages returned must have their zeroes leave the cache. */
static void return_lent__is_known_to_who_opens_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct release r = { .f = f };
	int opened;

	for (unsigned round = 0; round < 100; round++) {
		unsigned pages = 16 * 512, holes = 0;
		pthread_t thread;

		r.ino = make_file(f, "file");
		r.begun = false;
		truncate_to_pages(f, r.ino, pages);
		assert_int_equal(volume_file_open(f->v, r.ino, O_RDWR), 0);
		gate_enter(&f->v->gate);
		assert_int_equal(range_reserve(&f->v->pool, inode_of(f->v, r.ino), 0, pages, SLOT_LENT), 0);
		gate_leave(&f->v->gate);
		assert_int_equal(pthread_create(&thread, NULL, release_file, &r), 0);
		while (!r.begun)
			;
		for (volatile unsigned n = 0; n < round * 200; n++)
			;
		opened = volume_file_open(f->v, r.ino, O_RDWR);
		assert_int_equal(pthread_join(thread, NULL), 0);
		for (unsigned n = 0; n < pages; n++)
			holes += slot_at(f, r.ino, n) == SLOT_HOLE;
		if (holes)
			assert_int_equal(opened, VOLUME_STALE);
		if (opened == VOLUME_OPENED)
			volume_file_release(f->v, r.ino, O_RDWR);
		assert_figure(f, store_reserved_pages, 0);
		drop_file(f, "file", r.ino);
	}
}

/* Of a file that ends with it: to everybody it is there as a whole, or dying. */
static void return_lent__of_a_removed_file_is_its_end(void **state)
{
	struct fixture *f = *state;
	HOLDS_INODES(f->v->pool.itable);
	struct release r = { .f = f };

	for (unsigned round = 0; round < 5; round++) {
		unsigned pages = 64 * PTAB_FANOUT;
		pthread_t thread;

		r.ino = make_file(f, "file");
		truncate_to_pages(f, r.ino, pages);
		assert_int_equal(volume_file_open(f->v, r.ino, O_RDWR), 0);
		gate_enter(&f->v->gate);
		assert_int_equal(range_reserve(&f->v->pool, volume_inode(f->v, r.ino), 0, pages, SLOT_LENT), 0);
		gate_leave(&f->v->gate);
		drop_file(f, "file", r.ino);
		assert_int_equal(pthread_create(&thread, NULL, release_file, &r), 0);
		while (volume_inode(f->v, r.ino))
			fixture_check(f);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_figure(f, store_frames, 0);
		assert_int_equal(f->v->pool.charged, 0);
	}
}

static void return_lent__not_what_was_allocated_after(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 10);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	assert_page(f, ino, 3, 0);
	assert_page(f, ino, 4, 0);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 3 * PAGE_BYTES, PAGE_BYTES), 0);
	assert_figure(f, store_reserved_pages, 2);
	volume_file_release(f->v, ino, O_RDWR);
	assert_figure(f, store_reserved_pages, 1);
}

static void return_lent__only_what_reads_reserved(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 1000);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, 5 * PAGE_BYTES), 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	for (unsigned n = 0; n < 1000; n++)
		assert_page(f, ino, n, 0);
	assert_figure(f, store_reserved_pages, 1000);
	volume_file_release(f->v, ino, O_RDWR);
	assert_figure(f, store_reserved_pages, 1000); /* somebody still may store */
	volume_file_release(f->v, ino, O_RDWR);
	assert_figure(f, store_reserved_pages, 5);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_STALE);
}

/* A reader had found a hole while somebody could store, and lends it when he has closed. */
static void reserve__for_who_has_gone_is_given_back(void **state)
{
	struct fixture *f = *state;
	HOLDS_INODES(f->v->pool.itable);
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 3000);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	volume_file_release(f->v, ino, O_RDWR);
	gate_enter(&f->v->gate);
	assert_int_equal(range_reserve(&f->v->pool, volume_inode(f->v, ino), 2000, 10, SLOT_LENT), 0);
	gate_leave(&f->v->gate);
	assert_figure(f, store_reserved_pages, 0);
	assert_figure(f, store_table_frames, 0);
	assert_int_equal(f->v->pool.charged, 0);
	assert_page(f, ino, 2000, 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), VOLUME_STALE);
}

/* As on tmpfs. */
static void punch__keeps_pages_that_it_covers_in_part(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_KEEP_SIZE, 0, 5 * PAGE_BYTES), 0);
	assert_int_equal(volume_fallocate(f->v, ino, punch, 100, 2 * PAGE_BYTES), 0);
	assert_figure(f, store_reserved_pages, 4);
}

/* --- nodes of the page table --------------------------------------------------------------------- */

static void punch(struct fixture *f, uint64_t ino, uint64_t index, uint64_t pages)
{
	assert_int_equal(volume_fallocate(f->v, ino, PUNCH, index << PAGE_SHIFT, pages << PAGE_SHIFT), 0);
}

static void punch__of_a_page_gives_back_what_holds_nothing(void **state)
{
	enum { PLACES = 64, EACH = PTAB_FANOUT / 2, FIRST = 100 };
	struct fixture *f = *state;
	HOLDS_INODES(f->v->pool.itable);
	uint64_t ino = make_file(f, "file");

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned n = 0; n < PLACES; n++) {
			put_page(f, ino, FIRST + n * EACH + round, A + n);
			assert_figure(f, store_table_frames, n < 2 ? 1 : 2 + n / 2); /* a leaf for two, and a root */
		}
		for (unsigned n = 0; n < PLACES; n++) {
			punch(f, ino, FIRST + n * EACH + round, 1);
			assert_figure(f, store_table_frames, n == PLACES - 1 ? 0 : 1 + PLACES / 2 - (n + 1) / 2);
		}
		assert_figure(f, store_frames, 0);
		assert_true(volume_inode(f->v, ino)->record->root == 0);
	}
}

static void punch__of_each_page_as_it_is_written_keeps_no_node(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 5, A);
	for (uint64_t n = 1; n < UINT64_C(1) << 32; n *= 3) {
		put_page(f, ino, 100 + n, A + n);
		punch(f, ino, 100 + n, 1);
		assert_in_range(figure(f, ATTR_store_table_frames), 1, PTAB_LEVELS_MAX); /* the way to page 5 */
	}
	assert_page(f, ino, 5, A);
	punch(f, ino, 5, 1);
	assert_figure(f, store_frames, 0);
}

static void punch__keeps_the_node_of_what_it_leaves(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	for (unsigned n = 0; n < 5; n++)
		put_pages(f, ino, n * PTAB_FANOUT + 10, 10, A + n, 0);
	assert_figure(f, store_table_frames, 6);
	punch(f, ino, PTAB_FANOUT + 11, 2 * PTAB_FANOUT + 8); /* of the last, all but one */
	assert_figure(f, store_table_frames, 5);
	assert_page(f, ino, PTAB_FANOUT + 10, A + 1);
	assert_page(f, ino, 3 * PTAB_FANOUT + 19, A + 3);
	punch(f, ino, PTAB_FANOUT + 10, 2 * PTAB_FANOUT + 10);
	assert_figure(f, store_table_frames, 3);
	assert_page(f, ino, 0 * PTAB_FANOUT + 10, A);
	assert_page(f, ino, 4 * PTAB_FANOUT + 10, A + 4);
}

static void truncate__gives_back_the_leaf_that_it_cuts(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 0, A);
	put_page(f, ino, 5 * PTAB_FANOUT + 100, A);
	assert_figure(f, store_table_frames, 3);
	truncate_to_pages(f, ino, 5 * PTAB_FANOUT + 10);
	assert_figure(f, store_table_frames, 2);
	punch(f, ino, 0, 1);
	assert_figure(f, store_table_frames, 0);
}

static void return_lent__and_the_nodes_that_held_nothing_else(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, 40 * PTAB_FANOUT);
	put_page(f, ino, 3 * PTAB_FANOUT, A);
	put_page(f, ino, 7 * PTAB_FANOUT + 5, 0);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 9 * PTAB_FANOUT * PAGE_BYTES, PAGE_BYTES), 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	for (unsigned n = 0; n < 40; n++) {
		assert_page(f, ino, n * PTAB_FANOUT + n, 0);
		assert_page(f, ino, n * PTAB_FANOUT + 1000, 0);
	}
	assert_figure(f, store_table_frames, 41);
	volume_file_release(f->v, ino, O_RDWR);
	assert_figure(f, store_reserved_pages, 1);
	assert_figure(f, store_table_frames, 4);
	assert_int_equal(f->v->pool.charged, 3);
	assert_page(f, ino, 3 * PTAB_FANOUT, A);
}

/* A truncation came before the hole that was read could be lent: nobody needs its node any more. */
static void reserve__beyond_the_end_leaves_no_node(void **state)
{
	struct fixture *f = *state;
	HOLDS_INODES(f->v->pool.itable);
	uint64_t ino = make_file(f, "file");

	gate_enter(&f->v->gate);
	assert_int_equal(range_reserve(&f->v->pool, volume_inode(f->v, ino), 5000, 10, SLOT_LENT), 0);
	gate_leave(&f->v->gate);
	assert_figure(f, store_table_frames, 0);
	assert_int_equal(f->v->pool.charged, 0);
}

struct puncher {
	struct fixture *f;
	uint64_t ino;
	unsigned number;
	_Atomic unsigned rounds;
	_Atomic bool *stop;
	bool wrong;
	pthread_t thread;
};

enum { PUNCHERS = 3, PUNCHES = 1000, LEAVES = 3 };

/* Everybody has pages of his own, in leaves that all use. */
static void *write_and_punch(void *arg)
{
	struct puncher *w = arg;
	uint8_t page[PAGE_BYTES];

	for (unsigned n = 0; n < PUNCHES && !w->wrong; n++) {
		uint64_t index = (n * 7 + w->number) % LEAVES * PTAB_FANOUT + w->number, offset = index << PAGE_SHIFT;

		fill_page(page, A + n);
		w->wrong = volume_write(w->f->v, w->ino, offset, page, PAGE_BYTES, 0) != PAGE_BYTES ||
			   !page_is(w->f, w->ino, index, A + n) ||
			   volume_fallocate(w->f->v, w->ino, PUNCH, offset, PAGE_BYTES) < 0 ||
			   !page_is(w->f, w->ino, index, 0);
		w->rounds++;
	}
	return NULL;
}

/* And somebody does nothing but take away what is empty. */
static void *punch_holes(void *arg)
{
	struct puncher *w = arg;

	while (!*w->stop && !w->wrong) {
		uint64_t index = w->rounds++ % LEAVES * PTAB_FANOUT + 500;

		w->wrong = volume_fallocate(w->f->v, w->ino, PUNCH, index << PAGE_SHIFT, PAGE_BYTES) < 0;
	}
	return NULL;
}

static void punch__of_many_threads_in_the_same_leaves(void **state)
{
	struct puncher w[PUNCHERS + 1] = { 0 };
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	_Atomic bool stop = false;

	truncate_to_pages(f, ino, LEAVES * PTAB_FANOUT);
	for (unsigned n = 0; n <= PUNCHERS; n++) {
		void *(*what)(void *arg) = n < PUNCHERS ? write_and_punch : punch_holes;

		w[n].f = f;
		w[n].ino = ino;
		w[n].number = n;
		w[n].stop = &stop;
		assert_int_equal(pthread_create(&w[n].thread, NULL, what, &w[n]), 0);
	}
	for (unsigned n = 0; n <= PUNCHERS; n++) {
		while (n == PUNCHERS && !w[n].rounds)
			rest_ms(1);
		stop = n == PUNCHERS;
		pthread_join(w[n].thread, NULL);
		assert_false(w[n].wrong);
	}
	assert_figure(f, store_frames, 0);
	assert_int_equal(f->v->pool.charged, 0);
}

/* --- looking for data ------------------------------------------------------------------------------ */

static uint64_t seek(struct fixture *f, uint64_t ino, uint64_t from, int whence)
{
	uint64_t at;
	int r = volume_seek(f->v, ino, from, whence, &at);

	assert_true(!r || r == -ENXIO);
	return r ? UINT64_MAX : at;
}

static void seek__finds_data_and_holes(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	const uint64_t page = PAGE_BYTES;

	assert_true(seek(f, ino, 0, SEEK_DATA) == UINT64_MAX);
	assert_true(seek(f, ino, 0, SEEK_HOLE) == UINT64_MAX);
	put_pages(f, ino, 1020, 10, A, 0);
	put_page(f, ino, 3000, 0);
	assert_int_equal(put_bytes(f, ino, 5000 * page, 10, 'x'), 10);
	assert_int_equal(seek(f, ino, 0, SEEK_HOLE), 0);
	assert_int_equal(seek(f, ino, 5, SEEK_DATA), 1020 * page);
	assert_int_equal(seek(f, ino, 1020 * page + 7, SEEK_DATA), 1020 * page + 7);
	assert_int_equal(seek(f, ino, 1020 * page + 7, SEEK_HOLE), 1030 * page);
	assert_int_equal(seek(f, ino, 1030 * page, SEEK_DATA), 3000 * page);
	assert_int_equal(seek(f, ino, 3000 * page, SEEK_HOLE), 3001 * page);
	assert_int_equal(seek(f, ino, 3001 * page, SEEK_DATA), 5000 * page);
	assert_int_equal(seek(f, ino, 5000 * page, SEEK_HOLE), 5000 * page + 10); /* the end is a hole */
	assert_true(seek(f, ino, 5000 * page + 10, SEEK_DATA) == UINT64_MAX);
	truncate_to_pages(f, ino, 6000);
	assert_true(seek(f, ino, 5001 * page, SEEK_DATA) == UINT64_MAX);
	assert_int_equal(seek(f, ino, 5001 * page, SEEK_HOLE), 5001 * page);
}

/* As on tmpfs; but a hole that somebody may have stored into through a mapping must not be passed over by a copy. */
static void seek__reserved_is_data_while_somebody_can_store(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	const uint64_t page = PAGE_BYTES;

	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, 3000 * page), 0);
	put_page(f, ino, 2000, 0);
	assert_int_equal(seek(f, ino, 0, SEEK_HOLE), 0);
	assert_int_equal(seek(f, ino, 0, SEEK_DATA), 2000 * page);
	assert_int_equal(seek(f, ino, 2000 * page, SEEK_HOLE), 2001 * page);
	assert_true(seek(f, ino, 2001 * page, SEEK_DATA) == UINT64_MAX);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	assert_int_equal(seek(f, ino, 0, SEEK_DATA), 0);
	assert_int_equal(seek(f, ino, 0, SEEK_HOLE), 3000 * page);
	volume_file_release(f->v, ino, O_RDWR);
	assert_int_equal(seek(f, ino, 0, SEEK_DATA), 2000 * page);
}

static void *allocate_much(void *arg)
{
	struct fixture *f = arg;

	return (void *)(intptr_t)volume_fallocate(f->v, make_file(f, "much"), 0, 0, UINT64_C(16) << 30);
}

/* Figures are taken while it is at it: they do not wait for its end. */
static void reserve__of_very_much_keeps_nobody_out(void **state)
{
	struct fixture *f = *state;
	const int64_t all = INT64_C(16) << 30 >> PAGE_SHIFT;
	int64_t stats[ATTRS], reserved;
	unsigned between = 0;
	pthread_t thread;
	void *r;

	set(f, ATTR_size, UINT64_C(32) << 30);
	assert_int_equal(pthread_create(&thread, NULL, allocate_much, f), 0);
	do {
		volume_stats(f->v, stats);
		reserved = stats[ATTR_store_reserved_pages];
		between += reserved > 0 && reserved < all;
	} while (reserved < all);
	pthread_join(thread, &r);
	assert_null(r);
	assert_true(between > 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(clear__frees_all_and_counts_a_change),
	FIXTURE_TEST(truncate__inside_a_page_zeroes_its_rest),
	FIXTURE_TEST(truncate__where_zeroes_are_already_writes_none),
	FIXTURE_TEST(punch__keeps_pages_that_it_covers_in_part),
	FIXTURE_TEST(punch__parts_become_zero_and_whole_pages_holes),
	FIXTURE_TEST(punch__reserved_and_missing_pages_stay_as_they_are),
	FIXTURE_TEST(punch__of_a_page_gives_back_what_holds_nothing),
	FIXTURE_TEST(punch__of_each_page_as_it_is_written_keeps_no_node),
	FIXTURE_TEST(punch__keeps_the_node_of_what_it_leaves),
	FIXTURE_TEST(punch__of_many_threads_in_the_same_leaves),
	FIXTURE_TEST(truncate__gives_back_the_leaf_that_it_cuts),
	FIXTURE_TEST(reserve__beyond_the_end_leaves_no_node),
	FIXTURE_TEST(reserve__for_who_has_gone_is_given_back),
	FIXTURE_TEST(reserve__all_or_none),
	FIXTURE_TEST(reserve__without_memory_for_nodes_leaves_none),
	FIXTURE_TEST(reserve__of_very_much_keeps_nobody_out),
	FIXTURE_TEST(return_lent__of_a_removed_file_is_its_end),
	FIXTURE_TEST(return_lent__not_what_was_allocated_after),
	FIXTURE_TEST(return_lent__only_what_reads_reserved),
	FIXTURE_TEST(return_lent__and_the_nodes_that_held_nothing_else),
	FIXTURE_TEST(return_lent__is_known_to_who_opens_meanwhile),
	FIXTURE_TEST(seek__finds_data_and_holes),
	FIXTURE_TEST(seek__reserved_is_data_while_somebody_can_store),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
