/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/texts.h - what open control files say, where the next worker finds it.
 *
 * Owns     a table of TEXTS places of a page, as it lies in the session: a text has one, or several side by side.
 * Keeps    Y1 an `fh` is the first place of a text and its generation: one never means another's text.
 *          Y2 a text counts when it is complete; who dies before leaves a free place.
 *          Y3 an OPEN that is sent again takes no more places than one, and none if nobody knows of it: a worker that
 *             dies leaves no text but of what has been answered.
 * Threads  any; one lock for all.
 * Fails    0, false: there is no such text, or no room for it.  The caller can do without.
 */
#pragma once

#include <sys/types.h>

#include "core/base.h"

enum {
	TEXTS = 256,
	TEXT_BYTES_MAX = 128 * PAGE_BYTES, /* of one */
};

struct texts {
	struct text {
		_Atomic uint32_t used; /* 1; or 2: its OPEN has not been answered */
		uint32_t generation;
		uint32_t len;
		bool was_read; /* from its start */
		uint8_t places; /* that it has, from this one on */
		uint64_t unique; /* of the OPEN */
	} text[TEXTS];
	uint8_t unused_[2 * PAGE_BYTES - TEXTS * sizeof(struct text)];
	uint8_t bytes[TEXTS][PAGE_BYTES]; /* memory is taken as it is needed */
};

_Static_assert(offsetof(struct texts, bytes) % PAGE_BYTES == 0, "whole pages");

/* Keep the text that is made for OPEN request `unique`: its `fh`, or 0. */
uint64_t texts_keep(struct texts *t, uint64_t unique, const char *bytes, size_t len);

/* It has been answered with it. */
void texts_told(struct texts *t, uint64_t fh);
/* After a worker that has died, before there are threads. */
void texts_take_over(struct texts *t);

/* Copy from it.  False: it must be made anew first, as it is to be read from its start once more, or is not known. */
bool texts_read(struct texts *t, uint64_t fh, uint64_t offset, char *buf, size_t size, ssize_t *ret) must_check;

/* It has been. */
void texts_replace(struct texts *t, uint64_t fh, const char *bytes, size_t len);

void texts_drop(struct texts *t, uint64_t fh);

/* read(2) of `len` bytes. */
ssize_t texts_copy(const void *bytes, size_t len, uint64_t offset, char *buf, size_t size);
