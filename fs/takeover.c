/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/takeover.c - the kernel sends what it sends again before anything new.  So once a worker has read something new,
 * all that was to come again has been read by somebody, who may still be on his way to claim it.  What nobody has
 * claimed COMING_MS later, or when the next worker but one has died, will not come any more: its answer had been
 * taken, or its caller was killed while it waited.
 */
#include "fs/takeover.h"

#include <pthread.h>
#include <string.h>

#include "core/clock.h"
#include "core/failpoint.h"
#include "core/log.h"

enum { COMING_MS = 5000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the list, while requests are read */
static _Atomic int64_t anew_ms; /* when this worker was first sent something new; 0: not yet */
static atomic_bool unsettled;

struct receipts takeover_receipts(struct session *s)
{
	return (struct receipts){&s->slot[0].receipt, sizeof(s->slot[0]), SESSION_SLOTS};
}

static uint64_t number(const struct session_slot *slot)
{
	const struct fuse_in_header *head = (const void *)slot->request;

	return head->unique & ~TAKEOVER_RESENT;
}

/* --- the list ------------------------------------------------------------------------------------ */

static struct session_kept *find(struct session *s, uint64_t request)
{
	for (unsigned n = 0; n < SESSION_KEPT; n++)
		if (s->kept[n].receipt.request == request)
			return &s->kept[n];
	return NULL;
}

static struct session_kept *find_oldest(struct session *s)
{
	struct session_kept *oldest = &s->kept[0];

	log_err("more requests than can be were in hand when workers died: one may be done twice");
	for (unsigned n = 1; n < SESSION_KEPT; n++)
		if (s->kept[n].life < oldest->life)
			oldest = &s->kept[n];
	return oldest;
}

/* The request number goes first and comes last: whoever finds it finds all. */
static void copy(struct receipt *to, const struct receipt *from)
{
	uint64_t request = from->request;

	atomic_store_explicit(&to->request, 0, memory_order_release);
	memcpy((char *)to + sizeof(to->request), (const char *)from + sizeof(from->request),
	       sizeof(*to) - sizeof(to->request));
	atomic_store_explicit(&to->request, request, memory_order_release);
}

/* Has its request been read, and not been answered? */
static bool is_in_hand(struct session *s, uint64_t request)
{
	for (unsigned n = 0; n < SESSION_SLOTS; n++) {
		const struct fuse_in_header *head = (const void *)s->slot[n].request;

		if (head->opcode && number(&s->slot[n]) == request)
			return true;
	}
	return false;
}

/* Who has read it has not claimed it: it comes once more. */
static void renew(struct session *s)
{
	for (unsigned n = 0; n < SESSION_KEPT; n++) {
		struct session_kept *k = &s->kept[n];

		if (k->receipt.request && is_in_hand(s, k->receipt.request))
			k->life = s->life;
	}
}

/* Does it say anything that must be known when its request comes again? */
static bool tells(const struct receipt *r)
{
	return r->request && r->state != RECEIPT_NONE && r->state != RECEIPT_FORGOT;
}

static void keep(struct session *s, struct receipt *r)
{
	struct session_kept *k = find(s, r->request);

	if (!k)
		k = find(s, 0);
	if (!k)
		k = find_oldest(s);
	k->life = s->life;
	copy(&k->receipt, r);
}

void takeover_keep(struct session *s)
{
	if (s->sent_anew) {
		s->sent_anew = 0; /* first: who is killed in between has not made receipts older than they are */
		s->life++;
	}
	unsettled = true;
	renew(s);
	for (unsigned n = 0; n < SESSION_SLOTS; n++) {
		struct session_slot *slot = &s->slot[n];

		if (tells(&slot->receipt))
			keep(s, &slot->receipt);
		failpoint_kill(KILL_receipt_kept);
		if (slot->receipt.state != RECEIPT_FORGOT)
			slot->receipt.request = 0;
		slot->unique = 0;
	}
}

/* --- requests ------------------------------------------------------------------------------------ */

/* These do not wait in line with the others. */
static bool is_apart(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

/* The receipt enters a slot first: whoever is killed over it leaves it there. */
static void done_with(struct session_kept *k, struct session_slot *slot, struct volume *v)
{
	copy(&slot->receipt, &k->receipt);
	k->receipt.request = 0;
	if (!slot->receipt.answering)
		volume_take_back(v);
	receipt_end();
}

void takeover_settle(struct session *s, struct session_slot *slot, struct volume *v)
{
	bool serving = anew_ms;

	if (!unsettled || slot->receipt.request || (serving && clock_ms(CLOCK_MONOTONIC_COARSE) - anew_ms < COMING_MS))
		return;
	pthread_mutex_lock(&mutex);
	for (unsigned n = 0; n < SESSION_KEPT; n++) {
		struct session_kept *k = &s->kept[n];
		bool old = serving || k->life + 1 < s->life;

		if (k->receipt.request && old && !is_in_hand(s, k->receipt.request))
			done_with(k, slot, v);
	}
	unsettled = !serving;
	pthread_mutex_unlock(&mutex);
}

void takeover_match(struct session *s, struct session_slot *slot)
{
	const struct fuse_in_header *head = (const void *)slot->request;
	struct session_kept *k;

	if (!(head->unique & TAKEOVER_RESENT)) {
		if (!anew_ms && !is_apart(head->opcode)) {
			s->sent_anew = 1;
			anew_ms = clock_ms(CLOCK_MONOTONIC_COARSE);
		}
		return;
	}
	pthread_mutex_lock(&mutex);
	k = find(s, number(slot));
	if (k) {
		copy(&slot->receipt, &k->receipt);
		receipt_unanswered();
		failpoint_kill(KILL_receipt_matched);
		k->receipt.request = 0;
	}
	pthread_mutex_unlock(&mutex);
}
