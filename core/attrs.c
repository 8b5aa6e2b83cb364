/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/attrs.c - the table as data, and its values as text.
 *
 * What a control file takes is what the kernel's file of that name takes, but for bytes behind a NUL: the kernel
 * does not see them, here they are refused.  They decide nothing else, so that what both refuse has one errno.
 */
#include "attrs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "amount.h"

#define ATTR_FORM_NUMBER       FORM_NUMBER, NULL
#define ATTR_FORM_CAP          FORM_CAP, NULL
#define ATTR_FORM_BOOL         FORM_BOOL, NULL
#define ATTR_FORM_WORDS(words) FORM_WORDS, words
#define ATTR_FORM_BYTES        FORM_BYTES, NULL
#define ATTR_FORM_COUNT        FORM_COUNT, NULL

const struct attr_row attr_rows[ATTRS] = {
#define ATTR_SETTING(name, path, form, min, max, preset, unit, help) \
	[ATTR_##name] = { #name, path, unit, help, ATTR_KIND_SETTING, ATTR_FORM_##form, min, max, preset },
#define ATTR_COUNTER(name, path, unit, help) \
	[ATTR_##name] = { #name, path, unit, help, ATTR_KIND_COUNTER },
#define ATTR_GAUGE(name, path, unit, help) \
	[ATTR_##name] = { #name, path, unit, help, ATTR_KIND_GAUGE },
#define ATTR_COMPUTED(name, path, unit, help) \
	[ATTR_##name] = { #name, path, unit, help, ATTR_KIND_COMPUTED },
#include "attrs.def"
#undef ATTR_SETTING
#undef ATTR_COUNTER
#undef ATTR_GAUGE
#undef ATTR_COMPUTED
};

bool attr_takes(enum attr attr, uint64_t value)
{
	const struct attr_row *row = &attr_rows[attr];

	return row->kind == ATTR_KIND_SETTING &&
	       ((row->form == FORM_CAP && value == 0) || (value >= row->min && value <= row->max));
}

/* Digits and nothing else.  -ERANGE beyond 64 bits, even if something else follows them, as in the kernel. */
static int parse_digits(const char *text, size_t len, uint64_t *ret)
{
	uint64_t value = 0;
	bool beyond = false;
	size_t i;

	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		beyond |= __builtin_mul_overflow(value, 10, &value) ||
			  __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value);
	if (beyond)
		return -ERANGE;
	if (i == 0 || i < len)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int parse_number(const char *text, size_t len, uint64_t *ret)
{
	bool plus = len && text[0] == '+';

	return parse_digits(text + plus, len - plus, ret) < 0 ? -EINVAL : 0;
}

/* The kernel's file holds an int: what fits one and is no cap is -EINVAL, what does not is -ERANGE. */
static int parse_cap(const char *text, size_t len, uint64_t *ret)
{
	bool minus = len && text[0] == '-', sign = minus || (len && text[0] == '+');
	uint64_t value;
	int r = parse_digits(text + sign, len - sign, &value);

	if (r < 0)
		return r;
	if (value > (uint64_t)INT32_MAX + minus)
		return -ERANGE;
	if (minus)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int parse_bool(const char *text, size_t len, uint64_t *ret)
{
	static const char *const said[] = { "0nNfFdD", "1yYtTeE" }; /* no, false, disabled; yes, true, enabled */
	char first = len > 0 ? text[0] : '\0', second = len > 1 ? text[1] : '\0';

	if (first == 'o' || first == 'O') /* on, off */
		first = second == 'n' || second == 'N' ? '1' : second == 'f' || second == 'F' ? '0' : '\0';
	for (unsigned value = 0; first && value < ARRAY_SIZE(said); value++)
		if (strchr(said[value], first)) {
			*ret = value;
			return 0;
		}
	return -EINVAL;
}

/* Word number `n` of `words`; NULL behind the last. */
static const char *word(const char *words, uint64_t n, size_t *ret_len)
{
	while (n-- > 0) {
		words = strchr(words, '|');
		if (!words)
			return NULL;
		words++;
	}
	*ret_len = strcspn(words, "|");
	return words;
}

static int parse_word(const char *words, const char *text, size_t len, uint64_t *ret)
{
	const char *w;
	size_t word_len;

	for (uint64_t n = 0; (w = word(words, n, &word_len)); n++)
		if (word_len == len && !memcmp(w, text, len)) {
			*ret = n;
			return 0;
		}
	return -EINVAL;
}

static int parse_limit(const struct attr_row *row, const char *text, size_t len, uint64_t *ret)
{
	struct amount a;
	int r = amount_parse(text, len, &a);

	if (r < 0)
		return r;
	if (!a.number && !row->min) { /* 0 says that there is none, and stands for itself */
		*ret = 0;
		return 0;
	}
	if (row->form == FORM_COUNT)
		return amount_count(&a, row->max, ret);
	r = amount_pages(&a, (uint64_t)sysconf(_SC_PHYS_PAGES), ret);
	*ret <<= PAGE_SHIFT;
	return r;
}

int attr_parse(enum attr attr, const char *text, size_t len, uint64_t *ret_value)
{
	const struct attr_row *row = &attr_rows[attr];
	size_t seen = strnlen(text, len), n = seen;
	uint64_t value = 0;
	int r;

	if (row->kind != ATTR_KIND_SETTING)
		return -EINVAL;
	if (n && text[n - 1] == '\n')
		n--;
	if (row->form == FORM_BOOL)
		r = parse_bool(text, n, &value);
	else if (row->form == FORM_WORDS)
		r = parse_word(row->words, text, n, &value);
	else if (row->form == FORM_CAP)
		r = parse_cap(text, n, &value);
	else if (row->form == FORM_BYTES || row->form == FORM_COUNT)
		r = parse_limit(row, text, n, &value);
	else
		r = parse_number(text, n, &value);
	if (r < 0)
		return r;
	if (seen < len || !attr_takes(attr, value))
		return -EINVAL;
	*ret_value = value;
	return 0;
}

void attr_print(enum attr attr, int64_t value, char ret[static ATTR_TEXT_BYTES])
{
	const struct attr_row *row = &attr_rows[attr];
	const char *w;
	size_t len;

	if (row->kind != ATTR_KIND_SETTING)
		snprintf(ret, ATTR_TEXT_BYTES, "%" PRId64, value);
	else if (row->form == FORM_WORDS && (w = word(row->words, (uint64_t)value, &len)))
		snprintf(ret, ATTR_TEXT_BYTES, "%.*s", (int)len, w);
	else
		snprintf(ret, ATTR_TEXT_BYTES, "%" PRIu64, (uint64_t)value);
}

void attr_print_choice(enum attr attr, int64_t value, char ret[static ATTR_TEXT_BYTES])
{
	const struct attr_row *row = &attr_rows[attr];
	const char *w;
	size_t len, used = 0;

	if (row->form != FORM_WORDS) {
		attr_print(attr, value, ret);
		return;
	}
	for (uint64_t n = 0; (w = word(row->words, n, &len)); n++) {
		const char *form = n == (uint64_t)value ? "%s[%.*s]" : "%s%.*s";

		used += (size_t)snprintf(ret + used, ATTR_TEXT_BYTES - used, form, n ? " " : "", (int)len, w);
		ASSERT(used < ATTR_TEXT_BYTES);
	}
}

void counters_reset_gauges(struct counters *c)
{
	for (unsigned i = 0; i < THREAD_SLOTS; i++)
		for (unsigned a = 0; a < ATTRS; a++)
			if (attr_rows[a].kind == ATTR_KIND_GAUGE)
				atomic_store_explicit(&c->cell[i].value[a], 0, memory_order_relaxed);
}

int64_t counters_sum(const struct counters *c, enum attr attr)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < THREAD_SLOTS; i++)
		sum += atomic_load_explicit(&c->cell[i].value[attr], memory_order_relaxed);
	return sum;
}
