/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/node.h - one node of the shadow tree and what the mount shows of it: they must be the same. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "run.h"
#include "shadow.h"

enum { NODE_MAX_SIZE = 3 * PAGE, NODE_VALUE = 600 };

unsigned node_stamp(void); /* another one each time */
void node_write(int fd, struct node *n); /* content, for a new file */

bool node_has_xattrs(const struct node *n);
const char *node_xattr(unsigned k); /* the name of the kth */
size_t node_value(unsigned number, char value[NODE_VALUE]);

/* Each fails the job where it differs. */
void node_compare_stat(const struct stat *st, const struct node *n);
void node_compare_content(int fd, const struct node *n);
void node_compare(const char *path, const struct node *n, bool whole);
