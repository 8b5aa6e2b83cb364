/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control.h - .ksmfs/ in the root of the mount: settings and figures as files, like sysfs.
 *
 * Owns     inode numbers from INO_END on: those whose generation is CONTROL_GENERATION, and those of control_tenants.h.
 * Keeps    G1 a write is understood whole and done, or refused and changes nothing.
 *          G2 what is read from one open file up to its end is of one moment, whichever worker answers.
 *          G3 `fh` is a number: one that is not known is no error.
 *          G4 with several tenants or domains what is of all of them is for root alone, at once: who has opened
 *             it before gets -EACCES.  The kernel checks modes, so it must ask for them each time.
 * Threads  any.
 * Fails    -errno, as sysfs where it has the case.
 */
#pragma once

#include <ksmfs/control.h>

#include "core/volume.h"
#include "fs/control_tenants.h"
#include "fs/options.h"
#include "fs/texts.h"

struct control;

#define CONTROL_GENERATION UINT64_C(0xffffffff)
#define CONTROL_INO (CONTROL_GENERATION << 32)
#define CONTROL_NAME KSMFS_CONTROL

static inline bool control_owns(uint64_t ino)
{
	return ino >= INO_END;
}

int control_new(struct volume *v, struct texts *texts, enum control_mode mode, struct control **ret) must_check;

/* Is `name` in `dir` ours, so that nobody may create, remove or rename it? */
bool control_is_name(const struct control *c, uint64_t dir, const char *name);
bool control_is_listed(const struct control *c);

int control_lookup(const struct control *c, uint64_t dir, const char *name, struct volume_entry *ret)
	must_check;
uint64_t control_parent(const struct control *c, uint64_t ino);
int control_getattr(const struct control *c, uint64_t ino, struct stat *ret) must_check;
int control_setattr(const struct control *c, uint64_t ino, unsigned set, struct stat *ret) must_check;

/* The first entry of a directory of ours at or behind *io_place (0: from the start), which goes behind it; -ENOENT:
 * there is none. */
int control_list(const struct control *c, uint64_t dir, uint64_t *io_place,
		 char ret_name[static NAME_BYTES_MAX + 1], struct stat *ret) must_check;

/* May it take long to open this, or to read what control_read_kept() does not find? */
bool control_is_long(const struct control *c, uint64_t ino);
/* `unique` is the request's: sent again, it opens once. */
int control_open(struct control *c, uint64_t ino, int flags, uint64_t unique, const struct interrupt *interrupt,
		 uint64_t *ret_fh) must_check;
void control_opened(struct control *c, uint64_t fh); /* that has been answered */
/* Opened since figures are for *ret_owner and root alone: the kernel may have looked at the mode just before. */
bool control_is_guarded(const struct control *c, uint64_t ino, uint64_t fh, uid_t *ret_owner);
void control_release(struct control *c, uint64_t fh);
/* From the text that was made when it was opened; false: control_read() has to make it anew. */
bool control_read_kept(struct control *c, uint64_t fh, uint64_t offset, char *buf, size_t size, ssize_t *ret)
	must_check;
ssize_t control_read(struct control *c, uint64_t ino, uint64_t fh, uint64_t offset, char *buf, size_t size,
		     const struct interrupt *interrupt) must_check;
/* Will this write split all that is merged?  That takes long. */
bool control_splits(const struct control *c, uint64_t ino, const char *text, size_t len);
ssize_t control_write(struct control *c, uint64_t ino, int flags, uint64_t offset, const char *text,
		      size_t len, const struct interrupt *interrupt) must_check;
