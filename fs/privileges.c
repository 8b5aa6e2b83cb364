/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/privileges.c - a process has what its row says, or less where whoever started it had less.
 *
 * The bounding set can only be lowered with CAP_SETPCAP: an ordinary user's processes keep theirs, in
 * which there is nothing to gain for them after privileges_seal().
 */
#include "fs/privileges.h"

#include <sys/capability.h>
#include <sys/prctl.h>

struct grant {
	cap_value_t cap;
	enum role role;
	const char *reason; /* as in ksmfs(8) */
};

static const struct grant grants[] = {
	{CAP_SYS_ADMIN, ROLE_SUPERVISOR, "mount and unmount the file system and its private tmpfs"},
	{CAP_DAC_READ_SEARCH, ROLE_SUPERVISOR, "reach a mount point below directories closed to root"},
	{CAP_SETPCAP, ROLE_SUPERVISOR, "take the capabilities above out of a new worker's bounding set"},
	{CAP_IPC_LOCK, ROLE_SUPERVISOR, "lock its memory, and hand it to a new worker"},
	{CAP_FOWNER, ROLE_SUPERVISOR, "hand it to a new notifier"},
	{CAP_IPC_LOCK, ROLE_WORKER, "lock the receive buffers, and all of its memory but the frames"},
	{CAP_DAC_READ_SEARCH, ROLE_NOTIFIER, "open files by their handles, whoever may read them"},
	{CAP_FOWNER, ROLE_NOTIFIER, "ask how many pages of other people's files are in the page cache"},
};

static bool is_granted(enum role role, cap_value_t cap)
{
	for (unsigned i = 0; i < ARRAY_SIZE(grants); i++)
		if (grants[i].role == role && grants[i].cap == cap)
			return true;
	return false;
}

static bool is_permitted(cap_t caps, cap_value_t cap)
{
	cap_flag_value_t value;

	return cap_get_flag(caps, cap, CAP_PERMITTED, &value) == 0 && value == CAP_SET;
}

static int lower_bounding_set(enum role role, cap_t now)
{
	cap_value_t max = cap_max_bits();

	if (!is_permitted(now, CAP_SETPCAP))
		return 0;
	for (cap_value_t cap = 0; cap < max; cap++)
		if (!is_granted(role, cap) && cap_get_bound(cap) == 1 && cap_drop_bound(cap) < 0)
			return -errno;
	return 0;
}

/* Permitted and effective to what is granted and was permitted; nothing inheritable. */
static int lower_sets(enum role role, cap_t now)
{
	cap_t wanted;
	int r = 0;

	wanted = cap_init();
	if (!wanted)
		return -ENOMEM;
	for (unsigned i = 0; i < ARRAY_SIZE(grants) && r == 0; i++) {
		if (grants[i].role != role || !is_permitted(now, grants[i].cap))
			continue;
		if (cap_set_flag(wanted, CAP_PERMITTED, 1, &grants[i].cap, CAP_SET) < 0 ||
		    cap_set_flag(wanted, CAP_EFFECTIVE, 1, &grants[i].cap, CAP_SET) < 0)
			r = -errno;
	}
	if (r == 0 && cap_set_proc(wanted) < 0)
		r = -errno;
	cap_free(wanted);
	return r;
}

int privileges_drop(enum role role)
{
	cap_t now;
	int r;

	now = cap_get_proc();
	if (!now)
		return -errno;
	r = lower_bounding_set(role, now);
	if (r == 0 && cap_reset_ambient() < 0)
		r = -errno;
	if (r == 0)
		r = lower_sets(role, now);
	cap_free(now);
	return r;
}

int privileges_seal(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static bool may(cap_value_t cap)
{
	bool can;
	cap_t now;

	now = cap_get_proc();
	if (!now)
		return false;
	can = is_permitted(now, cap);
	cap_free(now);
	return can;
}

bool privileges_can_mount(void)
{
	return may(CAP_SYS_ADMIN);
}

bool privileges_can_lock(void)
{
	return may(CAP_IPC_LOCK);
}
