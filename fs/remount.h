/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/remount.h - `mount -o remount`: other limits and other flags for a mount that is there.
 *
 * mount(8) runs this program for it, as for mounting; it changes the limits through .ksmfs/ and the flags by
 * mount(2), whose options the kernel's FUSE would pass over.
 *
 * Owns     nothing.
 * Keeps    D1 all of it or nothing: what was changed before something is refused is put back.
 *          D2 what cannot be changed is refused by its name, unless it is what it is.
 * Threads  one: the command's.
 * Fails    -errno, with the reason as one line.
 */
#pragma once

#include "fs/options.h"
#include "fs/why.h"

/* `mountpoint` is absolute and resolved, `o` resolved. */
int remount(const struct options *o, const char *mountpoint, struct why *why) must_check;
