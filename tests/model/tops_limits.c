/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/tops_limits.c - directories in the root: their limits.
 *
 * They are said by the same extended attributes on both sides, which take their part of the inodes.  On tmpfs they are
 * options of the mount, too: whether they are less than is in use it tells itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tops_inside.h"

enum { LIST_BYTES = 4096, VALUE_BYTES = 1 << 16, SETTLE_TRIES = 50 };

/* --- tmpfs: a mount for a directory ---------------------------------------------------------------- */

/* `moved`: what they take is in one place. */
static void copy_attributes(int from, int to, bool moved)
{
	static char list[LIST_BYTES], value[VALUE_BYTES];
	ssize_t len = flistxattr(from, list, sizeof(list));
	int flags = 0, none = 0;
	struct stat st;

	must(fstat(from, &st) == 0 && ioctl(from, FS_IOC_GETFLAGS, &flags) == 0);
	must(ioctl(from, FS_IOC_SETFLAGS, &none) == 0 && ioctl(to, FS_IOC_SETFLAGS, &none) == 0);
	must(fchown(to, st.st_uid, st.st_gid) == 0 && fchmod(to, st.st_mode & 07777) == 0);
	for (const char *name = list; name < list + len; name += strlen(name) + 1) {
		ssize_t n = fgetxattr(from, name, value, sizeof(value));

		must(n >= 0 && fsetxattr(to, name, value, (size_t)n, 0) == 0);
		must(!moved || fremovexattr(from, name) == 0);
	}
	must(futimens(to, (struct timespec[]){st.st_atim, st.st_mtim}) == 0);
	must(ioctl(to, FS_IOC_SETFLAGS, &flags) == 0);
}

/* "0" and NULL are none: more than the whole mount has. */
static int remount(const char *body, enum limit which, const char *text)
{
	char options[64];

	if (!text || strcmp(text, "0") == 0)
		text = which == SIZE ? "4g" : "4m";
	snprintf(options, sizeof(options), "%s=%s", which == SIZE ? "size" : "nr_inodes", text);
	return mount("tmpfs", body, "tmpfs", MS_REMOUNT | MS_NOATIME, options);
}

void top_make_mount(const char *body, int *dir)
{
	int new;

	must(mount("tmpfs", body, "tmpfs", MS_NOATIME, "size=4g,nr_inodes=4m,mode=755") == 0);
	new = open(body, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	copy_attributes(*dir, new, true);
	close(*dir);
	*dir = new;
}

static void end_mount(const char *body, int *dir)
{
	int under;

	must(umount2(body, MNT_DETACH) == 0);
	under = open(body, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	copy_attributes(*dir, under, false);
	close(*dir);
	*dir = under;
}

static uint64_t used_inodes(int dir)
{
	struct statvfs st;

	must(fstatvfs(dir, &st) == 0);
	return st.f_files - st.f_ffree;
}

void top_hold_inodes(const char *body, int dir)
{
	char text[TEXT_BYTES];
	bool limited = top_limit(dir, INODES, text);

	if (remount(body, INODES, limited ? text : NULL) == 0)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)used_inodes(dir));
	must(remount(body, INODES, text) == 0);
}

bool top_is_alone(int dir)
{
	static char list[LIST_BYTES];
	ssize_t len = flistxattr(dir, list, sizeof(list));
	uint64_t space = 1024;

	for (const char *name = list; name < list + len; name += strlen(name) + 1)
		if (strncmp(name, "system.", 7) != 0)
			space += 40 + strlen(name) + (uint64_t)fgetxattr(dir, name, NULL, 0);
	return used_inodes(dir) == (space + 1023) / 1024;
}

/* --- limits ---------------------------------------------------------------------------------------- */

static const char *const texts[2][2][8] = {
	{{"32m", "16m", "40m", "0", "", "x", "33m", "17m"}, {"10k", "12k", "20k", "0", "", "x", "15k", "9k"}},
	{{"16k", "48k", "64k", "10k", "0", "256k", "1x", ""}, {"4", "6", "10", "20", "0", "1k", "2", "1 "}},
};

static bool is_amount(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && (!text[digits] || (strchr("km", text[digits]) && !text[digits + 1]));
}

/* On the mount that is there: tmpfs says EINVAL of less than is in use. */
static int limit_mount(const char *body, int dir, enum limit which, const char *text)
{
	char before[TEXT_BYTES];
	bool had = top_limit(dir, which, before);
	int r = which == SIZE ? remount(body, SIZE, text) : 0;

	if (r < 0)
		return r;
	must(remount(body, INODES, NULL) == 0);
	must(fsetxattr(dir, limit_names[which], text, strlen(text), 0) == 0);
	if (which == INODES)
		r = remount(body, INODES, text);
	if (r < 0 && had)
		must(fsetxattr(dir, limit_names[which], before, strlen(before), 0) == 0);
	else if (r < 0)
		must(fremovexattr(dir, limit_names[which]) == 0);
	top_hold_inodes(body, dir);
	errno = EINVAL;
	return r;
}

static int model_limit(struct side *s, const char *name, int *dir, enum limit which, const char *text)
{
	bool was = top_is_tenant(*dir);
	char body[PATH_BYTES];
	int r;

	top_body(s, name, body);
	errno = top_is_guarded(*dir) ? EPERM : !is_amount(text) ? EINVAL : !was && !top_is_empty(*dir) ? ENOTEMPTY : 0;
	if (errno)
		return -1;
	if (!was)
		top_make_mount(body, dir);
	r = limit_mount(body, *dir, which, text);
	if (r < 0 && !was)
		end_mount(body, dir);
	errno = EINVAL;
	return r;
}

int top_set_limit(struct side *s, const char *name, int *dir, unsigned flags, int64_t len)
{
	enum limit which = flags & 1 ? INODES : SIZE;
	const char *text = texts[s->world->full][which][len % 8];

	top_let_go(s, *dir);
	return s->is_model ? model_limit(s, name, dir, which, text) :
			     fsetxattr(*dir, limit_names[which], text, strlen(text), 0);
}

void do_limit(struct side *s, const struct op *op, struct seen *ret)
{
	char name[3] = {op->path[0], op->path[1]};
	int dir = top_open_name(s, name);

	seen_result(ret, dir < 0 ? -1 : top_set_limit(s, name, &dir, op->flags, op->len));
	if (dir >= 0)
		close(dir);
}

static int model_unlimit(struct side *s, const char *name, int *dir, enum limit which)
{
	char text[TEXT_BYTES], body[PATH_BYTES];

	errno = top_is_guarded(*dir) ? EPERM : !top_limit(*dir, which, text) ? ENODATA :
		!top_limit(*dir, !which, text) && !top_is_alone(*dir) ? ENOTEMPTY : 0;
	if (errno)
		return -1;
	top_body(s, name, body);
	must(fremovexattr(*dir, limit_names[which]) == 0);
	if (top_is_tenant(*dir)) {
		must(remount(body, which, NULL) == 0);
		top_hold_inodes(body, *dir);
	} else {
		end_mount(body, dir);
	}
	return 0;
}

/* What is closed is released a moment later. */
static int subject_unlimit(int dir, const char *name)
{
	int r = fremovexattr(dir, name);

	for (unsigned tries = 0; r < 0 && errno == ENOTEMPTY && top_is_empty(dir) && tries < SETTLE_TRIES; tries++) {
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		r = fremovexattr(dir, name);
	}
	return r;
}

void do_unlimit(struct side *s, const struct op *op, struct seen *ret)
{
	enum limit which = op->flags & 1 ? INODES : SIZE;
	char name[3];
	int dir = top_begin(s, op, op->flags & 6, name, ret);

	if (dir < 0)
		return;
	seen_result(ret, s->is_model ? model_unlimit(s, name, &dir, which) : subject_unlimit(dir, limit_names[which]));
	close(dir);
}
