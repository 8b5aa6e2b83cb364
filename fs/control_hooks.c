/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control_hooks.c - `fail_*`: the Nth call from now fails, once; `pause_*`: the next to come by sleeps
 * that many milliseconds, once; `kill_at`: "NAME" or "NAME N" is where the Nth thread from now lets the worker die;
 * `crash_ino`: whoever writes to the inode with this number crashes, in each worker; `crash_aside`: if not 0, whoever
 * goes on with a request that another thread has read; `memory_is_short`: any number has files trimmed at once.
 */
#include "fs/control_hooks.h"

#include <string.h>

#include "core/failpoint.h"
#include "fs/errand.h"
#include "fs/poison.h"

enum { PAUSE_MS_MAX = 60000 };

enum kind { FAILS, PAUSES_ONCE, KILLS, CRASH_INO, CRASH_ASIDE, PRESSES };

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
	{.path = "debug/crash_ino", .kind = CRASH_INO},
	{.path = "debug/crash_aside", .kind = CRASH_ASIDE},
	{.path = "debug/memory_is_short", .kind = PRESSES},
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

static _Atomic uint32_t *crash_word(enum kind kind)
{
	return kind == CRASH_INO ? &poison_table()->crash_ino : &poison_table()->crash_aside;
}

void control_hook_print(unsigned n, FILE *out)
{
	const struct hook *h = &hooks[n];

	switch (h->kind) {
	case KILLS:
		print_kills(out);
		break;
	case FAILS:
		fprintf(out, "%u\n", failpoint_armed(h->fail));
		break;
	case PAUSES_ONCE:
		fprintf(out, "%u\n", failpoint_pause_armed(h->pause));
		break;
	case PRESSES:
		fputs("0\n", out);
		break;
	case CRASH_INO:
	case CRASH_ASIDE:
		fprintf(out, "%u\n", *crash_word(h->kind));
		break;
	}
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
	else if (h->kind == FAILS)
		failpoint_arm(h->fail, value);
	else if (h->kind == PRESSES)
		errand_press_now();
	else
		*crash_word(h->kind) = value;
	return 0;
}
