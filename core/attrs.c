/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attrs.h"

const struct attr_row attr_rows[ATTRS] = {
#define ATTR_SETTING(name, path, min, max, preset, unit, help) \
	[ATTR_##name] = { #name, path, unit, help, ATTR_KIND_SETTING, min, max, preset },
#define ATTR_COUNTER(name, path, unit, help) \
	[ATTR_##name] = { #name, path, unit, help, ATTR_KIND_COUNTER, 0, 0, 0 },
#define ATTR_GAUGE(name, path, unit, help) \
	[ATTR_##name] = { #name, path, unit, help, ATTR_KIND_GAUGE, 0, 0, 0 },
#define ATTR_COMPUTED(name, path, unit, help) \
	[ATTR_##name] = { #name, path, unit, help, ATTR_KIND_COMPUTED, 0, 0, 0 },
#include "attrs.def"
#undef ATTR_SETTING
#undef ATTR_COUNTER
#undef ATTR_GAUGE
#undef ATTR_COMPUTED
};

void settings_reset(struct settings *s)
{
	for (unsigned i = 0; i < ATTRS; i++)
		atomic_store(&s->value[i], attr_rows[i].preset);
}

int attr_parse(enum attr attr, const char *text, size_t len, uint64_t *ret_value)
{
	const struct attr_row *row = &attr_rows[attr];
	uint64_t value = 0;

	if (row->kind != ATTR_KIND_SETTING)
		return -EINVAL;
	if (len && text[len - 1] == '\n')
		len--;
	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return -ERANGE;
	}
	if (value < row->min || value > row->max)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

int64_t counters_sum(const struct counters *c, enum attr attr)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < THREAD_SLOTS; i++)
		sum += atomic_load_explicit(&c->cell[i].value[attr], memory_order_relaxed);
	return sum;
}
