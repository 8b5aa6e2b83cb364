/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/settings.h - the settings of one volume, and which of them may be changed when.
 *
 * Owns     their values, as they lie in the inode memfd: whoever takes the mount over finds them unchanged.
 * Keeps    A1 a setting is within its range at every instant, and advisor_min_pages_to_scan never above
 *             advisor_max_pages_to_scan.
 * Threads  settings_store() with the gate closed; each value is a single atomic word, read at will.
 * Fails    the errno of KSM's file of that name; nothing changed.
 */
#pragma once

#include "attrs.h"

struct settings {
	_Atomic uint64_t value[ATTR_ROWS_MAX];
};

/* The words of advisor_mode, by number. */
enum advisor_mode { ADVISOR_NONE, ADVISOR_SCAN_TIME };

/* What a new value must leave room for. */
struct settings_use {
	int64_t pages_shared;
	uint64_t charged; /* pages against the size */
	uint64_t inodes;
	uint64_t frames; /* in use */
};

enum settings_r { SETTINGS_KEPT, SETTINGS_CHANGED };

static inline uint64_t settings_get(const struct settings *s, enum attr attr)
{
	return atomic_load_explicit(&s->value[attr], memory_order_relaxed);
}

void settings_reset(struct settings *s);

/* Write a setting.  The present value is taken and does nothing (SETTINGS_KEPT), with two exceptions, as in KSM: of
 * `run` any write counts as a change, and pages_to_scan is the advisor's while there is one.
 * -EINVAL: out of range; pages_to_scan while advisor_mode is not none; advisor pages with the least above the most.
 * -EINVAL, too: size, nr_inodes and store_limit below what is in use, as a remount of tmpfs.
 * -EBUSY: max_page_sharing while pages_shared is not 0.
 * A change of advisor_mode sets pages_to_scan: to its default, or to what the advisor starts with. */
int settings_store(struct settings *s, enum attr attr, uint64_t value, const struct settings_use *use) must_check;

/* The nearest to `pages` that an advisor may set pages_to_scan to: at most advisor_max_pages_to_scan, not below
 * advisor_min_pages_to_scan, and never 0, with which the scanner would stand still. */
uint64_t settings_advisable(const struct settings *s, uint64_t pages);
