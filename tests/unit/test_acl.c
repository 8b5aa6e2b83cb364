/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access control lists as bytes. */
#include "core/acl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { LIST_MAX = 4 + 16 * 8 };

struct list {
	size_t len;
	uint8_t odd; /* so that the bytes are at an odd address */
	uint8_t bytes[LIST_MAX];
};

/* From the words that getfacl uses: u: u:N: g: g:N: m: o:, each with an octal digit. */
static struct list list(const char *words)
{
	static const struct {
		const char *word;
		uint8_t tag, named_tag;
	} kinds[] = {{"u:", 0x01, 0x02}, {"g:", 0x04, 0x08}, {"m:", 0x10, 0x10}, {"o:", 0x20, 0x20}};
	struct list l = {.len = 4, .bytes = {2}};

	while (*words) {
		uint8_t *e = l.bytes + l.len;

		for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
			if (strncmp(words, kinds[k].word, 2) == 0)
				e[0] = words[3] == ':' ? kinds[k].named_tag : kinds[k].tag;
		memset(e + 4, 0xff, 4);
		if (words[3] == ':') { /* a user or group of one digit */
			memset(e + 4, 0, 4);
			e[4] = (uint8_t)(words[2] - '0');
			words += 2;
		}
		e[2] = (uint8_t)(words[2] - '0');
		words += 3 + (words[3] == ' ');
		l.len += 8;
	}
	return l;
}

static void assert_same(const struct list *a, const char *words)
{
	struct list b = list(words);

	assert_int_equal(a->len, b.len);
	assert_memory_equal(a->bytes, b.bytes, b.len);
}

static void to_mode__says_the_nine_bits_and_whether_that_is_all(void **state)
{
	static const struct {
		const char *words;
		mode_t mode;
		int r;
	} cases[] = {
		{"u:6 g:4 o:0", 0640, ACL_IS_MODE},
		{"u:7 g:7 o:7", 0777, ACL_IS_MODE},
		{"u:0 g:0 o:0", 0000, ACL_IS_MODE},
		{"u:6 g:4 m:5 o:0", 0650, ACL_IS_MORE}, /* the mask counts as the group */
		{"u:7 u:1:6 g:5 m:7 o:1", 0771, ACL_IS_MORE},
		{"u:7 g:5 g:1:6 g:2:7 m:0 o:1", 0701, ACL_IS_MORE},
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct list l = list(cases[k].words);
		mode_t mode = S_IFDIR | 05222;

		assert_int_equal(acl_to_mode(l.bytes, l.len, &mode), cases[k].r);
		assert_int_equal(mode, S_IFDIR | 05000 | cases[k].mode);
	}
}

static void chmod__sets_the_mask_and_leaves_the_named_alone(void **state)
{
	static const struct {
		const char *from, *to;
		mode_t mode;
	} cases[] = {
		{"u:7 u:1:6 g:5 g:3:1 m:7 o:1", "u:6 u:1:6 g:5 g:3:1 m:4 o:0", 04640},
		{"u:7 g:5 o:1", "u:6 g:4 o:0", 0640},
		{"u:0 u:1:7 g:0 m:0 o:0", "u:7 u:1:7 g:0 m:7 o:7", 0777},
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct list l = list(cases[k].from);

		assert_int_equal(acl_chmod(l.bytes, l.len, cases[k].mode), 0);
		assert_same(&l, cases[k].to);
	}
}

static void create__gives_what_both_the_list_and_the_caller_want(void **state)
{
	static const struct {
		const char *from, *to;
		mode_t asked, mode;
		int r;
	} cases[] = {
		{"u:7 u:1:6 g:5 m:6 o:0", "u:6 u:1:6 g:5 m:6 o:0", 0666, 0660, ACL_IS_MORE},
		{"u:7 u:1:6 g:5 m:7 o:4", "u:6 u:1:6 g:5 m:0 o:0", 0600, 0600, ACL_IS_MORE},
		{"u:7 g:5 o:5", "u:6 g:4 o:4", 0666, 0644, ACL_IS_MODE},
		{"u:5 g:7 o:7", "u:5 g:7 o:7", 02777, 02577, ACL_IS_MODE},
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct list l = list(cases[k].from);
		mode_t mode = S_IFREG | cases[k].asked;

		assert_int_equal(acl_create(l.bytes, l.len, &mode), cases[k].r);
		assert_same(&l, cases[k].to);
		assert_int_equal(mode, S_IFREG | cases[k].mode);
	}
}

static void assert_refused(const struct list *valid_or_not)
{
	struct list l = *valid_or_not, was = l;
	mode_t mode = 01234;

	assert_int_equal(acl_to_mode(l.bytes, l.len, &mode), -EINVAL);
	assert_int_equal(acl_create(l.bytes, l.len, &mode), -EINVAL);
	assert_int_equal(acl_chmod(l.bytes, l.len, 0777), -EINVAL);
	assert_int_equal(mode, 01234);
	assert_memory_equal(&l, &was, sizeof(l));
}

static void what_is_no_list__is_refused_and_left_alone(void **state)
{
	static const char *const bad[] = {
		"", "u:7", "u:7 g:7", "u:7 o:7", "g:7 o:7", "g:7 u:7 o:7", "u:7 o:7 g:7", "u:7 u:7 g:7 o:7",
		"u:7 g:7 o:7 o:7", "u:7 g:7 g:7 o:7", "u:7 g:7 o:7 m:7", "u:7 m:7 g:7 o:7", "u:7 g:7 m:7 m:7 o:7",
		"u:7 u:1:7 g:7 o:7", "u:7 g:7 g:1:7 o:7", /* no mask */
		"u:1:7 u:7 g:7 m:7 o:7", "u:7 g:1:7 g:7 m:7 o:7", "u:7 g:7 u:1:7 m:7 o:7",
	};

	for (unsigned k = 0; k < ARRAY_SIZE(bad); k++) {
		struct list l = list(bad[k]);

		assert_refused(&l);
	}
}

static void damaged_bytes__are_refused(void **state)
{
	const struct list good = list("u:7 u:1:6 g:5 m:7 o:1");
	mode_t mode = 0;
	struct list l;

	assert_int_equal(acl_to_mode(good.bytes, good.len, &mode), ACL_IS_MORE);
	for (size_t len = 0; len < good.len; len++) { /* cut anywhere */
		l = good;
		l.len = len;
		assert_refused(&l);
	}
	l = good;
	l.len++;
	assert_refused(&l);
	for (unsigned at = 0; at < 4; at++) { /* another version */
		l = good;
		l.bytes[at] ^= 1;
		assert_refused(&l);
	}
	for (unsigned entry = 0; entry < 5; entry++) {
		l = good;
		l.bytes[4 + entry * 8 + 1] = 1; /* a tag that is none */
		assert_refused(&l);
		l = good;
		l.bytes[4 + entry * 8 + 2] |= 8; /* a permission that is none */
		assert_refused(&l);
		l = good;
		l.bytes[4 + entry * 8 + 3] = 1;
		assert_refused(&l);
	}
	l = good;
	memset(l.bytes + 4 + 8 + 4, 0xff, 4); /* the user that is nobody */
	assert_refused(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_mode__says_the_nine_bits_and_whether_that_is_all),
		cmocka_unit_test(chmod__sets_the_mask_and_leaves_the_named_alone),
		cmocka_unit_test(create__gives_what_both_the_list_and_the_caller_want),
		cmocka_unit_test(what_is_no_list__is_refused_and_left_alone),
		cmocka_unit_test(damaged_bytes__are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
