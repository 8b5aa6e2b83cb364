/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is immutable or append-only stays so, and what must not be stopped is not. */
#include "core/guard.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include "tests/unit/fixture.h"

static void chattr(struct fixture *f, uint64_t ino, unsigned flags)
{
	assert_int_equal(volume_set_flags(f->v, ino, flags), 0);
}

static unsigned lsattr(struct fixture *f, uint64_t ino)
{
	struct volume_more more;

	assert_int_equal(volume_more(f->v, ino, &more), 0);
	return more.flags;
}

static int setattr(struct fixture *f, uint64_t ino, unsigned set)
{
	struct stat new = { .st_mode = 0600 };

	return volume_setattr(f->v, ino, &new, set, &new);
}

static int open_(struct fixture *f, uint64_t ino, int flags)
{
	int r = volume_file_open(f->v, ino, flags);

	if (!r)
		volume_file_release(f->v, ino, flags);
	return r;
}

static void set__keeps_what_tmpfs_knows_and_refuses_the_rest_whole(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume_more more;

	assert_int_equal(volume_advise(f->v, ino, VOLUME_KEEP, NULL), 0);
	chattr(f, ino, FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL);
	assert_int_equal(volume_set_flags(f->v, ino, FS_NODUMP_FL | FS_SYNC_FL), -EOPNOTSUPP);
	assert_int_equal(lsattr(f, ino), FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL);
	fixture_reopen(f);
	assert_int_equal(lsattr(f, ino), FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL);
	chattr(f, ino, FS_NODUMP_FL);
	assert_int_equal(lsattr(f, ino), FS_NODUMP_FL);
	assert_true(inode_of(f->v, ino)->record->flags & INODE_KEEP); /* other bits are others' */
	assert_int_equal(volume_set_flags(f->v, 999, 0), -ESTALE);
	assert_int_equal(volume_more(f->v, 999, &more), -ESTALE);
	assert_int_equal(volume_may_change(f->v, 999), -ESTALE);
}

static void inherit__only_what_does_not_forbid(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);

	chattr(f, dir, FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL);
	assert_int_equal(lsattr(f, make(f, dir, "file", S_IFREG | 0644)), FS_NODUMP_FL | FS_NOATIME_FL);
	assert_int_equal(lsattr(f, make(f, dir, "sub", S_IFDIR | 0755)), FS_NODUMP_FL | FS_NOATIME_FL);
}

static void immutable__file_is_read_and_that_is_all(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), other = make_file(f, "other");
	struct volume_entry e;

	put_page(f, ino, 0, 1);
	chattr(f, ino, FS_IMMUTABLE_FL);
	assert_int_equal(open_(f, ino, O_RDONLY), 0);
	assert_int_equal(open_(f, ino, O_WRONLY | O_APPEND), -EPERM);
	assert_int_equal(open_(f, ino, O_RDWR), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_MODE), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_UID | VOLUME_SET_KILL_PRIV), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_MTIME), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_ATIME_NOW | VOLUME_SET_MTIME_NOW), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_SIZE), -EPERM);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, PAGE_BYTES), -EPERM);
	assert_int_equal(volume_may_change(f->v, ino), -EPERM);
	assert_int_equal(volume_link(f->v, ino, ROOT_INO, name_of("again"), &e), -EPERM);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), -EPERM);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("file"), ROOT_INO, name_of("new"), 0, NULL), -EPERM);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("other"), ROOT_INO, name_of("file"), 0, NULL), -EPERM);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("other"), ROOT_INO, name_of("file"), RENAME_EXCHANGE,
				       NULL), -EPERM);
	assert_page(f, ino, 0, 1);
	chattr(f, ino, 0);
	assert_int_equal(open_(f, ino, O_RDWR), 0);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("other"), ROOT_INO, name_of("file"), 0, NULL), 0);
	assert_int_equal(volume_type(f->v, other), S_IFREG);
}

static void immutable__does_not_stop_who_has_it_open_nor_a_writeback(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), from = make_file(f, "from");
	const struct volume_copy copy = { from, 0, ino, 0, PAGE_BYTES };
	uint8_t page[PAGE_BYTES];

	truncate_to_pages(f, ino, 2);
	truncate_to_pages(f, from, 1);
	chattr(f, ino, FS_IMMUTABLE_FL | FS_APPEND_FL);
	put_page(f, ino, 1, 2);
	fill_page(page, 3);
	assert_int_equal(volume_write(f->v, ino, 0, page, sizeof(page), VOLUME_WRITEBACK), sizeof(page));
	assert_page(f, ino, 0, 3);
	assert_page(f, ino, 1, 2);
	chattr(f, ino, FS_IMMUTABLE_FL);
	assert_int_equal(volume_copy(f->v, &copy, 0, NULL), -EPERM); /* but for this (the VFS) */
	assert_int_equal(setattr(f, ino, VOLUME_SET_SIZE | VOLUME_SET_OPEN), 0);
}

static void append__file_only_grows(void **state)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	chattr(f, ino, FS_APPEND_FL);
	assert_int_equal(open_(f, ino, O_RDONLY), 0);
	assert_int_equal(open_(f, ino, O_RDWR | O_APPEND), 0);
	assert_int_equal(open_(f, ino, O_RDWR), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_SIZE), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_SIZE | VOLUME_SET_OPEN), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_GID), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_ATIME_NOW), -EPERM);
	assert_int_equal(setattr(f, ino, VOLUME_SET_ATIME_NOW | VOLUME_SET_MTIME_NOW), 0);
	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, PAGE_BYTES), 0);
	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE_BYTES), 0);
	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_ZERO_RANGE, 0, PAGE_BYTES), -EPERM);
	assert_int_equal(volume_fallocate(f->v, ino, punch, 0, PAGE_BYTES), -EPERM);
	assert_int_equal(volume_may_change(f->v, ino), -EPERM);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), -EPERM);
}

static void immutable__directory_keeps_its_names(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), file = make_file(f, "file");
	uint64_t in = make(f, dir, "in", S_IFREG | 0600);
	struct volume_entry e;

	chattr(f, dir, FS_IMMUTABLE_FL);
	assert_int_equal(volume_create(f->v, dir, name_of("new"), &new, &e), -EPERM);
	assert_int_equal(volume_tmpfile(f->v, dir, &new, &e), -EPERM);
	assert_int_equal(volume_link(f->v, file, dir, name_of("new"), &e), -EPERM);
	assert_int_equal(volume_unlink(f->v, dir, name_of("in")), -EPERM);
	assert_int_equal(volume_rename(f->v, dir, name_of("in"), ROOT_INO, name_of("out"), 0, NULL), -EPERM);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("file"), dir, name_of("new"), 0, NULL), -EPERM);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("file"), dir, name_of("in"), 0, NULL), -EPERM);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("dir")), -EPERM);
	assert_int_equal(volume_unlink(f->v, dir, name_of("absent")), -ENOENT);
	assert_int_equal(open_(f, in, O_RDWR), 0); /* its files may be written */
}

static void append__directory_only_gets_more_names(void **state)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = -1 };
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), file = make_file(f, "file");
	struct volume_entry e;

	chattr(f, dir, FS_APPEND_FL);
	assert_int_equal(volume_create(f->v, dir, name_of("new"), &new, &e), 0);
	assert_int_equal(volume_link(f->v, file, dir, name_of("link"), &e), 0);
	assert_int_equal(volume_rename(f->v, ROOT_INO, name_of("file"), dir, name_of("moved"), 0, NULL), 0);
	assert_int_equal(volume_rename(f->v, dir, name_of("moved"), dir, name_of("link"), 0, NULL), 0); /* nothing */
	assert_int_equal(volume_rename(f->v, dir, name_of("moved"), dir, name_of("x"), 0, NULL), -EPERM);
	assert_int_equal(volume_rename(f->v, dir, name_of("moved"), dir, name_of("new"), RENAME_NOREPLACE, NULL), -EEXIST);
	assert_int_equal(volume_unlink(f->v, dir, name_of("new")), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(set__keeps_what_tmpfs_knows_and_refuses_the_rest_whole),
		FIXTURE_TEST(inherit__only_what_does_not_forbid),
		FIXTURE_TEST(immutable__file_is_read_and_that_is_all),
		FIXTURE_TEST(immutable__does_not_stop_who_has_it_open_nor_a_writeback),
		FIXTURE_TEST(append__file_only_grows),
		FIXTURE_TEST(immutable__directory_keeps_its_names),
		FIXTURE_TEST(append__directory_only_gets_more_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
