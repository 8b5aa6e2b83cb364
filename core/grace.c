/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/grace.c - two halves, of which one empties while whoever comes is counted in the other.
 *
 * A turn ends when the half that nobody comes into any more has been seen empty, slot by slot; then the halves change
 * places.  So in two turns both are seen empty, and who was inside before the first began has left, whichever he was
 * counted in.  Slots need not be empty at one moment: a stay is counted in one slot from its beginning to its end, so
 * who was inside all the time is met there.
 *
 * Somebody may read `turn`, come to be counted much later, in the half that is being looked at, and be missed.  He
 * looks things up after that, and does not find what was taken out of reach before.
 */
#include "grace.h"

_Thread_local unsigned grace_depth;

static bool is_empty(const struct grace *g, unsigned half)
{
	for (unsigned n = 0; n < THREAD_SLOTS; n++)
		if (atomic_load(&g->slot[n].inside[half]))
			return false;
	return true;
}

uint64_t grace_ask(const struct grace *g)
{
	return g->turn + 2;
}

bool grace_over(struct grace *g, uint64_t asked)
{
	while (g->turn < asked && is_empty(g, !(g->turn & 1)))
		g->turn++;
	return g->turn >= asked;
}
