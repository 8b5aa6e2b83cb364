/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extended attributes in names.db. */
#include "core/names_xattr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/failpoint.h"
#include "tests/unit/tempdir.h"

enum { SECRET = 7, A = 3, B = 4 };

/* Of a generation whose highest bit is set: negative to SQLite. */
#define OLD (UINT64_C(0xfffffffe) << 32 | A)

static struct name text(const char *s)
{
	return (struct name){s, strlen(s)};
}

static struct names *open_names(void **state)
{
	struct names *n;

	assert_int_equal(names_open(*state, SECRET, &n), 0);
	return n;
}

static int put(struct names *n, uint64_t ino, const char *name, const char *value,
	       uint64_t freed)
{
	uint64_t is = 0;
	int r = names_xattr_set(n, ino, text(name), text(value), &is);

	if (r == NAMES_OK)
		assert_int_equal(is, freed);
	return r;
}

static void assert_value(struct names *n, uint64_t ino, const char *name, const char *value)
{
	char buf[64];
	size_t len = 999;
	int r = names_xattr_get(n, ino, text(name), buf, sizeof(buf), &len);

	if (!value) {
		assert_int_equal(r, NAMES_ABSENT);
		return;
	}
	assert_int_equal(r, NAMES_OK);
	assert_int_equal(len, strlen(value));
	assert_memory_equal(buf, value, len);
}

/* `expected` has a comma where the list has a NUL. */
static void assert_list(struct names *n, uint64_t ino, const char *hidden, const char *expected)
{
	char buf[1024];
	size_t len = 0, needed = 0;

	assert_int_equal(names_xattr_list(n, ino, text("system."), text(hidden), NULL, 0, &needed), 0);
	assert_int_equal(names_xattr_list(n, ino, text("system."), text(hidden), buf, sizeof(buf), &len), 0);
	assert_int_equal(len, needed);
	for (size_t k = 0; k < len; k++)
		buf[k] = buf[k] ? buf[k] : ',';
	buf[len] = '\0';
	assert_string_equal(buf, expected);
	if (!len)
		return;
	assert_int_equal(names_xattr_list(n, ino, text("system."), text(hidden), buf, needed, &len), 0);
	assert_int_equal(names_xattr_list(n, ino, text("system."), text(hidden), buf, needed - 1, &len),
			 -ERANGE);
}

static void set__is_there_until_removed(void **state)
{
	struct names *n = open_names(state);
	uint64_t freed;

	assert_value(n, A, "user.x", NULL);
	assert_int_equal(put(n, A, "user.x", "one", 0), NAMES_OK);
	assert_int_equal(put(n, OLD, "user.x", "old", 0), NAMES_OK);
	assert_value(n, A, "user.x", "one");
	assert_value(n, OLD, "user.x", "old"); /* of the record's owner before: another inode */
	assert_value(n, B, "user.x", NULL);
	assert_value(n, A, "user.xx", NULL);
	assert_int_equal(put(n, A, "user.x", "", names_xattr_space(6, 3)), NAMES_OK);
	assert_value(n, A, "user.x", "");
	names_close(n);
	n = open_names(state);
	assert_value(n, A, "user.x", "");
	assert_int_equal(names_xattr_remove(n, A, text("user.x"), &freed), NAMES_OK);
	assert_int_equal(freed, 46);
	assert_value(n, A, "user.x", NULL);
	assert_value(n, OLD, "user.x", "old");
	assert_int_equal(names_xattr_remove(n, A, text("user.x"), &freed), NAMES_ABSENT);
	names_close(n);
}

static void set__replaces_what_is_there(void **state)
{
	struct names *n = open_names(state);

	assert_int_equal(put(n, A, "user.x", "1", 0), NAMES_OK);
	assert_value(n, A, "user.x", "1");
	assert_int_equal(put(n, A, "user.x", "3", 47), NAMES_OK);
	assert_value(n, A, "user.x", "3");
	names_close(n);
}

static void names_and_values__have_their_limits(void **state)
{
	static char name[XATTR_NAME_BYTES_MAX + 2], value[XATTR_VALUE_BYTES_MAX + 1], is[XATTR_VALUE_BYTES_MAX];
	struct names *n = open_names(state);
	size_t len;
	uint64_t freed;

	memset(name, 0xff, sizeof(name));
	memset(value, 0x5a, sizeof(value));
	assert_int_equal(names_xattr_set(n, A, (struct name){name, XATTR_NAME_BYTES_MAX},
					 (struct name){value, XATTR_VALUE_BYTES_MAX}, &freed), 0);
	assert_int_equal(names_xattr_get(n, A, (struct name){name, XATTR_NAME_BYTES_MAX}, is, sizeof(is), &len), 0);
	assert_int_equal(len, XATTR_VALUE_BYTES_MAX);
	assert_memory_equal(is, value, len);
	len = 0;
	assert_int_equal(names_xattr_get(n, A, (struct name){name, XATTR_NAME_BYTES_MAX}, NULL, 0, &len), 0);
	assert_int_equal(len, XATTR_VALUE_BYTES_MAX);
	assert_int_equal(names_xattr_get(n, A, (struct name){name, XATTR_NAME_BYTES_MAX}, is, sizeof(is) - 1, &len),
			 -ERANGE);
	assert_int_equal(names_xattr_set(n, A, (struct name){name, XATTR_NAME_BYTES_MAX + 1}, text("v"),
					 &freed), -EINVAL);
	assert_int_equal(names_xattr_set(n, A, text(""), text("v"), &freed), -EINVAL);
	assert_int_equal(names_xattr_set(n, A, (struct name){"a\0b", 3}, text("v"), &freed),
			 -EINVAL);
	assert_int_equal(names_xattr_set(n, A, text("user.x"), (struct name){value, sizeof(value)},
					 &freed), -EINVAL);
	names_close(n);
}

static void list__is_in_order_and_hides_what_is_to_be_hidden(void **state)
{
	static const char *const names[] = {"user.b", "trusted.t", "user.a", "system.z", "security.s", "user"};
	struct names *n = open_names(state);

	assert_list(n, A, "", "");
	for (unsigned k = 0; k < ARRAY_SIZE(names); k++)
		assert_int_equal(put(n, A, names[k], "v", 0), NAMES_OK);
	assert_int_equal(put(n, B, "user.other", "v", 0), NAMES_OK);
	assert_list(n, A, "", "system.z,user.b,user.a,user,trusted.t,security.s,");
	assert_list(n, A, "trusted.", "system.z,user.b,user.a,user,security.s,");
	assert_list(n, B, "user.", "");
	names_close(n);
}

static void list__that_is_too_long_ends_where_that_shows(void **state)
{
	static char buf[XATTR_LIST_BYTES_MAX];
	struct names *n = open_names(state);
	size_t len = 0;
	char name[32];

	for (unsigned k = 0; k < 8000; k++) {
		(void)snprintf(name, sizeof(name), "user.%u", 10000 + k);
		assert_int_equal(put(n, A, name, "", 0), NAMES_OK);
	}
	assert_int_equal(names_xattr_list(n, A, text("system."), text(""), NULL, 0, &len), 0);
	assert_in_range(len, XATTR_LIST_BYTES_MAX + 1, XATTR_LIST_BYTES_MAX + 11);
	assert_int_equal(names_xattr_list(n, A, text("system."), text(""), buf, sizeof(buf), &len), -ERANGE);
	names_close(n);
}

static void drop__leaves_nothing_and_says_how_much_that_was(void **state)
{
	struct names *n = open_names(state);
	uint64_t freed = 999;

	assert_int_equal(names_xattr_drop(n, A, &freed), 0);
	assert_int_equal(freed, 0);
	assert_int_equal(put(n, A, "user.a", "123", 0), NAMES_OK);
	assert_int_equal(put(n, A, "user.bb", "4", 0), NAMES_OK);
	assert_int_equal(put(n, B, "user.a", "5", 0), NAMES_OK);
	assert_int_equal(names_xattr_drop(n, A, &freed), 0);
	assert_int_equal(freed, names_xattr_space(6, 3) + names_xattr_space(7, 1));
	assert_list(n, A, "", "");
	assert_list(n, B, "", "user.a,");
	names_close(n);
}

/* Little by little: not many rows, and not many bytes. */
static void drop__of_many_ends_early(void **state)
{
	static char value[XATTR_VALUE_BYTES_MAX];
	struct names *n = open_names(state);
	uint64_t freed, space = 0, sum = 0;
	unsigned calls = 0;
	char name[32];
	int r;

	for (unsigned k = 0; k < 320; k++) {
		(void)snprintf(name, sizeof(name), "user.%u", k);
		assert_int_equal(put(n, A, name, "v", 0), NAMES_OK);
		space += names_xattr_space(strlen(name), 1);
	}
	for (unsigned k = 0; k < 5; k++) {
		(void)snprintf(name, sizeof(name), "trusted.%u", k);
		assert_int_equal(names_xattr_set(n, A, text(name), (struct name){value, sizeof(value)},
						 &freed), 0);
		space += names_xattr_space(strlen(name), sizeof(value));
	}
	assert_int_equal(put(n, B, "user.a", "5", 0), NAMES_OK);
	do {
		r = names_xattr_drop(n, A, &freed);
		assert_in_range(freed, 0, 2 * XATTR_VALUE_BYTES_MAX);
		sum += freed;
		calls++;
	} while (r == 1);
	assert_int_equal(r, 0);
	assert_int_equal(sum, space);
	assert_in_range(calls, 10, 11);
	assert_list(n, A, "", "");
	assert_list(n, B, "", "user.a,");
	names_close(n);
}

struct seen {
	struct names *n;
	unsigned count;
	uint64_t space;
	int stop_at;
};

static int see(void *arg, const struct names_xattr *x)
{
	struct seen *seen = arg;
	uint64_t freed = 0;

	assert_int_equal(strlen(x->name), x->len);
	seen->count++;
	seen->space += x->space;
	if (x->ino == B)
		assert_int_equal(names_xattr_remove(seen->n, x->ino, (struct name){x->name, x->len}, &freed), 0);
	return seen->stop_at && seen->count == (unsigned)seen->stop_at ? 17 : 0;
}

static void walk__comes_to_each_once_even_if_it_is_removed_then(void **state)
{
	struct names *n = open_names(state);
	struct seen seen = {.n = n};
	char name[32];

	assert_int_equal(names_xattr_walk(n, see, &seen), 0);
	assert_int_equal(seen.count, 0);
	for (unsigned k = 0; k < 300; k++) {
		(void)snprintf(name, sizeof(name), "user.%u", k);
		assert_int_equal(put(n, k % 3 ? B : k % 2 ? A : OLD, name, "v", 0), NAMES_OK);
	}
	assert_int_equal(names_xattr_walk(n, see, &seen), 0);
	assert_int_equal(seen.count, 300);
	assert_int_equal(seen.space, 10 * names_xattr_space(6, 1) + 90 * names_xattr_space(7, 1) +
					     200 * names_xattr_space(8, 1));
	seen = (struct seen){.n = n};
	assert_int_equal(names_xattr_walk(n, see, &seen), 0);
	assert_int_equal(seen.count, 100);
	assert_list(n, B, "", "");
	seen = (struct seen){.n = n, .stop_at = 70};
	assert_int_equal(names_xattr_walk(n, see, &seen), 17);
	assert_int_equal(seen.count, 70);
	names_close(n);
}

/* N1. */
static void any_call__that_fails_has_not_happened(void **state)
{
	struct names *n = open_names(state);
	unsigned nth = 0, failures = 0;
	uint64_t freed;
	int r;

	assert_int_equal(put(n, A, "user.a", "1", 0), NAMES_OK);
	do {
		failpoint_arm(FAIL_SQL, ++nth);
		r = names_xattr_set(n, A, text("user.a"), text("2"), &freed);
		failpoint_arm(FAIL_SQL, 0);
		assert_value(n, A, "user.a", r ? "1" : "2");
		failures += r < 0;
	} while (r);
	nth = 0;
	do {
		failpoint_arm(FAIL_SQL, ++nth);
		r = names_xattr_remove(n, A, text("user.a"), &freed);
		failpoint_arm(FAIL_SQL, 0);
		assert_value(n, A, "user.a", r ? "2" : NULL);
		failures += r < 0;
	} while (r);
	assert_int_equal(put(n, A, "user.a", "1", 0), NAMES_OK);
	nth = 0;
	do {
		failpoint_arm(FAIL_SQL, ++nth);
		r = names_xattr_drop(n, A, &freed);
		failpoint_arm(FAIL_SQL, 0);
		assert_value(n, A, "user.a", r ? "1" : NULL);
		failures += r < 0;
	} while (r);
	assert_true(failures >= 6);
	names_close(n);
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, tempdir_setup, tempdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIR_TEST(set__is_there_until_removed),
		DIR_TEST(set__replaces_what_is_there),
		DIR_TEST(names_and_values__have_their_limits),
		DIR_TEST(list__is_in_order_and_hides_what_is_to_be_hidden),
		DIR_TEST(list__that_is_too_long_ends_where_that_shows),
		DIR_TEST(drop__leaves_nothing_and_says_how_much_that_was),
		DIR_TEST(drop__of_many_ends_early),
		DIR_TEST(walk__comes_to_each_once_even_if_it_is_removed_then),
		DIR_TEST(any_call__that_fails_has_not_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
