/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be merged, and what merging has done, by file, range and tree. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "core/advice.h"
#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { A = 1, PAGES = 30 };

static void advise(struct fixture *f, uint64_t ino, enum volume_advice advice)
{
	assert_int_equal(volume_advise(f->v, ino, advice, NULL), 0);
}

static int advise_pages(struct fixture *f, uint64_t ino, uint64_t from, uint64_t end, enum volume_advice advice)
{
	return volume_advise_range(f->v, ino, from << PAGE_SHIFT, (end - from) << PAGE_SHIFT, advice, NULL);
}

static enum volume_advice advice_of(struct fixture *f, uint64_t ino)
{
	enum volume_advice advice;

	assert_int_equal(volume_advice(f->v, ino, &advice), 0);
	return advice;
}

static struct volume_pages pages_at(struct fixture *f, uint64_t ino, uint64_t from, uint64_t end)
{
	struct volume_pages pages;
	uint64_t len = end == UINT64_MAX ? end : (end - from) << PAGE_SHIFT;

	assert_int_equal(volume_pages(f->v, ino, from << PAGE_SHIFT, len, NULL, &pages), 0);
	assert_int_equal(pages.slots, pages.merged + pages.unshared + pages.zero + pages.changing + pages.untracked);
	return pages;
}

static struct volume_pages pages_of_all(struct fixture *f, uint64_t ino)
{
	return pages_at(f, ino, 0, UINT64_MAX);
}

static uint64_t make_symlink(struct fixture *f, const char *name)
{
	const struct name target = name_of("elsewhere");
	const struct volume_new new = { .mode = S_IFLNK | 0777, .target = &target, .open_flags = -1 };
	struct volume_entry e;

	assert_int_equal(volume_create(f->v, ROOT_INO, name_of(name), &new, &e), 0);
	return e.ino;
}

/* --- a file ------------------------------------------------------------------------------------- */

static void advise__a_file_is_split_and_stays_so(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES, A, 1);
	assert_int_equal(advice_of(f, one), VOLUME_MERGEABLE);
	advise(f, one, VOLUME_UNMERGEABLE);
	assert_int_equal(advice_of(f, one), VOLUME_UNMERGEABLE);
	assert_all_counts(f, 0, 0, PAGES, 0, 0, PAGES);
	put_pages(f, one, 5, PAGES, A, 1);
	put_page(f, one, 5 + PAGES, 0);
	assert_int_equal(put_bytes(f, one, 100 * PAGE_BYTES, 1, 'x'), 1);
	scan(f, 3);
	assert_all_counts(f, 0, 0, PAGES, 0, 0, PAGES + 5 + 2);
	advise(f, one, VOLUME_MERGEABLE);
	assert_figure(f, pages_untracked, PAGES + 5 + 2); /* until somebody has looked */
	scan(f, 1);
	assert_counts(f, 0, 0, PAGES, 0, PAGES + 5 + 2);
	scan(f, 1);
	assert_counts(f, PAGES, PAGES + 5, 1, 1, 0);
	for (unsigned n = 0; n < PAGES; n++)
		assert_page(f, one, 5 + n, A + n);
}

static void advise__what_is_merged_may_be_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES / 2, A, 1);
	advise(f, one, VOLUME_KEEP);
	assert_int_equal(advice_of(f, one), VOLUME_KEEP);
	assert_all_counts(f, PAGES / 2, PAGES / 2, 0, 0, 0, PAGES / 2);
	put_pages(f, two, PAGES / 2, PAGES / 2, A + PAGES / 2, 1); /* equal to what is out of merging */
	scan(f, 3);
	assert_all_counts(f, PAGES / 2, PAGES / 2, PAGES / 2, 0, 0, PAGES / 2);
	put_page(f, one, 0, A + 1); /* leaves the frame it shared */
	scan(f, 3);
	assert_all_counts(f, PAGES / 2 - 1, PAGES / 2 - 1, PAGES / 2 + 1, 0, 0, PAGES / 2 + 1);
	advise(f, one, VOLUME_UNMERGEABLE);
	assert_all_counts(f, 0, 0, PAGES, 0, 0, PAGES);
}

static void advise__of_who_has_gone(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	enum volume_advice advice;
	struct volume_pages pages;

	drop_file(f, "file", ino);
	assert_int_equal(volume_advise(f->v, ino, VOLUME_KEEP, NULL), -ESTALE);
	assert_int_equal(volume_advice(f->v, ino, &advice), -ESTALE);
	assert_int_equal(advise_pages(f, ino, 0, 1, VOLUME_UNMERGEABLE), -ESTALE);
	assert_int_equal(volume_pages(f->v, ino, 0, UINT64_MAX, NULL, &pages), -ESTALE);
}

static bool now(void *arg)
{
	return --*(unsigned *)arg == 0;
}

static void advise__interrupted_or_without_frames_can_be_said_again(void **state)
{
	static struct hoard h;
	struct fixture *f = *state;
	unsigned left = 2;
	const struct interrupt interrupt = { now, &left };
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	for (unsigned n = 0; n < 2; n++) {
		put_pages(f, one, n * BATCH_PAGES, BATCH_PAGES, A + n * BATCH_PAGES, 1);
		put_pages(f, two, n * BATCH_PAGES, BATCH_PAGES, A + n * BATCH_PAGES, 1);
	}
	assert_int_equal(volume_advise(f->v, one, VOLUME_UNMERGEABLE, &interrupt), -EINTR);
	assert_int_equal(advice_of(f, one), VOLUME_UNMERGEABLE);
	assert_all_counts(f, BATCH_PAGES, BATCH_PAGES, BATCH_PAGES, 0, 0, BATCH_PAGES);
	scan(f, 3); /* it is out of merging, all of it */
	assert_all_counts(f, BATCH_PAGES, BATCH_PAGES, BATCH_PAGES, 0, 0, BATCH_PAGES);
	hoard_frames(f, &h, 5);
	assert_int_equal(volume_advise(f->v, one, VOLUME_UNMERGEABLE, NULL), -ENOMEM);
	assert_int_equal(figure(f, ATTR_pages_untracked), BATCH_PAGES + 5);
	fixture_check(f);
	return_frames(f, &h);
	advise(f, one, VOLUME_UNMERGEABLE);
	assert_all_counts(f, 0, 0, 2 * BATCH_PAGES, 0, 0, 2 * BATCH_PAGES);
	for (unsigned n = 0; n < 2 * BATCH_PAGES; n += 11)
		assert_page(f, one, n, A + n);
}

/* --- a directory ---------------------------------------------------------------------------------- */

static void advise__a_directory_is_for_what_is_new_in_it(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	uint64_t old = make(f, dir, "old", S_IFREG | 0644), new, below, sub;

	put_page(f, old, 0, A);
	advise(f, dir, VOLUME_UNMERGEABLE);
	assert_int_equal(advice_of(f, dir), VOLUME_UNMERGEABLE);
	assert_int_equal(advice_of(f, old), VOLUME_MERGEABLE);
	new = make(f, dir, "new", S_IFREG | 0644);
	sub = make(f, dir, "sub", S_IFDIR | 0755);
	below = make(f, sub, "below", S_IFREG | 0644);
	assert_int_equal(advice_of(f, new), VOLUME_UNMERGEABLE);
	assert_int_equal(advice_of(f, sub), VOLUME_UNMERGEABLE);
	assert_int_equal(advice_of(f, below), VOLUME_UNMERGEABLE);
	put_page(f, new, 0, A);
	put_page(f, below, 0, A);
	assert_all_counts(f, 0, 0, 1, 0, 0, 2);
	advise(f, dir, VOLUME_KEEP);
	assert_int_equal(advice_of(f, make(f, dir, "kept", S_IFREG | 0644)), VOLUME_KEEP);
	assert_int_equal(advice_of(f, make(f, sub, "as before", S_IFREG | 0644)), VOLUME_UNMERGEABLE);
	advise(f, new, VOLUME_MERGEABLE); /* a file's own word is the last */
	scan(f, 2);
	assert_all_counts(f, 1, 1, 0, 0, 0, 1);
}

static void advise__where_a_file_goes_later_means_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), ino = make_file(f, "file");
	struct volume_entry e;

	advise(f, dir, VOLUME_UNMERGEABLE);
	assert_int_equal(volume_link(f->v, ino, dir, name_of("link"), &e), 0);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("file"), dir, name_of("moved"), 0, NULL), 0);
	assert_int_equal(advice_of(f, ino), VOLUME_MERGEABLE);
	volume_forget(f->v, ino, 1);
}

static void optin__merges_only_what_was_advised(void **state)
{
	struct fixture *f = *state;
	uint64_t one, two;

	volume_close(f->v);
	close(f->config.frames_fd);
	close(f->config.inodes_fd);
	f->config.merge_optin = true;
	assert_int_equal(volume_memfds(&f->config.frames_fd, &f->config.inodes_fd), 0);
	assert_int_equal(volume_open(&f->config, &f->v), 0);
	one = make_file(f, "one");
	two = make(f, make(f, ROOT_INO, "dir", S_IFDIR | 0755), "two", S_IFREG | 0644);
	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES, A, 1);
	scan(f, 3);
	assert_all_counts(f, 0, 0, 0, 0, 0, 2 * PAGES);
	assert_int_equal(advice_of(f, ROOT_INO), VOLUME_UNMERGEABLE);
	fixture_reopen(f);
	assert_all_counts(f, 0, 0, 0, 0, 0, 2 * PAGES);
	advise(f, one, VOLUME_MERGEABLE);
	assert_int_equal(advise_pages(f, two, 3, 5, VOLUME_MERGEABLE), 0);
	scan(f, 2);
	assert_all_counts(f, 2, 2, PAGES - 2, 0, 0, PAGES - 2);
}

/* --- ranges --------------------------------------------------------------------------------------- */

static void range__goes_before_the_whole(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES, A, 1);
	assert_int_equal(advise_pages(f, one, 10, 20, VOLUME_UNMERGEABLE), 0);
	assert_all_counts(f, PAGES - 10, PAGES - 10, 10, 0, 0, 10);
	put_pages(f, one, 0, PAGES, A + 1, 1);
	put_pages(f, one, 0, PAGES, A, 1);
	scan(f, 3);
	assert_all_counts(f, PAGES - 10, PAGES - 10, 10, 0, 0, 10);
	assert_int_equal(advise_pages(f, one, 12, 14, VOLUME_MERGEABLE), 0);
	scan(f, 2);
	assert_all_counts(f, PAGES - 8, PAGES - 8, 8, 0, 0, 8);
	advise(f, one, VOLUME_UNMERGEABLE); /* forgets them */
	assert_all_counts(f, 0, 0, PAGES, 0, 0, PAGES);
	assert_int_equal(advise_pages(f, one, 0, 3, VOLUME_MERGEABLE), 0);
	put_pages(f, one, 0, 3, A, 1); /* found as it is written, too */
	assert_all_counts(f, 3, 3, PAGES - 3, 0, 0, PAGES - 3);
	advise(f, one, VOLUME_MERGEABLE);
	scan(f, 2);
	assert_counts(f, PAGES, PAGES, 0, 0, 0);
	assert_figure(f, store_table_frames, 2); /* a node each, and none for ranges */
}

static void range__of_what_is_to_be_written(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	truncate_to_pages(f, ino, PAGES);
	assert_int_equal(advise_pages(f, ino, 5, 10, VOLUME_UNMERGEABLE), 0);
	put_pages(f, ino, 0, PAGES, A, 0);
	assert_all_counts(f, 1, PAGES - 6, 0, 0, 0, 5);
	set(f, ATTR_run, 0);
	assert_int_equal(advise_pages(f, ino, 0, 1, VOLUME_UNMERGEABLE), 0); /* whatever `run` says */
	assert_all_counts(f, 1, PAGES - 7, 0, 0, 0, 6);
}

static void range__what_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	struct { uint64_t offset, len; } bad[] = {
		{ 1, PAGE_BYTES }, { 0, 100 }, { PAGE_BYTES, PAGE_BYTES + 1 }, { PAGE_BYTES / 2, PAGE_BYTES / 2 },
		{ PAGE_BYTES, UINT64_MAX - PAGE_BYTES + 1 }, { UINT64_MAX - PAGE_BYTES + 1, PAGE_BYTES },
	};

	put_pages(f, ino, 0, PAGES, A, 0);
	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++)
		assert_int_equal(volume_advise_range(f->v, ino, bad[n].offset, bad[n].len, VOLUME_UNMERGEABLE, NULL),
				 -EINVAL);
	assert_int_equal(advise_pages(f, ino, 0, 1, VOLUME_KEEP), -EINVAL);
	assert_int_equal(advise_pages(f, dir, 0, 1, VOLUME_UNMERGEABLE), -EISDIR);
	assert_int_equal(advise_pages(f, make_symlink(f, "symlink"), 0, 1, VOLUME_UNMERGEABLE), -ENOTTY);
	assert_int_equal(advise_pages(f, make(f, ROOT_INO, "fifo", S_IFIFO | 0600), 0, 1, VOLUME_UNMERGEABLE),
			 -ENOTTY);
	assert_int_equal(advise_pages(f, ino, 3, 3, VOLUME_UNMERGEABLE), 0); /* none is allowed */
	assert_counts(f, 1, PAGES - 1, 0, 0, 0);
	assert_int_equal(inode_of(f->v, ino)->record->ranges, 0);
	assert_int_equal(inode_of(f->v, dir)->record->ranges, 0);
}

static void range__beyond_the_end_is_done_as_far_as_it_goes(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, PAGES, A, 0);
	assert_int_equal(put_bytes(f, ino, PAGES * PAGE_BYTES, 10, 'x'), 10); /* a part is a page */
	assert_int_equal(advise_pages(f, ino, PAGES - 2, PAGES + 5, VOLUME_UNMERGEABLE), -ENOMEM);
	assert_all_counts(f, 1, PAGES - 3, 0, 0, 0, 3);
	assert_int_equal(advise_pages(f, ino, PAGES + 1, PAGES + 2, VOLUME_UNMERGEABLE), -ENOMEM);
	assert_int_equal(volume_advise_range(f->v, ino, 0, UINT64_MAX - PAGE_BYTES + 1, VOLUME_UNMERGEABLE, NULL),
			 -ENOMEM);
	assert_all_counts(f, 0, 0, 0, 0, 0, PAGES + 1);
	put_page(f, ino, PAGES + 1, A); /* what comes later is not meant */
	assert_all_counts(f, 0, 0, 1, 0, 0, PAGES + 1);
}

static void range__without_frames_is_known_and_says_so(void **state)
{
	static struct hoard h;
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, PAGES, A, 0);
	hoard_frames(f, &h, 3); /* and what is urgent, as frames for points are, finds more */
	assert_int_equal(advise_pages(f, ino, 0, 10, VOLUME_UNMERGEABLE), -ENOMEM);
	assert_int_equal(pages_of_all(f, ino).left_out, 10);
	fixture_check(f);
	return_frames(f, &h);
	assert_int_equal(advise_pages(f, ino, 0, 10, VOLUME_UNMERGEABLE), 0);
	assert_all_counts(f, 1, PAGES - 11, 0, 0, 0, 10);
}

static void range__truncation_forgets(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct stat st = { .st_size = 10 * PAGE_BYTES + 1 };

	put_pages(f, ino, 0, PAGES, A, 0);
	assert_int_equal(advise_pages(f, ino, 5, PAGES, VOLUME_UNMERGEABLE), 0);
	assert_int_equal(volume_setattr(f->v, ino, &st, VOLUME_SET_SIZE, &st), 0);
	assert_int_equal(pages_of_all(f, ino).left_out, 6); /* the one that the end lies in, too */
	put_pages(f, ino, 11, PAGES - 11, A, 0);
	assert_int_equal(pages_of_all(f, ino).left_out, 6);
	assert_all_counts(f, 1, PAGES - 6 - 1, 0, 0, 0, 6);
	truncate_to_pages(f, ino, 5);
	assert_int_equal(inode_of(f->v, ino)->record->ranges, 0);
	put_pages(f, ino, 0, PAGES, A, 0);
	assert_counts(f, 1, PAGES - 1, 0, 0, 0);
}

static void range__a_hole_is_not_a_truncation(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_pages(f, ino, 0, PAGES, A, 0);
	assert_int_equal(advise_pages(f, ino, 5, 10, VOLUME_UNMERGEABLE), 0);
	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
					  PAGES * PAGE_BYTES), 0);
	put_pages(f, ino, 0, PAGES, A, 0);
	assert_all_counts(f, 1, PAGES - 6, 0, 0, 0, 5);
	drop_file(f, "file", ino);
	assert_figure(f, store_frames, 0); /* with the frame that held the points */
}

static void range__survives_a_takeover(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two"), kept = make_file(f, "kept");
	uint64_t out = make_file(f, "out");

	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES, A, 1);
	put_pages(f, kept, 0, PAGES + 5, A, 1);
	put_pages(f, out, 0, 7, A, 1);
	for (unsigned n = 0; n < PAGES; n += 3)
		assert_int_equal(advise_pages(f, one, n, n + 1, VOLUME_UNMERGEABLE), 0);
	advise(f, kept, VOLUME_KEEP);
	advise(f, out, VOLUME_UNMERGEABLE);
	assert_all_counts(f, PAGES, 2 * PAGES - PAGES - PAGES / 3 + PAGES, 0, 0, 0, PAGES / 3 + 5 + 7);
	fixture_reopen(f);
	assert_all_counts(f, PAGES, 2 * PAGES - PAGES / 3, 0, 0, 0, PAGES / 3 + 5 + 7);
	assert_int_equal(pages_of_all(f, one).left_out, PAGES / 3);
	assert_int_equal(advice_of(f, kept), VOLUME_KEEP);
	assert_int_equal(advice_of(f, out), VOLUME_UNMERGEABLE);
	scan(f, 3);
	assert_all_counts(f, PAGES, 2 * PAGES - PAGES / 3, 0, 0, 0, PAGES / 3 + 5 + 7);
}

static void range__a_truncation_that_was_cut_short_is_finished_at_takeover(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct inode *i = inode_of(f->v, ino);

	put_pages(f, ino, 0, PAGES, A, 0);
	assert_int_equal(advise_pages(f, ino, 5, PAGES, VOLUME_UNMERGEABLE), 0);
	inode_resize_begin(i); /* as far as it came */
	inode_attr_begin(i)->size = 10 * PAGE_BYTES;
	inode_attr_end(i);
	fixture_reopen(f);
	truncate_to_pages(f, ino, PAGES);
	assert_int_equal(pages_of_all(f, ino).left_out, 5);
	put_pages(f, ino, 10, PAGES - 10, A, 0);
	assert_figure(f, pages_untracked, 5);
}

/* --- figures -------------------------------------------------------------------------------------- */

static void assert_sums(struct fixture *f, const struct volume_pages *p)
{
	int64_t stats[ATTRS];

	volume_stats(f->v, stats);
	assert_int_equal(p->slots, stats[ATTR_store_data_pages]);
	assert_int_equal(p->merged, stats[ATTR_pages_shared] + stats[ATTR_pages_sharing]);
	assert_int_equal(p->unshared, stats[ATTR_pages_unshared]);
	assert_int_equal(p->zero, stats[ATTR_ksm_zero_pages]);
	assert_int_equal(p->changing, stats[ATTR_pages_volatile]);
	assert_int_equal(p->untracked, stats[ATTR_pages_untracked]);
	assert_int_equal(p->saved_bytes,
			 (stats[ATTR_pages_sharing] + stats[ATTR_ksm_zero_pages]) * PAGE_BYTES);
	assert_int_equal(p->saved_bytes + p->proportional_bytes, p->slots * PAGE_BYTES);
	assert_true(p->profit_bytes <= (int64_t)p->saved_bytes);
}

/* Pages of each kind, and some that count as none. */
static void write_kinds(struct fixture *f, uint64_t ino)
{
	put_pages(f, ino, 0, 8, A, 0);        /* merged */
	put_pages(f, ino, 10, 3, 100, 1);     /* unshared */
	put_pages(f, ino, 20, 5, 0, 0);       /* zero */
	for (unsigned n = 0; n < 6; n++)
		put_pages(f, ino, 5000, 2, 200 + 10 * n, 1); /* changing */
	put_pages(f, ino, 30, 4, A, 0);
	assert_int_equal(advise_pages(f, ino, 29, 40, VOLUME_UNMERGEABLE), 0);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 50 * PAGE_BYTES, 9 * PAGE_BYTES), 0);
}

static void pages__of_a_file_are_the_figures_of_its_volume(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume_pages p;

	p = pages_of_all(f, ino);
	assert_int_equal(p.slots, 0);
	assert_int_equal(p.profit_bytes, 0);
	write_kinds(f, ino);
	p = pages_of_all(f, ino);
	assert_int_equal(p.merged, 8);
	assert_int_equal(p.unshared, 3);
	assert_int_equal(p.zero, 5);
	assert_int_equal(p.changing, 2);
	assert_int_equal(p.untracked, 4);
	assert_int_equal(p.left_out, 11);
	assert_sums(f, &p);
	fixture_reopen(f);
	p = pages_of_all(f, ino);
	assert_int_equal(p.left_out, 11);
	assert_sums(f, &p);
}

static void pages__of_ranges_add_up(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume_pages all, sum = { 0 }, p;

	write_kinds(f, ino);
	all = pages_of_all(f, ino);
	for (uint64_t from = 0; from < 6000; from += 7) {
		p = pages_at(f, ino, from, from + 7);
		sum.slots += p.slots;
		sum.merged += p.merged;
		sum.zero += p.zero;
		sum.untracked += p.untracked;
		sum.left_out += p.left_out;
		sum.proportional_bytes += p.proportional_bytes;
	}
	assert_int_equal(sum.slots, all.slots);
	assert_int_equal(sum.merged, all.merged);
	assert_int_equal(sum.zero, all.zero);
	assert_int_equal(sum.untracked, all.untracked);
	assert_int_equal(sum.left_out, all.left_out);
	assert_int_equal(sum.proportional_bytes, all.proportional_bytes);
	assert_int_equal(pages_at(f, ino, 0, 1).proportional_bytes, PAGE_BYTES / 8);
	assert_int_equal(pages_at(f, ino, 35, 100).left_out, 5);
	assert_int_equal(volume_pages(f->v, ino, 1, PAGE_BYTES, NULL, &p), -EINVAL);
	assert_int_equal(volume_pages(f->v, ino, 0, 1, NULL, &p), -EINVAL);
	assert_int_equal(volume_pages(f->v, ROOT_INO, 0, PAGE_BYTES, NULL, &p), -EINVAL);
	assert_int_equal(volume_pages(f->v, ROOT_INO, PAGE_BYTES, UINT64_MAX, NULL, &p), -EINVAL);
}

static void pages__of_a_tree_count_each_file_once(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), sub = make(f, dir, "sub", S_IFDIR | 0755);
	uint64_t one = make(f, dir, "one", S_IFREG | 0644), two = make(f, sub, "two", S_IFREG | 0644);
	uint64_t out = make_file(f, "out");
	struct volume_entry e;
	struct volume_pages p;

	put_pages(f, one, 0, PAGES, A, 1);
	put_pages(f, two, 0, PAGES, A, 1);
	put_pages(f, out, 0, PAGES, A, 1);
	put_page(f, out, PAGES, 0);
	advise(f, two, VOLUME_UNMERGEABLE);
	assert_int_equal(volume_link(f->v, two, dir, name_of("two too"), &e), 0);
	assert_int_equal(volume_link(f->v, two, sub, name_of("two three"), &e), 0);
	assert_int_equal(volume_link(f->v, out, sub, name_of("out too"), &e), 0);
	(void)make_symlink(f, "symlink");
	p = pages_of_all(f, dir);
	assert_int_equal(p.merged, 2 * PAGES);
	assert_int_equal(p.untracked, PAGES);
	assert_int_equal(p.left_out, PAGES);
	assert_int_equal(p.zero, 1);
	p = pages_of_all(f, ROOT_INO);
	assert_sums(f, &p);
	assert_int_equal(pages_of_all(f, sub).slots, 2 * PAGES + 1);
	assert_int_equal(pages_of_all(f, make(f, ROOT_INO, "empty", S_IFDIR | 0755)).slots, 0);
}

static void pages__of_a_wide_and_deep_tree(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = ROOT_INO;

	for (unsigned n = 0; n < 100; n++) {
		char name[] = { (char)('a' + n / 26), (char)('a' + n % 26), '\0' };
		uint64_t sub = make(f, dir, name, S_IFDIR | 0755);

		put_page(f, make(f, sub, "file", S_IFREG | 0644), n, A);
		if (n % 2)
			dir = sub;
	}
	assert_int_equal(pages_of_all(f, ROOT_INO).merged, 100);
	assert_in_range(pages_of_all(f, ROOT_INO).proportional_bytes, PAGE_BYTES - 1, PAGE_BYTES);
}

static void pages__without_memory_say_so(void **state)
{
	struct fixture *f = *state;
	struct volume_pages p;
	unsigned nth = 0;
	int r;

	put_page(f, make_file(f, "file"), 0, A);
	do {
		failpoint_arm(FAIL_ALLOC, ++nth);
		r = volume_pages(f->v, ROOT_INO, 0, UINT64_MAX, NULL, &p);
		failpoint_arm(FAIL_ALLOC, 0);
	} while (r == -ENOMEM && nth < 20);
	assert_int_equal(r, 0);
	assert_true(nth > 1);
	assert_int_equal(p.slots, 1);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(advise__a_file_is_split_and_stays_so),
	FIXTURE_TEST(advise__what_is_merged_may_be_kept),
	FIXTURE_TEST(advise__of_who_has_gone),
	FIXTURE_TEST(advise__interrupted_or_without_frames_can_be_said_again),
	FIXTURE_TEST(advise__a_directory_is_for_what_is_new_in_it),
	FIXTURE_TEST(advise__where_a_file_goes_later_means_nothing),
	FIXTURE_TEST(optin__merges_only_what_was_advised),
	FIXTURE_TEST(range__goes_before_the_whole),
	FIXTURE_TEST(range__of_what_is_to_be_written),
	FIXTURE_TEST(range__what_is_refused),
	FIXTURE_TEST(range__beyond_the_end_is_done_as_far_as_it_goes),
	FIXTURE_TEST(range__without_frames_is_known_and_says_so),
	FIXTURE_TEST(range__truncation_forgets),
	FIXTURE_TEST(range__a_hole_is_not_a_truncation),
	FIXTURE_TEST(range__survives_a_takeover),
	FIXTURE_TEST(range__a_truncation_that_was_cut_short_is_finished_at_takeover),
	FIXTURE_TEST(pages__of_a_file_are_the_figures_of_its_volume),
	FIXTURE_TEST(pages__of_ranges_add_up),
	FIXTURE_TEST(pages__of_a_tree_count_each_file_once),
	FIXTURE_TEST(pages__of_a_wide_and_deep_tree),
	FIXTURE_TEST(pages__without_memory_say_so),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
