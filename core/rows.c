/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/rows.c - FNV-1a of a row's path stands for its name; that no two have the same is tested. */
#include "rows.h"

#include <string.h>

_Static_assert((int)ATTRS <= (int)ATTR_ROWS_MAX, "room for every row");

static uint32_t name_of(unsigned attr)
{
	uint32_t hash = 2166136261u;

	if (attr_rows[attr].kind != ATTR_KIND_SETTING && attr_rows[attr].kind != ATTR_KIND_COUNTER)
		return 0;
	for (const char *c = attr_rows[attr].path; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	return hash;
}

void rows_reset(struct rows *r)
{
	memset((void *)r, 0, sizeof(*r));
	for (unsigned i = 0; i < ATTRS; i++)
		r->name[i] = name_of(i);
	settings_reset(&r->settings);
	r->own = r->all = ATTRS;
}

bool rows_fit(const struct rows *r)
{
	if (r->own != ATTRS || r->all < r->own || r->all > ATTR_ROWS_MAX)
		return false;
	for (unsigned i = 0; i < ATTRS; i++)
		if (r->name[i] != name_of(i))
			return false;
	return true;
}

/* Whatever it is: a row has only one of both. */
static uint64_t value_of(const struct rows *r, unsigned row)
{
	uint64_t value = atomic_load(&r->settings.value[row]);

	for (unsigned i = 0; i < THREAD_SLOTS && row < r->own; i++)
		value += (uint64_t)atomic_load(&r->counters.cell[i].value[row]);
	return value;
}

static void adopt_row(struct rows *r, uint32_t name, uint64_t value)
{
	unsigned at = 0;

	while (at < r->all && r->name[at] != name)
		at++;
	if (at >= ATTR_ROWS_MAX)
		return;
	if (at < ATTRS && attr_rows[at].kind == ATTR_KIND_COUNTER) {
		atomic_store(&r->counters.cell[0].value[at], (int64_t)value);
	} else if (at >= ATTRS || attr_takes(at, value)) {
		r->name[at] = name;
		r->all = MAX(r->all, at + 1);
		atomic_store(&r->settings.value[at], value);
	}
}

int rows_adopt(struct rows *r, const struct rows *from)
{
	struct settings *s = &r->settings;
	uint64_t most;

	if (from->own > from->all || from->all > ATTR_ROWS_MAX)
		return -EUCLEAN;
	rows_reset(r);
	for (unsigned i = 0; i < from->all; i++)
		if (from->name[i])
			adopt_row(r, from->name[i], value_of(from, i));
	most = settings_get(s, ATTR_advisor_max_pages_to_scan);
	if (settings_get(s, ATTR_advisor_min_pages_to_scan) > most)
		atomic_store(&s->value[ATTR_advisor_min_pages_to_scan], most);
	return 0;
}
