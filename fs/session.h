/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/session.h - the shared memory that outlives a worker.
 *
 * Owns     a memfd with INIT, the reply to it, a slot for each request that can be with us at once, the texts of
 *          open control files, the notifier's errands, and what it is to purge.
 * Keeps    E1 INIT is written once, by the supervisor, before the first worker starts; its reply once,
 *             by the first worker.
 *          E2 a slot that session_lock_slot() has prepared is present: the kernel never has to wait
 *             for a page of it, so a worker killed meanwhile fails no request.
 *          E3 what a request has left behind lies here, not in its worker.
 *          E4 no pointers: any process may map it anywhere.
 * Threads  a slot belongs to one thread, or to a parked request; INIT is read only once workers run.
 * Fails    -errno.
 */
#pragma once

#include <linux/fuse.h>
#include <stdatomic.h>

#include "core/base.h"
#include "core/receipt.h"
#include "fs/death.h"
#include "fs/errand.h"
#include "fs/poison.h"
#include "fs/purge.h"
#include "fs/texts.h"

enum {
	SESSION_THREADS = 8, /* request threads at most */
	/* What the kernel sends of background requests (writebacks, read-ahead, RELEASE) before the first of them
	 * is answered. It may be more than threads: writebacks that wait for memory are parked (park.h). */
	BACKGROUND_MAX = 12,
	/* Parked writebacks are background requests. When one is answered the kernel sends the next at once,
	 * before its slot is free again: hence one more. So a thread that parks always finds another slot. */
	SESSION_SLOTS = SESSION_THREADS + BACKGROUND_MAX + 1,
	SESSION_KEPT = 4 * SESSION_SLOTS, /* takeover.h */
	INIT_BYTES_MAX = 256,
	WRITE_BYTES_MAX = BATCH_PAGES * PAGE_BYTES,
	/* Raised with each change of what lies where below: another worker then makes no sense of it. */
	SESSION_LAYOUT = 2,
	/* What a request has in front of the data of a write. */
	HEAD_BYTES = sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in),
	REQUEST_BYTES_MAX = HEAD_BYTES + WRITE_BYTES_MAX,
	REPLY_BYTES_MAX = 17 * PAGE_BYTES, /* 64 KiB and a header */
};

struct session_slot {
	/* Being worked on; 0 when the answer has been given. */
	_Atomic uint64_t unique;
	struct receipt receipt; /* of that request */
	uint8_t unused_[2 * PAGE_BYTES - sizeof(uint64_t) - sizeof(struct receipt) - HEAD_BYTES];
	/* The request; its opcode is 0 when it is over, which is asked of a FORGET.
	 * Its head ends with a page, so the data of a write lies on whole pages. */
	uint8_t request[REQUEST_BYTES_MAX];
	uint8_t reply[REPLY_BYTES_MAX];
};

/* A receipt that has survived its worker. */
struct session_kept {
	struct receipt receipt;
	uint64_t life; /* in which it came here */
};

struct session {
	uint32_t layout;
	uint32_t init_bytes, init_reply_bytes;
	_Atomic uint32_t sent_anew; /* this worker has been sent something that none had been sent before */
	_Atomic uint32_t dirty_bound; /* how much of the mount may be dirty is bounded for a control group's sake */
	uint32_t unused0_;
	_Atomic int64_t serves_since_ms; /* CLOCK_MONOTONIC, of the last worker that came so far */
	uint64_t life; /* how many workers have been sent something that none had been sent before */
	uint8_t init[INIT_BYTES_MAX];
	uint8_t init_reply[INIT_BYTES_MAX];
	struct poison poison;
	struct death_signs death;
	uint32_t unused1_;
	struct purge purge;
	uint8_t unused_[PAGE_BYTES - 7 * sizeof(uint32_t) - 2 * sizeof(uint64_t) - 2 * INIT_BYTES_MAX -
			sizeof(struct poison) - sizeof(struct death_signs) - sizeof(struct purge)];
	struct session_slot slot[SESSION_SLOTS];
	struct session_kept kept[SESSION_KEPT];
	struct errands errands;
	struct texts texts __attribute__((aligned(PAGE_BYTES)));
};

_Static_assert(offsetof(struct session_slot, request) + HEAD_BYTES == 2 * PAGE_BYTES, "data on a page");
_Static_assert(offsetof(struct session, slot) == PAGE_BYTES, "slots on pages");
_Static_assert(sizeof(struct session_slot) % PAGE_BYTES == 0, "whole pages");
/* Slots are first used when memory is short, too: what core leaves of it to others (32 MiB) has to hold them. */
_Static_assert(sizeof(struct session) <= 24 << 20, "fits when there is no memory for pages any more");

/* A new one: sparse, so slots cost nothing before they are used. The fd stays with the caller. */
int session_make(int *ret_fd, struct session **ret) must_check;
/* One that another program has made.  As a `copy` changes stay ours.  -EUCLEAN: of another layout. */
int session_open(int fd, bool copy, struct session **ret) must_check;
void session_drop(struct session *s); /* NULL is fine */

/* The flags of INIT that the kernel offers. */
uint64_t session_offered(const struct session *s);

/* Have the slot's memory present and locked. Not being allowed to lock is no failure: 1 then. */
int session_lock_slot(struct session *s, unsigned slot) must_check;

/* Give back the memory of a slot that nobody uses, but for its receipt and the head of its request. */
void session_release_slot(struct session *s, unsigned slot);
