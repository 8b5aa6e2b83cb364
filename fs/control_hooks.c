/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control_hooks.c - `fail_*`: the Nth call from now fails, once; `pause_*`: the next to come by sleeps
 * that many milliseconds, once; `kill_at`: "NAME" or "NAME N" is where the Nth thread from now lets the worker die.
 */
#include "fs/control_hooks.h"

#include <string.h>

#include "core/failpoint.h"

enum { PAUSE_MS_MAX = 60000 };

enum kind { FAILS, PAUSES_ONCE, KILLS };

static const struct hook {
	const char *path;
	enum kind kind;
	enum failpoint fail;
	enum pause pause;
} hooks[] = {
	{.path = "debug/fail_alloc", .kind = FAILS, .fail = FAIL_ALLOC},
	{.path = "debug/fail_page_lock", .kind = FAILS, .fail = FAIL_PAGE_LOCK},
	{.path = "debug/pause_fault_wait", .kind = PAUSES_ONCE, .pause = PAUSE_FAULT_WAIT},
	{.path = "debug/pause_read_reply", .kind = PAUSES_ONCE, .pause = PAUSE_READ_REPLY},
	{.path = "debug/kill_at", .kind = KILLS},
};

const char *control_hook_path(unsigned n)
{
	return n < ARRAY_SIZE(hooks) ? hooks[n].path : NULL;
}

/* Every name; behind it what is left to count of one that is armed. */
static void print_kills(FILE *out)
{
	for (unsigned place = 0; place < KILL_POINTS; place++) {
		unsigned left = failpoint_kill_armed(place);

		fputs(kill_point_names[place], out);
		if (left)
			fprintf(out, " %u", left);
		fputc('\n', out);
	}
}

void control_hook_print(unsigned n, FILE *out)
{
	const struct hook *h = &hooks[n];

	if (h->kind == KILLS)
		print_kills(out);
	else
		fprintf(out, "%u\n", h->kind == FAILS ? failpoint_armed(h->fail) : failpoint_pause_armed(h->pause));
}

/* Digits. */
static int parse(const char *text, size_t len, unsigned max, unsigned *ret)
{
	uint64_t value = 0;

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

static int set_kill(const char *text, size_t len)
{
	const char *space = memchr(text, ' ', len);
	size_t name = space ? (size_t)(space - text) : len;
	unsigned nth = 1;
	int r = space ? parse(space + 1, len - name - 1, INT32_MAX, &nth) : 0;

	for (unsigned place = 0; r == 0 && place < KILL_POINTS; place++)
		if (strlen(kill_point_names[place]) == name && !memcmp(kill_point_names[place], text, name)) {
			failpoint_kill_arm(place, nth);
			return 0;
		}
	return r < 0 ? r : -EINVAL;
}

int control_hook_set(unsigned n, const char *text, size_t len)
{
	const struct hook *h = &hooks[n];
	unsigned value;
	int r;

	if (len && text[len - 1] == '\n')
		len--;
	if (h->kind == KILLS)
		return set_kill(text, len);
	r = parse(text, len, h->kind == PAUSES_ONCE ? (unsigned)PAUSE_MS_MAX : (unsigned)INT32_MAX, &value);
	if (r < 0)
		return r;
	if (h->kind == PAUSES_ONCE)
		failpoint_pause_arm(h->pause, value);
	else
		failpoint_arm(h->fail, value);
	return 0;
}
