/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fs/slots.h"

#include <linux/fuse.h>
#include <pthread.h>
#include <string.h>

#include "core/log.h"

static struct {
	struct session *session;

	pthread_mutex_t mutex; /* of all below */
	unsigned count, free[SESSION_SLOTS]; /* the last is taken first */
	bool is_free[SESSION_SLOTS], has_memory[SESSION_SLOTS];
} slots = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
};

static void put(unsigned slot)
{
	ASSERT(slots.count < SESSION_SLOTS && !slots.is_free[slot]);
	slots.free[slots.count++] = slot;
	slots.is_free[slot] = true;
}

void slots_open(struct session *s)
{
	slots.session = s;
	while (slots.count < SESSION_SLOTS) {
		slots.has_memory[slots.count] = true; /* a worker before us may have used it */
		put(SESSION_SLOTS - 1 - slots.count);
	}
}

void slots_give_back(struct session_slot *slot)
{
	pthread_mutex_lock(&slots.mutex);
	put((unsigned)(slot - slots.session->slot));
	pthread_mutex_unlock(&slots.mutex);
}

static int prepare(unsigned slot)
{
	int r = session_lock_slot(slots.session, slot);

	if (r > 0)
		log_warning("receive buffers are not locked in memory (RLIMIT_MEMLOCK)");
	return r < 0 ? r : 0;
}

int slots_take(struct session_slot **ret)
{
	unsigned slot = SESSION_SLOTS;
	int r;

	pthread_mutex_lock(&slots.mutex);
	if (slots.count) {
		slot = slots.free[--slots.count];
		slots.is_free[slot] = false;
		slots.has_memory[slot] = true;
	}
	pthread_mutex_unlock(&slots.mutex);
	if (slot == SESSION_SLOTS)
		return -EBUSY;
	r = prepare(slot);
	if (r < 0)
		slots_give_back(&slots.session->slot[slot]);
	else
		*ret = &slots.session->slot[slot];
	return r;
}

/* FORGETs that a worker before us has left are not read yet. */
static bool is_done_with(unsigned slot)
{
	const struct fuse_in_header *head = (const void *)slots.session->slot[slot].request;

	return slots.is_free[slot] && !head->opcode;
}

/* One at a time: somebody may want another meanwhile, who must not find that there is none. */
static void rest(unsigned slot)
{
	pthread_mutex_lock(&slots.mutex);
	if (is_done_with(slot) && slots.has_memory[slot]) {
		session_release_slot(slots.session, slot);
		slots.has_memory[slot] = false;
	}
	pthread_mutex_unlock(&slots.mutex);
}

void slots_rest(void)
{
	for (unsigned slot = 0; slot < SESSION_SLOTS; slot++)
		rest(slot);
}
