/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control_hooks.c - `fail_*`: the Nth call from now fails, once; `pause_*`: the next to come by sleeps
 * that many milliseconds, once.
 */
#include "fs/control_hooks.h"

#include "core/failpoint.h"

enum { PAUSE_MS_MAX = 60000 };

static const struct hook {
	const char *path;
	bool pauses;
	enum failpoint fail;
	enum pause pause;
} hooks[] = {
	{.path = "debug/fail_alloc", .fail = FAIL_ALLOC},
	{.path = "debug/fail_page_lock", .fail = FAIL_PAGE_LOCK},
	{.path = "debug/pause_fault_wait", .pauses = true, .pause = PAUSE_FAULT_WAIT},
	{.path = "debug/pause_read_reply", .pauses = true, .pause = PAUSE_READ_REPLY},
};

const char *control_hook_path(unsigned n)
{
	return n < ARRAY_SIZE(hooks) ? hooks[n].path : NULL;
}

unsigned control_hook_get(unsigned n)
{
	const struct hook *h = &hooks[n];

	return h->pauses ? failpoint_pause_armed(h->pause) : failpoint_armed(h->fail);
}

/* Digits, and a newline if there is one. */
static int parse(const char *text, size_t len, unsigned max, unsigned *ret)
{
	uint64_t value = 0;

	if (len && text[len - 1] == '\n')
		len--;
	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(text[i] - '0');
		if (value > max)
			return -ERANGE;
	}
	*ret = (unsigned)value;
	return 0;
}

int control_hook_set(unsigned n, const char *text, size_t len)
{
	const struct hook *h = &hooks[n];
	unsigned value;
	int r;

	r = parse(text, len, h->pauses ? (unsigned)PAUSE_MS_MAX : (unsigned)INT32_MAX, &value);
	if (r < 0)
		return r;
	if (h->pauses)
		failpoint_pause_arm(h->pause, value);
	else
		failpoint_arm(h->fail, value);
	return 0;
}
