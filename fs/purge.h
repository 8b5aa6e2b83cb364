/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/purge.h - what the kernel's page cache holds of a file, all of it, goes before the file is opened.
 *
 * The notifier does it, by opening the file itself: where that is answered without FOPEN_KEEP_CACHE the kernel drops
 * every page before open(2) returns.  It waits for reads meanwhile, which this worker has to answer, or the next one:
 * so it must not be done by who is waited for when this worker dies, nor by who has /dev/fuse open.
 *
 * Owns     in shared memory, what the notifier is asked for; in the worker, the OPENs that wait for it.
 * Keeps    P1 nothing is dropped for an OPEN that has been answered: the notifier opens a file for this only while
 *             somebody waits for it, one at a time.
 *          P2 no thread is kept that reads requests, and an OPEN that waits has done nothing: it can come again.
 *          P3 where there is no notifier, or it cannot open the file, the kernel drops them when the OPEN has been
 *             answered, and those who open the file meanwhile may find some.
 * Threads  purge_start() before there are any.  purge_then_open(), purge_takes(), purge_keeps_cache() from who is in a
 *          request; purge_next() and purge_ended() are the notifier's.
 * Fails    never.
 */
#pragma once

#include <fuse_lowlevel.h>
#include <stdatomic.h>

#include "core/volume.h"

/* In the session. */
struct purge {
	_Atomic uint64_t ino;
	_Atomic uint32_t asked; /* how many times, */
	_Atomic uint32_t done;  /* and done: one less, or equal; a futex */
};

/* In the worker; the notifier is woken by `fd`, an eventfd, and known by `notifier`.  fd -1: there is none. */
void purge_start(struct purge *p, int fd, const _Atomic int32_t *notifier, struct volume *v);

/* The file is stale (volume_file_open()): the OPEN that the calling thread is in is begun again when it is not. */
void purge_then_open(fuse_req_t req, uint64_t ino);

/* Does the notifier open `ino` in order to have its pages dropped? */
bool purge_takes(pid_t opener, uint64_t ino) must_check;

/* P3: false for an OPEN that goes on although its file's pages are still there. */
bool purge_keeps_cache(void) must_check;

/* --- the notifier -------------------------------------------------------------------------------- */

/* Is one asked for? */
bool purge_next(struct purge *p, uint64_t *ret_ino) must_check;
void purge_ended(struct purge *p);
