/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/remount.c - what is looked at first, what is changed then.
 *
 * A read-only mount takes no writes to its control files either.  So limits are changed before it becomes
 * read-only, and after it has ceased to be; values that are there already need no write.
 */
#include "fs/remount.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ksmfs/control.h>

#include "core/attrs.h"
#include "fs/mount.h"

enum { TEXT_BYTES = PATH_MAX + 2 };

static bool path_in(char ret[PATH_MAX], const char *mountpoint, const char *name)
{
	int n = snprintf(ret, PATH_MAX, "%s/" KSMFS_CONTROL "%s%s", mountpoint, *name ? "/" : "", name);

	return n > 0 && n < PATH_MAX;
}

/* Below a bind mount of a directory, or on somebody else's FUSE, .ksmfs is what somebody put there: whoever remounts
 * must not be led to another file. */
static int open_control(const char *path, uint64_t flags)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* The text of a control file without its newline; -ENOENT where there is none. */
static int read_control(const char *mountpoint, const char *name, char ret[TEXT_BYTES])
{
	char path[PATH_MAX];
	ssize_t n;
	int fd, r;

	if (!path_in(path, mountpoint, name))
		return -ENAMETOOLONG;
	fd = open_control(path, O_RDONLY);
	if (fd < 0)
		return fd;
	n = read(fd, ret, TEXT_BYTES - 1);
	r = n < 0 ? -errno : 0;
	close(fd);
	if (r < 0)
		return r;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static int write_control(const char *mountpoint, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd, r;

	if (!path_in(path, mountpoint, name))
		return -ENAMETOOLONG;
	fd = open_control(path, O_WRONLY);
	if (fd < 0)
		return fd;
	r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* --- what cannot be changed ---------------------------------------------------------------------- */

static int no_controls(struct why *why, const char *mountpoint, int r, const char *what)
{
	if (r == -ENOENT)
		return why_say(why, -EINVAL, "%s of %s cannot be changed: it has no " KSMFS_CONTROL
			       " (not the root of a ksmfs mount, or mounted with control=none)", what, mountpoint);
	return why_errno(why, r, "%s of %s", what, mountpoint);
}

static enum control_mode control_of(const char *mountpoint)
{
	enum control_mode mode = CONTROL_HIDDEN;
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (!path_in(path, mountpoint, "") || access(path, F_OK) < 0)
		return CONTROL_NONE;
	dir = opendir(mountpoint);
	while (dir && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, KSMFS_CONTROL) == 0)
			mode = CONTROL_VISIBLE;
	if (dir)
		closedir(dir);
	return mode;
}

/* What reading does to the time of access is the daemon's affair, and it has been told when it was mounted.  Of these
 * flags mount(2) keeps all where none is given. */
static int check_atime(const struct options *o, const char *mountpoint, struct why *why)
{
	unsigned long given = o->mount_flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME), now = 0;
	struct statvfs st;

	if (statvfs(mountpoint, &st) < 0)
		return why_errno(why, -errno, "%s", mountpoint);
	now |= st.f_flag & ST_NOATIME ? MS_NOATIME : st.f_flag & ST_RELATIME ? MS_RELATIME : MS_STRICTATIME;
	now |= st.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0;
	if (given && !(given & ~(unsigned long)MS_NODIRATIME))
		given |= MS_RELATIME; /* the kernel's default */
	if (given && given != now)
		return why_say(why, -EINVAL, "options noatime, nodiratime, relatime and strictatime: cannot be changed "
			       "by a remount");
	return 0;
}

/* tmpfs takes the word where it is true already: fstab(5) says it at each remount. */
static int check_noswap(const struct options *o, const char *mountpoint, struct why *why)
{
	char text[TEXT_BYTES];
	int r;

	if (!o->noswap)
		return 0;
	r = read_control(mountpoint, "store/noswap", text);
	if (r < 0)
		return no_controls(why, mountpoint, r, "noswap");
	if (strcmp(text, "1") != 0)
		return why_say(why, -EINVAL, "option noswap: cannot be had by a remount");
	return 0;
}

static int check_domain(const struct options *o, const char *mountpoint, struct why *why)
{
	char text[TEXT_BYTES], choice[ATTR_TEXT_BYTES];
	int r;

	if (!(o->given & OPTION_DOMAIN))
		return 0;
	r = read_control(mountpoint, attr_rows[ATTR_domain].path, text);
	if (r < 0)
		return no_controls(why, mountpoint, r, "domain");
	attr_print_choice(ATTR_domain, (int64_t)o->domain, choice);
	if (strcmp(text, choice) != 0)
		return why_say(why, -EINVAL, "option domain: cannot be changed by a remount");
	return 0;
}

static int check_fixed(const struct options *o, const char *mountpoint, struct why *why)
{
	char text[TEXT_BYTES];
	int r;

	r = check_atime(o, mountpoint, why);
	if (!r)
		r = check_noswap(o, mountpoint, why);
	if (r < 0)
		return r;
	if ((o->given & OPTION_CONTROL) && o->control != control_of(mountpoint))
		return why_say(why, -EINVAL, "option control: cannot be changed by a remount");
	r = check_domain(o, mountpoint, why);
	if (r < 0 || !(o->given & OPTION_INDEX))
		return r;
	r = read_control(mountpoint, "index/directory", text);
	if (r < 0)
		return no_controls(why, mountpoint, r, "index");
	if (strcmp(text, o->index) != 0)
		return why_say(why, -EINVAL, "option index: cannot be changed by a remount, it is %s", text);
	return 0;
}

/* --- limits --------------------------------------------------------------------------------------- */

struct limit {
	const char *name, *in_use; /* who tells what is in use of it */
	unsigned option;
	uint64_t value;
	bool is_set;
	char before[TEXT_BYTES];
};

static int set_limit(struct limit *l, const char *mountpoint, struct why *why)
{
	char text[ATTR_TEXT_BYTES];
	int r;

	r = read_control(mountpoint, l->name, l->before);
	if (r < 0)
		return no_controls(why, mountpoint, r, l->name);
	snprintf(text, sizeof(text), "%" PRIu64, l->value);
	if (strcmp(text, l->before) == 0)
		return 0;
	r = write_control(mountpoint, l->name, text);
	if (r == -EINVAL)
		return why_say(why, r, "option %s: %s is too small for what is in use, which %s tells", l->name, text,
			       l->in_use);
	if (r == -EROFS)
		return why_say(why, r, "option %s: cannot be changed while the mount is read-only", l->name);
	if (r < 0)
		return why_errno(why, r, "option %s", l->name);
	l->is_set = true;
	return 0;
}

static void unset_limits(struct limit *l, unsigned count, const char *mountpoint)
{
	while (count-- > 0)
		if (l[count].is_set && write_control(mountpoint, l[count].name, l[count].before) == 0)
			l[count].is_set = false;
}

static int set_limits(const struct options *o, struct limit *l, unsigned count, const char *mountpoint, struct why *why)
{
	int r = 0;

	for (unsigned i = 0; !r && i < count; i++)
		if (o->given & l[i].option)
			r = set_limit(&l[i], mountpoint, why);
	if (r < 0)
		unset_limits(l, count, mountpoint);
	return r;
}

/* --- flags ---------------------------------------------------------------------------------------- */

/* mount(8) says all that are to be, and whoever says none leaves them as they are: a nosuid must not go with another
 * size.  An ordinary user may not change them. */
static int set_flags(const struct options *o, const char *mountpoint, unsigned long more, struct why *why)
{
	const char *data = *o->kernel ? o->kernel + 1 : NULL; /* it begins with a comma */

	if (!(o->given & OPTION_FLAG) && !*o->kernel)
		return 0;
	if (geteuid() != 0 && !o->mount_flags)
		return 0;
	if (mount(NULL, mountpoint, NULL, MS_REMOUNT | o->mount_flags | more, data) < 0)
		return why_errno(why, -errno, "cannot remount %s", mountpoint);
	return 0;
}

static int change(const struct options *o, const char *mountpoint, struct why *why)
{
	struct limit limits[] = {
		{ .name = "size", .in_use = "df", .option = OPTION_SIZE, .value = o->size_pages << PAGE_SHIFT },
		{ .name = "store_limit", .in_use = ".ksmfs/store/frames", .option = OPTION_STORE_LIMIT,
		  .value = o->store_limit_pages << PAGE_SHIFT },
		{ .name = "nr_inodes", .in_use = "df -i", .option = OPTION_INODES, .value = o->nr_inodes },
	};
	struct statvfs st;
	struct why again;
	bool was_ro;
	int r;

	if (statvfs(mountpoint, &st) < 0)
		return why_errno(why, -errno, "%s", mountpoint);
	was_ro = st.f_flag & ST_RDONLY;
	r = was_ro ? set_flags(o, mountpoint, 0, why) :
		     set_limits(o, limits, ARRAY_SIZE(limits), mountpoint, why);
	if (r < 0)
		return r;
	r = was_ro ? set_limits(o, limits, ARRAY_SIZE(limits), mountpoint, why) :
		     set_flags(o, mountpoint, 0, why);
	if (r == 0)
		return 0;
	unset_limits(limits, ARRAY_SIZE(limits), mountpoint);
	if (was_ro && set_flags(o, mountpoint, MS_RDONLY, &again) < 0)
		return why_say(why, r, "%.400s, and it stays writable", again.text);
	return r;
}

int remount(const struct options *o, const char *mountpoint, struct why *why)
{
	struct mount m = { .fuse_fd = -1, .unmounter_fd = -1 };
	int r;

	r = mountinfo_find(mountpoint, &m.info);
	if (r == -ENOENT)
		return why_say(why, -EINVAL, "no FUSE file system is mounted on %s", mountpoint);
	if (r < 0)
		return why_errno(why, r, "cannot find %s among the mounts", mountpoint);
	if (!m.info.is_root) /* what is called .ksmfs there is anybody's */
		return why_say(why, -EINVAL, "%s is not the root of a ksmfs mount", mountpoint);
	r = check_fixed(o, mountpoint, why);
	if (r == 0)
		r = change(o, mountpoint, why);
	if (r == 0)
		mount_tune(&m, o);
	return r;
}
