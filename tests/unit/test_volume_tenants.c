/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/volume_tenants.h"

#include <ksmfs/xattr.h>

#include "tests/unit/fixture.h"

static int set_x(struct fixture *f, uint64_t ino, const char *name, const char *value)
{
	return volume_setxattr(f->v, ino, name_of(name), name_of(value), 0);
}

static void set__makes_a_tenant(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "box", S_IFDIR | 0755), cursor = 0;
	struct volume_tenant t;

	assert_false(volume_is_shared_out(f->v));
	assert_int_equal(volume_tenants(f->v, &cursor, &t), -ENOENT);
	assert_int_equal(set_x(f, dir, KSMFS_XATTR_SIZE, "64k"), 0);
	assert_true(volume_is_shared_out(f->v));
	assert_int_equal(volume_tenants(f->v, &cursor, &t), 0);
	assert_int_equal(t.dir, dir);
	assert_string_equal(t.name, "box");
	assert_int_equal(t.size_pages, 16);
	assert_int_equal(t.nr_inodes, UINT64_MAX);
	assert_int_equal(t.used_pages, 0);
	assert_int_equal(volume_tenants(f->v, &cursor, &t), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(set__makes_a_tenant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
