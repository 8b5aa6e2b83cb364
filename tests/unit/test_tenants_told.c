/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tenants that records tell of, and names.db does not. */
#include <ksmfs/xattr.h>

#include "core/volume_tenants.h"
#include "tests/unit/fixture.h"

/* Its record said so, and names.db did not: it was about to become one, or had ceased to be. */
static void reopen__a_tenant_without_limits_is_none(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), box = make(f, ROOT_INO, "box", S_IFDIR | 0755);
	struct volume_tenant tenant = { 0 };

	assert_int_equal(volume_setxattr(f->v, box, name_of(KSMFS_XATTR_SIZE), name_of("64k"), 0), 0);
	inode_of(f->v, dir)->record->tenant = (uint32_t)dir;
	fixture_reopen(f);
	assert_int_equal(inode_of(f->v, dir)->record->tenant, 0);
	assert_null(inode_of(f->v, dir)->tenant);
	assert_int_equal(volume_tenant_find(f->v, name_of("box"), &tenant), 0);
	assert_int_equal(tenant.dir, box);
	make(f, dir, "file", S_IFREG | 0600);
	assert_int_equal(move_name(f, dir, "file", ROOT_INO, "file", 0), 0);
	fixture_check(f);
}

static void reopen__an_inode_of_a_tenant_that_does_not_exist_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_file(f, "a"), plain = make(f, ROOT_INO, "plain", S_IFDIR | 0755);
	struct volume *v = NULL;

	inode_of(f->v, a)->record->tenant = (uint32_t)plain;
	volume_close(f->v);
	f->v = NULL;
	assert_int_equal(volume_open(&f->config, &v), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(reopen__a_tenant_without_limits_is_none),
		FIXTURE_TEST(reopen__an_inode_of_a_tenant_that_does_not_exist_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
