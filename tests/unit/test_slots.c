/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_slots.c - which receive buffers are free, and what memory they have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/slots.h"

static struct session *session;
static int fd;

static uint64_t memory(void)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static struct session_slot *take(void)
{
	struct session_slot *slot = NULL;

	assert_int_equal(slots_take(&slot), 0);
	return slot;
}

static void take__gives_all_and_each_once(void **state)
{
	struct session_slot *slot[SESSION_SLOTS], *none;
	bool seen[SESSION_SLOTS] = { false };

	for (unsigned n = 0; n < SESSION_SLOTS; n++) {
		slot[n] = take();
		assert_false(seen[slot[n] - session->slot]);
		seen[slot[n] - session->slot] = true;
	}
	assert_int_equal(slots_take(&none), -EBUSY);
	for (unsigned n = 0; n < SESSION_SLOTS; n++)
		slots_give_back(slot[n]);
}

static void take__prefers_what_was_used_lately(void **state)
{
	struct session_slot *a = take(), *b = take();

	slots_give_back(b);
	slots_give_back(a);
	assert_ptr_equal(take(), a);
	assert_ptr_equal(take(), b);
	slots_give_back(a);
	slots_give_back(b);
}

static void rest__leaves_no_memory_to_free_slots(void **state)
{
	struct session_slot *kept = take(), *other = take();
	uint64_t both;

	slots_rest(); /* of those before */
	both = memory();
	slots_rest();
	assert_int_equal(memory(), both);
	memset(kept->request, 7, sizeof(kept->request));
	slots_give_back(other);
	slots_rest();
	assert_true(memory() <= both - WRITE_BYTES_MAX);
	for (size_t n = 0; n < sizeof(kept->request); n += PAGE_BYTES)
		assert_int_equal(kept->request[n], 7);
	memset(kept->request, 0, PAGE_BYTES);
	slots_give_back(kept);
	slots_rest();
	assert_true(memory() <= SESSION_SLOTS * 2 * PAGE_BYTES + PAGE_BYTES);
	assert_ptr_equal(take(), kept);
	assert_true(memory() >= WRITE_BYTES_MAX);
	slots_give_back(kept);
}

/* It is not free for good: FORGETs come once. */
static void rest__leaves_what_a_dead_worker_has_not_finished(void **state)
{
	struct session_slot *slot = take();
	struct fuse_in_header *head = (void *)slot->request;
	uint8_t *last = &slot->request[sizeof(slot->request) - 1];

	head->opcode = FUSE_BATCH_FORGET;
	*last = 7;
	slots_give_back(slot);
	slots_rest();
	assert_int_equal(*last, 7);
	head->opcode = 0;
	slots_rest();
	assert_int_equal(*last, 0);
}

/* Who takes over asks them. */
static void rest__keeps_receipt_and_head(void **state)
{
	struct session_slot *slot = take();
	struct fuse_in_header *head = (void *)slot->request;

	slot->receipt.request = 4711;
	head->unique = 4712;
	slots_give_back(slot);
	slots_rest();
	assert_int_equal(slot->receipt.request, 4711);
	assert_int_equal(head->unique, 4712);
}

/* As a worker that died has left it. */
static int open_used_session(void **state)
{
	if (session_make(&fd, &session) < 0 || session_lock_slot(session, SESSION_SLOTS / 2) < 0)
		return -1;
	slots_open(session);
	slots_rest();
	return memory() > WRITE_BYTES_MAX;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take__gives_all_and_each_once),
		cmocka_unit_test(take__prefers_what_was_used_lately),
		cmocka_unit_test(rest__leaves_no_memory_to_free_slots),
		cmocka_unit_test(rest__leaves_what_a_dead_worker_has_not_finished),
		cmocka_unit_test(rest__keeps_receipt_and_head),
	};

	return cmocka_run_group_tests(tests, open_used_session, NULL);
}
