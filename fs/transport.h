/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/transport.h - requests in, answers out.
 *
 * Owns     the request threads, and the session of libfuse that decodes for them.
 * Keeps    T1 the kernel copies requests into, and answers out of, memory that is present: it then never
 *             has to wait for a page in the middle, where being killed would fail the request.
 *          T2 all workers of a mount answer INIT with the same bytes; only the first answer is sent.
 *          T3 what is being worked on is told by the `unique` of its slot.
 *          T4 a request that was left keeps its slot, with all the kernel sent, until it is answered.
 * Threads  transport_open() to transport_run() from one; the rest of it from request threads, and from who
 *          answers what was left.
 * Fails    -errno.
 */
#pragma once

#include <fuse_lowlevel.h>

#include "core/volume.h"
#include "fs/session.h"

int transport_open(struct session *s, int fuse_fd, const struct fuse_lowlevel_ops *ops, void *userdata)
	must_check;

/* Have libfuse see the INIT that the supervisor kept. -EPROTO: this worker does not fit the mount. */
int transport_replay_init(void) must_check;

/* What a worker that died has left in its slots: receipts are kept, FORGETs, which nobody sends again, are done.  After
 * transport_replay_init(). */
void transport_take_over(struct volume *v);

/* Have the kernel send again what a worker that died had read and not answered.  Before transport_run(): else requests
 * that this worker has in hand would be done twice. */
int transport_resend(void) must_check;

enum transport_r { TRANSPORT_ENDED, TRANSPORT_DRAINED };

/* Serve until the mount has ended, or -errno. Threads may still be in requests then.
 * TRANSPORT_DRAINED: the process was sent TRANSPORT_DRAIN (blocked in all threads), no request is in the middle of
 * anything, and none is read any more; those that were left are the kernel's to send again. */
int transport_run(void) must_check;
#define TRANSPORT_DRAIN SIGUSR2

/* The request the calling thread is in. */
const struct fuse_in_header *transport_request(void);

/* Memory of that request's, until it is answered, for who answers what takes no more than names to ask: SCRATCH_BYTES
 * behind what the kernel sent, on whole pages, and present as that is. */
void *transport_scratch(void) must_check;
enum { SCRATCH_BYTES = WRITE_BYTES_MAX - PAGE_BYTES };

/* Attributes of `ino` have changed that the kernel does not know to have: let it ask for them again.  Only in a
 * request whose caller has the inode in hand: then the kernel finds it and waits for nothing. */
void transport_attr_changed(fuse_ino_t ino);

/* Leave it to be answered later: the thread has another slot from here on, and reads on. NULL: there is no
 * other, and the thread must stay. */
struct session_slot *transport_leave(void) must_check;

/* For who stays in a request for long: no answer can be given any more, the mount has ended. */
bool transport_has_ended(void);

/* Begin once more with a request for which nothing has been done, and which has not been answered: `bytes` of it, as
 * they came.  From any thread. */
void transport_again(const void *request, size_t bytes);

/* Between these two, the calling thread (which reads no requests itself) is in the request that was left
 * with `slot`, and answers it. */
void transport_resume(struct session_slot *slot);
void transport_answered(void);
