/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_xattr.c: extended attributes and access control lists of inodes. */
#include <stdio.h>
#include <stdlib.h>

#include "core/failpoint.h"
#include "core/volume_xattr.h"
#include "tests/unit/fixture.h"

enum { ABSENT = -1 };

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

static int put(struct fixture *f, uint64_t ino, const char *name, const char *value, unsigned flags)
{
	return volume_setxattr(f->v, ino, name_of(name), name_of(value), flags);
}

/* Its length, or ABSENT. */
static int length(struct fixture *f, uint64_t ino, const char *name)
{
	size_t len = 0;
	int r = volume_getxattr(f->v, ino, name_of(name), NULL, 0, &len);

	if (r == -ENODATA)
		return ABSENT;
	assert_int_equal(r, 0);
	return (int)len;
}

static mode_t mode_of(struct fixture *f, uint64_t ino)
{
	struct stat st;

	assert_int_equal(volume_getattr(f->v, ino, &st), 0);
	return st.st_mode;
}

static int chmod_(struct fixture *f, uint64_t ino, mode_t mode)
{
	struct stat st = {.st_mode = mode};

	return volume_setattr(f->v, ino, &st, VOLUME_SET_MODE, &st);
}

static uint64_t inodes_left(struct fixture *f)
{
	struct statvfs st;

	assert_int_equal(volume_statfs(f->v, ROOT_INO, &st), 0);
	return st.f_ffree;
}

/* owner, a user of number 5, group, mask, other. */
struct acl_text {
	char bytes[44];
};

static struct name acl_of(struct acl_text *t, unsigned owner, unsigned user, unsigned group, unsigned mask,
			  unsigned other)
{
	const unsigned char tag[] = {0x01, 0x02, 0x04, 0x10, 0x20};
	const unsigned perm[] = {owner, user, group, mask, other};

	memset(t->bytes, 0, sizeof(t->bytes));
	t->bytes[0] = 2;
	for (unsigned k = 0; k < 5; k++) {
		t->bytes[4 + k * 8] = (char)tag[k];
		t->bytes[4 + k * 8 + 2] = (char)perm[k];
		t->bytes[4 + k * 8 + 4] = 5;
	}
	return (struct name){t->bytes, sizeof(t->bytes)};
}

/* The three that every mode has. */
static struct name plain_acl(struct acl_text *t, unsigned owner, unsigned group, unsigned other)
{
	struct name acl = acl_of(t, owner, 0, group, 0, other);

	memmove(t->bytes + 12, t->bytes + 20, 8);
	memmove(t->bytes + 20, t->bytes + 36, 8);
	acl.len = 28;
	return acl;
}

static void assert_acl(struct fixture *f, uint64_t ino, const char *name, struct name expected)
{
	char is[ACL_BYTES_MAX];
	size_t len = 0;

	assert_int_equal(volume_getxattr(f->v, ino, name_of(name), is, sizeof(is), &len), 0);
	assert_int_equal(len, expected.len);
	assert_memory_equal(is, expected.bytes, len);
}

static void attributes__are_set_read_listed_and_removed(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	char buf[64];
	size_t len;

	assert_int_equal(length(f, ino, "user.x"), ABSENT);
	assert_int_equal(volume_listxattr(f->v, ino, true, NULL, 0, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(put(f, ino, "user.x", "value", 0), 0);
	assert_int_equal(put(f, ino, "trusted.y", "", 0), 0);
	assert_int_equal(put(f, ino, "security.z", "1", 0), 0);
	assert_int_equal(volume_getxattr(f->v, ino, name_of("user.x"), buf, 5, &len), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(buf, "value", 5);
	assert_int_equal(volume_getxattr(f->v, ino, name_of("user.x"), buf, 4, &len), -ERANGE);
	assert_int_equal(length(f, ino, "trusted.y"), 0);
	assert_int_equal(volume_listxattr(f->v, ino, true, buf, sizeof(buf), &len), 0);
	assert_int_equal(len, 28);
	assert_memory_equal(buf, "user.x\0trusted.y\0security.z", 28);
	assert_int_equal(volume_listxattr(f->v, ino, false, buf, sizeof(buf), &len), 0);
	assert_int_equal(len, 18);
	assert_memory_equal(buf, "user.x\0security.z", 18);
	assert_int_equal(put(f, ino, "user.x", "1", VOLUME_XATTR_CREATE), -EEXIST);
	assert_int_equal(put(f, ino, "user.n", "1", VOLUME_XATTR_REPLACE), -ENODATA);
	assert_int_equal(put(f, ino, "user.x", "1", VOLUME_XATTR_REPLACE), 0);
	assert_int_equal(volume_removexattr(f->v, ino, name_of("user.x")), 0);
	assert_int_equal(volume_removexattr(f->v, ino, name_of("user.x")), -ENODATA);
	assert_int_equal(volume_removexattr(f->v, ROOT_INO, name_of("user.x")), -ENODATA);
	assert_int_equal(volume_getxattr(f->v, 999, name_of("user.x"), buf, 4, &len), -ESTALE);
	assert_int_equal(put(f, 999, "user.x", "1", 0), -ESTALE);
}

static void names__of_other_namespaces_are_refused(void **state)
{
	static const struct {
		const char *name;
		int r;
	} bad[] = {
		{"user", -EOPNOTSUPP},	   {"other.x", -EOPNOTSUPP},
		{"system.x", -EOPNOTSUPP}, {ACCESS "x", -EOPNOTSUPP},
		{"", -EOPNOTSUPP},	   {"user.", -EINVAL},
		{"trusted.", -EINVAL},	   {"security.", -EINVAL},
	};
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	size_t len;

	for (unsigned k = 0; k < ARRAY_SIZE(bad); k++) {
		assert_int_equal(put(f, ino, bad[k].name, "1", 0), bad[k].r);
		assert_int_equal(volume_getxattr(f->v, ino, name_of(bad[k].name), NULL, 0, &len), bad[k].r);
		assert_int_equal(volume_removexattr(f->v, ino, name_of(bad[k].name)), bad[k].r);
	}
}

/* The kernel asks every inode for one before its first write. */
static void get__of_an_inode_without_any_asks_no_database(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	size_t len;

	failpoint_arm(FAIL_SQL, 1);
	assert_int_equal(length(f, ino, "security.capability"), ABSENT);
	assert_int_equal(volume_listxattr(f->v, ino, true, NULL, 0, &len), 0);
	assert_int_equal(volume_removexattr(f->v, ino, name_of("user.x")), -ENODATA);
	assert_int_equal(chmod_(f, ino, 0600), 0);
	assert_int_equal(failpoint_armed(FAIL_SQL), 1);
	failpoint_arm(FAIL_SQL, 0);
}

static void ctime__moves_with_every_change_and_no_refusal(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct stat st = {.st_ctim = {1, 0}}, is;

	for (unsigned step = 0; step < 4; step++) {
		assert_int_equal(volume_setattr(f->v, ino, &st, VOLUME_SET_CTIME, &is), 0);
		assert_int_equal(is.st_ctim.tv_sec, 1);
		if (step == 0)
			assert_int_equal(put(f, ino, "user.x", "1", 0), 0);
		if (step == 1)
			assert_int_equal(put(f, ino, "user.x", "1", VOLUME_XATTR_CREATE), -EEXIST);
		if (step == 2)
			assert_int_equal(volume_removexattr(f->v, ino, name_of("user.x")), 0);
		if (step == 3)
			assert_int_equal(volume_removexattr(f->v, ino, name_of("user.x")), -ENODATA);
		assert_int_equal(volume_getattr(f->v, ino, &is), 0);
		assert_int_equal(is.st_ctim.tv_sec > 1, step % 2 == 0);
	}
}

static void unlinked__they_stay_as_long_as_it_is_open(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), left = inodes_left(f), next;

	assert_int_equal(volume_file_open(f->v, ino, 0), 0);
	assert_int_equal(put(f, ino, "user.x", "1", 0), 0);
	assert_int_equal(inodes_left(f), left - 1);
	drop_file(f, "file", ino);
	assert_int_equal(length(f, ino, "user.x"), 1);
	assert_int_equal(put(f, ino, "user.y", "22", 0), 0);
	assert_int_equal(length(f, ino, "user.y"), 2);
	fixture_check(f);
	volume_file_release(f->v, ino, 0);
	assert_null(inode_of(f->v, ino));
	assert_int_equal(inodes_left(f), left + 1);
	assert_int_equal(itable_space(f->v->pool.itable), 0);
	/* Its record's next owner has none of them. */
	next = make_file(f, "next");
	assert_int_equal((uint32_t)next, (uint32_t)ino);
	assert_int_equal(length(f, next, "user.x"), ABSENT);
}

static void space__is_charged_as_on_tmpfs_and_refused_when_there_is_none(void **state)
{
	static char value[XATTR_VALUE_BYTES_MAX];
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), left = inodes_left(f);
	struct name v = {value, 1024 - 40 - 6}, large = {value, sizeof(value)};
	struct volume_entry e;
	const struct volume_new new = {.mode = S_IFREG | 0644, .open_flags = -1};
	char name[32];
	int r = 0;

	assert_int_equal(volume_setxattr(f->v, ino, name_of("user.x"), v, 0), 0);
	assert_int_equal(inodes_left(f), left - 1);
	v.len++;
	assert_int_equal(volume_setxattr(f->v, ino, name_of("user.x"), v, 0), 0);
	assert_int_equal(inodes_left(f), left - 2);
	v.len = 0;
	assert_int_equal(volume_setxattr(f->v, ino, name_of("user.x"), v, 0), 0);
	assert_int_equal(inodes_left(f), left - 1);
	for (unsigned n = 0; !r; n++) {
		(void)snprintf(name, sizeof(name), "user.%u", n);
		r = volume_setxattr(f->v, ino, name_of(name), large, 0);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(length(f, ino, name), ABSENT);
	left = inodes_left(f);
	assert_in_range(left, 1, 66);
	while (left--) {
		(void)snprintf(name, sizeof(name), "f%u", (unsigned)left);
		(void)make_file(f, name);
	}
	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("more"), &new, &e), -ENOSPC);
	assert_int_equal(inodes_left(f), 0);
	/* What is there can be replaced by what is not larger only where there is room for both, as on tmpfs. */
	assert_int_equal(volume_setxattr(f->v, ino, name_of("user.0"), large, 0), -ENOSPC);
	assert_int_equal(length(f, ino, "user.0"), XATTR_VALUE_BYTES_MAX);
	assert_int_equal(volume_removexattr(f->v, ino, name_of("user.0")), 0);
	assert_int_equal(inodes_left(f), 64);
	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("more"), &new, &e), 0);
}

/* --- access control lists --------------------------------------------------------------------- */

static void acl__sets_the_mode_and_chmod_its_mask(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make(f, ROOT_INO, "file", S_IFREG | 06640);
	struct acl_text t;

	assert_int_equal(volume_setxattr(f->v, ino, name_of(ACCESS), acl_of(&t, 7, 6, 4, 5, 1), 0), 0);
	assert_int_equal(mode_of(f, ino), S_IFREG | 06751);
	assert_acl(f, ino, ACCESS, acl_of(&t, 7, 6, 4, 5, 1));
	assert_int_equal(chmod_(f, ino, 0624), 0);
	assert_int_equal(mode_of(f, ino), S_IFREG | 0624);
	assert_acl(f, ino, ACCESS, acl_of(&t, 6, 6, 4, 2, 4));
	/* Removed, once or twice, the mode stays; there is nothing left to change then. */
	assert_int_equal(volume_removexattr(f->v, ino, name_of(ACCESS)), 0);
	assert_int_equal(volume_removexattr(f->v, ino, name_of(ACCESS)), 0);
	assert_int_equal(mode_of(f, ino), S_IFREG | 0624);
	assert_int_equal(chmod_(f, ino, 0777), 0);
	assert_int_equal(length(f, ino, ACCESS), ABSENT);
}

static void acl__that_is_no_more_than_a_mode_is_not_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make(f, ROOT_INO, "dir", S_IFDIR | 01700);
	struct acl_text t;

	assert_int_equal(volume_setxattr(f->v, ino, name_of(ACCESS), plain_acl(&t, 6, 5, 4), 0), 0);
	assert_int_equal(mode_of(f, ino), S_IFDIR | 01654);
	assert_int_equal(length(f, ino, ACCESS), ABSENT);
	assert_int_equal(volume_setxattr(f->v, ino, name_of(ACCESS), acl_of(&t, 7, 7, 7, 7, 7), 0), 0);
	assert_int_equal(length(f, ino, ACCESS), 44);
	assert_int_equal(volume_setxattr(f->v, ino, name_of(ACCESS), plain_acl(&t, 6, 0, 0), 0), 0);
	assert_int_equal(mode_of(f, ino), S_IFDIR | 01600);
	assert_int_equal(length(f, ino, ACCESS), ABSENT);
	assert_int_equal(itable_space(f->v->pool.itable), 0);
	/* A default one says nothing of the mode, and is kept. */
	assert_int_equal(volume_setxattr(f->v, ino, name_of(DEFAULT), plain_acl(&t, 7, 7, 7), 0), 0);
	assert_int_equal(mode_of(f, ino), S_IFDIR | 01600);
	assert_acl(f, ino, DEFAULT, plain_acl(&t, 7, 7, 7));
}

static void acl__clears_sgid_where_the_caller_may_not_have_it(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make(f, ROOT_INO, "file", S_IFREG | 06775);
	struct acl_text t;

	assert_int_equal(volume_setxattr(f->v, ino, name_of(ACCESS), plain_acl(&t, 7, 7, 7), 0), 0);
	assert_int_equal(mode_of(f, ino), S_IFREG | 06777);
	assert_int_equal(volume_setxattr(f->v, ino, name_of("user.x"), plain_acl(&t, 7, 7, 7), VOLUME_XATTR_KILL_SGID),
			 0);
	assert_int_equal(mode_of(f, ino), S_IFREG | 06777);
	assert_int_equal(volume_setxattr(f->v, ino, name_of(ACCESS), acl_of(&t, 7, 7, 7, 7, 7),
					 VOLUME_XATTR_KILL_SGID), 0);
	assert_int_equal(mode_of(f, ino), S_IFREG | 04777);
}

static void acl__where_there_can_be_none_is_refused(void **state)
{
	static char large[ACL_BYTES_MAX + 4];
	const struct name target = name_of("x");
	const struct volume_new symlink = {.mode = S_IFLNK | 0777, .umask = 077, .target = &target, .open_flags = -1};
	struct fixture *f = *state;
	uint64_t file = make_file(f, "file"), dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	struct volume_entry e;
	struct acl_text t;

	assert_int_equal(volume_create(f->v, ROOT_INO, name_of("link"), &symlink, &e), 0);
	assert_int_equal(e.attr.st_mode, S_IFLNK | 0777);
	for (unsigned k = 0; k < 2; k++) {
		const struct name name = name_of(k ? DEFAULT : ACCESS);

		assert_int_equal(volume_setxattr(f->v, e.ino, name, plain_acl(&t, 7, 7, 7), 0), -EOPNOTSUPP);
		assert_int_equal(volume_setxattr(f->v, dir, name, name_of("junk"), 0), -EINVAL);
		assert_int_equal(volume_setxattr(f->v, dir, name, name_of(""), 0), -EINVAL);
		assert_int_equal(volume_setxattr(f->v, dir, name, (struct name){large, sizeof(large)}, 0), -E2BIG);
	}
	assert_int_equal(volume_setxattr(f->v, file, name_of(DEFAULT), plain_acl(&t, 7, 7, 7), 0), -EACCES);
	assert_int_equal(mode_of(f, dir), S_IFDIR | 0755);
}

static void create__goes_by_the_umask_or_the_default_list(void **state)
{
	struct volume_new new = {.mode = S_IFREG | 0666, .umask = 027, .open_flags = -1};
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0777), sub;
	struct volume_entry e;
	struct acl_text t;

	assert_int_equal(volume_create(f->v, dir, name_of("plain"), &new, &e), 0);
	assert_int_equal(e.attr.st_mode, S_IFREG | 0640);
	assert_int_equal(volume_setxattr(f->v, dir, name_of(DEFAULT), acl_of(&t, 7, 7, 5, 7, 1), 0), 0);
	assert_int_equal(volume_create(f->v, dir, name_of("file"), &new, &e), 0);
	assert_int_equal(e.attr.st_mode, S_IFREG | 0660);
	assert_acl(f, e.ino, ACCESS, acl_of(&t, 6, 7, 5, 6, 0));
	assert_int_equal(length(f, e.ino, DEFAULT), ABSENT);
	new.mode = S_IFDIR | 02777;
	assert_int_equal(volume_create(f->v, dir, name_of("sub"), &new, &e), 0);
	sub = e.ino;
	assert_int_equal(e.attr.st_mode, S_IFDIR | 02771);
	assert_acl(f, sub, ACCESS, acl_of(&t, 7, 7, 5, 7, 1));
	assert_acl(f, sub, DEFAULT, acl_of(&t, 7, 7, 5, 7, 1));
	/* A default list that is no more than a mode gives no list to files. */
	assert_int_equal(volume_setxattr(f->v, sub, name_of(DEFAULT), plain_acl(&t, 7, 5, 0), 0), 0);
	new.mode = S_IFIFO | 0666;
	assert_int_equal(volume_create(f->v, sub, name_of("fifo"), &new, &e), 0);
	assert_int_equal(e.attr.st_mode, S_IFIFO | 0640);
	assert_int_equal(length(f, e.ino, ACCESS), ABSENT);
	assert_int_equal(length(f, e.ino, DEFAULT), ABSENT);
}

/* --- databases that take no more -------------------------------------------------------------- */

static void bury__that_fails_is_done_later(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), left = inodes_left(f);
	struct inode *i = inode_of(f->v, ino);

	assert_int_equal(put(f, ino, "user.x", "1", 0), 0);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	failpoint_arm(FAIL_SQL, 1);
	volume_forget(f->v, ino, 1);
	assert_int_equal(failpoint_armed(FAIL_SQL), 0);
	assert_null(inode_of(f->v, ino));
	assert_int_equal(i->record->used, INODE_DYING);
	assert_int_equal(inodes_left(f), left - 1);
	fixture_check(f);
	failpoint_arm(FAIL_SQL, 1);
	volume_bury_rest(f->v);
	assert_int_equal(f->v->unburied, 1);
	fixture_check(f);
	volume_bury_rest(f->v);
	assert_int_equal(f->v->unburied, 0);
	assert_int_equal(i->record->used, INODE_FREE);
	assert_int_equal(inodes_left(f), left + 1);
	volume_bury_rest(f->v);
}

/* What a test sees of a file and its directory. */
struct seen {
	mode_t mode, sub_mode;
	int access, plain, of_dir, of_sub;
	uint64_t charged, inodes;
};

static struct seen look(struct fixture *f, uint64_t dir, uint64_t file)
{
	struct volume_entry sub = {0};
	int r = volume_lookup(f->v, dir, name_of("sub"), &sub);
	struct seen s = {
		.mode = mode_of(f, file),
		.access = length(f, file, ACCESS),
		.plain = length(f, file, "user.x"),
		.of_dir = length(f, dir, DEFAULT),
		.of_sub = r ? ABSENT : length(f, sub.ino, DEFAULT),
		.sub_mode = sub.attr.st_mode,
		.charged = itable_space(f->v->pool.itable),
		.inodes = itable_used(f->v->pool.itable),
	};

	if (!r)
		volume_forget(f->v, sub.ino, 1);
	return s;
}

enum change { SET, REPLACE, REMOVE, SET_ACL, SET_PLAIN_ACL, CHMOD, MKDIR, CHANGES };

static int change(struct fixture *f, enum change what, uint64_t dir, uint64_t file)
{
	const struct volume_new new = {.mode = S_IFDIR | 0777, .umask = 022, .open_flags = -1};
	struct volume_entry e;
	struct acl_text t;
	int r;

	switch (what) {
	case SET:
		return put(f, file, "user.y", "new", 0);
	case REPLACE:
		return put(f, file, "user.x", "longer than before", 0);
	case REMOVE:
		return volume_removexattr(f->v, file, name_of("user.x"));
	case SET_ACL:
		return volume_setxattr(f->v, file, name_of(ACCESS), acl_of(&t, 1, 2, 3, 4, 5), VOLUME_XATTR_KILL_SGID);
	case SET_PLAIN_ACL:
		return volume_setxattr(f->v, file, name_of(ACCESS), plain_acl(&t, 1, 2, 3), VOLUME_XATTR_KILL_SGID);
	case CHMOD:
		return chmod_(f, file, 0421);
	default:
		r = volume_create(f->v, dir, name_of("sub"), &new, &e);
		if (!r)
			volume_forget(f->v, e.ino, 1);
		return r;
	}
}

static void any_change__that_fails_has_changed_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	struct acl_text t;
	char name[32];

	assert_int_equal(volume_setxattr(f->v, dir, name_of(DEFAULT), acl_of(&t, 7, 7, 5, 7, 1), 0), 0);
	for (enum change what = SET; what < CHANGES; what++) {
		struct seen before, after;
		unsigned nth = 0;
		uint64_t file;
		int r;

		(void)snprintf(name, sizeof(name), "file%d", (int)what);
		file = make(f, ROOT_INO, name, S_IFREG | 02750);
		assert_int_equal(put(f, file, "user.x", "1", 0), 0);
		assert_int_equal(volume_setxattr(f->v, file, name_of(ACCESS), acl_of(&t, 7, 6, 5, 4, 3), 0), 0);
		before = look(f, dir, file);
		do {
			failpoint_arm(FAIL_SQL, ++nth);
			r = change(f, what, dir, file);
			failpoint_arm(FAIL_SQL, 0);
			volume_bury_rest(f->v); /* a directory that got its lists and no name */
			fixture_check(f);
			after = look(f, dir, file);
			assert_int_equal(r < 0, memcmp(&before, &after, sizeof(before)) == 0);
		} while (r < 0);
		assert_true(nth > 1);
	}
}

static void any_change__that_finds_no_room_has_changed_nothing(void **state)
{
	static char value[XATTR_VALUE_BYTES_MAX];
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), file = make_file(f, "file"), left;
	struct seen before, after;
	struct acl_text t;
	char name[32];
	int r = 0;

	assert_int_equal(volume_setxattr(f->v, dir, name_of(DEFAULT), acl_of(&t, 7, 7, 5, 7, 1), 0), 0);
	assert_int_equal(put(f, file, "user.x", "1", 0), 0);
	assert_int_equal(volume_setxattr(f->v, file, name_of(ACCESS), acl_of(&t, 7, 6, 5, 4, 3), 0), 0);
	for (unsigned n = 0; !r; n++) {
		(void)snprintf(name, sizeof(name), "user.%u", n);
		r = volume_setxattr(f->v, ROOT_INO, name_of(name), (struct name){value, sizeof(value)}, 0);
	}
	left = (f->config.nr_inodes - itable_used(f->v->pool.itable)) * INODE_SPACE -
	       itable_space(f->v->pool.itable);
	/* Room for one inode, and for one of the two lists that it is to have. */
	assert_int_equal(volume_setxattr(f->v, ROOT_INO, name_of("user.last"),
					 (struct name){value, left - 49 - INODE_SPACE - 120}, 0), 0);
	before = look(f, dir, file);
	assert_int_equal(change(f, MKDIR, dir, file), -ENOSPC);
	after = look(f, dir, file);
	assert_memory_equal(&before, &after, sizeof(before));
	r = 0;
	for (unsigned n = 0; !r; n++) {
		(void)snprintf(name, sizeof(name), "user.small%u", n);
		r = put(f, ROOT_INO, name, "", 0);
	}
	assert_int_equal(r, -ENOSPC);
	before = look(f, dir, file);
	assert_int_equal(change(f, SET_ACL, dir, file), -ENOSPC);
	after = look(f, dir, file);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(change(f, CHMOD, dir, file), 0); /* takes nothing */
	assert_int_equal(mode_of(f, file), S_IFREG | 0421);
}

static void reopen__they_are_as_before(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), file = make(f, dir, "file", S_IFREG | 0640);
	struct seen before, after;
	struct acl_text t;

	assert_int_equal(put(f, file, "user.x", "1", 0), 0);
	assert_int_equal(volume_setxattr(f->v, dir, name_of(DEFAULT), acl_of(&t, 7, 7, 5, 7, 1), 0), 0);
	assert_int_equal(volume_setxattr(f->v, file, name_of(ACCESS), acl_of(&t, 6, 7, 5, 4, 1), 0), 0);
	before = look(f, dir, file);
	fixture_reopen(f);
	fixture_check(f);
	after = look(f, dir, file);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_acl(f, file, ACCESS, acl_of(&t, 6, 7, 5, 4, 1));
}

/* Between list and mode: it was to be set, or to be removed. */
static void reopen__a_list_half_set_is_set_and_one_half_removed_is_there(void **state)
{
	struct fixture *f = *state;
	uint64_t set_half = make_file(f, "set"), removed_half = make_file(f, "removed"), freed;
	struct acl_text t;

	atomic_fetch_or(&inode_of(f->v, set_half)->record->flags, INODE_XATTRS);
	assert_int_equal(names_xattr_set(f->v->names, set_half, name_of(ACCESS), acl_of(&t, 6, 6, 6, 6, 0),
					 &freed), 0);
	assert_int_equal(volume_setxattr(f->v, removed_half, name_of(ACCESS), acl_of(&t, 7, 7, 7, 7, 1), 0), 0);
	inode_attr_begin(inode_of(f->v, removed_half))->mode = S_IFREG | 0600;
	inode_attr_end(inode_of(f->v, removed_half));
	fixture_reopen(f);
	fixture_check(f);
	assert_int_equal(mode_of(f, set_half), S_IFREG | 0660);
	assert_int_equal(mode_of(f, removed_half), S_IFREG | 0771);
}

static void bury__that_failed_is_done_by_who_takes_over(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), left = inodes_left(f);

	assert_int_equal(put(f, ino, "user.x", "1", 0), 0);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	failpoint_arm(FAIL_SQL, 1);
	volume_forget(f->v, ino, 1);
	fixture_reopen(f);
	assert_int_equal(inodes_left(f), left + 1);
	assert_int_equal(itable_space(f->v->pool.itable), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(attributes__are_set_read_listed_and_removed),
		FIXTURE_TEST(names__of_other_namespaces_are_refused),
		FIXTURE_TEST(get__of_an_inode_without_any_asks_no_database),
		FIXTURE_TEST(ctime__moves_with_every_change_and_no_refusal),
		FIXTURE_TEST(unlinked__they_stay_as_long_as_it_is_open),
		FIXTURE_TEST(space__is_charged_as_on_tmpfs_and_refused_when_there_is_none),
		FIXTURE_TEST(acl__sets_the_mode_and_chmod_its_mask),
		FIXTURE_TEST(acl__that_is_no_more_than_a_mode_is_not_kept),
		FIXTURE_TEST(acl__clears_sgid_where_the_caller_may_not_have_it),
		FIXTURE_TEST(acl__where_there_can_be_none_is_refused),
		FIXTURE_TEST(create__goes_by_the_umask_or_the_default_list),
		FIXTURE_TEST(bury__that_fails_is_done_later),
		FIXTURE_TEST(any_change__that_fails_has_changed_nothing),
		FIXTURE_TEST(any_change__that_finds_no_room_has_changed_nothing),
		FIXTURE_TEST(reopen__they_are_as_before),
		FIXTURE_TEST(reopen__a_list_half_set_is_set_and_one_half_removed_is_there),
		FIXTURE_TEST(bury__that_failed_is_done_by_who_takes_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
