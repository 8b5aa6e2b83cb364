/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/controls.c - rules of merging that change all the time, and must be what was written last. And the
 * daemon's own check. */
#include "kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *name;
	unsigned values;
	const char *value[6];
} settings[] = {
	{"run", 6, {"1", "2", "1", "0", "1", "2"}},
	{"merge_on_write", 3, {"1", "0", "1"}},
	{"pages_to_scan", 4, {"100", "500", "1000", "4000"}},
	{"sleep_millisecs", 3, {"0", "1", "2"}},
	{"smart_scan", 2, {"0", "1"}},
	{"use_zero_pages", 3, {"1", "0", "1"}},
};

enum { SETTINGS = sizeof(settings) / sizeof(*settings) };

static char written[SETTINGS][8]; /* empty: not yet */

static void change(unsigned n)
{
	const char *value = settings[n].value[draw(settings[n].values)];

	note("write %s to %s", value, settings[n].name);
	errno = run_write(settings[n].name, value);
	answered(errno ? -1 : 0, 0);
	snprintf(written[n], sizeof(written[n]), "%s", value);
}

static void look(unsigned n)
{
	char there[64] = "";

	if (!written[n][0])
		return;
	note("read %s", settings[n].name);
	answered(run_text(settings[n].name, there, sizeof(there)) ? 0 : -1, 0);
	if (strcmp(there, written[n]) != 0)
		fail(LOST, "%s is '%s', and '%s' was written", settings[n].name, there, written[n]);
}

static void look_at_sharing(void)
{
	char text[64] = "";
	unsigned long sharing;

	note("read pages_sharing");
	answered(run_text("pages_sharing", text, sizeof(text)) ? 0 : -1, 0);
	sharing = strtoul(text, NULL, 10);
	if (sharing > atomic_load(&run->most_sharing))
		atomic_store(&run->most_sharing, sharing);
}

static void step(void)
{
	change(chance(40) ? 0 : draw(SETTINGS));
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	look(draw(SETTINGS));
	look_at_sharing();
}

static void verify(void)
{
	char said[1024] = "";

	for (unsigned n = 0; n < SETTINGS; n++)
		look(n);
	note("read check");
	answered(run_text("check", said, sizeof(said)) ? 0 : -1, 0);
	if (strcmp(said, "ok") != 0)
		fail(LOST, "the check says: %s", said);
}

static void make(void)
{
}

static void restore(void)
{
	note("write 1 to run");
	errno = run_write("run", "1");
	answered(errno ? -1 : 0, 0);
}

const struct kind controls = {"controls", 1, make, step, verify, restore};
