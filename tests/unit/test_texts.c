/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_texts.c - texts of open control files, short and long, side by side in one table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "fs/texts.h"

enum { LONG = 20 * PAGE_BYTES };

static int set_up(void **state)
{
	*state = mmap(NULL, sizeof(struct texts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return *state == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	return munmap(*state, sizeof(struct texts));
}

static char *text_of(char with)
{
	static char text[TEXT_BYTES_MAX + 2 * PAGE_BYTES];

	memset(text, with, sizeof(text));
	return text;
}

/* Whether it is there, and all of it is `with`. */
static bool says(struct texts *t, uint64_t fh, char with, size_t len)
{
	static char got[TEXT_BYTES_MAX + 1];
	ssize_t n;

	return texts_read(t, fh, 1, got, sizeof(got), &n) && n == (ssize_t)len - 1 &&
	       memcmp(got, text_of(with), len - 1) == 0;
}

static void keep__texts_do_not_meet(void **state)
{
	struct texts *t = *state;
	const size_t len[] = {1, PAGE_BYTES / 2, PAGE_BYTES, PAGE_BYTES + 1, LONG, 3, LONG + 7, 2 * PAGE_BYTES};
	uint64_t fh[ARRAY_SIZE(len)];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned n = round % 2; n < ARRAY_SIZE(len); n++) {
			fh[n] = texts_keep(t, 2 * (round * 100 + n + 1), text_of((char)('a' + n)), len[n]);
			assert_int_not_equal(fh[n], 0);
		}
		for (unsigned n = 0; n < ARRAY_SIZE(len); n++)
			assert_true(says(t, fh[n], (char)('a' + n), len[n]));
		for (unsigned n = (round + 1) % 2; n < ARRAY_SIZE(len); n++)
			texts_drop(t, fh[n]);
	}
}

static void keep__a_text_has_room_to_grow_a_little(void **state)
{
	struct texts *t = *state;
	const size_t len[] = {100, PAGE_BYTES - 1, PAGE_BYTES, LONG - 3, LONG, TEXT_BYTES_MAX};
	uint64_t fh, next;
	ssize_t n;

	for (unsigned i = 0; i < ARRAY_SIZE(len); i++) {
		fh = texts_keep(t, 2, text_of('x'), len[i]);
		next = texts_keep(t, 4, text_of('n'), 9);
		texts_replace(t, fh, text_of('y'), len[i] + 200);
		assert_true(len[i] == TEXT_BYTES_MAX || says(t, fh, 'y', len[i] + 200));
		assert_true(says(t, next, 'n', 9));
		texts_drop(t, fh);
		texts_drop(t, next);
	}
	fh = texts_keep(t, 2, text_of('x'), 100);
	texts_replace(t, fh, text_of('y'), LONG); /* by too much: it is made anew at each read */
	assert_false(texts_read(t, fh, 0, text_of('z'), 10, &n));
}

static void keep__there_is_an_end(void **state)
{
	struct texts *t = *state;
	uint64_t fh[TEXTS + 1];
	unsigned count = 0;

	assert_int_equal(texts_keep(t, 2, text_of('x'), TEXT_BYTES_MAX + 2 * PAGE_BYTES), 0);
	while ((fh[count] = texts_keep(t, 2 * (count + 1), text_of((char)count), 10)))
		count++;
	assert_int_equal(count, TEXTS);
	for (unsigned n = 10; n < 10 + LONG / PAGE_BYTES; n++)
		texts_drop(t, fh[n]);
	assert_int_equal(texts_keep(t, 9999, text_of('x'), LONG), 0); /* and one to grow into */
	texts_drop(t, fh[10 + LONG / PAGE_BYTES]);
	fh[10] = texts_keep(t, 9999, text_of('x'), LONG);
	assert_true(says(t, fh[10], 'x', LONG));
	assert_true(says(t, fh[9], 9, 10));
	assert_true(says(t, fh[11 + LONG / PAGE_BYTES], 11 + LONG / PAGE_BYTES, 10));
}

static void keep__sent_again_it_takes_no_more_room(void **state)
{
	struct texts *t = *state;

	for (unsigned n = 0; n < 3 * TEXTS; n++)
		assert_int_not_equal(texts_keep(t, 6 | (uint64_t)(n % 2) << 63, text_of('x'), LONG), 0);
	assert_int_not_equal(texts_keep(t, 8, text_of('y'), TEXT_BYTES_MAX), 0);
}

static void drop__what_is_gone_is_not_found(void **state)
{
	struct texts *t = *state;
	uint64_t fh = texts_keep(t, 2, text_of('x'), LONG), again;
	ssize_t n;

	texts_drop(t, fh);
	texts_drop(t, fh);
	again = texts_keep(t, 4, text_of('y'), LONG);
	assert_true(again != fh);
	assert_false(texts_read(t, fh, 0, text_of('z'), 10, &n));
	texts_drop(t, fh);
	assert_true(says(t, again, 'y', LONG));
	assert_false(texts_read(t, again + 1, 0, text_of('z'), 10, &n)); /* the middle of one */
	assert_false(texts_read(t, 0, 0, text_of('z'), 10, &n));
}

static void take_over__what_no_open_was_answered_with_is_free(void **state)
{
	struct texts *t = *state;
	uint64_t told = texts_keep(t, 2, text_of('x'), LONG);
	ssize_t n;

	texts_told(t, told);
	for (unsigned round = 1; round <= TEXTS; round++) {
		uint64_t untold = texts_keep(t, 2 + 2 * round, text_of('y'), LONG);

		assert_int_not_equal(untold, 0);
		assert_true(says(t, untold, 'y', LONG));
		texts_take_over(t);
		assert_false(texts_read(t, untold, 0, text_of('z'), 10, &n));
		texts_told(t, untold); /* too late */
		assert_true(says(t, told, 'x', LONG));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keep__texts_do_not_meet),
		TEST(keep__a_text_has_room_to_grow_a_little),
		TEST(keep__there_is_an_end),
		TEST(keep__sent_again_it_takes_no_more_room),
		TEST(drop__what_is_gone_is_not_found),
		TEST(take_over__what_no_open_was_answered_with_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
