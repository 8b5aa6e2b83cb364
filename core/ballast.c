/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ballast.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "lock.h"
#include "log.h"

void ballast_open(struct ballast *b, const char *dir, uint64_t bytes)
{
	char path[PATH_MAX];

	*b = (struct ballast){ .fd = -1, .bytes = bytes };
	if (snprintf(path, sizeof(path), "%s/ballast", dir) >= (int)sizeof(path))
		return;
	b->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->fd >= 0)
		(void)unlink(path);
}

void ballast_close(struct ballast *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

bool ballast_hold(struct ballast *b)
{
	lock_assert_may_sleep();
	if (b->held || b->fd < 0)
		return true;
	if (fallocate(b->fd, 0, 0, (off_t)b->bytes) == 0) {
		b->held = true;
		return true;
	}
	if (errno == EOPNOTSUPP || errno == ENOSYS) {
		log_info("the databases' file system keeps no space back: on a full one nothing can be removed");
		ballast_close(b);
		return true;
	}
	(void)!ftruncate(b->fd, 0); /* what it got of it */
	return false;
}

bool ballast_release(struct ballast *b)
{
	bool was_held = b->held;

	lock_assert_may_sleep();
	b->held = false;
	return was_held && ftruncate(b->fd, 0) == 0;
}
