/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of any bytes, as a caller of copy_file_range(2) sees them. */
#include "core/volume.h"

#include <fcntl.h>
#include <stdlib.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { A = 1, B = 2, PAGES = 40, BYTES = PAGES * PAGE_BYTES };

static ssize_t copy(struct fixture *f, uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset,
		    uint64_t len)
{
	return volume_copy(f->v, &(struct volume_copy){ from, from_offset, to, to_offset, len }, 0, NULL);
}

static uint64_t size_of(struct fixture *f, uint64_t ino)
{
	struct stat st;

	assert_int_equal(volume_getattr(f->v, ino, &st), 0);
	return (uint64_t)st.st_size;
}

static void assert_bytes(struct fixture *f, uint64_t ino, const uint8_t *should, size_t len)
{
	uint8_t *is = malloc(len + 1);

	assert_non_null(is);
	assert_int_equal(get_bytes(f, ino, 0, len + 1, is), len);
	assert_memory_equal(is, should, len);
	free(is);
}

static unsigned draw(uint64_t *random, unsigned below)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((*random >> 33) % below);
}

/* Anywhere, of any length, onto holes, zeroes and other bytes, also beyond the end. */
static void copy__of_any_bytes_to_any_place(void **state)
{
	static uint8_t source[BYTES], model[2 * BYTES], before[2 * BYTES];
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), random = 1;

	for (size_t n = 0; n < sizeof(source); n++)
		source[n] = n / PAGE_BYTES % 5 == 3 ? 0 : (uint8_t)(n * 7 + n / PAGE_BYTES);
	assert_int_equal(volume_write(f->v, from, 0, source, sizeof(source) - 77, 0), sizeof(source) - 77);
	for (unsigned n = 0; n < sizeof(before); n++)
		before[n] = (uint8_t)draw(&random, 256);
	for (unsigned n = 0; n < 300; n++) {
		uint64_t to = make_file(f, "to");
		size_t at = draw(&random, BYTES), to_at = draw(&random, BYTES), len = 1 + draw(&random, BYTES);
		size_t size = draw(&random, 3) ? draw(&random, 2 * BYTES) : 0, done;

		if (draw(&random, 2))
			to_at = (to_at & ~(size_t)(PAGE_BYTES - 1)) + at % PAGE_BYTES;
		memset(model, 0, sizeof(model));
		memcpy(model, before, size);
		if (size)
			assert_int_equal(volume_write(f->v, to, 0, before, size, 0), size);
		done = at < sizeof(source) - 77 ? MIN(len, sizeof(source) - 77 - at) : 0;
		assert_int_equal(copy(f, from, at, to, to_at, len), done);
		memcpy(model + to_at, source + at, done);
		assert_bytes(f, to, model, done ? MAX(size, to_at + done) : size);
		drop_file(f, "to", to);
	}
	assert_bytes(f, from, source, sizeof(source) - 77);
	assert_true(figure(f, ATTR_fault_copied_by_reference) > 100);
}

static void copy__ends_with_the_source(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make_file(f, "to");

	put_pages(f, from, 0, 2, A, 1);
	assert_int_equal(put_bytes(f, from, 2 * PAGE_BYTES, 100, 'x'), 100);
	assert_int_equal(copy(f, from, PAGE_BYTES, to, 0, UINT64_MAX), PAGE_BYTES + 100);
	assert_int_equal(size_of(f, to), PAGE_BYTES + 100);
	assert_page(f, to, 0, B);
	assert_int_equal(copy(f, from, 2 * PAGE_BYTES + 100, to, 0, 1), 0);
	assert_int_equal(copy(f, from, UINT64_C(1) << 50, to, UINT64_C(1) << 60, 1), 0);
	assert_int_equal(copy(f, from, 0, to, 0, 0), 0);
	assert_int_equal(size_of(f, to), PAGE_BYTES + 100);
}

static void copy__to_what_may_be_stored_into_unseen_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make_file(f, "to");
	struct volume_copy what = { from, 0, to, PAGE_BYTES, PAGE_BYTES };

	put_pages(f, from, 0, 4, A, 1);
	put_pages(f, to, 0, 2, 100, 1);
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, NULL), PAGE_BYTES); /* nobody can */
	assert_int_equal(volume_file_open(f->v, to, O_WRONLY), 0);
	assert_int_equal(volume_file_open(f->v, from, O_RDWR), 0);
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, NULL), PAGE_BYTES);
	assert_int_equal(volume_file_open(f->v, to, O_RDWR), 0);
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, NULL), -EXDEV);
	assert_int_equal(volume_copy(f->v, &what, 0, NULL), PAGE_BYTES);
	what.to_offset = 2 * PAGE_BYTES; /* behind its end, nobody */
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, NULL), PAGE_BYTES);
	what = (struct volume_copy){ from, 0, to, 3 * PAGE_BYTES, 100 };
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, NULL), 100);
	what.to_offset += 100; /* but in the last page */
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, NULL), -EXDEV);
	volume_file_release(f->v, to, O_RDWR);
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, NULL), 100);
	volume_file_release(f->v, to, O_WRONLY);
	volume_file_release(f->v, from, O_RDWR);
}

struct opener {
	struct fixture *f;
	uint64_t ino;
};

static bool open_to_store(void *arg)
{
	struct opener *o = arg;

	assert_int_equal(volume_file_open(o->f->v, o->ino, O_RDWR), 0);
	return false;
}

static void copy__ends_where_somebody_begins_to_store(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make_file(f, "to");
	const struct volume_copy what = { from, 0, to, 0, UINT64_MAX };
	struct opener opener = { f, to };
	const struct interrupt interrupt = { open_to_store, &opener };

	truncate_to_pages(f, from, 4 * BATCH_PAGES);
	truncate_to_pages(f, to, 4 * BATCH_PAGES);
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, &interrupt), 2 * BATCH_PAGES * PAGE_BYTES);
	assert_int_equal(volume_copy(f->v, &what, VOLUME_COPY_UNSEEN, &interrupt), -EXDEV);
	volume_file_release(f->v, to, O_RDWR);
}

static void copy__of_what_cannot_be_copied_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t file = make_file(f, "file"), other = make_file(f, "other"), fifo = make(f, ROOT_INO, "p", S_IFIFO);

	put_page(f, file, 0, A);
	assert_int_equal(copy(f, ROOT_INO, 0, file, 0, 1), -EISDIR);
	assert_int_equal(copy(f, file, 0, ROOT_INO, 0, 1), -EISDIR);
	assert_int_equal(copy(f, file, 0, fifo, 0, 1), -EINVAL);
	assert_int_equal(copy(f, file, 0, other, FILE_BYTES_MAX, 1), -EFBIG);
	assert_int_equal(copy(f, file, 0, other, UINT64_MAX, UINT64_MAX), -EFBIG);
	assert_int_equal(copy(f, file, 0, other, FILE_BYTES_MAX - 1, 2), 1);
	assert_int_equal(copy(f, file, 0, file, 1, 2), -EINVAL);
	assert_int_equal(copy(f, file, 0, file, 2, 2), 2);
	drop_file(f, "other", other);
	assert_int_equal(copy(f, file, 0, other, 0, 1), -ESTALE);
	assert_int_equal(copy(f, other, 0, file, 0, 1), -ESTALE);
}

static void copy__moves_the_times_and_takes_privileges(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make(f, ROOT_INO, "to", S_IFREG | 06755);
	const struct volume_copy what = { from, 0, to, 0, PAGE_BYTES };
	struct stat then = { .st_mtim = { .tv_sec = 1000 }, .st_ctim = { .tv_sec = 1000 } }, st;

	put_page(f, from, 0, A);
	for (unsigned flags = 0; flags <= VOLUME_WRITE_KILL_PRIV; flags += VOLUME_WRITE_KILL_PRIV) {
		assert_int_equal(volume_setattr(f->v, to, &then, VOLUME_SET_MTIME | VOLUME_SET_CTIME, &st), 0);
		assert_int_equal(volume_setattr(f->v, from, &then, VOLUME_SET_MTIME | VOLUME_SET_CTIME, &st), 0);
		assert_int_equal(copy(f, from, PAGE_BYTES, to, 0, 1), 0); /* nothing, and nothing moves */
		assert_int_equal(volume_getattr(f->v, to, &st), 0);
		assert_int_equal(st.st_mtim.tv_sec, 1000);
		assert_int_equal(volume_copy(f->v, &what, flags, NULL), PAGE_BYTES);
		assert_int_equal(volume_getattr(f->v, to, &st), 0);
		assert_true(st.st_mtim.tv_sec > 1000 && st.st_ctim.tv_sec > 1000);
		assert_int_equal(st.st_mode & 06000, flags ? 0 : 06000);
		assert_int_equal(volume_getattr(f->v, from, &st), 0);
		assert_int_equal(st.st_mtim.tv_sec, 1000);
	}
}

static void copy__that_does_not_fit_takes_privileges_too(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make(f, ROOT_INO, "to", S_IFREG | 06755);
	const struct volume_copy what = { from, 0, to, 0, PAGE_BYTES };
	struct stat st;

	put_page(f, from, 0, A);
	set_size(f, 1);
	for (unsigned flags = 0; flags <= VOLUME_WRITE_KILL_PRIV; flags += VOLUME_WRITE_KILL_PRIV) {
		assert_int_equal(volume_copy(f->v, &what, flags, NULL), -ENOSPC);
		assert_int_equal(volume_getattr(f->v, to, &st), 0);
		assert_int_equal(st.st_mode & 06000, flags ? 0 : 06000);
	}
}

static void copy__that_ends_early_leaves_nothing_behind_its_end(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make_file(f, "to");
	uint8_t is[2 * PAGE_BYTES] = { 0 };

	put_pages(f, from, 0, 20, A, 1);
	assert_int_equal(put_bytes(f, to, 0, 100, 'x'), 100);
	assert_int_equal(volume_set(f->v, ATTR_size, 25 * PAGE_BYTES, NULL), 0);
	assert_int_equal(copy(f, from, 1, to, 200, 20 * PAGE_BYTES), 5 * PAGE_BYTES - 200);
	assert_int_equal(size_of(f, to), 5 * PAGE_BYTES);
	assert_int_equal(f->v->pool.charged, 25);
	assert_int_equal(copy(f, from, 1, to, 9 * PAGE_BYTES, 20 * PAGE_BYTES), -ENOSPC);
	assert_int_equal(size_of(f, to), 5 * PAGE_BYTES);
	assert_int_equal(get_bytes(f, to, 0, 200, is), 200);
	assert_int_equal(is[99], 'x');
	assert_int_equal(is[100], 0);
	assert_int_equal(f->v->pool.charged, 25);
}

static bool after_two(void *arg)
{
	unsigned *asked = arg;

	return ++*asked == 2;
}

static void copy__interrupted_tells_what_is_done(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make_file(f, "to");
	const struct volume_copy what = { from, 0, to, 0, UINT64_MAX };
	unsigned asked = 0;
	const struct interrupt interrupt = { after_two, &asked };

	truncate_to_pages(f, from, 10 * BATCH_PAGES);
	assert_int_equal(volume_copy(f->v, &what, 0, &interrupt), 2 * BATCH_PAGES * PAGE_BYTES);
	assert_int_equal(size_of(f, to), 2 * BATCH_PAGES * PAGE_BYTES);
	assert_figure(f, ksm_zero_pages, 2 * BATCH_PAGES);
}

static bool at_once(void *arg)
{
	(void)arg;
	return true;
}

/* A page that may not be referred to any more finds no frame, and those behind it are stored already. */
static void copy__interrupted_leaves_nothing_behind_its_end(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make_file(f, "to");
	const struct volume_copy what = { from, 0, to, 0, UINT64_MAX };
	const struct interrupt interrupt = { at_once, NULL };
	struct hoard hoard;

	set(f, ATTR_max_page_sharing, 4);
	put_pages(f, from, 0, 3, A, 0);
	put_page(f, from, 3, B);
	hoard_frames(f, &hoard, 0);
	assert_int_equal(volume_copy(f->v, &what, 0, &interrupt), PAGE_BYTES);
	return_frames(f, &hoard);
	assert_int_equal(size_of(f, to), PAGE_BYTES);
	truncate_to_pages(f, to, 4);
	assert_page(f, to, 0, A);
	for (unsigned n = 1; n < 4; n++)
		assert_page(f, to, n, 0);
}

static void copy__of_very_much_comes_back_before_its_end(void **state)
{
	struct fixture *f = *state;
	uint64_t from = make_file(f, "from"), to = make_file(f, "to");
	const uint64_t size = UINT64_C(200) << 20;
	uint64_t done = 0, calls = 0;

	truncate_to_pages(f, from, size >> PAGE_SHIFT);
	put_page(f, from, (size >> PAGE_SHIFT) - 1, A);
	while (done < size) {
		const struct volume_copy what = { from, done, to, done, size };
		ssize_t n = volume_copy(f->v, &what, 0, NULL);

		assert_in_range(n, 1, 64 << 20);
		done += (uint64_t)n;
		calls++;
	}
	assert_int_equal(calls, 4);
	assert_int_equal(size_of(f, to), size);
	assert_page(f, to, (size >> PAGE_SHIFT) - 1, A);
}

/* --- failing ------------------------------------------------------------------------------------ */

/* What is not in the index yet, what is, zeroes and a hole; to where nodes are missing. */
static void fill(struct fixture *f, uint64_t from)
{
	put_pages(f, from, 0, 20, A, 1);
	set(f, ATTR_merge_on_write, 0);
	put_pages(f, from, 20, 20, 100, 1);
	put_page(f, from, 40, 0);
	truncate_to_pages(f, from, 43);
}

/* The nth call of its kind fails: what is told to be there is there, and no more; and then it goes. */
static bool fails_well(struct fixture *f, enum failpoint kind, unsigned nth, uint64_t from_offset, unsigned run)
{
	enum { LEN = 41 * PAGE_BYTES };
	static uint8_t should[43 * PAGE_BYTES], is[LEN + 1];
	uint64_t from = make_file(f, "from"), to = make_file(f, "to");
	const struct volume_copy what = { from, from_offset, to, UINT64_C(1) << 33, LEN };
	ssize_t n;
	bool met;

	fill(f, from);
	set(f, ATTR_run, run);
	assert_int_equal(get_bytes(f, from, 0, sizeof(should), should), sizeof(should));
	failpoint_arm(kind, nth);
	n = volume_copy(f->v, &what, 0, NULL);
	met = !failpoint_armed(kind);
	failpoint_arm(kind, 0);
	fixture_check(f);
	assert_true(n > 0 || (n == -ENOSPC && kind == FAIL_ALLOC && met));
	assert_int_equal(size_of(f, to), n > 0 ? what.to_offset + (uint64_t)n : 0);
	assert_int_equal(get_bytes(f, to, what.to_offset, sizeof(is), is), MAX(n, 0));
	if (n < LEN)
		assert_int_equal(volume_copy(f->v, &what, 0, NULL), LEN);
	assert_int_equal(get_bytes(f, to, what.to_offset, sizeof(is), is), LEN);
	assert_memory_equal(is, should + from_offset, LEN);
	return met;
}

static void copy__failing_at_any_call_tells_the_truth(enum failpoint kind)
{
	static const struct { uint64_t from_offset; unsigned run; } ways[] = { { 0, 1 }, { 0, 0 }, { 100, 1 } };

	for (unsigned n = 0; n < ARRAY_SIZE(ways); n++) {
		unsigned nth = 0;
		void *state;
		bool met;

		do {
			assert_int_equal(fixture_setup(&state), 0);
			met = fails_well(state, kind, ++nth, ways[n].from_offset, ways[n].run);
			assert_int_equal(fixture_teardown(&state), 0);
		} while (met);
		assert_in_range(nth, 2, 500);
	}
}

static void copy__without_memory_tells_the_truth(void **state)
{
	(void)state;
	copy__failing_at_any_call_tells_the_truth(FAIL_ALLOC);
}

static void copy__that_meets_taken_page_locks_goes_on(void **state)
{
	(void)state;
	copy__failing_at_any_call_tells_the_truth(FAIL_PAGE_LOCK);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(copy__of_any_bytes_to_any_place),
	FIXTURE_TEST(copy__ends_with_the_source),
	FIXTURE_TEST(copy__to_what_may_be_stored_into_unseen_is_refused),
	FIXTURE_TEST(copy__ends_where_somebody_begins_to_store),
	FIXTURE_TEST(copy__of_what_cannot_be_copied_is_refused),
	FIXTURE_TEST(copy__moves_the_times_and_takes_privileges),
	FIXTURE_TEST(copy__that_does_not_fit_takes_privileges_too),
	FIXTURE_TEST(copy__that_ends_early_leaves_nothing_behind_its_end),
	FIXTURE_TEST(copy__interrupted_tells_what_is_done),
	FIXTURE_TEST(copy__interrupted_leaves_nothing_behind_its_end),
	FIXTURE_TEST(copy__of_very_much_comes_back_before_its_end),
	cmocka_unit_test(copy__without_memory_tells_the_truth),
	cmocka_unit_test(copy__that_meets_taken_page_locks_goes_on),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
