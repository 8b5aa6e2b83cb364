/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/newer.c - struct fuse_statx_in begins as struct fuse_getattr_in; TMPFILE has what CREATE has. */
#include "fs/newer.h"

static _Thread_local uint32_t asked;

void newer_disguise(struct fuse_in_header *head)
{
	asked = head->opcode;
	if (asked == NEWER_TMPFILE)
		head->opcode = FUSE_CREATE;
	else if (asked == NEWER_STATX)
		head->opcode = FUSE_GETATTR;
}

uint32_t newer_asked(void)
{
	return asked;
}
