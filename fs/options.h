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

struct options {
	/* As tmpfs understands them. */
	struct amount size;
	bool size_preset;      /* not given: a half of RAM */
	uint64_t size_pages;   /* once resolved */
	uint64_t nr_inodes;
	bool nr_inodes_preset; /* not given: a half of RAM's pages */
	mode_t mode;
	uid_t uid; /* -1: who mounts */
	gid_t gid;

	char index[PATH_MAX]; /* empty: a private directory is made */
	enum control_mode control;
	bool merge_on_write;
	bool merge_optin;
	unsigned read_ahead_kb;
	unsigned max_ratio;

	unsigned long mount_flags; /* MS_* */
	bool allow_other;          /* asked for by name */
	char fsname[256];          /* empty: the SOURCE of the command line */
	char subtype[64];
	char kernel[1024]; /* further options for the kernel's own parser */
};

enum { OPTIONS_ERROR_BYTES = 256 };

/* Read a comma-separated list (a comma in a value is written "\,") on top of the presets. */
int options_parse(const char *text, struct options *o, char *err, size_t errlen) must_check;

/* Work out what depends on the machine: percent of RAM, "no limit", the caller's ids. */
void options_resolve(struct options *o, uint64_t ram_pages, uid_t uid, gid_t gid);

/* One line about each option of our own, for --help; NULL behind the last. */
const char *options_help(unsigned i, const char **ret_name);
