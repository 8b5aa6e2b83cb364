/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_names.c: what a change of names does to inodes. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/fixture.h"

static unsigned links(struct fixture *f, uint64_t ino)
{
	struct stat st;

	assert_int_equal(volume_getattr(f->v, ino, &st), 0);
	return (unsigned)st.st_nlink;
}

static uint64_t mkdir_(struct fixture *f, uint64_t dir, const char *name)
{
	return make(f, dir, name, S_IFDIR | 0755);
}

static int lookup(struct fixture *f, uint64_t dir, const char *name, uint64_t *ret_ino)
{
	struct volume_entry e;
	int r = volume_lookup(f->v, dir, name_of(name), &e);

	if (!r) {
		*ret_ino = e.ino;
		volume_forget(f->v, e.ino, 1);
	}
	return r;
}

static int rename_(struct fixture *f, uint64_t dir, const char *name, uint64_t new_dir,
		   const char *new_name, unsigned flags)
{
	return volume_rename(f->v, dir, name_of(name), new_dir, name_of(new_name), flags, NULL);
}

static void create__is_there_with_its_owner_and_counts_a_lookup(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0640, .uid = 7, .gid = 8, .open_flags = O_RDWR };
	struct fixture *f = *state;
	struct volume_entry e;
	uint64_t ino = 0;

	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("file"), &new, &e), 0);
	assert_int_equal(e.attr.st_mode, S_IFREG | 0640);
	assert_int_equal(e.attr.st_uid, 7);
	assert_int_equal(e.attr.st_gid, 8);
	assert_int_equal(e.attr.st_nlink, 1);
	assert_int_equal(volume_type(f->v, e.ino), S_IFREG);
	assert_int_equal(lookup(f, ROOT_INO, "file", &ino), 0);
	assert_int_equal(ino, e.ino);
	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("file"), &new, &e), -EEXIST);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	volume_forget(f->v, ino, 1);
	assert_non_null(inode_of(f->v, ino)); /* it was opened, too */
	volume_file_release(f->v, ino, O_RDWR);
	assert_null(inode_of(f->v, ino));
	assert_int_equal(volume_type(f->v, ino), 0);
}

static void create__in_what_is_no_directory_is_refused(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0640, .open_flags = -1 };
	struct fixture *f = *state;
	uint64_t file = make_file(f, "file"), dir = mkdir_(f, ROOT_INO, "dir");
	struct volume_entry e;

	assert_int_equal(volume_create(f->v, file, name_of("x"), &new, &e), -ENOTDIR);
	assert_int_equal(volume_create(f->v, 999, name_of("x"), &new, &e), -ESTALE);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("dir")), 0);
	assert_int_equal(volume_create(f->v, dir, name_of("x"), &new, &e), -ENOENT); /* removed */
	assert_figure(f, store_inodes, 3);
	volume_forget(f->v, dir, 1);
	assert_figure(f, store_inodes, 2);
}

static void create__a_full_table_is_enospc(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0640, .open_flags = -1 };
	struct fixture *f = *state;
	struct volume_entry e;
	char name[16];

	for (unsigned n = 1; n < f->config.nr_inodes; n++) {
		(void)snprintf(name, sizeof(name), "%u", n);
		(void)make_file(f, name);
	}
	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("x"), &new, &e), -ENOSPC);
	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("x"), &new, &e), -ENOSPC);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("7")), 0);
}

static uint64_t inodes_left(struct fixture *f)
{
	struct statvfs st;

	assert_int_equal(volume_statfs(f->v, ROOT_INO, &st), 0);
	return st.f_ffree;
}

static void link__counts_as_an_inode_as_on_tmpfs(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), other = make_file(f, "other");
	struct volume_entry e;

	assert_int_equal(volume_set(f->v, ATTR_nr_inodes, 5, NULL), 0);
	assert_int_equal(inodes_left(f), 2);
	assert_int_equal(volume_link(f->v, ino, ROOT_INO, name_of("a"), &e), 0);
	assert_int_equal(volume_link(f->v, ino, ROOT_INO, name_of("a"), &e), -EEXIST);
	assert_int_equal(inodes_left(f), 1);
	assert_int_equal(volume_link(f->v, ino, ROOT_INO, name_of("b"), &e), 0);
	assert_int_equal(volume_link(f->v, ino, ROOT_INO, name_of("c"), &e), -ENOSPC);
	assert_int_equal(volume_set(f->v, ATTR_nr_inodes, 4, NULL), -EINVAL);
	fixture_reopen(f);
	assert_int_equal(inodes_left(f), 0);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("other"), ROOT_INO, name_of("b"), 0, NULL), 0);
	assert_int_equal(inodes_left(f), 1);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("a"), ROOT_INO, name_of("b"), RENAME_EXCHANGE, NULL), 0);
	assert_int_equal(inodes_left(f), 1);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	assert_int_equal(inodes_left(f), 2);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("a")), 0);
	assert_int_equal(inodes_left(f), 2); /* somebody still knows it */
	volume_forget(f->v, other, 1);
	volume_forget(f->v, ino, 3);
	assert_int_equal(inodes_left(f), 3);
}

static void create__a_setgid_directory_gives_its_group(void **state)
{
	const struct volume_new dir = { .mode = S_IFDIR | 02775, .gid = 50, .open_flags = -1 };
	const struct volume_new sub = { .mode = S_IFDIR | 0755, .gid = 9, .open_flags = -1 };
	struct fixture *f = *state;
	struct volume_entry d, e;

	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("dir"), &dir, &d), 0);
	assert_int_equal(volume_create(f->v, d.ino, name_of("sub"), &sub, &e), 0);
	assert_int_equal(e.attr.st_gid, 50);
	assert_int_equal(e.attr.st_mode, S_IFDIR | 02755);
}

static void symlink__says_where_to(void **state)
{
	static char text[SYMLINK_BYTES_MAX + 2];
	struct name target = { text, SYMLINK_BYTES_MAX };
	const struct volume_new new = { .mode = S_IFLNK | 0777, .target = &target, .open_flags = -1 };
	struct fixture *f = *state;
	char is[SYMLINK_BYTES_MAX + 1];
	struct volume_entry e;

	memset(text, 'x', SYMLINK_BYTES_MAX + 1);
	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("link"), &new, &e), 0);
	assert_int_equal(e.attr.st_size, SYMLINK_BYTES_MAX);
	assert_int_equal(volume_readlink(f->v, e.ino, is), 0);
	assert_int_equal(strlen(is), SYMLINK_BYTES_MAX);
	assert_int_equal(volume_readlink(f->v, ROOT_INO, is), -EINVAL);
	target.len++;
	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("longer"), &new, &e), -ENAMETOOLONG);
}

/* Since the last time it was asked for: have names in `dir` changed?  And how many are there, as its size says? */
static bool has_changed(struct fixture *f, uint64_t dir)
{
	struct stat st, old = { .st_mtim = { .tv_sec = 1 } };

	assert_int_equal(volume_getattr(f->v, dir, &st), 0);
	assert_int_equal(volume_setattr(f->v, dir, &old, VOLUME_SET_MTIME, &old), 0);
	return st.st_mtim.tv_sec != 1;
}

static unsigned names_in(struct fixture *f, uint64_t dir)
{
	struct stat st;

	assert_int_equal(volume_getattr(f->v, dir, &st), 0);
	return (unsigned)st.st_size / 20 - 2;
}

static void any_change__is_one_of_the_directories_that_it_is_in(void **state)
{
	struct fixture *f = *state;
	uint64_t a = mkdir_(f, ROOT_INO, "a"), b = mkdir_(f, ROOT_INO, "b"), file = make(f, a, "1", S_IFREG | 0600);

	assert_true(has_changed(f, a));
	assert_true(has_changed(f, b));
	assert_false(has_changed(f, a));
	make(f, a, "2", S_IFREG | 0600);
	assert_true(has_changed(f, a));
	assert_int_equal(link_name(f, file, a, "3"), 0);
	assert_true(has_changed(f, a));
	assert_int_equal(names_in(f, a), 3);
	assert_int_equal(rename_(f, a, "3", a, "4", 0), 0);
	assert_true(has_changed(f, a));
	assert_int_equal(rename_(f, a, "4", b, "4", 0), 0);
	assert_true(has_changed(f, a));
	assert_true(has_changed(f, b));
	assert_int_equal(names_in(f, a), 2);
	assert_int_equal(names_in(f, b), 1);
	assert_int_equal(rename_(f, a, "2", b, "4", RENAME_EXCHANGE), 0);
	assert_true(has_changed(f, a));
	assert_true(has_changed(f, b));
	assert_int_equal(names_in(f, a) + names_in(f, b), 3);
	assert_int_equal(rename_(f, a, "1", b, "4", 0), 0);
	assert_true(has_changed(f, a));
	assert_true(has_changed(f, b));
	assert_int_equal(names_in(f, a) + names_in(f, b), 2);
	assert_int_equal(volume_unlink(f->v, a, name_of("2")), 0);
	assert_true(has_changed(f, a));
	assert_int_equal(names_in(f, a), 0);
	fixture_check(f);
}

static void link__counts_names(void **state)
{
	struct fixture *f = *state;
	uint64_t file = make_file(f, "file"), dir = mkdir_(f, ROOT_INO, "dir"), ino;
	struct volume_entry e;

	assert_int_equal(volume_link(f->v, file, dir, name_of("again"), &e), 0);
	assert_int_equal(e.ino, file);
	assert_int_equal(e.attr.st_nlink, 2);
	assert_int_equal(volume_link(f->v, file, dir, name_of("again"), &e), -EEXIST);
	assert_int_equal(volume_link(f->v, dir, dir, name_of("loop"), &e), -EPERM);
	assert_int_equal(volume_link(f->v, 999, dir, name_of("x"), &e), -ESTALE);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	assert_int_equal(links(f, file), 1);
	assert_int_equal(lookup(f, dir, "again", &ino), 0);
	assert_int_equal(volume_unlink(f->v, dir, name_of("again")), 0);
	assert_int_equal(links(f, file), 0);
	assert_int_equal(volume_link(f->v, file, dir, name_of("back"), &e), -ENOENT);
	volume_forget(f->v, file, 2);
	assert_null(inode_of(f->v, file));
}

static void unlink__and_rmdir_know_what_they_remove(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = mkdir_(f, ROOT_INO, "dir");

	(void)make_file(f, "file");
	(void)mkdir_(f, dir, "sub");
	assert_int_equal(links(f, ROOT_INO), 3);
	assert_int_equal(links(f, dir), 3);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("dir")), -EISDIR);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("file")), -ENOTDIR);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("dir")), -ENOTEMPTY);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("none")), -ENOENT);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("none")), -ENOENT);
	assert_int_equal(volume_rmdir(f->v, dir, name_of("sub")), 0);
	assert_int_equal(links(f, dir), 2);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("dir")), 0);
	assert_int_equal(links(f, ROOT_INO), 2);
}

static void rename__moves_directories_with_their_links(void **state)
{
	struct fixture *f = *state;
	uint64_t a = mkdir_(f, ROOT_INO, "a"), b = mkdir_(f, ROOT_INO, "b"), c = mkdir_(f, a, "c"), parent;

	assert_int_equal(rename_(f, a, "c", b, "d", 0), 0);
	assert_int_equal(links(f, a), 2);
	assert_int_equal(links(f, b), 3);
	assert_int_equal(volume_parent(f->v, c, &parent), 0);
	assert_int_equal(parent, b);
	assert_int_equal(rename_(f, ROOT_INO, "b", c, "x", 0), -EINVAL); /* below itself */
	assert_int_equal(rename_(f, ROOT_INO, "b", b, "x", 0), -EINVAL);
	assert_int_equal(rename_(f, ROOT_INO, "a", b, "d", 0), 0); /* over an empty one */
	assert_int_equal(links(f, ROOT_INO), 3);
	assert_int_equal(links(f, b), 3);
	assert_int_equal(links(f, c), 0);
	fixture_check(f);
	(void)mkdir_(f, a, "full");
	(void)mkdir_(f, ROOT_INO, "e");
	assert_int_equal(rename_(f, ROOT_INO, "e", b, "d", 0), -ENOTEMPTY);
}

static void rename__kinds_must_fit(void **state)
{
	struct fixture *f = *state;

	(void)mkdir_(f, ROOT_INO, "dir");
	(void)make_file(f, "file");
	assert_int_equal(rename_(f, ROOT_INO, "dir", ROOT_INO, "file", 0), -ENOTDIR);
	assert_int_equal(rename_(f, ROOT_INO, "file", ROOT_INO, "dir", 0), -EISDIR);
	assert_int_equal(rename_(f, ROOT_INO, "none", ROOT_INO, "dir", 0), -ENOENT);
	assert_int_equal(rename_(f, ROOT_INO, "file", ROOT_INO, "dir", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(rename_(f, ROOT_INO, "file", ROOT_INO, "x", RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(rename_(f, ROOT_INO, "file", ROOT_INO, "x", RENAME_WHITEOUT), -EINVAL);
	assert_int_equal(rename_(f, ROOT_INO, "file", ROOT_INO, "x", RENAME_NOREPLACE | RENAME_EXCHANGE),
			 -EINVAL);
	assert_int_equal(rename_(f, ROOT_INO, "file", ROOT_INO, "x", RENAME_NOREPLACE), 0);
}

static void rename__what_is_replaced_goes_when_nobody_knows_it(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two"), ino;

	put_page(f, two, 0, 1);
	volume_forget(f->v, two, 1);
	assert_int_equal(rename_(f, ROOT_INO, "one", ROOT_INO, "two", 0), 0);
	assert_null(inode_of(f->v, two));
	assert_figure(f, store_frames, 0);
	assert_int_equal(lookup(f, ROOT_INO, "two", &ino), 0);
	assert_int_equal(ino, one);
	assert_int_equal(lookup(f, ROOT_INO, "one", &ino), -ENOENT);
}

static void rename__exchange_swaps_parents(void **state)
{
	struct fixture *f = *state;
	uint64_t a = mkdir_(f, ROOT_INO, "a"), sub = mkdir_(f, a, "sub"), file = make_file(f, "file");
	uint64_t parent, ino;

	assert_int_equal(rename_(f, a, "sub", ROOT_INO, "file", RENAME_EXCHANGE), 0);
	assert_int_equal(volume_parent(f->v, sub, &parent), 0);
	assert_int_equal(parent, ROOT_INO);
	assert_int_equal(links(f, a), 2);
	assert_int_equal(links(f, ROOT_INO), 4);
	assert_int_equal(lookup(f, a, "sub", &ino), 0);
	assert_int_equal(ino, file);
	assert_int_equal(rename_(f, a, "sub", ROOT_INO, "a", RENAME_EXCHANGE), -EINVAL);
}

static void rename__two_names_of_one_file_stay(void **state)
{
	struct fixture *f = *state;
	uint64_t file = make_file(f, "file");
	struct volume_entry e;

	assert_int_equal(volume_link(f->v, file, ROOT_INO, name_of("again"), &e), 0);
	assert_int_equal(rename_(f, ROOT_INO, "file", ROOT_INO, "again", 0), 0);
	assert_int_equal(links(f, file), 2);
	assert_int_equal(rename_(f, ROOT_INO, "file", ROOT_INO, "file", 0), 0);
	assert_int_equal(links(f, file), 2);
}

static void rename__leaves_a_whiteout_in_a_setgid_directory_of_its_group(void **state)
{
	const struct volume_new white = { .mode = S_IFCHR, .uid = 7, .gid = 8, .open_flags = -1 };
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | S_ISGID | 0755), old = make_file(f, "old"), ino = 0;
	uint64_t sub = mkdir_(f, dir, "sub");
	struct stat st;

	assert_int_equal(volume_rename(f->v, dir, name_of("sub"), ROOT_INO, name_of("new"), RENAME_NOREPLACE,
				       &white), 0);
	assert_int_equal(lookup(f, ROOT_INO, "new", &ino), 0);
	assert_int_equal(ino, sub);
	assert_int_equal(lookup(f, dir, "sub", &ino), 0);
	assert_int_equal(volume_getattr(f->v, ino, &st), 0);
	assert_int_equal(st.st_mode, S_IFCHR);
	assert_int_equal(st.st_rdev, 0);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, 0);
	assert_int_equal(links(f, dir), 2);
	assert_int_equal(volume_getattr(f->v, dir, &st), 0);
	assert_int_equal(st.st_size, volume_dir_size(1));
	/* Over another one; not twice the same, not for an exchange, and not over what may not be replaced. */
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("old"), dir, name_of("sub"), 0, &white), 0);
	assert_int_equal(volume_rename(f->v, dir, name_of("sub"), dir, name_of("sub"), 0, &white), 0);
	assert_int_equal(volume_rename(f->v, dir, name_of("sub"), ROOT_INO, name_of("new"), RENAME_EXCHANGE, &white),
			 -EINVAL);
	assert_int_equal(volume_rename(f->v, dir, name_of("sub"), ROOT_INO, name_of("new"), 0, &white), -EISDIR);
	assert_int_equal(lookup(f, dir, "sub", &ino), 0);
	assert_int_equal(ino, old);
	assert_figure(f, store_inodes, 5); /* root, dir, sub, old, whiteout */
	fixture_reopen(f);
	assert_int_equal(lookup(f, ROOT_INO, "old", &ino), 0);
	assert_int_equal(volume_type(f->v, ino), S_IFCHR);
}

static void rename__without_an_inode_for_the_whiteout_is_enospc(void **state)
{
	const struct volume_new white = { .mode = S_IFCHR, .open_flags = -1 };
	struct fixture *f = *state;
	char name[16];
	uint64_t ino;

	for (unsigned n = 1; n < f->config.nr_inodes; n++) {
		(void)snprintf(name, sizeof(name), "%u", n);
		(void)make_file(f, name);
	}
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("7"), ROOT_INO, name_of("new"), 0, &white), -ENOSPC);
	assert_int_equal(lookup(f, ROOT_INO, "new", &ino), -ENOENT);
	assert_int_equal(lookup(f, ROOT_INO, "7", &ino), 0);
}

static void tmpfile__may_get_one_name_in_its_life(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0640, .uid = 7, .open_flags = O_RDWR };
	struct fixture *f = *state;
	uint64_t dir = mkdir_(f, ROOT_INO, "dir");
	struct volume_entry e, link;

	assert_int_equal(volume_tmpfile(f->v, dir, &new, &e), 0);
	assert_int_equal(e.attr.st_nlink, 0);
	assert_int_equal(e.attr.st_uid, 7);
	assert_figure(f, store_inodes, 3);
	put_page(f, e.ino, 0, 1);
	fixture_check(f);
	assert_int_equal(volume_link(f->v, e.ino, dir, name_of("now"), &link), 0);
	assert_int_equal(link.ino, e.ino);
	assert_int_equal(link.attr.st_nlink, 1);
	assert_int_equal(volume_unlink(f->v, dir, name_of("now")), 0);
	assert_int_equal(volume_link(f->v, e.ino, dir, name_of("again"), &link), -ENOENT);
	volume_forget(f->v, e.ino, 2);
	assert_non_null(inode_of(f->v, e.ino)); /* still open */
	assert_page(f, e.ino, 0, 1);
	volume_file_release(f->v, e.ino, O_RDWR);
	assert_null(inode_of(f->v, e.ino));
	assert_figure(f, store_inodes, 2);
	assert_figure(f, store_frames, 0);
}

static void tmpfile__o_excl_and_what_was_unlinked_never_get_a_name(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_WRONLY | O_EXCL };
	struct fixture *f = *state;
	uint64_t file = make_file(f, "file");
	struct volume_entry e, link;

	assert_int_equal(volume_tmpfile(f->v, ROOT_INO, &new, &e), 0);
	assert_int_equal(volume_link(f->v, e.ino, ROOT_INO, name_of("x"), &link), -ENOENT);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	assert_int_equal(volume_link(f->v, file, ROOT_INO, name_of("x"), &link), -ENOENT);
	assert_int_equal(volume_tmpfile(f->v, file, &new, &link), -ENOTDIR);
	assert_int_equal(volume_tmpfile(f->v, 999, &new, &link), -ESTALE);
	volume_file_release(f->v, e.ino, O_WRONLY);
	volume_forget(f->v, e.ino, 1);
	assert_null(inode_of(f->v, e.ino));
}

static void tmpfile__of_a_volume_that_is_gone_on_with_lives_until_it_is_released(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	struct fixture *f = *state;
	struct volume_entry e, link;

	assert_int_equal(volume_tmpfile(f->v, ROOT_INO, &new, &e), 0);
	put_page(f, e.ino, 0, 1);
	fixture_reopen(f);
	fixture_check(f);
	assert_page(f, e.ino, 0, 1);
	assert_int_equal(volume_link(f->v, e.ino, ROOT_INO, name_of("x"), &link), 0);
	volume_file_release(f->v, e.ino, O_RDWR);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("x")), 0);
	volume_forget(f->v, e.ino, 2);
	assert_figure(f, store_inodes, 1);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(create__is_there_with_its_owner_and_counts_a_lookup),
	FIXTURE_TEST(create__in_what_is_no_directory_is_refused),
	FIXTURE_TEST(create__a_full_table_is_enospc),
	FIXTURE_TEST(link__counts_as_an_inode_as_on_tmpfs),
	FIXTURE_TEST(create__a_setgid_directory_gives_its_group),
	FIXTURE_TEST(symlink__says_where_to),
	FIXTURE_TEST(any_change__is_one_of_the_directories_that_it_is_in),
	FIXTURE_TEST(link__counts_names),
	FIXTURE_TEST(unlink__and_rmdir_know_what_they_remove),
	FIXTURE_TEST(rename__moves_directories_with_their_links),
	FIXTURE_TEST(rename__kinds_must_fit),
	FIXTURE_TEST(rename__what_is_replaced_goes_when_nobody_knows_it),
	FIXTURE_TEST(rename__exchange_swaps_parents),
	FIXTURE_TEST(rename__two_names_of_one_file_stay),
	FIXTURE_TEST(rename__leaves_a_whiteout_in_a_setgid_directory_of_its_group),
	FIXTURE_TEST(rename__without_an_inode_for_the_whiteout_is_enospc),
	FIXTURE_TEST(tmpfile__may_get_one_name_in_its_life),
	FIXTURE_TEST(tmpfile__o_excl_and_what_was_unlinked_never_get_a_name),
	FIXTURE_TEST(tmpfile__of_a_volume_that_is_gone_on_with_lives_until_it_is_released),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
