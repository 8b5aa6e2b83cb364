/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/domains.h"

#include <linux/fs.h>
#include <unistd.h>

#include "core/advice.h"
#include "tests/unit/fixture.h"

/* Another volume, whose files may share pages as `by` says. */
static void remake(struct fixture *f, enum domains_by by)
{
	volume_close(f->v);
	close(f->config.frames_fd);
	close(f->config.inodes_fd);
	f->config.domain = by;
	assert_int_equal(volume_memfds(&f->config.frames_fd, &f->config.inodes_fd), 0);
	assert_int_equal(volume_open(&f->config, &f->v), 0);
}

static uint64_t make_of(struct fixture *f, uint64_t dir, const char *name, mode_t mode, uid_t uid)
{
	const struct volume_new new = { .mode = mode, .uid = uid, .open_flags = -1 };
	struct volume_entry e;

	assert_int_equal(volume_create(f->v, dir, name_of(name), &new, &e), 0);
	return e.ino;
}

static uint16_t domain_of(struct fixture *f, uint64_t ino)
{
	return inode_of(f->v, ino)->record->domain;
}

/* Equal pages in both, and time for the scanner: are they one? */
static bool share(struct fixture *f, uint64_t a, uint64_t b)
{
	bool is_one;

	put_page(f, a, 0, 42);
	put_page(f, b, 0, 42);
	scan(f, 4);
	is_one = slot_at(f, a, 0) == slot_at(f, b, 0);
	assert_page(f, a, 0, 42);
	assert_page(f, b, 0, 42);
	put_page(f, a, 0, 1);
	put_page(f, b, 0, 2);
	return is_one;
}

static ssize_t copy(struct fixture *f, uint64_t from, uint64_t to, uint64_t len)
{
	return volume_copy(f->v, &(struct volume_copy){ .from = from, .to = to, .len = len }, 0, NULL);
}

static void mount__all_share(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make_of(f, ROOT_INO, "dir", S_IFDIR | 0755, 1);

	assert_false(volume_is_shared_out(f->v));
	assert_true(share(f, make_of(f, ROOT_INO, "a", S_IFREG, 1), make_of(f, dir, "b", S_IFREG, 2)));
}

static void uid__who_made_it_counts_and_chown_moves_nothing(void **state)
{
	struct fixture *f = *state;
	struct stat st = { .st_uid = 2 };
	uint64_t a, b, other;

	remake(f, DOMAINS_UID);
	assert_true(volume_is_shared_out(f->v));
	a = make_of(f, ROOT_INO, "a", S_IFREG | 0600, 1);
	b = make_of(f, make_of(f, ROOT_INO, "dir", S_IFDIR | 0755, 2), "b", S_IFREG | 0600, 1);
	other = make_of(f, ROOT_INO, "other", S_IFREG | 0600, 2);
	assert_true(share(f, a, b));
	assert_false(share(f, a, other));
	assert_int_equal(volume_setattr(f->v, a, &st, VOLUME_SET_UID, &st), 0);
	assert_true(share(f, a, b));
	assert_false(share(f, a, other));
	assert_int_not_equal(domain_of(f, make_of(f, ROOT_INO, "root's", S_IFREG, 0)), domain_of(f, a));
}

static void uid__links_and_renames_are_free(void **state)
{
	struct fixture *f = *state;
	uint64_t dir, a;

	remake(f, DOMAINS_UID);
	dir = make_of(f, ROOT_INO, "dir", S_IFDIR | 0755, 2);
	a = make_of(f, ROOT_INO, "a", S_IFREG | 0600, 1);
	assert_int_equal(link_name(f, a, dir, "linked"), 0);
	assert_int_equal(move_name(f, ROOT_INO, "a", dir, "moved", 0), 0);
}

static void uid__a_user_has_one_number_for_ever(void **state)
{
	struct fixture *f = *state;
	uint16_t first, second;

	remake(f, DOMAINS_UID);
	first = domain_of(f, make_of(f, ROOT_INO, "a", S_IFREG, 7));
	second = domain_of(f, make_of(f, ROOT_INO, "b", S_IFREG, 4000000000));
	assert_int_not_equal(first, second);
	assert_int_not_equal(first, 0);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("a")), 0);
	fixture_reopen(f);
	assert_int_equal(domain_of(f, make_of(f, ROOT_INO, "a2", S_IFREG, 7)), first);
	assert_int_equal(domain_of(f, make_of(f, ROOT_INO, "b2", S_IFREG, 4000000000)), second);
	assert_int_equal(domain_of(f, make_of(f, ROOT_INO, "c", S_IFREG, 8)), MAX(first, second) + 1);
}

static void dir__what_is_below_one_directory_of_the_root_shares(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b, sub, in_a, in_sub, in_b, in_root, in_root2;

	remake(f, DOMAINS_DIR);
	a = make(f, ROOT_INO, "a", S_IFDIR | 0755);
	b = make(f, ROOT_INO, "b", S_IFDIR | 0755);
	sub = make(f, a, "sub", S_IFDIR | 0755);
	in_a = make(f, a, "file", S_IFREG | 0600);
	in_sub = make(f, sub, "file", S_IFREG | 0600);
	in_b = make(f, b, "file", S_IFREG | 0600);
	in_root = make_file(f, "1");
	in_root2 = make_file(f, "2");
	assert_true(share(f, in_a, in_sub));
	assert_true(share(f, in_root, in_root2));
	assert_false(share(f, in_a, in_b));
	assert_false(share(f, in_a, in_root));
	fixture_reopen(f);
	assert_true(share(f, in_a, in_sub));
	assert_false(share(f, in_a, in_b));
	assert_int_equal(domain_of(f, make(f, a, "more", S_IFREG)), domain_of(f, in_a));
}

static void dir__links_and_renames_across_are_refused(void **state)
{
	struct fixture *f = *state;
	const struct volume_new tmp = { .mode = S_IFREG | 0600, .open_flags = 2 };
	uint64_t a, b, sub, file;
	struct volume_entry e;

	remake(f, DOMAINS_DIR);
	a = make(f, ROOT_INO, "a", S_IFDIR | 0755);
	b = make(f, ROOT_INO, "b", S_IFDIR | 0755);
	sub = make(f, a, "sub", S_IFDIR | 0755);
	file = make(f, a, "file", S_IFREG | 0600);
	make_file(f, "top");
	make(f, b, "file", S_IFREG | 0600);
	assert_int_equal(link_name(f, file, b, "link"), -EXDEV);
	assert_int_equal(link_name(f, file, ROOT_INO, "link"), -EXDEV);
	assert_int_equal(link_name(f, file, sub, "link"), 0);
	assert_int_equal(move_name(f, a, "file", b, "new", 0), -EXDEV);
	assert_int_equal(move_name(f, a, "file", b, "file", 0), -EXDEV);
	assert_int_equal(move_name(f, a, "file", b, "file", RENAME_EXCHANGE), -EXDEV);
	assert_int_equal(move_name(f, a, "file", ROOT_INO, "file", 0), -EXDEV);
	assert_int_equal(move_name(f, ROOT_INO, "top", a, "top", 0), -EXDEV);
	assert_int_equal(move_name(f, a, "sub", ROOT_INO, "sub", 0), -EXDEV); /* it would have one of its own */
	assert_int_equal(move_name(f, ROOT_INO, "b", a, "b", 0), -EXDEV);
	assert_int_equal(move_name(f, ROOT_INO, "b", a, "sub", RENAME_EXCHANGE), -EXDEV);
	assert_int_equal(move_name(f, ROOT_INO, "a", ROOT_INO, "renamed", 0), 0);
	assert_int_equal(move_name(f, ROOT_INO, "renamed", ROOT_INO, "b", RENAME_EXCHANGE), 0);
	assert_int_equal(move_name(f, a, "file", sub, "moved", 0), 0);
	assert_int_equal(volume_tmpfile(f->v, a, &tmp, &e), 0);
	assert_int_equal(link_name(f, e.ino, b, "tmp"), -EXDEV);
	assert_int_equal(link_name(f, e.ino, sub, "tmp"), 0);
	volume_file_release(f->v, e.ino, 2);
}

static void dir__a_number_is_used_again_when_all_have_been_and_nothing_of_it_is_left(void **state)
{
	struct fixture *f = *state;
	uint16_t first, second;
	uint64_t open, dir;

	remake(f, DOMAINS_DIR);
	dir = make(f, ROOT_INO, "first", S_IFDIR | 0755);
	open = make(f, dir, "open", S_IFREG | 0600);
	first = domain_of(f, dir);
	assert_int_equal(volume_file_open(f->v, open, 2), 0);
	assert_int_equal(volume_unlink(f->v, dir, name_of("open")), 0);
	assert_int_equal(volume_rmdir(f->v, ROOT_INO, name_of("first")), 0);
	volume_forget(f->v, dir, 1);
	second = domain_of(f, make(f, ROOT_INO, "second", S_IFDIR | 0755));
	assert_int_equal(second, first + 1);
	assert_int_equal(domains_inodes(f->v->domains, first, 0), 1);
	fixture_reopen(f);
	assert_int_equal(domains_inodes(f->v->domains, first, 0), 1);
	for (unsigned n = 1; n < DOMAIN_ALONE; n++) /* all others are taken */
		if (n != first && n != second)
			domains_enter(f->v->domains, (uint16_t)n);
	assert_int_equal(domain_of(f, make(f, ROOT_INO, "third", S_IFDIR | 0755)), DOMAIN_ALONE);
	volume_file_release(f->v, open, 2);
	volume_forget(f->v, open, 1);
	assert_int_equal(domain_of(f, make(f, ROOT_INO, "fourth", S_IFDIR | 0755)), first);
	for (unsigned n = 1; n < DOMAIN_ALONE; n++)
		if (n != first && n != second)
			domains_leave(f->v->domains, (uint16_t)n);
}

/* As if all numbers were taken. */
static void alone__nothing_is_merged_whatever_anybody_says(void **state)
{
	struct fixture *f = *state;
	uint64_t dir, a, b;
	struct volume_pages p;

	remake(f, DOMAINS_DIR);
	dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	domains_leave(f->v->domains, domain_of(f, dir));
	inode_of(f->v, dir)->record->domain = DOMAIN_ALONE;
	domains_enter(f->v->domains, DOMAIN_ALONE);
	a = make(f, dir, "a", S_IFREG | 0600);
	b = make(f, dir, "b", S_IFREG | 0600);
	assert_int_equal(volume_advise(f->v, a, VOLUME_MERGEABLE, NULL), 0);
	assert_int_equal(volume_advise_range(f->v, b, 0, 0, VOLUME_MERGEABLE, NULL), 0);
	assert_false(share(f, a, b));
	put_page(f, a, 0, 42);
	put_page(f, a, 1, 42);
	assert_int_equal(copy(f, a, b, 2 * PAGE_BYTES), 2 * PAGE_BYTES);
	scan(f, 4);
	assert_int_not_equal(slot_at(f, a, 0), slot_at(f, a, 1));
	assert_int_not_equal(slot_at(f, a, 0), slot_at(f, b, 0));
	assert_int_equal(frame_at(f, a, 0).refs, 1);
	assert_page(f, b, 1, 42);
	assert_int_equal(volume_pages(f->v, dir, 0, UINT64_MAX, NULL, &p), 0);
	assert_int_equal(p.untracked, 4);
	assert_int_equal(p.left_out, 4);
	fixture_reopen(f);
	scan(f, 4);
	assert_int_equal(frame_at(f, a, 0).refs, 1);
	assert_false(frame_at(f, a, 0).indexed);
}

static void copy__across_domains_copies_bytes(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;

	remake(f, DOMAINS_UID);
	a = make_of(f, ROOT_INO, "a", S_IFREG | 0600, 1);
	b = make_of(f, ROOT_INO, "b", S_IFREG | 0600, 2);
	put_page(f, a, 0, 42);
	assert_int_equal(copy(f, a, b, PAGE_BYTES), PAGE_BYTES);
	scan(f, 4);
	assert_int_not_equal(slot_at(f, a, 0), slot_at(f, b, 0));
	assert_page(f, b, 0, 42);
	assert_figure(f, pages_sharing, 0);
	assert_figure(f, fault_copied_by_reference, 0);
}

static void setting__cannot_be_changed(void **state)
{
	struct fixture *f = *state;

	remake(f, DOMAINS_UID);
	assert_int_equal(volume_set(f->v, ATTR_domain, DOMAINS_MOUNT, NULL), -EPERM);
	assert_int_equal(volume_set(f->v, ATTR_domain, DOMAINS_UID, NULL), 0);
	f->config.domain = DOMAINS_DIR; /* only what an empty volume starts with */
	fixture_reopen(f);
	assert_figure(f, domain, DOMAINS_UID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(mount__all_share),
		FIXTURE_TEST(uid__who_made_it_counts_and_chown_moves_nothing),
		FIXTURE_TEST(uid__links_and_renames_are_free),
		FIXTURE_TEST(uid__a_user_has_one_number_for_ever),
		FIXTURE_TEST(dir__what_is_below_one_directory_of_the_root_shares),
		FIXTURE_TEST(dir__links_and_renames_across_are_refused),
		FIXTURE_TEST(dir__a_number_is_used_again_when_all_have_been_and_nothing_of_it_is_left),
		FIXTURE_TEST(alone__nothing_is_merged_whatever_anybody_says),
		FIXTURE_TEST(copy__across_domains_copies_bytes),
		FIXTURE_TEST(setting__cannot_be_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
