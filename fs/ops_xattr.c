/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_xattr.c - extended attributes: two of our own, which are the door's advice and figures as text, and all that
 * people keep.
 *
 * The kernel asks for "security.capability" before the first write to an inode, and cannot be told but
 * by ENOSYS, which would end all extended attributes, that it need not: so core answers for an inode that has none
 * without looking anything up.
 */
#include "fs/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include <linux/fuse.h>
#include <linux/limits.h>

#include <ksmfs/xattr.h>

#include "fs/aside.h"
#include "fs/caller.h"
#include "fs/control.h"
#include "fs/reply.h"
#include "fs/transport.h"

enum { STAT_BYTES = 512 };

enum which {
	KEPT,
	MERGEABLE,
	STAT,
	NONE, /* of a control file, or a name below ours that means nothing */
};

static const char *const words[] = {
	[VOLUME_UNMERGEABLE] = "0",
	[VOLUME_MERGEABLE] = "1",
	[VOLUME_KEEP] = "keep",
};

static enum which which_of(fuse_ino_t ino, const char *name)
{
	static const char ours[] = "user.ksmfs.";

	if (control_owns(ino))
		return NONE;
	if (strcmp(name, KSMFS_XATTR_MERGEABLE) == 0)
		return MERGEABLE;
	if (strcmp(name, KSMFS_XATTR_STAT) == 0)
		return STAT;
	return strncmp(name, ours, sizeof(ours) - 1) == 0 ? NONE : KEPT;
}

static struct name name_of(const char *text)
{
	return (struct name){.bytes = text, .len = strlen(text)};
}

/* 0 for a file or a directory, whose type is told. */
static int find_type(struct fs *fs, fuse_ino_t ino, mode_t *ret_type)
{
	*ret_type = volume_type(fs->volume, ino);
	if (!*ret_type)
		return -ESTALE;
	return S_ISREG(*ret_type) || S_ISDIR(*ret_type) ? 0 : -EOPNOTSUPP;
}

/* --- what takes long ----------------------------------------------------------------------------- */

struct job {
	struct aside aside;
	fuse_req_t req;
	fuse_ino_t ino;
	mode_t type;
	size_t size;
	enum volume_advice advice;
};

static void run_aside(const struct job *what, void (*run)(struct aside *a))
{
	struct job *job = malloc(sizeof(*job));

	if (!job) {
		reply_result(what->req, -ENOMEM);
		return;
	}
	*job = *what;
	job->aside.run = run;
	aside_run(&job->aside);
}

/* --- reading ------------------------------------------------------------------------------------- */

/* "keep" with its newline is the longest that can mean something. */
static bool parse_advice(const char *value, size_t len, enum volume_advice *ret)
{
	if (len > 0 && value[len - 1] == '\n')
		len--;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (strlen(words[i]) == len && memcmp(words[i], value, len) == 0) {
			*ret = (enum volume_advice)i;
			return true;
		}
	}
	return false;
}

/* Size 0 asks how much room is needed. */
static void reply_value(fuse_req_t req, size_t size, const char *value, size_t len)
{
	if (size == 0)
		reply_length(req, len);
	else if (len > size)
		reply_result(req, -ERANGE);
	else
		reply_bytes(req, value, len);
}

static void get_mergeable(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	enum volume_advice advice;
	int r;

	r = volume_advice(fs_of(req)->volume, ino, &advice);
	if (r < 0)
		reply_result(req, r);
	else
		reply_value(req, size, words[advice], strlen(words[advice]));
}

static size_t print_stat(const struct volume_pages *p, char buf[static STAT_BYTES])
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"slots", p->slots},
		{"merged", p->merged},
		{"unshared", p->unshared},
		{"zero", p->zero},
		{"volatile", p->changing},
		{"untracked", p->untracked},
		{"left_out", p->left_out},
		{"saved_bytes", p->saved_bytes},
		{"proportional_bytes", p->proportional_bytes},
	};
	size_t len = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		len += (size_t)snprintf(buf + len, STAT_BYTES - len, "%s %" PRIu64 "\n", rows[i].name, rows[i].value);
	len += (size_t)snprintf(buf + len, STAT_BYTES - len, "profit_bytes %" PRId64 "\n", p->profit_bytes);
	ASSERT(len < STAT_BYTES);
	return len;
}

static void get_stat(struct aside *a)
{
	struct job *job = (struct job *)a;
	uint64_t len = S_ISDIR(job->type) ? UINT64_MAX : FILE_BYTES_MAX;
	struct interrupt interrupt = ops_interrupt(job->req);
	struct volume_pages pages;
	char buf[STAT_BYTES];
	int r;

	r = volume_pages(fs_of(job->req)->volume, job->ino, 0, len, &interrupt, &pages);
	if (r < 0)
		reply_result(job->req, r);
	else
		reply_value(job->req, job->size, buf, print_stat(&pages, buf));
	free(job);
}

/* What people keep. */
static void get_kept(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char *value = transport_scratch();
	size_t len = 0;
	int r;

	r = volume_getxattr(fs_of(req)->volume, ino, name_of(name), value, MIN(size, (size_t)XATTR_SIZE_MAX), &len);
	if (r < 0)
		reply_result(req, r);
	else
		reply_value(req, size, value, len);
}

/* The kernel asks everybody for an access control list, and takes no other error for none. */
static int check_get(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t *ret_type)
{
	static const char acls[] = "system.posix_acl_";
	enum which which = which_of(ino, name);

	if (which == NONE)
		return strncmp(name, acls, sizeof(acls) - 1) == 0 ? -ENODATA : -EOPNOTSUPP;
	return which == KEPT ? 0 : find_type(fs_of(req), ino, ret_type);
}

/* What lies below a directory need not be its owner's: with several tenants or domains its sums are for him and root,
 * as he could remove what is there. Whoever may read a single file sees what is in it. */
static int check_sums(fuse_req_t req, fuse_ino_t ino, mode_t type)
{
	return S_ISDIR(type) && volume_is_shared_out(fs_of(req)->volume) ? ops_check_owner(req, ino) : 0;
}

/* Below a large directory there is much to add up, and figures change: how much room is needed is answered without
 * looking, and what fits into that never fails with ERANGE. */
void ops_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	enum which which = which_of(ino, name);
	mode_t type = 0;
	int r;

	r = check_get(req, ino, name, &type);
	if (r == 0 && which == STAT)
		r = check_sums(req, ino, type);
	if (r < 0)
		reply_result(req, r);
	else if (which == KEPT)
		get_kept(req, ino, name, size);
	else if (which == MERGEABLE)
		get_mergeable(req, ino, size);
	else if (size == 0)
		reply_length(req, STAT_BYTES);
	else
		run_aside(&(struct job){.req = req, .ino = ino, .type = type, .size = size}, get_stat);
}

/* Of our own what a copy should take along: advice that somebody gave, and no figures. */
static int is_mergeable_listed(struct fs *fs, fuse_ino_t ino, bool *ret)
{
	enum volume_advice advice = fs->preset;
	mode_t type;
	int r;

	r = find_type(fs, ino, &type);
	if (r == 0)
		r = volume_advice(fs->volume, ino, &advice);
	*ret = r == 0 && advice != fs->preset;
	return r == -EOPNOTSUPP ? 0 : r;
}

/* Who asks matters only where there is something to hide: the kernel leaves that to the file system. */
static int list_kept(fuse_req_t req, fuse_ino_t ino, char *buf, size_t size, size_t *ret_len)
{
	struct volume *v = fs_of(req)->volume;
	size_t everybody;
	int r;

	r = volume_listxattr(v, ino, false, NULL, 0, &everybody);
	if (r == 0)
		r = volume_listxattr(v, ino, true, NULL, 0, ret_len);
	if (r < 0 || *ret_len == 0)
		return r;
	if (*ret_len != everybody && !caller_is_admin(req))
		*ret_len = everybody;
	if (size == 0)
		return 0;
	return volume_listxattr(v, ino, *ret_len != everybody, buf, size, ret_len);
}

void ops_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char *names = transport_scratch();
	bool mergeable = false;
	size_t len = 0;
	int r = 0;

	size = MIN(size, (size_t)XATTR_LIST_MAX);
	if (!control_owns(ino))
		r = is_mergeable_listed(fs_of(req), ino, &mergeable);
	if (r == 0 && !control_owns(ino))
		r = list_kept(req, ino, names, size, &len);
	if (r == 0 && mergeable) {
		if (size && len + sizeof(KSMFS_XATTR_MERGEABLE) > size)
			r = -ERANGE;
		else if (size)
			memcpy(names + len, KSMFS_XATTR_MERGEABLE, sizeof(KSMFS_XATTR_MERGEABLE));
		len += sizeof(KSMFS_XATTR_MERGEABLE);
	}
	if (r < 0)
		reply_result(req, r);
	else
		reply_value(req, size, names, len);
}

/* --- changing ------------------------------------------------------------------------------------ */

static void advise(struct aside *a)
{
	struct job *job = (struct job *)a;
	struct interrupt interrupt = ops_interrupt(job->req);

	reply_result(job->req, volume_advise(fs_of(job->req)->volume, job->ino, job->advice, &interrupt));
	free(job);
}

/* Figures can be changed by nobody, root included.  EPERM, as for what is immutable: EOPNOTSUPP is what names get
 * that are not there. */
static int check_change(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	enum which which = which_of(ino, name);
	mode_t type;
	int r;

	if (which == NONE)
		return -EOPNOTSUPP;
	r = find_type(fs_of(req), ino, &type);
	if (r == 0)
		r = volume_may_change(fs_of(req)->volume, ino);
	return r == 0 && which == STAT ? -EPERM : r;
}

static void set_mergeable(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
			  unsigned flags)
{
	enum volume_advice advice = VOLUME_MERGEABLE;
	int r;

	r = check_change(req, ino, name);
	if (r == 0 && (flags & XATTR_CREATE))
		r = -EEXIST; /* always */
	if (r == 0 && !parse_advice(value, size, &advice))
		r = -EINVAL;
	if (r == 0)
		r = ops_check_owner(req, ino);
	if (r < 0)
		reply_result(req, r);
	else
		run_aside(&(struct job){.req = req, .ino = ino, .advice = advice}, advise);
}

static unsigned flags_of(const struct fuse_setxattr_in *in)
{
	unsigned flags = 0;

	if (in->flags & XATTR_CREATE)
		flags |= VOLUME_XATTR_CREATE;
	if (in->flags & XATTR_REPLACE)
		flags |= VOLUME_XATTR_REPLACE;
	if (in->setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID)
		flags |= VOLUME_XATTR_KILL_SGID;
	return flags;
}

/* libfuse 3.14 knows the request as it was before FUSE_SETXATTR_EXT, which transport.c has agreed to: of what it
 * says only `req` and `ino` are right. */
void ops_setxattr(fuse_req_t req, fuse_ino_t ino, const char *unused1_, const char *unused2_, size_t unused3_,
		  int unused4_)
{
	const struct fuse_setxattr_in *in = (const void *)(transport_request() + 1);
	const char *name = (const char *)(in + 1), *value = name + strlen(name) + 1;

	if (which_of(ino, name) == KEPT)
		reply_result(req, volume_setxattr(fs_of(req)->volume, ino, name_of(name),
						  (struct name){.bytes = value, .len = in->size}, flags_of(in)));
	else
		set_mergeable(req, ino, name, value, in->size, in->flags);
}

void ops_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	int r;

	if (which_of(ino, name) == KEPT) {
		reply_result(req, volume_removexattr(fs_of(req)->volume, ino, name_of(name)));
		return;
	}
	r = check_change(req, ino, name);
	if (r == 0)
		r = ops_check_owner(req, ino);
	if (r < 0)
		reply_result(req, r);
	else
		run_aside(&(struct job){.req = req, .ino = ino, .advice = fs_of(req)->preset}, advise);
}
