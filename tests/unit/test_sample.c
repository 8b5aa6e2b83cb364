/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/sample.h"

#include <stdio.h>

#include "fixture.h"

/* So many files of so many pages. */
static void make_files(struct fixture *f, unsigned count, uint64_t pages)
{
	char name[32];

	for (unsigned n = 0; n < count; n++) {
		snprintf(name, sizeof(name), "%u-%llu", n, (unsigned long long)pages);
		truncate_to_pages(f, make_file(f, name), pages);
	}
}

/* Take a sample where each file's pages are all cached: questions asked. */
static unsigned take(struct fixture *f, struct sample *s)
{
	struct sample_question q[7];
	unsigned n, all = 0;

	sample_begin(s, f->v->pool.itable);
	do {
		n = sample_next(s, f->v->pool.itable, q, ARRAY_SIZE(q));
		for (unsigned i = 0; i < n; i++) {
			struct stat st;

			assert_int_equal(volume_getattr(f->v, q[i].ino, &st), 0);
			sample_answer(s, q[i].class, pages_of((uint64_t)st.st_size));
		}
		all += n;
	} while (n == ARRAY_SIZE(q));
	return all;
}

static void next__every_file_where_there_are_few(void **state)
{
	struct fixture *f = *state;
	struct sample s;

	make_files(f, 50, 3);
	make_files(f, 5, 1000);
	make_file(f, "empty");
	assert_int_equal(take(f, &s), 55);
	assert_int_equal(sample_pages(&s), 50 * 3 + 5 * 1000);
}

static void next__no_more_than_the_budget_and_all_that_is_large(void **state)
{
	struct fixture *f = *state;
	struct sample s;

	set(f, ATTR_nr_inodes, 1 << 20);
	make_files(f, SAMPLE_FILES + 500, 2);
	make_files(f, 20, 1 << 16);
	assert_in_range(take(f, &s), SAMPLE_FILES - 100, SAMPLE_FILES);
	assert_int_equal(s.class[17].asked, 20);
	assert_int_equal(sample_pages(&s), (SAMPLE_FILES + 500) * 2 + 20 * (1 << 16));
}

static void next__not_what_the_kernel_does_not_know(void **state)
{
	struct fixture *f = *state;
	struct sample s;
	uint64_t ino = make_file(f, "a");

	truncate_to_pages(f, ino, 3);
	volume_forget(f->v, ino, 1);
	assert_int_equal(take(f, &s), 0);
	assert_int_equal(sample_pages(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(next__every_file_where_there_are_few),
		FIXTURE_TEST(next__no_more_than_the_budget_and_all_that_is_large),
		FIXTURE_TEST(next__not_what_the_kernel_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
