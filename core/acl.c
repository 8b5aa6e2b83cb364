/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/acl.c - a header of four bytes, then entries of eight, little-endian, in the order
 *
 *   user_obj  user...  group_obj  group...  mask  other
 *
 * where the mask is there if any user or group is, and may be there without.  Three entries are the mode's: user_obj,
 * other, and the mask or, without one, group_obj.
 */
#include "acl.h"

#include <endian.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

enum { ALL = ACL_READ | ACL_WRITE | ACL_EXECUTE };

/* As in linux/posix_acl_xattr.h, at any address: a request of the kernel's may have them anywhere. */
struct header {
	uint32_t version;
} __attribute__((packed));

struct entry {
	uint16_t tag, perm;
	uint32_t id;
} __attribute__((packed));

struct acl {
	struct entry *owner, *group, *other; /* the mode's */
	bool more;                                           /* has entries that no mode has */
};

static unsigned tag_of(const struct entry *e)
{
	return le16toh(e->tag);
}

static mode_t perm_of(const struct entry *e)
{
	return le16toh(e->perm);
}

static void set_perm(struct entry *e, mode_t perm)
{
	e->perm = htole16((uint16_t)perm);
}

/* A user or a group: the one number that stands for nobody is refused, as by the kernel. */
static bool is_named(const struct entry *e, unsigned tag)
{
	return tag_of(e) == tag && le32toh(e->id) != (uint32_t)ACL_UNDEFINED_ID;
}

static int parse_entries(struct entry *e, struct entry *end, struct acl *ret)
{
	for (struct entry *any = e; any < end; any++)
		if (perm_of(any) & ~(mode_t)ALL)
			return -EINVAL;
	if (e == end || tag_of(e) != ACL_USER_OBJ)
		return -EINVAL;
	ret->owner = e++;
	for (; e < end && is_named(e, ACL_USER); e++)
		ret->more = true;
	if (e == end || tag_of(e) != ACL_GROUP_OBJ)
		return -EINVAL;
	ret->group = e++;
	for (; e < end && is_named(e, ACL_GROUP); e++)
		ret->more = true;
	if (e < end && tag_of(e) == ACL_MASK) {
		ret->group = e++;
		ret->more = true;
	} else if (ret->more) {
		return -EINVAL;
	}
	if (e == end || tag_of(e) != ACL_OTHER)
		return -EINVAL;
	ret->other = e++;
	return e == end ? 0 : -EINVAL;
}

static int parse(void *acl, size_t len, struct acl *ret)
{
	struct header *head = acl;
	struct entry *first = (void *)(head + 1);

	*ret = (struct acl){0};
	if (len < sizeof(*head) || (len - sizeof(*head)) % sizeof(*first) ||
	    le32toh(head->version) != POSIX_ACL_XATTR_VERSION)
		return -EINVAL;
	return parse_entries(first, first + (len - sizeof(*head)) / sizeof(*first), ret);
}

static mode_t with_permissions(mode_t mode, const struct acl *a)
{
	return (mode & ~(mode_t)0777) | perm_of(a->owner) << 6 | perm_of(a->group) << 3 | perm_of(a->other);
}

int acl_to_mode(const void *acl, size_t len, mode_t *mode)
{
	struct acl a;
	int r = parse((void *)acl, len, &a);

	if (r < 0)
		return r;
	*mode = with_permissions(*mode, &a);
	return a.more ? ACL_IS_MORE : ACL_IS_MODE;
}

int acl_chmod(void *acl, size_t len, mode_t mode)
{
	struct acl a;
	int r = parse(acl, len, &a);

	if (r < 0)
		return r;
	set_perm(a.owner, mode >> 6 & ALL);
	set_perm(a.group, mode >> 3 & ALL);
	set_perm(a.other, mode & ALL);
	return 0;
}

int acl_create(void *acl, size_t len, mode_t *mode)
{
	struct acl a;
	int r = parse(acl, len, &a);

	if (r < 0)
		return r;
	set_perm(a.owner, perm_of(a.owner) & *mode >> 6);
	set_perm(a.group, perm_of(a.group) & *mode >> 3);
	set_perm(a.other, perm_of(a.other) & *mode);
	*mode = with_permissions(*mode, &a);
	return a.more ? ACL_IS_MORE : ACL_IS_MODE;
}
