/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/newer.h - requests and words of the protocol that are newer than libfuse 3.14.
 *
 * Owns     what they look like, and their answers.
 * Keeps    R1 libfuse is shown each as the older request that it begins with: TMPFILE is a CREATE whose name means
 *             nothing, STATX is a GETATTR that wants a larger answer.  So they have a fuse_req_t, and are
 *             answered once, by the same functions of ops.h, through reply.h.
 *          R2 a later libfuse that knows them is not asked: there is one way only.
 * Threads  newer_asked() is of the request that the calling thread has read, until that is answered.
 * Fails    never.
 */
#pragma once

#include <linux/fuse.h>
#include <sys/stat.h>

#include "core/base.h"

/* As in <linux/fuse.h>, which may be older than the kernel. */
enum { NEWER_TMPFILE = 51, NEWER_STATX = 52 };
enum { NEWER_NOTIFY_RESEND = 7 };
#define NEWER_HAS_RESEND (UINT64_C(1) << 39)
#define NEWER_ALLOW_IDMAP (UINT64_C(1) << 40)

/* Before libfuse sees the request. */
void newer_disguise(struct fuse_in_header *head);
/* The opcode that the kernel sent. */
uint32_t newer_asked(void);

/* struct fuse_statx of the protocol is, byte for byte, the struct statx of the system call. */
struct newer_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	struct statx stat;
};
_Static_assert(sizeof(struct newer_statx_out) == 288, "as the kernel has it");
