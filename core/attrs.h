/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/attrs.h - settings and figures by number, generated from attrs.def.
 *
 * Owns     the table of rows, and the counters of one volume.
 * Keeps    A1 a setting is within its range at every instant.
 *          A2 a transition (a page going from one counter to another) is published by one thread
 *             inside the gate: whoever closes the gate reads a consistent snapshot.
 * Threads  settings are single atomic words; counters are summed over per-thread cells.
 * Fails    -EINVAL for text that is no value of the row, -ERANGE beyond 64 bits: nothing changed.
 */
#pragma once

#include <stdatomic.h>

#include "base.h"

enum attr_kind { ATTR_KIND_SETTING, ATTR_KIND_COUNTER, ATTR_KIND_GAUGE, ATTR_KIND_COMPUTED };

enum attr {
#define ATTR_SETTING(name, ...) ATTR_##name,
#define ATTR_COUNTER(name, ...) ATTR_##name,
#define ATTR_GAUGE(name, ...) ATTR_##name,
#define ATTR_COMPUTED(name, ...) ATTR_##name,
#include "attrs.def"
#undef ATTR_SETTING
#undef ATTR_COUNTER
#undef ATTR_GAUGE
#undef ATTR_COMPUTED
	ATTRS
};

struct attr_row {
	const char *name, *path, *unit, *help;
	enum attr_kind kind;
	uint64_t min, max, preset; /* of settings */
};

extern const struct attr_row attr_rows[ATTRS];

/* Settings as they lie in the inode memfd: whoever takes the mount over finds them unchanged. */
struct settings {
	_Atomic uint64_t value[ATTRS];
};

void settings_reset(struct settings *s);

/* Text as written to a control file (decimal, one optional newline) to a value of `attr`. */
int attr_parse(enum attr attr, const char *text, size_t len, uint64_t *ret_value) must_check;

struct counters {
	struct {
		_Atomic int64_t value[ATTRS];
	} __attribute__((aligned(64))) cell[THREAD_SLOTS];
};

static inline void counters_add(struct counters *c, enum attr attr, int64_t n)
{
	atomic_fetch_add_explicit(&c->cell[thread_slot()].value[attr], n, memory_order_relaxed);
}

int64_t counters_sum(const struct counters *c, enum attr attr);
