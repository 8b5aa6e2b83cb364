/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/attrs.h - settings and figures by number, generated from attrs.def.
 *
 * Owns     the table of rows, and the counters of one volume, as they lie in the inode memfd.
 * Keeps    A2 a transition (a page going from one counter to another) is published by one thread
 *             inside the gate: whoever closes the gate reads a consistent snapshot.
 *          A3 what only grows goes on growing when the volume is taken over; gauges are counted anew.
 * Threads  the table never changes; counters are summed over per-thread cells.
 * Fails    text that is no value of the row: the errno of KSM's file of that name, nothing changed.
 */
#pragma once

#include <stdatomic.h>

#include "base.h"

enum attr_kind { ATTR_KIND_SETTING, ATTR_KIND_COUNTER, ATTR_KIND_GAUGE, ATTR_KIND_COMPUTED };
enum attr_form { FORM_NUMBER, FORM_CAP, FORM_BOOL, FORM_WORDS, FORM_BYTES, FORM_COUNT }; /* see attrs.def */
enum { ATTR_ROWS_MAX = 128 }; /* for which there is room in the inode memfd */
enum { ATTR_TEXT_BYTES = 64 }; /* room for any value as text */

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
	enum attr_form form; /* this and what follows: of settings */
	const char *words; /* of FORM_WORDS: separated by '|' */
	uint64_t min, max, preset;
};

extern const struct attr_row attr_rows[ATTRS];

/* Is it a setting, and `value` within its range? */
bool attr_takes(enum attr attr, uint64_t value);

/* Text as written to a control file to a value of `attr`, as the kernel reads its own: numbers are decimal with an
 * optional plus sign, a newline may follow, a BOOL goes by its first letter (o: by two).
 * -EINVAL: no value of `attr`. -ERANGE: a CAP beyond the kernel's int (KSM tells this apart for such a file alone). */
int attr_parse(enum attr attr, const char *text, size_t len, uint64_t *ret_value) must_check;

/* A value of `attr`, as volume_stats() tells it, as text without a newline: what attr_parse() takes for it. */
void attr_print(enum attr attr, int64_t value, char ret[static ATTR_TEXT_BYTES]);
/* The same, but of FORM_WORDS all words with the present one in brackets: "[none] scan-time". */
void attr_print_choice(enum attr attr, int64_t value, char ret[static ATTR_TEXT_BYTES]);

struct counters {
	struct {
		_Atomic int64_t value[ATTR_ROWS_MAX];
	} __attribute__((aligned(64))) cell[THREAD_SLOTS];
};

static inline void counters_add(struct counters *c, enum attr attr, int64_t n)
{
	atomic_fetch_add_explicit(&c->cell[thread_slot()].value[attr], n, memory_order_relaxed);
}

int64_t counters_sum(const struct counters *c, enum attr attr);
void counters_reset_gauges(struct counters *c);
