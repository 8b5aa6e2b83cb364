/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/text.h - how the tools print what they found.
 *
 * Owns     nothing.
 * Keeps    X1 whatever bytes a path has, a line stays a line and JSON stays JSON.
 * Threads  pure functions, and stdout.
 * Fails    never; ferror(stdout) tells.
 */
#pragma once

/* "2.0 MiB": three figures are enough for people.  A double, for pages times their size may be beyond 64 bits. */
const char *text_bytes(double bytes, char buf[static 32]);

/* For people: '?' for what would move the cursor. */
void text_path(const char *path);
/* For scripts that read lines: a newline as \n, a backslash as \\. */
void text_raw_path(const char *path);
/* A JSON string.  Bytes that are no UTF-8 become \udc80 to \udcff, as Python's os.fsencode() takes them back. */
void text_json_path(const char *path);
