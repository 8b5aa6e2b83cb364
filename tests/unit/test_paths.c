/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/paths.h"

#include <stdio.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

static struct paths *gather(struct fixture *f)
{
	struct paths *p;

	assert_int_equal(paths_gather(f->v->names, itable_header(f->v->pool.itable)->records, &p), 0);
	return p;
}

static void of__names_what_is_in_directories(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), deep = make(f, dir, "deep", S_IFDIR | 0755);
	uint64_t file = make(f, deep, "file", S_IFREG | 0644), top = make_file(f, "top");
	struct paths *p = gather(f);
	char buf[PATHS_BYTES];

	assert_string_equal(paths_of(p, (uint32_t)top, buf), "top");
	assert_string_equal(paths_of(p, (uint32_t)dir, buf), "dir");
	assert_string_equal(paths_of(p, (uint32_t)file, buf), "dir/deep/file");
	paths_free(p);
}

static void of__what_has_no_name_is_deleted(void **state)
{
	struct fixture *f = *state;
	uint64_t file = make_file(f, "file");
	char buf[PATHS_BYTES];
	struct paths *p;

	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	p = gather(f);
	assert_string_equal(paths_of(p, (uint32_t)file, buf), "(deleted)");
	assert_string_equal(paths_of(p, 1 << 20, buf), "(deleted)"); /* made since */
	paths_free(p);
}

static void gather__many_names_fit(void **state)
{
	struct fixture *f = *state;
	uint32_t last = 0;
	char name[256], buf[PATHS_BYTES];
	struct paths *p;

	for (unsigned n = 0; n < 400; n++) {
		snprintf(name, sizeof(name), "%0250u", n); /* 100 KiB of them */
		last = (uint32_t)make_file(f, name);
	}
	p = gather(f);
	assert_string_equal(paths_of(p, last, buf), name);
	paths_free(p);
}

static void gather__without_memory_it_says_so(void **state)
{
	struct fixture *f = *state;
	struct paths *p;

	for (unsigned nth = 1; nth <= 4; nth++) {
		failpoint_arm(FAIL_ALLOC, nth);
		assert_int_equal(paths_gather(f->v->names, 100, &p), -ENOMEM);
		assert_null(p);
		paths_free(p);
	}
	failpoint_arm(FAIL_ALLOC, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(of__names_what_is_in_directories),
		FIXTURE_TEST(of__what_has_no_name_is_deleted),
		FIXTURE_TEST(gather__many_names_fit),
		FIXTURE_TEST(gather__without_memory_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
