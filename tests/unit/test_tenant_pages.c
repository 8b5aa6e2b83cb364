/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What merging does for a tenant: of all that it has, with a name or without. */
#include <fcntl.h>
#include <stdio.h>

#include <ksmfs/xattr.h>

#include "core/failpoint.h"
#include "core/volume.h"
#include "tests/unit/fixture.h"

static uint64_t make_tenant(struct fixture *f, const char *name)
{
	uint64_t dir = make(f, ROOT_INO, name, S_IFDIR | 0755);

	assert_int_equal(volume_setxattr(f->v, dir, name_of(KSMFS_XATTR_SIZE), name_of("64k"), 0), 0);
	return dir;
}

static struct volume_pages pages_of_dir(struct fixture *f, uint64_t dir)
{
	struct volume_pages pages;

	assert_int_equal(volume_pages(f->v, dir, 0, UINT64_MAX, NULL, &pages), 0);
	return pages;
}

static void pages__are_also_of_what_is_open_without_a_name(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box"), sub = make(f, box, "sub", S_IFDIR | 0755);
	uint64_t a = make(f, sub, "a", S_IFREG | 0600), open = make_open(f, box), plain = make_file(f, "plain");

	assert_int_equal(link_name(f, a, box, "b"), 0);
	put_pages(f, a, 0, 2, 100, 1);
	put_pages(f, open, 0, 3, 200, 1);
	put_pages(f, open, 5, 1, 100, 1); /* as one of them */
	put_pages(f, plain, 0, 4, 300, 1);
	for (unsigned n = 0; n < 2; n++) {
		struct volume_pages p = pages_of_dir(f, box);

		assert_int_equal(p.slots, 6);
		assert_int_equal(p.merged, 2);
		assert_int_equal(p.proportional_bytes, 5 * PAGE_BYTES);
		assert_int_equal(pages_of_dir(f, ROOT_INO).slots, 2 + 4); /* by their names */
		fixture_reopen(f);
	}
	volume_file_release(f->v, open, O_RDWR);
	assert_int_equal(pages_of_dir(f, box).slots, 2);
}

/* More inodes than are looked at at a time, and none of them theirs. */
static void pages__of_several_are_found_together(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_tenant(f, "one"), plain = make(f, ROOT_INO, "plain", S_IFDIR | 0755), other;
	uint64_t asked[] = { 0, plain, one };
	struct volume_pages p[3];
	char name[16];

	assert_int_equal(volume_set(f->v, ATTR_nr_inodes, 4000, NULL), 0);
	put_pages(f, make(f, one, "a", S_IFREG | 0600), 0, 2, 100, 1);
	for (unsigned n = 0; n < 3000; n++) {
		snprintf(name, sizeof(name), "%u", n);
		make(f, plain, name, S_IFREG | 0600);
	}
	other = make_tenant(f, "other");
	put_pages(f, make(f, other, "b", S_IFREG | 0600), 0, 3, 200, 1);
	put_pages(f, make(f, other, "c", S_IFREG | 0600), 0, 3, 200, 1);
	asked[0] = other;
	assert_int_equal(volume_tenant_pages(f->v, asked, 3, NULL, p), 0);
	assert_int_equal(p[0].slots, 6);
	assert_int_equal(p[0].proportional_bytes, 3 * PAGE_BYTES);
	assert_int_equal(p[1].slots, 0); /* no tenant */
	assert_int_equal(p[2].slots, 2);
}

static bool at_once(void *arg)
{
	++*(unsigned *)arg;
	return true;
}

static void pages__end_when_nobody_wants_them_any_more_or_without_memory(void **state)
{
	struct fixture *f = *state;
	uint64_t box = make_tenant(f, "box");
	unsigned asked = 0;
	const struct interrupt interrupt = { at_once, &asked };
	struct volume_pages pages;

	make(f, box, "a", S_IFREG | 0600);
	assert_int_equal(volume_pages(f->v, box, 0, UINT64_MAX, &interrupt, &pages), -EINTR);
	assert_int_equal(asked, 1);
	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(volume_pages(f->v, box, 0, UINT64_MAX, NULL, &pages), -ENOMEM);
	failpoint_arm(FAIL_ALLOC, 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(pages__are_also_of_what_is_open_without_a_name),
	FIXTURE_TEST(pages__of_several_are_found_together),
	FIXTURE_TEST(pages__end_when_nobody_wants_them_any_more_or_without_memory),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
