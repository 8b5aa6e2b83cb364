/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t page[PAGE_BYTES] __attribute__((aligned(64)));
static uint8_t other[PAGE_BYTES] __attribute__((aligned(64)));

static void key__is_drawn_anew(void **state)
{
	struct digest_key a, b;

	(void)state;
	assert_int_equal(digest_key_draw(&a), 0);
	assert_int_equal(digest_key_draw(&b), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

static bool same(struct digest a, struct digest b)
{
	return !memcmp(&a, &b, sizeof(a));
}

static void page__its_bytes_its_domain_and_the_key_make_the_digest(void **state)
{
	struct digest_key a, b;
	struct digest d;

	(void)state;
	assert_int_equal(digest_key_draw(&a), 0);
	assert_int_equal(digest_key_draw(&b), 0);
	memset(page, 'x', sizeof(page));
	memset(other, 'x', sizeof(other));
	d = digest_page(&a, 1, page);
	assert_true(same(d, digest_page(&a, 1, other)));
	assert_false(same(d, digest_page(&a, 2, page)));
	assert_false(same(d, digest_page(&b, 1, page)));
	for (unsigned n = 0; n < PAGE_BYTES; n++) {
		other[n] ^= 1;
		assert_false(same(d, digest_page(&a, 1, other)));
		other[n] ^= 1;
	}
}

static void tag__keeps_the_bits_it_should(void **state)
{
	const struct digest d = { { UINT64_MAX, 0 } };

	(void)state;
	assert_int_equal(__builtin_popcount(digest_tag(d)), DIGEST_BITS);
	assert_int_equal(__builtin_clz(digest_tag(d)), 0);
}

static void zero__a_single_bit_anywhere_shows(void **state)
{
	(void)state;
	memset(page, 0, sizeof(page));
	assert_true(page_is_zero(page));
	for (unsigned n = 0; n < PAGE_BYTES; n++) {
		page[n] = 0x80;
		assert_false(page_is_zero(page));
		page[n] = 0;
	}
}

static void zero__at_any_address(void **state)
{
	static uint8_t bytes[PAGE_BYTES + 8];

	(void)state;
	for (unsigned from = 0; from <= 8; from++) {
		assert_true(page_is_zero(bytes + from));
		bytes[from + PAGE_BYTES - 1] = 1;
		assert_false(page_is_zero(bytes + from));
		bytes[from + PAGE_BYTES - 1] = 0;
	}
}

static void equal__a_single_bit_anywhere_shows(void **state)
{
	(void)state;
	memset(page, 'x', sizeof(page));
	memset(other, 'x', sizeof(other));
	assert_true(page_equal(page, other));
	for (unsigned n = 0; n < PAGE_BYTES; n++) {
		page[n] ^= 1;
		assert_false(page_equal(page, other));
		page[n] ^= 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key__is_drawn_anew),
		cmocka_unit_test(page__its_bytes_its_domain_and_the_key_make_the_digest),
		cmocka_unit_test(tag__keeps_the_bits_it_should),
		cmocka_unit_test(zero__a_single_bit_anywhere_shows),
		cmocka_unit_test(zero__at_any_address),
		cmocka_unit_test(equal__a_single_bit_anywhere_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
