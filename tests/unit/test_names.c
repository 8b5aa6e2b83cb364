/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names against a model in plain memory.  test_names_narrow.c runs the same tests with so few
 * places that names meet all the time: only tests for the one or the other know of it. */
#include "core/names.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>

#include "core/failpoint.h"
#include "tests/unit/names_model.h"
#include "tests/unit/tempdir.h"

static struct names *open_names(void **state)
{
	struct names *n;

	assert_int_equal(names_open(*state, SECRET, &n), 0);
	return n;
}

static void any_call__does_what_the_model_does(void **state)
{
	struct names *n = open_names(state);
	struct model m = {0};
	unsigned seed = 1;

	for (unsigned i = 0; i < 6000; i++) {
		struct step s = random_step(&seed);

		assert_int_equal(apply(n, &m, &s), 0);
		if (i % 100 == 0)
			assert_equals_model(n, &m);
		if (i % 20 == 0)
			assert_offsets_stable(n, &m);
		if (i % 1500 == 0) {
			names_close(n);
			n = open_names(state);
		}
	}
	assert_equals_model(n, &m);
	names_close(n);
}

/* N1. */
static void any_call__that_fails_has_not_happened(void **state)
{
	struct names *n = open_names(state);
	struct model m = {0};
	unsigned seed = 2, failures = 0;

	for (unsigned i = 0; i < 150; i++) {
		struct step s = random_step(&seed);
		unsigned nth = 1;
		int r;

		if (i % 10 == 0) { /* so that statements are prepared anew */
			names_close(n);
			n = open_names(state);
		}
		do {
			failpoint_arm(FAIL_SQL, nth++);
			r = apply(n, &m, &s);
			failpoint_arm(FAIL_SQL, 0);
			if (r < 0 && i % 10 == 0)
				assert_equals_model(n, &m);
			failures += r < 0;
		} while (r < 0);
		assert_equals_model(n, &m);
	}
	assert_true(failures > 300);
	names_close(n);
}

static void any_call__that_the_system_refuses_has_not_happened(void **state)
{
	struct names *n = open_names(state);
	struct rlimit old, none;
	struct model m = {0};
	unsigned seed = 3, failures = 0;

	for (unsigned i = 0; i < 50; i++) {
		struct step s = random_step(&seed);

		assert_int_equal(apply(n, &m, &s), 0);
	}
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = old;
	none.rlim_cur = 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct step s = random_step(&seed);

		failures += apply(n, &m, &s) < 0;
		if (i % 10 == 0)
			assert_equals_model(n, &m);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(failures > 20);
	for (unsigned i = 0; i < 50; i++) {
		struct step s = random_step(&seed);

		assert_int_equal(apply(n, &m, &s), 0);
	}
	assert_equals_model(n, &m);
	names_close(n);
}

/* --- one by one ------------------------------------------------------------------------------- */

static void open__failing_at_any_call_can_be_tried_again(void **state)
{
	for (int kind = 0; kind < FAILPOINTS; kind++) {
		unsigned nth = 1;
		struct names *n;
		int r;

		do {
			failpoint_arm((enum failpoint)kind, nth++);
			r = names_open(*state, SECRET, &n);
			failpoint_arm((enum failpoint)kind, 0);
		} while (r < 0);
		assert_true(nth > 3);
		assert_int_equal(names_add(n, 1, text("a"), 2, NULL), NAMES_OK);
		names_close(n);
		tempdir_empty(*state);
	}
}

static void open__names_of_another_secret_are_refused(void **state)
{
	struct names *n = open_names(state);
	uint64_t ino;

	assert_int_equal(names_add(n, 1, text("a"), 2, NULL), NAMES_OK);
	names_close(n);
	assert_int_equal(names_open(*state, SECRET + 1, &n), -ESTALE);
	n = open_names(state);
	assert_int_equal(names_lookup(n, 1, text("a"), &ino), NAMES_OK);
	names_close(n);
}

static void add__refuses_what_is_no_name(void **state)
{
	static const struct name bad[] = {{"", 0}, {"a/b", 3}, {"a\0b", 3}};
	char longest[NAME_BYTES_MAX + 1];
	struct names *n = open_names(state);
	bool empty;

	memset(longest, 'x', sizeof(longest));
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(names_add(n, 1, bad[i], 2, NULL), -EINVAL);
	assert_int_equal(names_add(n, 1, (struct name){longest, 256}, 2, NULL), -EINVAL);
	assert_int_equal(names_is_empty(n, 1, &empty), 0);
	assert_true(empty);
	assert_int_equal(names_add(n, 1, (struct name){longest, 255}, 2, NULL), NAMES_OK);
	assert_int_equal(names_is_empty(n, 1, &empty), 0);
	assert_false(empty);
	names_close(n);
}

static void add__keeps_the_whole_inode_number_and_the_record_of_the_directory(void **state)
{
	const uint64_t dir = UINT64_C(9) << 32 | 5, ino = UINT64_C(0xfedcba9876543210);
	struct names *n = open_names(state);
	struct names_entry e;
	uint64_t found;
	unsigned count;

	assert_int_equal(names_add(n, dir, text("a"), ino, NULL), NAMES_OK);
	assert_int_equal(names_lookup(n, 5, text("a"), &found), NAMES_OK);
	assert_true(found == ino);
	assert_int_equal(names_lookup(n, 4, text("a"), &found), NAMES_ABSENT);
	assert_int_equal(names_list(n, 5, 0, &e, 1, &count), NAMES_OK);
	assert_int_equal(count, 1);
	assert_true(e.ino == ino);
	assert_string_equal(e.name, "a");
	names_close(n);
}

static void remove__of_another_inode_changes_nothing(void **state)
{
	struct names *n = open_names(state);
	uint64_t ino;

	assert_int_equal(names_add(n, 1, text("a"), 2, NULL), NAMES_OK);
	assert_int_equal(names_remove(n, 1, text("a"), 3, true), NAMES_ABSENT);
	assert_int_equal(names_lookup(n, 1, text("a"), &ino), NAMES_OK);
	assert_int_equal(ino, 2);
	names_close(n);
}

static void remove__only_the_last_name_takes_the_link_text_along(void **state)
{
	struct names *n = open_names(state);
	struct name target = text("to");
	char buf[SYMLINK_BYTES_MAX + 1];

	assert_int_equal(names_add(n, 1, text("a"), 2, &target), NAMES_OK);
	assert_int_equal(names_add(n, 1, text("b"), 2, NULL), NAMES_OK);
	assert_int_equal(names_remove(n, 1, text("a"), 2, false), NAMES_OK);
	assert_int_equal(names_readlink(n, 2, buf), NAMES_OK);
	assert_string_equal(buf, "to");
	assert_int_equal(names_remove(n, 1, text("b"), 2, true), NAMES_OK);
	assert_int_equal(names_readlink(n, 2, buf), NAMES_ABSENT);
	names_close(n);
}

static void readlink__gives_the_longest_text_back(void **state)
{
	static char longest[SYMLINK_BYTES_MAX + 2], buf[SYMLINK_BYTES_MAX + 1];
	struct names *n = open_names(state);
	struct name target = {longest, SYMLINK_BYTES_MAX + 1};

	memset(longest, 'y', sizeof(longest) - 1);
	assert_int_equal(names_add(n, 1, text("a"), 2, &target), -EINVAL);
	target.len = SYMLINK_BYTES_MAX;
	assert_int_equal(names_add(n, 1, text("a"), 2, &target), NAMES_OK);
	assert_int_equal(names_readlink(n, 2, buf), NAMES_OK);
	assert_int_equal(strlen(buf), SYMLINK_BYTES_MAX);
	names_close(n);
}

static void rename__expecting_another_inode_changes_nothing(void **state)
{
	struct names *n = open_names(state);
	struct name a = text("a"), b = text("b");
	uint64_t ino;

	assert_int_equal(names_add(n, 1, a, 2, NULL), NAMES_OK);
	assert_int_equal(names_add(n, 1, b, 3, NULL), NAMES_OK);
	for (int how = NAMES_RENAME_REPLACE; how <= NAMES_RENAME_EXCHANGE; how++) {
		enum names_rename h = (enum names_rename)how;
		struct names_move m = {1, a, 9, 1, b, 3, true, h, 0};

		assert_int_equal(names_rename(n, &m), NAMES_ABSENT);
		m.ino = 2;
		m.replaced = 9;
		assert_int_equal(names_rename(n, &m),
				 h == NAMES_RENAME_NOREPLACE ? NAMES_EXISTS : NAMES_ABSENT);
		m.new_name = text("c");
		assert_int_equal(names_rename(n, &m), NAMES_ABSENT);
	}
	assert_int_equal(names_lookup(n, 1, a, &ino), NAMES_OK);
	assert_int_equal(ino, 2);
	assert_int_equal(names_lookup(n, 1, b, &ino), NAMES_OK);
	assert_int_equal(ino, 3);
	names_close(n);
}

static void rename__to_where_it_is_changes_nothing(void **state)
{
	struct names *n = open_names(state);
	struct name a = text("a"), target = text("to");
	struct names_move m = {1, a, 2, 1, a, 2, true, NAMES_RENAME_REPLACE, 9};
	char buf[SYMLINK_BYTES_MAX + 1];
	uint64_t ino;

	assert_int_equal(names_add(n, 1, a, 2, &target), NAMES_OK);
	assert_int_equal(names_rename(n, &m), NAMES_OK);
	assert_int_equal(names_lookup(n, 1, a, &ino), NAMES_OK);
	assert_int_equal(names_readlink(n, 2, buf), NAMES_OK);
	names_close(n);
}

static void rename__that_leaves_something_behind_has_both_names(void **state)
{
	struct names *n = open_names(state);
	struct name a = text("a"), b = text("b"), target = text("to");
	struct names_move m = {1, a, 2, 1, b, 3, true, NAMES_RENAME_REPLACE, 4};
	char buf[SYMLINK_BYTES_MAX + 1];
	uint64_t ino;

	assert_int_equal(names_add(n, 1, a, 2, NULL), NAMES_OK);
	assert_int_equal(names_add(n, 1, b, 3, &target), NAMES_OK);
	assert_int_equal(names_rename(n, &m), NAMES_OK);
	assert_int_equal(names_lookup(n, 1, a, &ino), NAMES_OK);
	assert_int_equal(ino, 4);
	assert_int_equal(names_lookup(n, 1, b, &ino), NAMES_OK);
	assert_int_equal(ino, 2);
	assert_int_equal(names_readlink(n, 3, buf), NAMES_ABSENT);
	names_close(n);
}

static void list__goes_on_anywhere_while_others_come_and_go(void **state)
{
	struct names *n = open_names(state);
	char name[32];
	unsigned count, seen = 0;
	uint64_t behind = 0;
	struct names_entry e;

	for (unsigned i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "stays%u", i);
		assert_int_equal(names_add(n, 1, text(name), 100 + i, NULL), NAMES_OK);
	}
	for (unsigned i = 0;; i++) {
		assert_int_equal(names_list(n, 1, behind, &e, 1, &count), 0);
		if (!count)
			break;
		behind = e.offset;
		seen += e.ino >= 100;
		(void)snprintf(name, sizeof(name), "comes%u", i % 20);
		if (names_add(n, 1, text(name), 2 + i % 20, NULL) == NAMES_EXISTS)
			assert_int_equal(names_remove(n, 1, text(name), 2 + i % 20, true),
					 NAMES_OK);
		assert_true(i < 200);
	}
	assert_int_equal(seen, 30);
	assert_int_equal(names_list(n, 1, UINT64_MAX, &e, 1, &count), 0);
	assert_int_equal(count, 0);
	names_close(n);
}

static int visit_and_remove(void *arg, uint32_t dir_record, const struct names_entry *e)
{
	return names_remove(arg, dir_record, (struct name){e->name, e->len}, e->ino, true);
}

static int visit_stop(void *arg, uint32_t dir_record, const struct names_entry *e)
{
	++*(int *)arg;
	return 77;
}

static void walk__may_call_names_and_stops_when_told(void **state)
{
	struct names *n = open_names(state);
	char buf[NAME_BYTES_MAX];
	int visits = 0;

	for (unsigned i = 0; i < MODEL_NAMES; i++)
		for (unsigned d = 0; d < MODEL_DIRS; d++)
			assert_int_equal(names_add(n, dir_ino(d), odd_name(i, buf), 2, NULL), 0);
	assert_int_equal(names_walk(n, visit_stop, &visits), 77);
	assert_int_equal(visits, 1);
	assert_int_equal(names_walk(n, visit_and_remove, n), 0);
	assert_int_equal(names_walk(n, visit_stop, &visits), 0);
	names_close(n);
}

#ifdef NAME_PLACES

static void add__the_first_name_too_many_is_enospc_and_fits_when_others_go(void **state)
{
	struct names *n = open_names(state);
	unsigned count = 0;
	char name[16];
	int r;

	do {
		(void)snprintf(name, sizeof(name), "n%u", ++count);
		r = names_add(n, 2, text(name), count, NULL);
	} while (r == NAMES_OK);
	assert_int_equal(r, -ENOSPC);
	assert_in_range(count, 65, NAME_PLACES + 1);
	for (unsigned i = 1; i < count; i++) {
		char other[16];

		(void)snprintf(other, sizeof(other), "n%u", i);
		assert_int_equal(names_remove(n, 2, text(other), i, true), NAMES_OK);
	}
	assert_int_equal(names_add(n, 2, text(name), count, NULL), NAMES_OK);
	names_close(n);
}

static void add__a_full_directory_spills_into_no_other(void **state)
{
	struct names *n = open_names(state);
	char name[16];
	bool empty;

	for (unsigned i = 0; i < 400; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_in_range(names_add(n, 2, text(name), i + 1, NULL) + ENOSPC, 0, ENOSPC);
	}
	for (unsigned dir = 1; dir <= 3; dir++) {
		assert_int_equal(names_is_empty(n, dir, &empty), 0);
		assert_int_equal(empty, dir != 2);
	}
	names_close(n);
}

#else

static void list__of_many_names_is_complete_and_each_is_found(void **state)
{
	static struct names_entry e[300];
	struct names *n = open_names(state);
	unsigned count, total = 0;
	uint64_t behind = 0, ino;
	char name[32];

	for (unsigned i = 0; i < 8000; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(names_add(n, 1, text(name), i + 2, NULL), NAMES_OK);
	}
	do {
		assert_int_equal(names_list(n, 1, behind, e, ARRAY_SIZE(e), &count), 0);
		for (unsigned k = 0; k < count; k++) {
			assert_int_equal(strtoul(e[k].name, NULL, 10) + 2, e[k].ino);
			assert_int_equal(names_lookup(n, 1, text(e[k].name), &ino), NAMES_OK);
			assert_int_equal(ino, e[k].ino);
			behind = e[k].offset;
		}
		total += count;
	} while (count);
	assert_int_equal(total, 8000);
	names_close(n);
}

#endif

#define TEST(f) cmocka_unit_test_setup_teardown(f, tempdir_setup, tempdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(any_call__does_what_the_model_does),
	    TEST(any_call__that_fails_has_not_happened),
	    TEST(any_call__that_the_system_refuses_has_not_happened),
	    TEST(open__failing_at_any_call_can_be_tried_again),
	    TEST(open__names_of_another_secret_are_refused),
	    TEST(add__refuses_what_is_no_name),
	    TEST(add__keeps_the_whole_inode_number_and_the_record_of_the_directory),
	    TEST(remove__of_another_inode_changes_nothing),
	    TEST(remove__only_the_last_name_takes_the_link_text_along),
	    TEST(readlink__gives_the_longest_text_back),
	    TEST(rename__expecting_another_inode_changes_nothing),
	    TEST(rename__to_where_it_is_changes_nothing),
	    TEST(rename__that_leaves_something_behind_has_both_names),
	    TEST(list__goes_on_anywhere_while_others_come_and_go),
	    TEST(walk__may_call_names_and_stops_when_told),
#ifdef NAME_PLACES
	    TEST(add__the_first_name_too_many_is_enospc_and_fits_when_others_go),
	    TEST(add__a_full_directory_spills_into_no_other),
#else
	    TEST(list__of_many_names_is_complete_and_each_is_found),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
