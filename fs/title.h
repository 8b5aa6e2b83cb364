/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/title.h - processes named for what they are.
 *
 * Owns     the memory of argv and environ, which ps(1) shows.
 * Keeps    nothing that argv or environ pointed to is used after title_init().
 * Threads  one, before others start.
 * Fails    without memory for a copy of the environment: then the command line stays as it was.
 */
#pragma once

/* Once, first thing in main(): moves argv and environ out of the way and gives the new argv. */
char **title_init(int argc, char **argv);

/* "ROLE MOUNTPOINT" for ps(1), ROLE for the kernel's comm (15 bytes of it). */
void title_set(const char *role, const char *mountpoint);
