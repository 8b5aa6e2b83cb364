/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A volume that is opened again on the same memfds and directory, and one that is looked at from outside. */
#include <linux/falloc.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/names_xattr.h"
#include "core/ptab.h"
#include "tests/unit/fixture.h"
#include "tests/unit/tempdir.h"

enum { A = 1, B = 2 };

struct world {
	uint64_t one, two, dir, link, far;
};

/* Shared, unique, zero and reserved pages, a tree of nodes, a directory, two links, a symbolic link. */
static struct world build(struct fixture *f)
{
	const struct name target = name_of("../one");
	const struct volume_new symlink = { .mode = S_IFLNK | 0777, .target = &target, .open_flags = -1 };
	struct volume_entry e;
	struct world w;

	w.one = make_file(f, "one");
	w.dir = make(f, ROOT_INO, "dir", S_IFDIR | 02750);
	w.two = make(f, w.dir, "two", S_IFREG | 0640);
	assert_int_equal(volume_create(f->v, w.dir, name_of("link"), &symlink, &e), 0);
	w.link = e.ino;
	assert_int_equal(volume_link(f->v, w.one, w.dir, name_of("again"), &e), 0);
	w.far = make_file(f, "far");
	put_pages(f, w.one, 0, 10, A, 0);
	put_page(f, w.one, 10, B);
	put_page(f, w.one, 11, 0);
	put_page(f, w.two, 2000, A);
	put_page(f, w.far, 3000000, B + 1);
	assert_int_equal(volume_fallocate(f->v, w.two, 0, 0, 5 * PAGE_BYTES), 0);
	assert_int_equal(put_bytes(f, w.one, 12 * PAGE_BYTES, 100, 'x'), 100);
	fixture_check(f);
	return w;
}

static void assert_world(struct fixture *f, const struct world *w)
{
	char text[SYMLINK_BYTES_MAX + 1];
	struct stat st;
	uint64_t parent;

	for (unsigned n = 0; n < 10; n++)
		assert_page(f, w->one, n, A);
	assert_page(f, w->one, 10, B);
	assert_page(f, w->one, 11, 0);
	assert_page(f, w->two, 2000, A);
	assert_page(f, w->two, 3, 0);
	assert_page(f, w->far, 3000000, B + 1);
	assert_int_equal(slot_at(f, w->one, 0), slot_at(f, w->two, 2000));
	assert_int_equal(slot_at(f, w->one, 11), SLOT_ZERO);
	assert_int_equal(slot_at(f, w->two, 4), SLOT_RESERVED);
	assert_int_equal(volume_getattr(f->v, w->one, &st), 0);
	assert_int_equal(st.st_size, 12 * PAGE_BYTES + 100);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(st.st_blocks, 13 * 8);
	assert_int_equal(volume_getattr(f->v, w->dir, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 02750);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(volume_getattr(f->v, ROOT_INO, &st), 0);
	assert_int_equal(st.st_nlink, 3);
	assert_int_equal(st.st_mode, S_IFDIR | 01777);
	assert_int_equal(volume_readlink(f->v, w->link, text), 0);
	assert_string_equal(text, "../one");
	assert_int_equal(volume_parent(f->v, w->dir, &parent), 0);
	assert_int_equal(parent, ROOT_INO);
	assert_figure(f, pages_shared, 1);
	assert_figure(f, pages_sharing, 10);
	assert_figure(f, ksm_zero_pages, 1);
	assert_figure(f, store_reserved_pages, 5);
	assert_int_equal(figure(f, ATTR_pages_unshared) + figure(f, ATTR_pages_volatile), 3);
}

static void reopen__everything_is_as_before(void **state)
{
	struct fixture *f = *state;
	struct world w = build(f);
	int64_t frames = figure(f, ATTR_store_frames), tables = figure(f, ATTR_store_table_frames);
	int64_t written = figure(f, ATTR_store_pages_written), merged = figure(f, ATTR_fault_merged);
	uint64_t charged = f->v->pool.charged;

	assert_world(f, &w);
	assert_true(written && merged);
	for (unsigned n = 0; n < 3; n++) {
		fixture_reopen(f);
		fixture_check(f);
		assert_world(f, &w);
		assert_figure(f, store_frames, frames);
		assert_figure(f, store_table_frames, tables);
		assert_figure(f, store_pages_written, written); /* what has happened has happened once */
		assert_figure(f, fault_merged, merged);
		assert_int_equal(f->v->pool.charged, charged);
	}
	put_page(f, w.two, 2000, B); /* still split */
	assert_page(f, w.one, 0, A);
}

static void reopen__attributes_of_nobody_are_dropped(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), gone = ino + (UINT64_C(1) << 32), freed;
	size_t len;

	assert_int_equal(volume_setxattr(f->v, ino, name_of("user.x"), name_of("1"), 0), 0);
	assert_int_equal(names_xattr_set(f->v->names, gone, name_of("user.x"), name_of("1"), &freed),
			 0);
	fixture_reopen(f);
	fixture_check(f);
	assert_int_equal(volume_getxattr(f->v, ino, name_of("user.x"), NULL, 0, &len), 0);
	assert_int_equal(names_xattr_get(f->v->names, gone, name_of("user.x"), NULL, 0, &len), NAMES_ABSENT);
}

static void reopen__who_takes_over_says_how_often_and_how_long(void **state)
{
	struct fixture *f = *state;

	assert_figure(f, takeovers, 0);
	for (int n = 1; n < 4; n++) {
		fixture_reopen(f);
		assert_figure(f, takeovers, n - 1);
		volume_took_over(f->v, (uint64_t)n * 1000);
		assert_figure(f, takeovers, n);
		assert_figure(f, takeover_usecs, n * 1000);
	}
}

static void reopen__settings_stay(void **state)
{
	struct fixture *f = *state;

	set(f, ATTR_run, 0);
	set(f, ATTR_pages_to_scan, 1234);
	set(f, ATTR_merge_on_write, 0);
	fixture_reopen(f);
	assert_figure(f, run, 0);
	assert_figure(f, pages_to_scan, 1234);
	assert_figure(f, merge_on_write, 0);
}

static void reopen__pages_shared_before_are_met_again(void **state)
{
	struct fixture *f = *state;
	struct world w = build(f);

	fixture_reopen(f);
	scan(f, 3);
	put_page(f, w.far, 0, A);
	put_page(f, w.far, 1, B);
	scan(f, 3);
	assert_int_equal(slot_at(f, w.far, 0), slot_at(f, w.one, 0));
	assert_int_equal(slot_at(f, w.far, 1), slot_at(f, w.one, 10));
	assert_figure(f, pages_volatile, 0);
}

static void reopen__who_knew_an_unlinked_file_still_does(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 0, A);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	fixture_reopen(f);
	fixture_check(f);
	assert_page(f, ino, 0, A);
	volume_forget(f->v, ino, 1);
	volume_file_release(f->v, ino, O_RDWR);
	assert_null(inode_of(f->v, ino));
	assert_figure(f, store_frames, 0);
}

/* The one call that fails is that which would drop them. */
static void reopen__attributes_of_the_dying_that_cannot_be_dropped_wait(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), charged;
	unsigned nth = 0;
	int r;

	assert_int_equal(volume_setxattr(f->v, ino, name_of("user.x"), name_of("1"), 0), 0);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	failpoint_arm(FAIL_SQL, 1);
	volume_forget(f->v, ino, 1);
	charged = itable_charged(f->v->pool.itable);
	do {
		volume_close(f->v);
		f->v = NULL;
		failpoint_arm(FAIL_SQL, ++nth);
		r = volume_open(&f->config, &f->v);
		failpoint_arm(FAIL_SQL, 0);
	} while (r < 0);
	assert_int_equal(f->v->unburied, 1);
	assert_int_equal(itable_charged(f->v->pool.itable), charged);
	fixture_check(f);
	volume_bury_rest(f->v);
	assert_int_equal(f->v->unburied, 0);
	assert_int_equal(itable_charged(f->v->pool.itable), charged - 2);
}

static void reopen__orphans_are_gone(void **state)
{
	const struct inode_attr attr = { .mode = S_IFREG | 0600, .nlink = 1 };
	struct fixture *f = *state;
	uint64_t dying = make_file(f, "dying"), ino;
	struct inode *i;

	/* ended before the name was committed, and between a burial and its end */
	i = make_record(f, &attr);
	ino = inode_ino(i);
	put_page(f, ino, 0, A);
	put_pages(f, dying, 0, 20, A, 1);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("dying")), 0);
	inode_of(f->v, dying)->record->lookups = 0;
	inode_of(f->v, dying)->record->used = INODE_DYING;
	fixture_reopen(f);
	assert_null(inode_of(f->v, ino));
	assert_null(inode_of(f->v, dying));
	assert_figure(f, store_inodes, 1);
	assert_figure(f, store_frames, 0);
	assert_int_equal(f->v->pool.charged, 0);
}

static void reopen__links_are_what_the_names_say(void **state)
{
	struct fixture *f = *state;
	struct world w = build(f);

	/* ended between the commit of names and their effects */
	assert_int_equal(names_remove(f->v->names, w.dir, name_of("again"), w.one, false), 0);
	assert_int_equal(names_remove(f->v->names, w.dir, name_of("two"), w.two, true), 0);
	fixture_reopen(f);
	fixture_check(f);
	assert_int_equal(inode_attr_get(inode_of(f->v, w.one)).nlink, 1);
	volume_forget(f->v, w.two, 1);
	assert_null(inode_of(f->v, w.two));
}

static void reopen__what_has_got_its_name_gets_no_other_when_that_is_gone(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	struct fixture *f = *state;
	struct volume_entry e;

	assert_int_equal(volume_tmpfile(f->v, ROOT_INO, &new, &e), 0);
	/* ended between the commit of its name and its effects */
	assert_int_equal(names_add(f->v->names, ROOT_INO, name_of("named"), e.ino, NULL), 0);
	fixture_reopen(f);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("named")), 0);
	assert_int_equal(volume_link(f->v, e.ino, ROOT_INO, name_of("again"), &e), -ENOENT);
	volume_file_release(f->v, e.ino, O_RDWR);
	volume_forget(f->v, e.ino, 1);
	assert_figure(f, store_inodes, 1);
}

static void reopen__slots_beyond_the_end_are_dropped(void **state)
{
	struct fixture *f = *state;
	struct world w = build(f);
	struct inode *i = inode_of(f->v, w.one);

	/* a truncation that had come as far as the size */
	inode_resize_begin(i);
	inode_attr_begin(i)->size = 3 * PAGE_BYTES;
	inode_attr_end(i);
	fixture_reopen(f);
	fixture_check(f);
	assert_figure(f, pages_sharing, 3);
	truncate_to_pages(f, w.one, 12);
	assert_page(f, w.one, 2, A);
	assert_page(f, w.one, 3, 0);
}

static void reopen__bytes_beyond_the_end_are_zeroed_for_their_file_alone(void **state)
{
	struct fixture *f = *state;
	struct world w = build(f);
	struct inode *i = inode_of(f->v, w.one);
	uint64_t whole = make_file(f, "whole");
	uint8_t page[PAGE_BYTES], expected[PAGE_BYTES];

	put_page(f, whole, 0, A); /* a frame that the file which ends within it shares with another */
	assert_page(f, w.one, 2, A);
	fill_page(expected, A);
	memset(expected + 100, 0, PAGE_BYTES - 100);
	/* a write that had stored its page and not yet its size */
	inode_resize_begin(i);
	inode_attr_begin(i)->size = 2 * PAGE_BYTES + 100;
	inode_attr_end(i);
	fixture_reopen(f);
	fixture_check(f);
	truncate_to_pages(f, w.one, 3);
	assert_int_equal(get_bytes(f, w.one, 2 * PAGE_BYTES, PAGE_BYTES, page), PAGE_BYTES);
	assert_memory_equal(page, expected, PAGE_BYTES);
	assert_page(f, whole, 0, A);
	drop_file(f, "whole", whole);
}

static void reopen__what_was_allocated_beyond_the_end_stays(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "f");

	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_KEEP_SIZE, 0, 20 * PAGE_BYTES), 0);
	fixture_reopen(f);
	fixture_check(f);
	assert_figure(f, store_reserved_pages, 20);
	assert_int_equal(slot_at(f, ino, 19), SLOT_RESERVED);
}

/* Whoever was giving it back takes the mark away first, and may come no further. */
static void reopen__what_was_lent_goes_back_when_its_writer_has_gone(void **state)
{
	struct fixture *f = *state;
	uint64_t gone = make_file(f, "gone"), here = make_file(f, "here");
	uint8_t page[PAGE_BYTES];

	truncate_to_pages(f, gone, 100);
	truncate_to_pages(f, here, 100);
	assert_int_equal(volume_file_open(f->v, gone, O_RDWR), 0);
	assert_int_equal(volume_file_open(f->v, here, O_RDWR), 0);
	assert_int_equal(get_bytes(f, gone, 0, sizeof(page), page), sizeof(page));
	assert_int_equal(get_bytes(f, here, 0, sizeof(page), page), sizeof(page));
	assert_figure(f, store_reserved_pages, 2);
	inode_of(f->v, gone)->record->stores = 0;
	atomic_fetch_and(&inode_of(f->v, gone)->record->flags, ~(uint32_t)INODE_LENT);
	fixture_reopen(f);
	fixture_check(f);
	assert_figure(f, store_reserved_pages, 1);
	assert_int_equal(slot_at(f, here, 0), SLOT_LENT);
	assert_int_equal(volume_file_open(f->v, gone, O_RDWR), VOLUME_STALE); /* the kernel may still have that page */
	volume_file_release(f->v, here, O_RDWR);
	assert_figure(f, store_reserved_pages, 0);
}

static void reopen__memory_that_nobody_uses_goes_back(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "f"), gone = make_file(f, "gone");
	struct stat st;

	for (unsigned n = 0; n < 30; n++) { /* in turn, so that what goes lies between what stays */
		put_pages(f, ino, n * 100, 100, 1 + n * 100, 1);
		put_pages(f, gone, n * 100, 100, 10000 + n * 100, 1);
	}
	drop_file(f, "gone", gone);
	fixture_reopen(f);
	assert_int_equal(fstat(f->config.frames_fd, &st), 0);
	assert_true(st.st_blocks / 8 >= 6000);
	assert_int_equal(volume_start(f->v), 0);
	assert_int_equal(volume_settle(f->v, 10000), 0);
	assert_int_equal(fstat(f->config.frames_fd, &st), 0);
	assert_in_range(st.st_blocks / 8, figure(f, ATTR_store_frames),
			figure(f, ATTR_store_frames) + figure(f, ATTR_store_warm_frames));
	assert_true(figure(f, ATTR_store_warm_frames) < 1500);
	assert_page(f, ino, 2999, 3000);
}

static void reopen__directories_are_where_the_names_say(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make(f, ROOT_INO, "a", S_IFDIR | 0755), b = make(f, ROOT_INO, "b", S_IFDIR | 0755);
	uint64_t dir = make(f, a, "dir", S_IFDIR | 0755), parent;
	struct stat st;

	assert_int_equal(volume_rename(f->v, a, name_of("dir"), b, name_of("dir"), 0, NULL), 0);
	/* as if it had ended between the names and what follows from them */
	inode_attr_begin(inode_of(f->v, dir))->parent = a;
	inode_attr_end(inode_of(f->v, dir));
	inode_attr_begin(inode_of(f->v, b))->size = 40;
	inode_attr_end(inode_of(f->v, b));
	fixture_reopen(f);
	fixture_check(f);
	assert_int_equal(volume_parent(f->v, dir, &parent), 0);
	assert_int_equal(parent, b);
	assert_int_equal(volume_getattr(f->v, b, &st), 0);
	assert_int_equal(st.st_size, 60);
	assert_int_equal(st.st_nlink, 3);
}

/* `dir` and `ino` of an entry that names.db has besides; it is gone again when this returns. */
static void assert_refused(struct fixture *f, uint64_t dir, uint64_t ino)
{
	struct names *n;
	struct volume *v;
	uint64_t secret = itable_header(f->v->pool.itable)->names_secret;

	assert_int_equal(names_add(f->v->names, dir, name_of("stray"), ino, NULL), 0);
	volume_close(f->v);
	f->v = NULL;
	assert_int_equal(volume_open(&f->config, &v), -EUCLEAN);
	assert_int_equal(names_open(f->dir, secret, &n), 0);
	assert_int_equal(names_remove(n, dir, name_of("stray"), ino, false), NAMES_OK);
	names_close(n);
	assert_int_equal(volume_open(&f->config, &f->v), 0);
}

static void reopen__names_of_what_is_not_there_are_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), gone = make_file(f, "gone");

	drop_file(f, "gone", gone);
	assert_refused(f, ROOT_INO, 5000);
	assert_refused(f, ROOT_INO, gone);
	assert_refused(f, ROOT_INO, ino + (UINT64_C(1) << 32)); /* which has another name under its own number */
	assert_refused(f, 5000, ino);
	assert_refused(f, ino, ino); /* in a file */
	fixture_check(f);
}

static void reopen__numbers_do_not_recur(void **state)
{
	struct fixture *f = *state;
	uint64_t old = make_file(f, "file"), new;

	drop_file(f, "file", old);
	fixture_reopen(f);
	new = make_file(f, "file");
	assert_int_equal((uint32_t)new, (uint32_t)old);
	assert_int_not_equal(new, old);
	assert_null(inode_of(f->v, old));
}

static void reopen__foreign_memory_is_refused(void **state)
{
	struct fixture *f = *state;
	struct volume *v = NULL;

	put_page(f, make_file(f, "file"), 100, A);
	itable_header(f->v->pool.itable)->format++;
	volume_close(f->v);
	f->v = NULL;
	assert_int_equal(volume_open(&f->config, &v), -EUCLEAN);
}

static void reopen__a_table_of_nonsense_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume *v = NULL;

	put_page(f, ino, 100, A);
	inode_of(f->v, ino)->record->root = UINT64_C(1) << 32 | 0xfffffff0;
	volume_close(f->v);
	f->v = NULL;
	assert_int_equal(volume_open(&f->config, &v), -EUCLEAN);
}

static void reopen__fails_at_any_call_and_can_be_tried_again(void **state)
{
	struct fixture *f = *state;
	struct world w = build(f);

	for (int kind = 0; kind < FAILPOINTS; kind++) {
		unsigned nth = 0;
		int r;

		volume_close(f->v);
		do {
			f->v = NULL;
			failpoint_arm((enum failpoint)kind, ++nth);
			r = volume_open(&f->config, &f->v);
			failpoint_arm((enum failpoint)kind, 0);
		} while (r < 0 || !f->v);
		assert_true(nth > 5);
		if (!f->v->indexdb) /* index.db may fail alone */
			fixture_reopen(f);
		fixture_check(f);
		assert_world(f, &w);
	}
}

static void copy_file(const char *from_dir, const char *to_dir, const char *file)
{
	char path[512], buf[65536];
	int from, to;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", from_dir, file);
	from = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(from >= 0);
	(void)snprintf(path, sizeof(path), "%s/%s", to_dir, file);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(to >= 0);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		assert_int_equal(write(to, buf, (size_t)n), n);
	close(from);
	close(to);
}

static void copy__sees_the_same_and_changes_nothing(void **state)
{
	struct fixture *f = *state, outside = { 0 };
	struct world w = build(f);
	uint64_t ino = make_file(f, "mine");
	void *dir = NULL;

	if (tempdir_setup(&dir)) {
		fail();
		return;
	}
	copy_file(f->dir, dir, "names.db");
	copy_file(f->dir, dir, "names.db-wal");
	outside.config = f->config;
	outside.config.dir = outside.dir = dir;
	outside.config.copy = true;
	assert_int_equal(volume_open(&outside.config, &outside.v), 0);
	fixture_check(&outside);
	assert_world(&outside, &w);
	put_page(&outside, w.one, 0, B); /* into the copy alone */
	drop_file(&outside, "mine", ino);
	fixture_check(&outside);
	volume_close(outside.v);
	tempdir_teardown(&dir);
	assert_world(f, &w);
	assert_non_null(inode_of(f->v, ino));
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(reopen__everything_is_as_before),
	FIXTURE_TEST(reopen__attributes_of_nobody_are_dropped),
	FIXTURE_TEST(reopen__who_takes_over_says_how_often_and_how_long),
	FIXTURE_TEST(reopen__settings_stay),
	FIXTURE_TEST(reopen__pages_shared_before_are_met_again),
	FIXTURE_TEST(reopen__who_knew_an_unlinked_file_still_does),
	FIXTURE_TEST(reopen__attributes_of_the_dying_that_cannot_be_dropped_wait),
	FIXTURE_TEST(reopen__orphans_are_gone),
	FIXTURE_TEST(reopen__links_are_what_the_names_say),
	FIXTURE_TEST(reopen__what_has_got_its_name_gets_no_other_when_that_is_gone),
	FIXTURE_TEST(reopen__slots_beyond_the_end_are_dropped),
	FIXTURE_TEST(reopen__bytes_beyond_the_end_are_zeroed_for_their_file_alone),
	FIXTURE_TEST(reopen__what_was_allocated_beyond_the_end_stays),
	FIXTURE_TEST(reopen__what_was_lent_goes_back_when_its_writer_has_gone),
	FIXTURE_TEST(reopen__memory_that_nobody_uses_goes_back),
	FIXTURE_TEST(reopen__directories_are_where_the_names_say),
	FIXTURE_TEST(reopen__names_of_what_is_not_there_are_refused),
	FIXTURE_TEST(reopen__numbers_do_not_recur),
	FIXTURE_TEST(reopen__foreign_memory_is_refused),
	FIXTURE_TEST(reopen__a_table_of_nonsense_is_refused),
	FIXTURE_TEST(reopen__fails_at_any_call_and_can_be_tried_again),
	FIXTURE_TEST(copy__sees_the_same_and_changes_nothing),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
