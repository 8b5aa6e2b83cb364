/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/domains.c - numbers for users and directories.
 *
 *   mount   all are in 0, and nothing is counted
 *   uid     a user's number is drawn when he makes his first inode; names.db has it before the inode is there
 *   dir     a directory's is drawn when it is made in the root, and inherited below; its records say it
 *
 * Users are found by hashing: a table of twice as many places as there are numbers, from which nobody is removed.
 */
#include "domains.h"

#include "failpoint.h"

enum {
	NUMBERS = DOMAIN_ALONE, /* 1 to this, less one, are drawn; 0 is the root's */
	PLACES = 2 << 16,
};

struct domains {
	enum domains_by by;
	struct names *names;
	uint32_t last; /* drawn */
	uint32_t *uid; /* by number */
	uint16_t *place; /* by hash of the uid: its number, or 0 */
	_Atomic uint32_t *inodes; /* by number */
};

/* --- users ------------------------------------------------------------------------------------- */

/* Where `uid` is, or would be. */
static uint16_t *find_place(struct domains *d, uint32_t uid)
{
	uint32_t at = uid * UINT32_C(0x9e3779b1) % PLACES;

	while (d->place[at] && d->uid[d->place[at]] != uid)
		at = (at + 1) % PLACES;
	return &d->place[at];
}

static void add_user(struct domains *d, uint16_t number, uint32_t uid)
{
	d->uid[number] = uid;
	*find_place(d, uid) = number;
	d->last = MAX(d->last, (uint32_t)number);
}

static int adopt_user(void *arg, uint64_t number, uint64_t uid)
{
	struct domains *d = arg;

	if (!number || number >= NUMBERS || uid > UINT32_MAX || *find_place(d, (uint32_t)uid))
		return -EUCLEAN;
	add_user(d, (uint16_t)number, (uint32_t)uid);
	return 0;
}

static int for_user(struct domains *d, uint32_t uid, uint16_t *ret)
{
	uint16_t number = *find_place(d, uid);
	int r;

	if (!number && d->last + 1 < NUMBERS) {
		number = (uint16_t)(d->last + 1);
		r = names_domain_add(d->names, number, uid);
		if (r < 0)
			return r;
		add_user(d, number, uid);
	}
	*ret = number ? number : DOMAIN_ALONE;
	return 0;
}

/* --- directories ------------------------------------------------------------------------------- */

static uint16_t draw(struct domains *d)
{
	for (uint32_t n = 1; n < NUMBERS; n++) {
		uint32_t number = (d->last + n - 1) % (NUMBERS - 1) + 1;

		if (!d->inodes[number]) {
			d->last = number;
			return (uint16_t)number;
		}
	}
	return DOMAIN_ALONE;
}

bool domains_is_own(const struct domains *d, const struct inode_attr *attr)
{
	return d->by == DOMAINS_DIR && S_ISDIR(attr->mode) && attr->parent == ROOT_INO;
}

bool domains_part(const struct domains *d)
{
	return d->by == DOMAINS_DIR;
}

/* --- all ---------------------------------------------------------------------------------------- */

int domains_for(struct domains *d, const struct inode *dir, const struct inode_attr *attr, uint16_t *ret)
{
	if (d->by == DOMAINS_UID)
		return for_user(d, attr->uid, ret);
	*ret = domains_is_own(d, attr) ? draw(d) : dir->record->domain;
	return 0;
}

void domains_enter(struct domains *d, uint16_t domain)
{
	if (d->inodes)
		atomic_fetch_add(&d->inodes[domain], 1);
}

void domains_leave(struct domains *d, uint16_t domain)
{
	if (d->inodes)
		atomic_fetch_sub(&d->inodes[domain], 1);
}

uint32_t domains_inodes(const struct domains *d, uint16_t domain, uint32_t unknown)
{
	return d->inodes ? d->inodes[domain] : unknown;
}

static int open_users(struct domains *d)
{
	d->uid = mem_alloc(NUMBERS, sizeof(*d->uid));
	d->place = mem_alloc(PLACES, sizeof(*d->place));
	return d->uid && d->place ? names_domain_walk(d->names, adopt_user, d) : -ENOMEM;
}

int domains_new(enum domains_by by, struct names *n, struct domains **ret)
{
	struct domains *d = mem_alloc(1, sizeof(*d));
	int r = 0;

	if (!d)
		return -ENOMEM;
	d->by = by;
	d->names = n;
	if (by == DOMAINS_UID)
		r = open_users(d);
	if (by == DOMAINS_DIR) {
		d->inodes = mem_alloc(UINT16_MAX + 1, sizeof(*d->inodes));
		r = d->inodes ? 0 : -ENOMEM;
	}
	if (r < 0) {
		domains_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void domains_free(struct domains *d)
{
	if (!d)
		return;
	mem_free(d->uid);
	mem_free(d->place);
	mem_free(d->inodes);
	mem_free(d);
}
