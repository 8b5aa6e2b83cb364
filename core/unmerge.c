/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unmerge.h"

#include "failpoint.h"
#include "fault.h"

/* An inode that goes away meanwhile, even one that comes in its place, does no harm: what is created by the
 * new rules is not merged. */
static int next_batch(struct pool *p, struct inode *i, uint64_t *io_index, uint64_t end, unsigned flags,
		      const struct interrupt *interrupt)
{
	int r;

	if (interrupted(interrupt))
		return -EINTR;
	gate_enter(p->gate);
	r = fault_unshare(p, i, io_index, end, flags);
	gate_leave(p->gate);
	failpoint_kill(KILL_unmerge_batch);
	return r;
}

int unmerge_range(struct pool *p, struct inode *i, uint64_t from, uint64_t end, unsigned flags,
		  const struct interrupt *interrupt)
{
	int r;

	do
		r = next_batch(p, i, &from, end, flags, interrupt);
	while (r > 0);
	return r;
}

/* The next inode; 1 at the end. */
static int unmerge_next(struct pool *p, uint32_t *io_number, uint32_t run_stores, const struct interrupt *interrupt)
{
	HOLDS_INODES(p->itable);
	struct inode *i = itable_next(p->itable, io_number);
	uint64_t index = 0;
	int r;

	if (!i)
		return 1;
	do
		r = p->run_stores == run_stores ? next_batch(p, i, &index, FILE_PAGES_MAX, 0, interrupt) : -EINTR;
	while (r > 0);
	return r;
}

int unmerge_all(struct pool *p, uint32_t run_stores, const struct interrupt *interrupt)
{
	uint32_t number = 0;
	int r;

	do
		r = unmerge_next(p, &number, run_stores, interrupt);
	while (!r);
	failpoint_kill(KILL_unmerge_all);
	return MIN(r, 0);
}
