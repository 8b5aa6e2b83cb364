/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/successor.c - what programs do otherwise that upgrade.sh has a mount go on with: meson.build says which
 * of these functions stands before the real one. */
#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>

struct volume;
struct session;
int __wrap_park_start(struct volume *v);
int __wrap_worker_fits(struct session *copy);
uint64_t __wrap_session_offered(const struct session *s);

/* The worker cannot start. */
int __wrap_park_start(struct volume *v)
{
	return -ENOMEM;
}

/* Its file cannot be run any more. */
int __wrap_worker_fits(struct session *copy)
{
	return chmod("/proc/self/exe", 0600);
}

/* INIT is answered as to another kernel. */
uint64_t __wrap_session_offered(const struct session *s)
{
	return 0;
}
