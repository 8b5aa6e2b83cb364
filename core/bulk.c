/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/bulk.c - anonymous mappings.
 *
 * Memory that malloc() has in pieces goes back only where nothing above is in use; these go back page by page, also
 * where a process locks all that it maps.  Huge pages are not for them: 2 MiB would come with the first word.
 */
#include "bulk.h"

#include <string.h>
#include <sys/mman.h>

#include "failpoint.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static size_t whole_pages(size_t bytes)
{
	return pages_of(bytes) << PAGE_SHIFT;
}

void *bulk_map(size_t bytes)
{
	void *p;

	if (failpoint_hit(FAIL_ALLOC))
		return NULL;
	p = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, whole_pages(bytes), MADV_NOHUGEPAGE);
	return p;
}

void bulk_unmap(void *p, size_t bytes)
{
	if (p)
		munmap(p, whole_pages(bytes));
}

void bulk_forget(void *p, size_t bytes)
{
	ASSERT((uintptr_t)p % PAGE_BYTES == 0 && bytes % PAGE_BYTES == 0);
	if (madvise(p, bytes, MADV_DONTNEED_LOCKED) == 0)
		return;
	/* Before Linux 5.18 what is locked stays, and has to read as zeroes all the same. */
	if (madvise(p, bytes, MADV_DONTNEED) < 0)
		memset(p, 0, bytes);
}
