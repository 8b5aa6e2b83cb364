/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything at once on one volume, with scanner and housekeeper, and then a look at what is left. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { THREADS = 4, SHARED_FILES = 3, PAGES = 48, CONTENTS = 6, RUN_MS = 400 };

struct worker {
	struct fixture *f;
	const uint64_t *ino;
	uint64_t random;
	pthread_t thread;
	atomic_bool *stop;
	atomic_uint *wrong;
	unsigned number, operations;
};

static unsigned draw(struct worker *w, unsigned below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)((w->random >> 11) % below);
}

/* cmocka's assertions are for one thread. */
static void expect(struct worker *w, bool right)
{
	if (!right)
		atomic_fetch_add(w->wrong, 1);
}

/* A page is what somebody wrote, whole. */
static bool is_whole(const uint8_t *page)
{
	uint8_t should[PAGE_BYTES];

	for (unsigned what = 0; what < CONTENTS; what++) {
		fill_page(should, what);
		if (!memcmp(page, should, sizeof(should)))
			return true;
	}
	return false;
}

static void read_(struct worker *w, uint64_t ino)
{
	static _Thread_local struct volume_read r;
	int n = volume_read(w->f->v, ino, (uint64_t)draw(w, PAGES) << PAGE_SHIFT, 8 * PAGE_BYTES, &r);

	expect(w, !n);
	if (n)
		return;
	for (unsigned k = 0; k < r.count; k++)
		for (size_t at = 0; at < r.iov[k].iov_len; at += PAGE_BYTES)
			expect(w, is_whole((uint8_t *)r.iov[k].iov_base + at));
	volume_read_done(&r);
}

static void write_(struct worker *w, uint64_t ino, unsigned flags)
{
	unsigned pages = 1 + draw(w, 8);
	size_t len = (size_t)pages << PAGE_SHIFT;
	uint8_t data[8 * PAGE_BYTES];

	for (unsigned n = 0; n < pages; n++)
		fill_page(data + n * PAGE_BYTES, draw(w, CONTENTS));
	expect(w, volume_write(w->f->v, ino, (uint64_t)draw(w, PAGES) << PAGE_SHIFT, data, len, flags) ==
			  (ssize_t)len);
}

/* Between any two, also in opposite directions at once. */
static void copy_(struct worker *w, uint64_t from, uint64_t to)
{
	const struct volume_copy c = { from, (uint64_t)draw(w, PAGES / 2) << PAGE_SHIFT, to,
				       (uint64_t)(PAGES / 2 + draw(w, PAGES / 2)) << PAGE_SHIFT,
				       (uint64_t)(1 + draw(w, 8)) << PAGE_SHIFT };
	ssize_t n = volume_copy(w->f->v, &c, 0, NULL);

	expect(w, (n >= 0 && n % PAGE_BYTES == 0) || (from == to && n == -EINVAL));
}

static void resize(struct worker *w, uint64_t ino)
{
	struct stat st = { .st_size = (off_t)draw(w, PAGES) << PAGE_SHIFT };

	if (draw(w, 2))
		expect(w, !volume_setattr(w->f->v, ino, &st, VOLUME_SET_SIZE, &st));
	else if (draw(w, 2))
		expect(w, !volume_fallocate(w->f->v, ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					    (uint64_t)st.st_size, 4 * PAGE_BYTES));
	else
		expect(w, !volume_fallocate(w->f->v, ino, 0, (uint64_t)st.st_size, 4 * PAGE_BYTES));
}

static void open_and_close(struct worker *w, uint64_t ino)
{
	expect(w, !open_fresh(w->f->v, ino));
	read_(w, ino);
	volume_file_release(w->f->v, ino, O_RDWR);
}

/* Links come and go under names that all threads use. */
static void link_and_unlink(struct worker *w, uint64_t ino)
{
	const char name[] = { (char)('a' + draw(w, 4)), '\0' };
	struct volume_entry e;
	int r;

	r = volume_link(w->f->v, ino, ROOT_INO, name_of(name), &e);
	expect(w, !r || r == -EEXIST);
	if (!r)
		volume_forget(w->f->v, ino, 1);
	r = volume_lookup(w->f->v, ROOT_INO, name_of(name), &e);
	expect(w, !r || r == -ENOENT);
	if (!r)
		volume_forget(w->f->v, e.ino, 1);
	r = volume_rename(w->f->v, ROOT_INO, name_of(name), ROOT_INO, name_of("z"), 0, NULL);
	expect(w, !r || r == -ENOENT);
	r = volume_unlink(w->f->v, ROOT_INO, name_of("z"));
	expect(w, !r || r == -ENOENT);
}

/* A file's whole life. */
static void live_and_die(struct worker *w)
{
	const char name[] = { (char)('0' + w->number), '\0' };
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	struct volume_entry e;

	if (volume_create(w->f->v, ROOT_INO, name_of(name), &new, &e)) {
		expect(w, false);
		return;
	}
	for (unsigned n = 0; n < 3; n++)
		write_(w, e.ino, 0);
	read_(w, e.ino);
	expect(w, !volume_unlink(w->f->v, ROOT_INO, name_of(name)));
	read_(w, e.ino);
	volume_forget(w->f->v, e.ino, 1);
	volume_file_release(w->f->v, e.ino, O_RDWR);
	expect(w, !inode_of(w->f->v, e.ino));
}

/* `run` = 2 ends early when another thread sets it meanwhile. */
static void set_something(struct worker *w)
{
	static const struct { enum attr attr; unsigned below; } settings[] = {
		{ ATTR_run, 3 }, { ATTR_run, 3 }, { ATTR_merge_on_write, 2 }, { ATTR_use_zero_pages, 2 },
		{ ATTR_smart_scan, 2 }, { ATTR_max_kernel_pages, 4 },
	};
	unsigned n = draw(w, ARRAY_SIZE(settings));
	int r = volume_set(w->f->v, settings[n].attr, draw(w, settings[n].below), NULL);

	expect(w, !r || (settings[n].attr == ATTR_run && r == -EINTR));
}

static void advise(struct worker *w, uint64_t ino)
{
	uint64_t from = draw(w, PAGES), len = draw(w, PAGES);
	struct volume_pages p;
	int r;

	switch (draw(w, 4)) {
	case 0:
		expect(w, !volume_advise(w->f->v, ino, (enum volume_advice)draw(w, 3), NULL));
		break;
	case 1:
		r = volume_pages(w->f->v, draw(w, 2) ? ino : ROOT_INO, 0, UINT64_MAX, NULL, &p);
		expect(w, !r && p.slots == p.merged + p.unshared + p.zero + p.changing + p.untracked);
		break;
	default: /* some of it is beyond the end */
		r = volume_advise_range(w->f->v, ino, from << PAGE_SHIFT, len << PAGE_SHIFT,
					draw(w, 2) ? VOLUME_MERGEABLE : VOLUME_UNMERGEABLE, NULL);
		expect(w, !r || r == -ENOMEM);
	}
}

static void step(struct worker *w)
{
	uint64_t ino = w->ino[draw(w, SHARED_FILES)];

	switch (draw(w, 20)) {
	case 0:
		resize(w, ino);
		break;
	case 1:
		open_and_close(w, ino);
		break;
	case 2:
		link_and_unlink(w, ino);
		break;
	case 3:
		live_and_die(w);
		break;
	case 4:
		write_(w, ino, VOLUME_WRITEBACK);
		break;
	case 5:
		if (!draw(w, 4))
			set_something(w);
		break;
	case 16:
		advise(w, ino);
		break;
	case 18:
	case 19:
		copy_(w, w->ino[draw(w, SHARED_FILES)], ino);
		break;
	case 6:
	case 7:
	case 8:
		read_(w, ino);
		break;
	default:
		write_(w, ino, 0);
	}
	w->operations++;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(w->stop))
		step(w);
	return NULL;
}

static void all_calls__go_side_by_side(void **state)
{
	static const char *const names[SHARED_FILES] = { "one", "two", "three" };
	struct fixture *f = *state;
	struct worker w[THREADS];
	uint64_t ino[SHARED_FILES];
	atomic_bool stop = false;
	atomic_uint wrong = 0;
	int64_t stats[ATTRS];

	for (unsigned n = 0; n < SHARED_FILES; n++)
		ino[n] = make_file(f, names[n]);
	set(f, ATTR_sleep_millisecs, 1);
	assert_int_equal(volume_start(f->v), 0);
	for (unsigned n = 0; n < THREADS; n++) {
		w[n] = (struct worker){ .f = f, .ino = ino, .number = n, .random = n + 1,
					.stop = &stop, .wrong = &wrong };
		assert_int_equal(pthread_create(&w[n].thread, NULL, work, &w[n]), 0);
	}
	for (unsigned n = 0; n < RUN_MS / 20; n++) {
		rest_ms(20);
		fixture_check(f);
		volume_stats(f->v, stats);
		assert_int_equal(stats[ATTR_store_data_pages],
				 stats[ATTR_pages_shared] + stats[ATTR_pages_sharing] +
					 stats[ATTR_pages_unshared] + stats[ATTR_ksm_zero_pages] +
					 stats[ATTR_pages_volatile] + stats[ATTR_pages_untracked]);
	}
	stop = true;
	for (unsigned n = 0; n < THREADS; n++) {
		pthread_join(w[n].thread, NULL);
		assert_true(w[n].operations > 0);
	}
	assert_int_equal(wrong, 0);
	fixture_check(f);
	fixture_reopen(f);
	fixture_check(f);
	for (unsigned n = 0; n < SHARED_FILES; n++) {
		volume_forget(f->v, ino[n], UINT64_MAX);
		assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of(names[n])), 0);
	}
	for (char name[] = "a"; name[0] <= 'z'; name[0]++) {
		int r = volume_unlink(f->v, ROOT_INO, name_of(name));

		assert_true(!r || r == -ENOENT);
	}
	assert_figure(f, store_frames, 0);
	assert_figure(f, store_inodes, 1);
}

/* --- the same slots ----------------------------------------------------------------------------- */

static void *write_same(void *arg)
{
	struct worker *w = arg;

	for (unsigned n = 0; n < 500; n++) {
		uint8_t data[2 * PAGE_BYTES];

		fill_page(data, 1 + draw(w, CONTENTS - 1));
		fill_page(data + PAGE_BYTES, 1 + draw(w, CONTENTS - 1));
		expect(w, volume_write(w->f->v, w->ino[0], (uint64_t)draw(w, 4) << PAGE_SHIFT, data,
				       sizeof(data), 0) == sizeof(data));
	}
	return NULL;
}

static void write__many_threads_on_the_same_slots(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct worker w[THREADS];
	atomic_uint wrong = 0;
	uint8_t page[PAGE_BYTES];

	for (unsigned n = 0; n < THREADS; n++) {
		w[n] = (struct worker){ .f = f, .ino = &ino, .random = n + 1, .wrong = &wrong };
		assert_int_equal(pthread_create(&w[n].thread, NULL, write_same, &w[n]), 0);
	}
	for (unsigned n = 0; n < THREADS; n++)
		pthread_join(w[n].thread, NULL);
	assert_int_equal(wrong, 0);
	for (unsigned n = 0; n < 5; n++) {
		assert_int_equal(get_bytes(f, ino, (uint64_t)n << PAGE_SHIFT, PAGE_BYTES, page), PAGE_BYTES);
		assert_true(is_whole(page));
	}
	assert_int_equal(f->v->pool.charged, 5);
}

/* --- waiting for a page lock ---------------------------------------------------------------------- */

static unsigned sleepers(struct fixture *f)
{
	unsigned n = 0;

	for (unsigned k = 0; k < PAGELOCK_STRIPES; k++)
		n += f->v->pool.pagelocks.stripe[k].sleepers;
	return n;
}

static void *write_one(void *arg)
{
	struct worker *w = arg;
	uint8_t page[PAGE_BYTES];

	fill_page(page, 2);
	expect(w, volume_write(w->f->v, w->ino[0], 0, page, sizeof(page), 0) == sizeof(page));
	return NULL;
}

static void *punch_another(void *arg)
{
	struct worker *w = arg;

	expect(w, !volume_fallocate(w->f->v, w->ino[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				    PAGE_BYTES, PAGE_BYTES));
	return NULL;
}

/* A writer that waits for page 0 of a file of two; the map may change meanwhile. */
static void wait_for_page(struct fixture *f, bool change)
{
	struct pagelock_wait wait = { 0 };
	uint64_t ino = make_file(f, "file");
	uint32_t number = (uint32_t)ino;
	atomic_uint wrong = 0;
	struct worker writer = { .f = f, .ino = &ino, .wrong = &wrong }, other = writer;

	put_pages(f, ino, 0, 2, 1, 0);
	assert_true(pagelock_try(&f->v->pool.pagelocks, number, 0, &wait));
	assert_int_equal(pthread_create(&writer.thread, NULL, write_one, &writer), 0);
	while (!sleepers(f))
		sched_yield();
	if (change) {
		assert_int_equal(pthread_create(&other.thread, NULL, punch_another, &other), 0);
		pthread_join(other.thread, NULL);
	}
	pagelock_drop(&f->v->pool.pagelocks, number, 0);
	pthread_join(writer.thread, NULL);
	assert_int_equal(wrong, 0);
	assert_page(f, ino, 0, 2);
	assert_page(f, ino, 1, change ? 0 : 1);
}

static void write__goes_on_where_it_was_if_nothing_moved(void **state)
{
	struct fixture *f = *state;

	wait_for_page(f, false);
	assert_int_equal(figure(f, ATTR_fault_retries_resumed), 3);
	assert_figure(f, fault_retries_restarted, 0);
}

static void write__looks_again_if_the_map_has_changed(void **state)
{
	struct fixture *f = *state;

	wait_for_page(f, true);
	assert_figure(f, fault_retries_restarted, 1);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(all_calls__go_side_by_side),
	FIXTURE_TEST(write__many_threads_on_the_same_slots),
	FIXTURE_TEST(write__goes_on_where_it_was_if_nothing_moved),
	FIXTURE_TEST(write__looks_again_if_the_map_has_changed),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
