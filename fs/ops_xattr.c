/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/ops_xattr.c - two extended attributes, which are the door's advice and figures as text; no others are kept.
 *
 * The kernel asks for "security.capability" before the first write to an inode, and cannot be told but
 * by ENOSYS, which would end all extended attributes, that it need not: so what is not ours is refused before
 * anything is looked at.
 */
#include "fs/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include <ksmfs/xattr.h>

#include "fs/aside.h"
#include "fs/caller.h"
#include "fs/control.h"
#include "fs/reply.h"

enum { STAT_BYTES = 512 };

enum which { OTHER, MERGEABLE, STAT };

static const char *const words[] = {
	[VOLUME_UNMERGEABLE] = "0",
	[VOLUME_MERGEABLE] = "1",
	[VOLUME_KEEP] = "keep",
};

static enum which which_of(fuse_ino_t ino, const char *name)
{
	if (control_owns(ino))
		return OTHER;
	if (strcmp(name, KSMFS_XATTR_MERGEABLE) == 0)
		return MERGEABLE;
	return strcmp(name, KSMFS_XATTR_STAT) == 0 ? STAT : OTHER;
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

/* Below a large directory there is much to add up, and figures change: how much room is needed is answered without
 * looking, and what fits into that never fails with ERANGE. */
void ops_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	enum which which = which_of(ino, name);
	mode_t type;
	int r;

	r = which == OTHER ? -EOPNOTSUPP : find_type(fs_of(req), ino, &type);
	if (r < 0)
		reply_result(req, r);
	else if (which == MERGEABLE)
		get_mergeable(req, ino, size);
	else if (size == 0)
		reply_length(req, STAT_BYTES);
	else
		run_aside(&(struct job){.req = req, .ino = ino, .type = type, .size = size}, get_stat);
}

/* What a copy should take along: advice that somebody gave, and no figures. */
void ops_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs *fs = fs_of(req);
	enum volume_advice advice = fs->preset;
	mode_t type;
	int r = 0;

	if (!control_owns(ino)) {
		r = find_type(fs, ino, &type);
		if (r == 0)
			r = volume_advice(fs->volume, ino, &advice);
		else if (r == -EOPNOTSUPP)
			r = 0;
	}
	if (r < 0)
		reply_result(req, r);
	else if (advice == fs->preset)
		reply_value(req, size, "", 0);
	else
		reply_value(req, size, KSMFS_XATTR_MERGEABLE, sizeof(KSMFS_XATTR_MERGEABLE));
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

	r = which == OTHER ? -EOPNOTSUPP : find_type(fs_of(req), ino, &type);
	if (r == 0)
		r = volume_may_change(fs_of(req)->volume, ino);
	return r == 0 && which == STAT ? -EPERM : r;
}

void ops_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
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

void ops_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	int r;

	r = check_change(req, ino, name);
	if (r == 0)
		r = ops_check_owner(req, ino);
	if (r < 0)
		reply_result(req, r);
	else
		run_aside(&(struct job){.req = req, .ino = ino, .advice = fs_of(req)->preset}, advise);
}
