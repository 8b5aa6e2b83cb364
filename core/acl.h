/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/acl.h - POSIX access control lists, as the bytes of the extended attribute that holds one.
 *
 * Owns     nothing: these are functions of bytes.
 * Keeps    C1 what they do is what Linux does in memory for file systems that have no format of their own
 *             (fs/posix_acl.c), so that a mode and a list mean the same here and on tmpfs.
 *          C2 bytes that are no valid list are refused and left alone, whatever they are.
 * Threads  pure functions.
 * Fails    -EINVAL: no valid list.
 */
#pragma once

#include <sys/types.h>

#include "base.h"

/* What the kernel passes on to a FUSE server at most. */
enum { ACL_BYTES_MAX = PAGE_BYTES };

enum acl_r {
	ACL_IS_MODE, /* it says no more than the nine permission bits of a mode */
	ACL_IS_MORE,
};

/* Put the permissions of the list into the nine bits of *mode; the others stay. */
int acl_to_mode(const void *acl, size_t len, mode_t *mode) must_check;

/* chmod: what the nine bits of `mode` say goes into the list. */
int acl_chmod(void *acl, size_t len, mode_t mode) must_check;

/* What is created with `mode` below a directory with this default list: the list becomes its access list, and *mode
 * what that says. */
int acl_create(void *acl, size_t len, mode_t *mode) must_check;
