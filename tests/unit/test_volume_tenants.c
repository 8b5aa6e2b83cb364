/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/volume_tenants.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>

#include <ksmfs/xattr.h>

#include "core/failpoint.h"
#include "core/names_xattr.h"
#include "tests/unit/fixture.h"

enum { PAGES = 16 };

static int limit(struct fixture *f, uint64_t ino, const char *name, const char *value)
{
	return volume_setxattr(f->v, ino, name_of(name), name_of(value), 0);
}

static int unlimit(struct fixture *f, uint64_t ino, const char *name)
{
	return volume_removexattr(f->v, ino, name_of(name));
}

/* A tenant of PAGES pages, and a file in it. */
static uint64_t make_tenant(struct fixture *f, const char *name)
{
	uint64_t dir = make(f, ROOT_INO, name, S_IFDIR | 0755);

	assert_int_equal(limit(f, dir, KSMFS_XATTR_SIZE, "64k"), 0);
	return dir;
}

static struct volume_tenant look(struct fixture *f, const char *name)
{
	struct volume_tenant t = { 0 };

	assert_int_equal(volume_tenant_find(f->v, name_of(name), &t), 0);
	return t;
}

static struct statvfs df(struct fixture *f, uint64_t ino)
{
	struct statvfs st;

	assert_int_equal(volume_statfs(f->v, ino, &st), 0);
	return st;
}

static int try_make(struct fixture *f, uint64_t dir, const char *name)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = -1 };
	struct volume_entry e;
	int r = volume_create(f->v, dir, name_of(name), &new, &e);

	if (!r)
		volume_forget(f->v, e.ino, 1);
	return r;
}

static ssize_t put(struct fixture *f, uint64_t ino, uint64_t page, unsigned pages, unsigned flags)
{
	static uint8_t data[2 * PAGES * PAGE_BYTES];

	memset(data, 'x', sizeof(data));
	return volume_write(f->v, ino, page << PAGE_SHIFT, data, (size_t)pages << PAGE_SHIFT, flags);
}

/* --- who is one ---------------------------------------------------------------------------------- */

static void set__makes_a_tenant_of_an_empty_directory_in_the_root(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "box", S_IFDIR | 0755), cursor = 0;
	struct volume_tenant t;

	assert_false(volume_is_shared_out(f->v));
	assert_int_equal(volume_tenants(f->v, &cursor, &t), -ENOENT);
	assert_int_equal(volume_tenant_find(f->v, name_of("box"), &t), -ENOENT);
	assert_int_equal(limit(f, dir, KSMFS_XATTR_SIZE, "64k"), 0);
	assert_true(volume_is_shared_out(f->v));
	assert_int_equal(volume_tenants(f->v, &cursor, &t), 0);
	assert_int_equal(t.dir, dir);
	assert_string_equal(t.name, "box");
	assert_int_equal(t.size_pages, PAGES);
	assert_int_equal(t.nr_inodes, UINT64_MAX);
	assert_int_equal(t.used_pages, 0);
	assert_int_equal(t.inodes, 2); /* its limit is an extended attribute, which has begun an inode */
	assert_int_equal(volume_tenants(f->v, &cursor, &t), -ENOENT);
	assert_int_equal(volume_tenant_find(f->v, name_of("none"), &t), -ENOENT);
	assert_int_equal(limit(f, dir, KSMFS_XATTR_INODES, "1k"), 0);
	assert_int_equal(look(f, "box").nr_inodes, 1024);
}

static void set__only_there(void **state)
{
	struct fixture *f = *state;
	uint64_t full = make(f, ROOT_INO, "full", S_IFDIR | 0755), below = make(f, full, "below", S_IFDIR | 0755);
	uint64_t gone = make(f, ROOT_INO, "gone", S_IFDIR | 0755);

	assert_int_equal(limit(f, make_file(f, "file"), KSMFS_XATTR_SIZE, "64k"), -EINVAL);
	assert_int_equal(limit(f, ROOT_INO, KSMFS_XATTR_SIZE, "64k"), -EINVAL);
	assert_int_equal(limit(f, below, KSMFS_XATTR_SIZE, "64k"), -EINVAL);
	assert_int_equal(limit(f, full, KSMFS_XATTR_SIZE, "64k"), -ENOTEMPTY);
	assert_int_equal(limit(f, full, KSMFS_XATTR_INODES, "10"), -ENOTEMPTY);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("gone")), 0);
	assert_int_equal(limit(f, gone, KSMFS_XATTR_SIZE, "64k"), -EINVAL);
	assert_false(volume_is_shared_out(f->v));
	fixture_check(f);
}

static void set__other_values_and_names_are_refused_and_nothing_is_changed(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "1x", "64k\n", " 1", "99999999999999999999", "32t", "1kk",
					   "0000000000000000000000000000000001" };
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "box", S_IFDIR | 0755);
	char list[64];
	size_t len;

	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++)
		assert_int_equal(limit(f, dir, KSMFS_XATTR_SIZE, bad[n]), -EINVAL);
	assert_int_equal(limit(f, dir, KSMFS_XATTR_INODES, "50%"), -EINVAL);
	assert_int_equal(limit(f, dir, KSMFS_XATTR_INODES, "1"), -EINVAL); /* itself, and its limit */
	assert_int_equal(limit(f, dir, "trusted.ksmfs.sizes", "64k"), -EINVAL);
	assert_int_equal(limit(f, dir, "trusted.ksmfs.", "64k"), -EINVAL);
	assert_int_equal(volume_setxattr(f->v, dir, name_of(KSMFS_XATTR_SIZE), name_of("64k"), VOLUME_XATTR_REPLACE),
			 -ENODATA);
	assert_false(volume_is_shared_out(f->v));
	assert_int_equal(volume_listxattr(f->v, dir, true, list, sizeof(list), &len), 0);
	assert_int_equal(len, 0);
	fixture_check(f);
}

static void get__says_what_was_set_to_those_who_may_know(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make_tenant(f, "box");
	char buf[64];
	size_t len;

	assert_int_equal(volume_getxattr(f->v, dir, name_of(KSMFS_XATTR_SIZE), buf, sizeof(buf), &len), 0);
	assert_memory_equal(buf, "64k", 3);
	assert_int_equal(len, 3);
	assert_int_equal(volume_getxattr(f->v, dir, name_of(KSMFS_XATTR_INODES), buf, sizeof(buf), &len), -ENODATA);
	assert_int_equal(volume_listxattr(f->v, dir, true, buf, sizeof(buf), &len), 0);
	assert_string_equal(buf, KSMFS_XATTR_SIZE);
	assert_int_equal(volume_listxattr(f->v, dir, false, buf, sizeof(buf), &len), 0);
	assert_int_equal(len, 0);
}

static void set__percent_and_none_are_those_of_the_mount(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make_tenant(f, "box");

	assert_int_equal(limit(f, dir, KSMFS_XATTR_SIZE, "50%"), 0);
	assert_true(look(f, "box").size_pages > PAGES);
	assert_int_equal(limit(f, dir, KSMFS_XATTR_SIZE, "0"), 0);
	assert_int_equal(look(f, "box").size_pages, FILE_PAGES_MAX);
	assert_int_equal(limit(f, dir, KSMFS_XATTR_INODES, "0"), 0);
	assert_int_equal(df(f, dir).f_blocks, df(f, ROOT_INO).f_blocks);
}

static void list__many_among_many(void **state)
{
	struct fixture *f = *state;
	unsigned found = 0, seen = 0;
	struct volume_tenant t;
	uint64_t cursor = 0;
	char name[16];

	for (unsigned n = 0; n < 200; n++) {
		snprintf(name, sizeof(name), "%u", n);
		if (n % 5 == 0)
			(void)make_tenant(f, name);
		else
			make_file(f, name);
	}
	while (volume_tenants(f->v, &cursor, &t) == 0) {
		found++;
		seen += (unsigned)strtoul(t.name, NULL, 10);
	}
	assert_int_equal(found, 40);
	assert_int_equal(seen, 195 * 40 / 2);
}

/* --- pages ----------------------------------------------------------------------------------------- */

static void full__a_write_is_short_and_then_refused_and_the_neighbours_go_on(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box"), other = make_tenant(f, "other");
	uint64_t a = make(f, box, "a", S_IFREG | 0600), b = make(f, make(f, box, "sub", S_IFDIR | 0755), "b", S_IFREG);
	uint64_t neighbour = make(f, other, "a", S_IFREG | 0600), outside = make_file(f, "outside");

	assert_int_equal(put(f, a, 0, 10, 0), 10 * PAGE_BYTES);
	assert_int_equal(put(f, b, 0, 10, 0), 6 * PAGE_BYTES); /* below it, however deep */
	assert_int_equal(put(f, b, 6, 1, 0), -ENOSPC);
	assert_int_equal(put(f, a, 0, 10, 0), 10 * PAGE_BYTES); /* what is there can be written again */
	assert_int_equal(look(f, "box").used_pages, PAGES);
	assert_int_equal(put(f, neighbour, 0, PAGES, 0), PAGES * PAGE_BYTES);
	assert_int_equal(put(f, outside, 0, 2 * PAGES, 0), 2 * PAGES * PAGE_BYTES);
	truncate_to_pages(f, a, 3);
	assert_int_equal(look(f, "box").used_pages, 9);
	assert_int_equal(put(f, b, 6, 7, 0), 7 * PAGE_BYTES);
	assert_int_equal(put(f, b, 13, 1, 0), -ENOSPC);
	assert_int_equal(volume_unlink(f->v, box, name_of("a")), 0);
	volume_forget(f->v, a, 1);
	assert_int_equal(look(f, "box").used_pages, 13);
}

static void full__a_reservation_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make(f, make_tenant(f, "box"), "a", S_IFREG | 0600);

	assert_int_equal(volume_fallocate(f->v, a, 0, 0, (PAGES + 1) * PAGE_BYTES), -ENOSPC);
	assert_int_equal(look(f, "box").used_pages, 0);
	assert_int_equal(volume_fallocate(f->v, a, 0, 0, (PAGES - 1) * PAGE_BYTES), 0);
	assert_int_equal(look(f, "box").used_pages, PAGES - 1);
	assert_int_equal(volume_fallocate(f->v, a, 0, 0, (PAGES + 1) * PAGE_BYTES), -ENOSPC);
	assert_int_equal(put(f, a, 0, PAGES - 1, 0), (PAGES - 1) * PAGE_BYTES); /* they are kept for it */
	assert_int_equal(look(f, "box").used_pages, PAGES - 1);
	assert_int_equal(volume_fallocate(f->v, a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5 * PAGE_BYTES), 0);
	assert_int_equal(look(f, "box").used_pages, PAGES - 6);
}

static void full__a_hole_that_may_be_stored_into_is_lent_or_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make(f, make_tenant(f, "box"), "a", S_IFREG | 0600);
	struct volume_read r;

	truncate_to_pages(f, a, PAGES + 4);
	open_file(f, a);
	assert_int_equal(volume_read(f->v, a, 0, 4 * PAGE_BYTES, &r), 0);
	volume_read_done(&r);
	assert_int_equal(look(f, "box").used_pages, 4);
	assert_int_equal(put(f, a, 4, PAGES, 0), (PAGES - 4) * PAGE_BYTES);
	assert_int_equal(volume_read(f->v, a, PAGES * PAGE_BYTES, PAGE_BYTES, &r), -ENOSPC);
	assert_int_equal(put(f, a, PAGES, 1, VOLUME_WRITEBACK), PAGE_BYTES); /* a writeback never is */
	assert_int_equal(look(f, "box").used_pages, PAGES + 1);
	fixture_check(f);
	volume_file_release(f->v, a, O_RDWR);
	assert_int_equal(look(f, "box").used_pages, PAGES - 3); /* what was lent has gone back */
	fixture_reopen(f);
	assert_int_equal(look(f, "box").used_pages, PAGES - 3);
}

static void full__a_copy_is_short_and_shares_all_the_same(void **state)
{
	struct fixture *f = *state;
	uint64_t outside = make_file(f, "outside"), a = make(f, make_tenant(f, "box"), "a", S_IFREG | 0600);
	const struct volume_copy c = { .from = outside, .to = a, .len = 2 * PAGES * PAGE_BYTES };
	const struct volume_copy rest = { .from = outside, .to = a, .to_offset = PAGES * PAGE_BYTES, .len = 1 };

	put_pages(f, outside, 0, 2 * PAGES, 1000, 1);
	assert_int_equal(volume_copy(f->v, &c, 0, NULL), PAGES * PAGE_BYTES);
	assert_int_equal(volume_copy(f->v, &rest, 0, NULL), -ENOSPC);
	assert_int_equal(look(f, "box").used_pages, PAGES);
	assert_figure(f, pages_sharing, PAGES); /* one domain: a tenant is charged for what it sees */
}

static void mount_full__the_tenant_is_charged_for_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make(f, make_tenant(f, "box"), "a", S_IFREG | 0600), b = make_file(f, "b");

	set_size(f, 8);
	assert_int_equal(put(f, b, 0, 5, 0), 5 * PAGE_BYTES);
	assert_int_equal(put(f, a, 0, 5, 0), 3 * PAGE_BYTES);
	assert_int_equal(look(f, "box").used_pages, 3);
	assert_int_equal(volume_fallocate(f->v, a, 0, 0, 5 * PAGE_BYTES), -ENOSPC);
	assert_int_equal(look(f, "box").used_pages, 3);
}

/* --- inodes --------------------------------------------------------------------------------------- */

static void full__of_inodes_nothing_is_made_or_linked_and_attributes_count(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make(f, ROOT_INO, "box", S_IFDIR | 0755), first, door = make_file(f, "outside");
	static char value[2 * INODE_SPACE];

	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "6"), 0);
	first = make(f, box, "1", S_IFREG | 0600);
	assert_int_equal(try_make(f, box, "2"), 0);
	assert_int_equal(link_name(f, first, box, "3"), 0);
	assert_int_equal(try_make(f, box, "4"), 0);
	assert_int_equal(look(f, "box").inodes, 6);
	assert_int_equal(try_make(f, box, "5"), -ENOSPC);
	assert_int_equal(link_name(f, first, box, "5"), -ENOSPC);
	assert_int_equal(volume_setxattr(f->v, first, name_of("user.x"), (struct name){ value, sizeof(value) }, 0), -ENOSPC);
	assert_int_equal(volume_setxattr(f->v, door, name_of("user.x"), (struct name){ value, sizeof(value) }, 0), 0);
	assert_int_equal(volume_unlink(f->v, box, name_of("3")), 0);
	assert_int_equal(volume_unlink(f->v, box, name_of("2")), 0);
	assert_int_equal(volume_setxattr(f->v, first, name_of("user.x"), (struct name){ value, 2000 }, 0), 0);
	assert_int_equal(try_make(f, box, "5"), -ENOSPC);
	fixture_reopen(f);
	assert_int_equal(look(f, "box").inodes, 6);
	assert_int_equal(try_make(f, box, "5"), -ENOSPC);
	assert_int_equal(volume_removexattr(f->v, first, name_of("user.x")), 0);
	assert_int_equal(try_make(f, box, "5"), 0);
	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "5"), 0);
	assert_int_equal(try_make(f, box, "6"), -ENOSPC);
	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "100"), 0); /* full or not */
	assert_int_equal(try_make(f, box, "6"), 0);
}

static void attributes__of_before_count_from_the_first_limit_on(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make(f, ROOT_INO, "box", S_IFDIR | 0755);
	static char value[3 * INODE_SPACE];

	assert_int_equal(volume_setxattr(f->v, box, name_of("user.x"), (struct name){ value, sizeof(value) }, 0), 0);
	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "4"), -EINVAL);
	assert_false(volume_is_shared_out(f->v));
	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "5"), 0);
	assert_int_equal(try_make(f, box, "a"), -ENOSPC);
	assert_int_equal(volume_removexattr(f->v, box, name_of("user.x")), 0);
	assert_int_equal(try_make(f, box, "a"), 0);
}

/* --- limits that change ------------------------------------------------------------------------- */

static void limit__is_not_lowered_below_what_is_used_and_can_be_raised(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box"), a = make(f, box, "a", S_IFREG | 0600);
	char buf[64];
	size_t len;

	assert_int_equal(put(f, a, 0, 10, 0), 10 * PAGE_BYTES);
	assert_int_equal(limit(f, box, KSMFS_XATTR_SIZE, "36k"), -EINVAL);
	assert_int_equal(look(f, "box").size_pages, PAGES);
	assert_int_equal(volume_getxattr(f->v, box, name_of(KSMFS_XATTR_SIZE), buf, sizeof(buf), &len), 0);
	assert_memory_equal(buf, "64k", len);
	assert_int_equal(limit(f, box, KSMFS_XATTR_SIZE, "40k"), 0);
	assert_int_equal(put(f, a, 10, 1, 0), -ENOSPC);
	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "2"), -EINVAL);
	assert_int_equal(look(f, "box").nr_inodes, UINT64_MAX);
	assert_int_equal(limit(f, box, KSMFS_XATTR_SIZE, "1g"), 0); /* more than the mount has */
	assert_int_equal(put(f, a, 10, 10, 0), 10 * PAGE_BYTES);
}

static void remove__the_last_one_only_when_nothing_is_left_of_it(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box"), open;

	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "10"), 0);
	open = make_open(f, box);
	assert_int_equal(unlimit(f, box, KSMFS_XATTR_SIZE), 0);
	assert_int_equal(unlimit(f, box, KSMFS_XATTR_SIZE), -ENODATA);
	assert_int_equal(look(f, "box").size_pages, UINT64_MAX);
	assert_int_equal(unlimit(f, box, KSMFS_XATTR_INODES), -ENOTEMPTY);
	volume_file_release(f->v, open, O_RDWR);
	assert_int_equal(unlimit(f, box, KSMFS_XATTR_INODES), 0);
	assert_false(volume_is_shared_out(f->v));
	assert_int_equal(inode_of(f->v, box)->record->tenant, 0);
	make(f, box, "a", S_IFREG | 0600); /* nobody's */
	assert_int_equal(move_name(f, box, "a", ROOT_INO, "a", 0), 0);
	fixture_check(f);
}

/* --- names ---------------------------------------------------------------------------------------- */

static void across__renames_and_links_are_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_tenant(f, "a"), b = make_tenant(f, "b"), in_a = make(f, a, "file", S_IFREG | 0600), sub;
	const struct volume_new whiteout = { .mode = S_IFCHR, .open_flags = -1 };
	const struct volume_new tmp = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	struct volume_entry e;

	sub = make(f, a, "sub", S_IFDIR | 0755);
	make(f, b, "file", S_IFREG | 0600);
	make_file(f, "file");
	make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	assert_int_equal(link_name(f, in_a, b, "link"), -EXDEV);
	assert_int_equal(link_name(f, in_a, ROOT_INO, "link"), -EXDEV);
	assert_int_equal(move_name(f, a, "file", b, "new", 0), -EXDEV);
	assert_int_equal(move_name(f, a, "file", b, "file", 0), -EXDEV);
	assert_int_equal(move_name(f, a, "file", b, "file", RENAME_EXCHANGE), -EXDEV);
	assert_int_equal(move_name(f, a, "file", ROOT_INO, "new", RENAME_NOREPLACE), -EXDEV);
	assert_int_equal(volume_rename(f->v, a, name_of("file"), b, name_of("new"), 0, &whiteout), -EXDEV);
	assert_int_equal(move_name(f, ROOT_INO, "file", a, "new", 0), -EXDEV);
	assert_int_equal(move_name(f, a, "sub", ROOT_INO, "sub", 0), -EXDEV);
	assert_int_equal(move_name(f, ROOT_INO, "dir", a, "dir", 0), -EXDEV);
	assert_int_equal(move_name(f, ROOT_INO, "b", a, "b", 0), -EXDEV);
	assert_int_equal(move_name(f, ROOT_INO, "b", a, "sub", RENAME_EXCHANGE), -EXDEV);
	assert_int_equal(move_name(f, a, "file", sub, "file", 0), 0);
	assert_int_equal(link_name(f, in_a, a, "link"), 0);
	assert_int_equal(volume_rename(f->v, a, name_of("link"), sub, name_of("moved"), 0, &whiteout), 0);
	assert_int_equal(volume_tmpfile(f->v, a, &tmp, &e), 0);
	assert_int_equal(link_name(f, e.ino, ROOT_INO, "tmp"), -EXDEV);
	assert_int_equal(link_name(f, e.ino, a, "tmp"), 0);
	volume_file_release(f->v, e.ino, O_RDWR);
	assert_int_equal(look(f, "a").inodes, 7); /* two directories, two files, a whiteout, a name, the limit */
}

static void rename__of_the_tenant_itself_within_the_root(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_tenant(f, "a");
	struct volume_tenant t;

	make(f, a, "file", S_IFREG | 0600);
	make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	assert_int_equal(move_name(f, ROOT_INO, "a", ROOT_INO, "b", 0), 0);
	assert_int_equal(look(f, "b").dir, a);
	assert_int_equal(volume_tenant_find(f->v, name_of("a"), &t), -ENOENT);
	assert_int_equal(move_name(f, ROOT_INO, "b", ROOT_INO, "dir", RENAME_EXCHANGE), 0);
	fixture_reopen(f);
	assert_int_equal(look(f, "dir").size_pages, PAGES);
}

/* --- its end ---------------------------------------------------------------------------------------- */

static void rmdir__ends_it_when_the_last_open_file_has_gone(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box"), open = make_open(f, box), cursor = 0;
	struct volume_tenant t;

	assert_int_equal(put(f, open, 0, 10, 0), 10 * PAGE_BYTES);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("box")), 0);
	volume_forget(f->v, box, 1);
	assert_int_equal(volume_tenants(f->v, &cursor, &t), -ENOENT);
	assert_int_equal(put(f, open, 10, 10, 0), 6 * PAGE_BYTES); /* its limit still holds */
	fixture_check(f);
	fixture_reopen(f);
	assert_int_equal(put(f, open, 16, 1, 0), -ENOSPC); /* also for who takes over */
	assert_int_equal(tenants_count(f->v->tenants), 1);
	volume_file_release(f->v, open, O_RDWR);
	assert_null(inode_of(f->v, box));
	assert_int_equal(tenants_count(f->v->tenants), 0);
	assert_int_equal(itable_used(f->v->pool.itable), 1);
	assert_int_equal(itable_space(f->v->pool.itable), 0);
}

static void rmdir__of_an_empty_one_ends_it_at_once(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box");

	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("box")), 0);
	volume_forget(f->v, box, 1);
	assert_false(volume_is_shared_out(f->v));
	assert_null(inode_of(f->v, box));
	assert_int_equal(itable_used(f->v->pool.itable), 1);
}

/* --- figures, and who takes over ------------------------------------------------------------------- */

static void statfs__inside_shows_the_limits_and_what_is_left_of_both(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box"), a = make(f, box, "a", S_IFREG | 0600), b = make_file(f, "b");
	struct statvfs outside = df(f, ROOT_INO);

	assert_int_equal(put(f, a, 0, 6, 0), 6 * PAGE_BYTES);
	for (unsigned n = 0; n < 2; n++) {
		uint64_t ino = n ? a : box;

		assert_int_equal(df(f, ino).f_blocks, PAGES);
		assert_int_equal(df(f, ino).f_bfree, PAGES - 6);
		assert_int_equal(df(f, ino).f_bavail, PAGES - 6);
		assert_int_equal(df(f, ino).f_files, outside.f_files); /* no limit of its own */
	}
	assert_int_equal(df(f, ROOT_INO).f_blocks, outside.f_blocks);
	assert_int_equal(df(f, b).f_bavail, outside.f_bavail - 6);
	set_size(f, 10);
	assert_int_equal(df(f, box).f_bavail, 4);
	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "100"), 0);
	assert_int_equal(df(f, box).f_files, 100);
	assert_int_equal(df(f, box).f_ffree, 97); /* itself, a file, and the limits */
}

static void reopen__counts_everything_again(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box"), a = make(f, box, "a", S_IFREG | 0600), open = make_open(f, box);
	struct volume_tenant before, after;

	assert_int_equal(limit(f, box, KSMFS_XATTR_INODES, "1000"), 0);
	assert_int_equal(put(f, a, 0, 3, 0), 3 * PAGE_BYTES);
	assert_int_equal(put(f, open, 0, 2, 0), 2 * PAGE_BYTES);
	assert_int_equal(volume_fallocate(f->v, a, 0, 5 * PAGE_BYTES, 4 * PAGE_BYTES), 0);
	assert_int_equal(link_name(f, a, box, "b"), 0);
	assert_int_equal(volume_setxattr(f->v, a, name_of("user.x"), name_of("y"), 0), 0);
	before = look(f, "box");
	assert_int_equal(before.used_pages, 9);
	fixture_reopen(f);
	after = look(f, "box");
	assert_memory_equal(&after, &before, sizeof(before));
	assert_int_equal(try_make(f, box, "c"), 0);
	assert_int_equal(move_name(f, box, "a", ROOT_INO, "a", 0), -EXDEV);
}

static void check__sees_a_wrong_charge(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box");
	struct inode *i = inode_of(f->v, make(f, box, "a", S_IFREG | 0600)), *dir = inode_of(f->v, box);
	struct tenant *t = i->tenant;
	char text[256];

	t->pages++;
	assert_int_equal(fixture_violations(f->v, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "1 pages are charged for 0 slots"));
	t->pages--;
	t->space++;
	assert_int_equal(fixture_violations(f->v, text, sizeof(text)), 1);
	t->space--;
	t->inodes++;
	assert_int_equal(fixture_violations(f->v, text, sizeof(text)), 1);
	t->inodes--;
	i->record->tenant = 0;
	assert_true(fixture_violations(f->v, text, sizeof(text)) > 0);
	i->record->tenant = dir->number;
}

static void limit__fails_at_any_call_and_then_nothing_has_changed(void **state)
{
	static const enum failpoint kinds[] = { FAIL_ALLOC, FAIL_SQL };
	struct fixture *f = *state;
	char name[] = "box0";

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++, name[3]++) {
		uint64_t dir = make(f, ROOT_INO, name, S_IFDIR | 0755);
		unsigned nth = 0;
		int r;

		do {
			failpoint_arm(kinds[k], ++nth);
			r = limit(f, dir, KSMFS_XATTR_SIZE, "64k");
			failpoint_arm(kinds[k], 0);
			assert_int_equal(tenants_count(f->v->tenants), k + !r);
			fixture_check(f);
		} while (r < 0);
		assert_true(nth > 1);
		for (nth = 1, r = -1; r < 0; nth++) {
			failpoint_arm(kinds[k], nth);
			r = limit(f, dir, KSMFS_XATTR_SIZE, "32k");
			failpoint_arm(kinds[k], 0);
			assert_int_equal(look(f, name).size_pages, r < 0 ? PAGES : PAGES / 2);
		}
		fixture_check(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(set__makes_a_tenant_of_an_empty_directory_in_the_root),
		FIXTURE_TEST(set__only_there),
		FIXTURE_TEST(set__other_values_and_names_are_refused_and_nothing_is_changed),
		FIXTURE_TEST(get__says_what_was_set_to_those_who_may_know),
		FIXTURE_TEST(set__percent_and_none_are_those_of_the_mount),
		FIXTURE_TEST(list__many_among_many),
		FIXTURE_TEST(full__a_write_is_short_and_then_refused_and_the_neighbours_go_on),
		FIXTURE_TEST(full__a_reservation_is_all_or_nothing),
		FIXTURE_TEST(full__a_hole_that_may_be_stored_into_is_lent_or_refused),
		FIXTURE_TEST(full__a_copy_is_short_and_shares_all_the_same),
		FIXTURE_TEST(mount_full__the_tenant_is_charged_for_nothing),
		FIXTURE_TEST(full__of_inodes_nothing_is_made_or_linked_and_attributes_count),
		FIXTURE_TEST(attributes__of_before_count_from_the_first_limit_on),
		FIXTURE_TEST(limit__is_not_lowered_below_what_is_used_and_can_be_raised),
		FIXTURE_TEST(remove__the_last_one_only_when_nothing_is_left_of_it),
		FIXTURE_TEST(across__renames_and_links_are_refused),
		FIXTURE_TEST(rename__of_the_tenant_itself_within_the_root),
		FIXTURE_TEST(rmdir__ends_it_when_the_last_open_file_has_gone),
		FIXTURE_TEST(rmdir__of_an_empty_one_ends_it_at_once),
		FIXTURE_TEST(statfs__inside_shows_the_limits_and_what_is_left_of_both),
		FIXTURE_TEST(reopen__counts_everything_again),
		FIXTURE_TEST(check__sees_a_wrong_charge),
		FIXTURE_TEST(limit__fails_at_any_call_and_then_nothing_has_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
