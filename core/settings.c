/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/settings.c - rules that a row of attrs.def cannot say, because they are about more than one.
 *
 * They are KSM's, with one more: KSM takes a least number of pages above the most, and then goes by the most.  Here
 * the least bounds the advisor, too, so the two must agree: who moves both upwards writes the most first.
 */
#include "settings.h"

#include "failpoint.h"

void settings_reset(struct settings *s)
{
	for (unsigned i = 0; i < ATTRS; i++)
		atomic_store(&s->value[i], attr_rows[i].preset);
}

uint64_t settings_advisable(const struct settings *s, uint64_t pages)
{
	pages = MIN(pages, settings_get(s, ATTR_advisor_max_pages_to_scan));
	pages = MAX(pages, settings_get(s, ATTR_advisor_min_pages_to_scan));
	pages = MAX(pages, UINT64_C(1));
	return MIN(pages, attr_rows[ATTR_pages_to_scan].max);
}

/* May `attr`, which is something else now, become `value`? */
static int allowed(const struct settings *s, enum attr attr, uint64_t value, const struct settings_use *use)
{
	switch (attr) {
	case ATTR_max_page_sharing:
		return use->pages_shared ? -EBUSY : 0;
	case ATTR_advisor_min_pages_to_scan:
		return value > settings_get(s, ATTR_advisor_max_pages_to_scan) ? -EINVAL : 0;
	case ATTR_advisor_max_pages_to_scan:
		return value < settings_get(s, ATTR_advisor_min_pages_to_scan) ? -EINVAL : 0;
	case ATTR_size:
		return value >> PAGE_SHIFT < use->charged ? -EINVAL : 0;
	case ATTR_nr_inodes:
		return value < use->inodes ? -EINVAL : 0;
	case ATTR_store_limit:
		return value && value >> PAGE_SHIFT < use->frames ? -EINVAL : 0;
	case ATTR_domain: /* each inode has been given one */
		return -EPERM;
	default:
		return 0;
	}
}

int settings_store(struct settings *s, enum attr attr, uint64_t value, const struct settings_use *use)
{
	int r;

	if (!attr_takes(attr, value))
		return -EINVAL;
	if (attr == ATTR_pages_to_scan && settings_get(s, ATTR_advisor_mode) != ADVISOR_NONE)
		return -EINVAL;
	if (settings_get(s, attr) == value)
		return attr == ATTR_run ? SETTINGS_CHANGED : SETTINGS_KEPT;
	r = allowed(s, attr, value, use);
	if (r < 0)
		return r;
	if (attr == ATTR_advisor_mode) /* first: who is killed in between is asked again, and has something to do */
		atomic_store(&s->value[ATTR_pages_to_scan],
			     value == ADVISOR_NONE ? attr_rows[ATTR_pages_to_scan].preset : settings_advisable(s, 0));
	failpoint_kill(KILL_setting_before);
	atomic_store(&s->value[attr], value);
	failpoint_kill(KILL_setting_stored);
	return SETTINGS_CHANGED;
}
