/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/sample.h - how much the kernel's page cache holds of all files, from asking about some of them.
 *
 * Files are sorted into classes by how many pages they may have, each twice as large as the one before.  The largest
 * are asked about first, and in a class with more files than can be asked about, as many as can, evenly: so what is
 * guessed is the sum of many small things.
 *
 * Owns     the counts of one sample.
 * Keeps    P1 it costs at most SAMPLE_FILES questions, however many files there are; with no more files than that
 *             every one of them is asked about, and nothing is guessed.
 *          P2 only files that the kernel knows are asked about: of others it has nothing.
 * Threads  one.
 * Fails    never.
 */
#pragma once

#include "inode.h"

enum { SAMPLE_FILES = 2000, SAMPLE_CLASSES = 48 };

struct sample {
	uint32_t cursor; /* the next record */
	struct sample_class {
		uint64_t files; /* in it */
		uint64_t seen;  /* of these, so far */
		uint64_t wanted;
		uint64_t asked; /* and answered */
		uint64_t pages; /* as the answers add up to */
	} class[SAMPLE_CLASSES];
};

/* A file to be asked about. */
struct sample_question {
	uint64_t ino;
	unsigned class;
};

/* Go through all files once, and settle which to ask about. */
void sample_begin(struct sample *s, struct itable *t);
/* At most `max` of them; fewer: these are the last. */
unsigned sample_next(struct sample *s, struct itable *t, struct sample_question *ret, unsigned max);
void sample_answer(struct sample *s, unsigned class, uint64_t pages);
uint64_t sample_pages(const struct sample *s);
