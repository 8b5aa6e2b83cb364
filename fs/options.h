/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/options.h - what `-o` may say.
 *
 * Owns     the table of options.
 * Keeps    O1 a pure function of the text: the same on every machine, for tests and fuzzing.
 *          O2 the last of several values wins, as in tmpfs; an unknown word is never passed over.
 * Threads  pure functions.
 * Fails    -EINVAL, with the option and the reason as one line in `err`.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "core/amount.h"

enum control_mode { CONTROL_HIDDEN, CONTROL_VISIBLE, CONTROL_NONE };

/* Where it matters whether somebody has said it. */
enum option_given {
	OPTION_SIZE = 1 << 0,
	OPTION_INODES = 1 << 1,
	OPTION_INDEX = 1 << 2,
	OPTION_CONTROL = 1 << 3,
	OPTION_READ_AHEAD = 1 << 4,
	OPTION_MAX_RATIO = 1 << 5,
	OPTION_OF_KERNEL = 1 << 6, /* what only the kernel says, of a mount that is there */
	OPTION_FLAG = 1 << 7, /* one that mount(2) knows */
	OPTION_STORE_LIMIT = 1 << 8,
	OPTION_DOMAIN = 1 << 9,
};

/* What matters to a mount that is there is handed over, too, when another program goes on with it (super.c). */
struct options {
	bool foreground; /* not from -o */

	/* As tmpfs understands them. */
	struct amount size;
	uint64_t size_pages; /* once resolved */
	uint64_t nr_inodes;
	struct amount store_limit;
	uint64_t store_limit_pages; /* once resolved; 0: none */
	bool noswap;
	mode_t mode;
	uid_t uid; /* -1: who mounts */
	gid_t gid;

	bool remount;   /* change the mount that is there */
	unsigned given; /* enum option_given: what is not a preset */

	char index[PATH_MAX]; /* empty: a private directory is made */
	enum control_mode control;
	bool merge_on_write;
	bool merge_optin;
	uint64_t domain; /* a value of ATTR_domain */
	unsigned read_ahead_kb;
	unsigned max_ratio;

	unsigned long mount_flags; /* MS_* */
	bool allow_other;          /* asked for by name */
	char fsname[256];          /* empty: the SOURCE of the command line */
	char subtype[64];
	char kernel[1024]; /* further options for the kernel's own parser */
};

enum { OPTIONS_ERROR_BYTES = 256 };

/* What holds where nothing else is said. */
void options_preset(struct options *o);

/* Read a comma-separated list (a comma in a value is written "\,") on top of the presets. */
int options_parse(const char *text, struct options *o, char *err, size_t errlen) must_check;

/* Work out what depends on the machine: percent of RAM, "no limit", the caller's ids. */
void options_resolve(struct options *o, uint64_t ram_pages, uid_t uid, gid_t gid);

/* One line about each option of our own, for --help; NULL behind the last. */
const char *options_help(unsigned i, const char **ret_name);
