/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/texts.c - the bytes first, then the word that says that they count.
 *
 *   free -> untold complete                          [texts_keep]
 *   untold -> used its OPEN has been answered        [texts_told]
 *   untold -> free it has not, and its worker died   [texts_take_over]
 *   used -> used   made anew for who reads it again  [texts_replace]
 *   used -> free   RELEASE                           [texts_drop]
 *
 * Whoever dies while he replaces a text has not answered the READ for which he did: it comes again, and the text is
 * made once more.
 */
#include "fs/texts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

enum { LONG = 8 }; /* places */
enum { USED = 1, UNTOLD };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* A request that is sent again is marked so. */
static bool same_request(uint64_t a, uint64_t b)
{
	return (a ^ b) << 1 == 0;
}

/* For a text of `len` bytes, and for the next that is made in its place and may be a little longer. */
static unsigned places_for(size_t len)
{
	return (unsigned)(len / PAGE_BYTES) + 1 + (len % PAGE_BYTES > PAGE_BYTES / 2);
}

/* Store `bytes`, if they fit and memory for them can be had. */
static bool fill(struct texts *t, unsigned n, const char *bytes, size_t len)
{
	struct text *text = &t->text[n];
	size_t pages = pages_of(len) << PAGE_SHIFT;

	if (len > (size_t)text->places * PAGE_BYTES || (pages && madvise(t->bytes[n], pages, MADV_POPULATE_WRITE) < 0))
		return false;
	memcpy(t->bytes[n], bytes, len);
	text->len = (uint32_t)len;
	return true;
}

/* Memory of what is long goes back at once. */
static void clear(struct texts *t, unsigned n)
{
	size_t bytes = (size_t)t->text[n].places * PAGE_BYTES;

	t->text[n].used = 0;
	if (t->text[n].places > LONG && munlock(t->bytes[n], bytes) == 0)
		(void)madvise(t->bytes[n], bytes, MADV_REMOVE);
}

/* What request `unique` has left, when it was asked before, is dropped. */
static void drop_of(struct texts *t, uint64_t unique)
{
	for (unsigned n = 0; n < TEXTS; n++)
		if (t->text[n].used && same_request(t->text[n].unique, unique))
			clear(t, n);
}

/* The first of so many places side by side that are free; TEXTS: there are none. */
static unsigned find_places(const struct texts *t, unsigned places)
{
	unsigned first = 0, n = 0;

	while (n < TEXTS && n - first < places) {
		if (t->text[n].used) {
			n += t->text[n].places;
			first = n;
		} else {
			n++;
		}
	}
	return n - first == places ? first : TEXTS;
}

uint64_t texts_keep(struct texts *t, uint64_t unique, const char *bytes, size_t len)
{
	unsigned n, places = places_for(MIN(len, (size_t)TEXT_BYTES_MAX));
	uint64_t fh = 0;

	pthread_mutex_lock(&mutex);
	drop_of(t, unique);
	n = find_places(t, places);
	if (n < TEXTS) {
		t->text[n].places = (uint8_t)places;
		if (fill(t, n, bytes, len)) {
			t->text[n].generation++;
			t->text[n].was_read = false;
			t->text[n].unique = unique;
			t->text[n].used = UNTOLD;
			fh = (uint64_t)t->text[n].generation << 32 | (n + 1);
		}
	}
	pthread_mutex_unlock(&mutex);
	return fh;
}

/* TEXTS: there is none. */
static unsigned find(const struct texts *t, uint64_t fh)
{
	uint32_t n = (uint32_t)fh - 1;

	return n < TEXTS && t->text[n].used && t->text[n].generation == fh >> 32 ? n : (unsigned)TEXTS;
}

void texts_told(struct texts *t, uint64_t fh)
{
	unsigned n;

	pthread_mutex_lock(&mutex);
	n = find(t, fh);
	if (n < TEXTS)
		t->text[n].used = USED;
	pthread_mutex_unlock(&mutex);
}

/* Who asked may have been killed, too, and asks no more. */
void texts_take_over(struct texts *t)
{
	for (unsigned n = 0; n < TEXTS; n++)
		if (t->text[n].used == UNTOLD)
			clear(t, n);
}

ssize_t texts_copy(const void *bytes, size_t len, uint64_t offset, char *buf, size_t size)
{
	if (offset >= len)
		return 0;
	size = MIN(size, len - (size_t)offset);
	memcpy(buf, (const char *)bytes + offset, size);
	return (ssize_t)size;
}

bool texts_read(struct texts *t, uint64_t fh, uint64_t offset, char *buf, size_t size, ssize_t *ret)
{
	bool done = false;
	unsigned n;

	pthread_mutex_lock(&mutex);
	n = find(t, fh);
	if (n < TEXTS && (offset > 0 || !t->text[n].was_read)) {
		t->text[n].was_read = true;
		*ret = texts_copy(t->bytes[n], t->text[n].len, offset, buf, size);
		done = true;
	}
	pthread_mutex_unlock(&mutex);
	return done;
}

void texts_replace(struct texts *t, uint64_t fh, const char *bytes, size_t len)
{
	unsigned n;

	pthread_mutex_lock(&mutex);
	n = find(t, fh);
	if (n < TEXTS && !fill(t, n, bytes, len))
		clear(t, n);
	pthread_mutex_unlock(&mutex);
}

void texts_drop(struct texts *t, uint64_t fh)
{
	unsigned n;

	pthread_mutex_lock(&mutex);
	n = find(t, fh);
	if (n < TEXTS)
		clear(t, n);
	pthread_mutex_unlock(&mutex);
}
