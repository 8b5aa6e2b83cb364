/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/scrub.h - pages of the content index, read again: do their bytes still have the digest they had?
 *
 * Owns     which frames are damaged: their bytes have changed though nobody wrote (memory that forgets, or that is
 *          made to by hammering at its neighbours).
 * Keeps    I5 a frame found damaged leaves the index for good, and no slot is added to it any more, neither by
 *             a merge nor by a copy; nor is it written to.  Who reads it gets the bytes as they are; who writes gets
 *             another frame, as whenever somebody else is looking.
 *          I6 a slot is repaired by referring it to a new frame with the right bytes; the old one stays for those
 *             who are reading it.
 *          I7 bytes are the right ones when their digest has the tag that the damaged frame was indexed with, and
 *             they differ from the damaged ones in at most SCRUB_NEAR bytes.
 *          I8 without scrub_pages_per_second, and with nothing left to repair, it asks for no time.
 * Threads  one at a time (the scanner); enters the gate itself, and holds no lock when it is called.
 * Fails    it does not: what could not be done now is tried again in the next pass.
 *
 * Why I7 is proof enough: tags are 32 bits of a keyed digest, so a page that is not the original has its tag by
 * chance, once in 2^32, and nobody can choose one that does.  Of unrelated pages there may be many millions; of pages
 * that are the same but for a few bytes there are few.  More damage than that is reported and left as it is.
 *
 * Only pages in the index have a digest to be held against: those that change (pages_volatile), or are left out
 * of merging, are not looked at, though they are where copies for a repair may be found.
 */
#pragma once

#include "pool.h"

enum { SCRUB_NEAR = 64, SCRUB_FILES = 8, SCRUB_REPORT_MS = 11000 /* as log.h, and a little */ };

struct scrub;

/* What was found since the last report; at most one in SCRUB_REPORT_MS. */
struct scrub_report {
	unsigned frames; /* damaged */
	uint64_t slots, repaired; /* of files that refer to them, and those of them that have the right bytes again */
	unsigned files;
	struct scrub_file {
		uint32_t number; /* of its record */
		uint64_t slots, repaired;
		uint64_t index; /* of the first */
	} file[SCRUB_FILES]; /* the first ones met */
};

int scrub_new(struct pool *p, struct scrub **ret) must_check;
void scrub_free(struct scrub *s);

/* Called outside the gate, by the thread that calls scrub_run(). */
void scrub_on_report(struct scrub *s, void (*report)(void *arg, const struct scrub_report *what), void *arg);

/* Do what is due by now, a part of it at a time.  How many milliseconds from now it wants to be called again;
 * 0: not before something else happens. */
uint64_t scrub_run(struct scrub *s, uint64_t now_ms);
