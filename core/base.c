/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "log.h"

_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	log_err("%s:%d: this cannot be: %s does not hold; stopping before anything is lost", file,
		line, what);
	abort();
}

int fold_result(int r, const char *file, int line)
{
	if (r <= 0)
		return r;
	log_err("%s:%d: unexpected result %d, reported as an I/O error", file, line, r);
	return -EIO;
}

unsigned thread_slot(void)
{
	static atomic_uint next;
	static _Thread_local unsigned slot = UINT32_MAX;

	if (slot == UINT32_MAX)
		slot = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % THREAD_SLOTS;
	return slot;
}
