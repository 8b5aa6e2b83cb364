/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

#include <string.h>

/* 0: nothing that could be cached. */
static unsigned class_of(struct inode *i)
{
	uint64_t pages;

	if (!i->record->lookups || !S_ISREG(inode_attr_get(i).mode))
		return 0;
	pages = pages_of(inode_size(i));
	return pages ? MIN(64 - (unsigned)__builtin_clzll(pages), SAMPLE_CLASSES - 1u) : 0;
}

/* What the larger classes leave is for the smaller, in equal parts. */
static void share_out(struct sample *s)
{
	uint64_t left = SAMPLE_FILES;

	for (unsigned c = SAMPLE_CLASSES - 1; c > 0; c--) {
		s->class[c].wanted = MIN(s->class[c].files, left / c);
		left -= s->class[c].wanted;
	}
	for (unsigned c = SAMPLE_CLASSES - 1; c > 0; c--) {
		uint64_t more = MIN(s->class[c].files - s->class[c].wanted, left);

		s->class[c].wanted += more;
		left -= more;
	}
}

void sample_begin(struct sample *s, struct itable *t)
{
	HOLDS_INODES(t);
	uint32_t number = 0;
	struct inode *i;

	memset(s, 0, sizeof(*s));
	while ((i = itable_next(t, &number)))
		s->class[class_of(i)].files++;
	share_out(s);
}

/* The next of its class: is it one of those wanted?  They are as far from each other as can be.  Files that have come
 * since are passed over. */
static bool is_wanted(struct sample_class *c)
{
	uint64_t n = c->seen++;

	return n < c->files && (n + 1) * c->wanted / c->files > n * c->wanted / c->files;
}

unsigned sample_next(struct sample *s, struct itable *t, struct sample_question *ret, unsigned max)
{
	HOLDS_INODES(t);
	struct inode *i;
	unsigned n = 0, c;

	while (n < max && (i = itable_next(t, &s->cursor))) {
		c = class_of(i);
		if (c && is_wanted(&s->class[c]))
			ret[n++] = (struct sample_question){ .ino = inode_ino(i), .class = c };
	}
	return n;
}

void sample_answer(struct sample *s, unsigned class, uint64_t pages)
{
	s->class[class].asked++;
	s->class[class].pages += pages;
}

uint64_t sample_pages(const struct sample *s)
{
	uint64_t pages = 0;

	for (unsigned c = 1; c < SAMPLE_CLASSES; c++)
		if (s->class[c].asked)
			pages += (uint64_t)((double)s->class[c].pages * (double)s->class[c].files /
					    (double)s->class[c].asked);
	return pages;
}
