/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/rundir.c - made, found again when its owner is dead, removed.
 *
 * The lock file lies beside the directory, not in it: another mount namespace sees the same lock file,
 * but not our tmpfs.  Whoever makes or removes directories of a base holds the base's own lock.
 */
#include "fs/rundir.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "fs/mountinfo.h"

static const char lock_suffix[] = ".lock";
static const char given_lock[] = "ksmfs.lock";

static const char *const files[] = {
	"names.db", "names.db-wal", "names.db-shm", "names.db-journal",
	"index.db", "index.db-wal", "index.db-shm", "index.db-journal",
};

static bool join(char ret[PATH_MAX], const char *dir, const char *name, const char *suffix)
{
	int n = snprintf(ret, PATH_MAX, "%s/%s%s", dir, name, suffix);

	return n >= 0 && n < PATH_MAX;
}

static void remove_files(const char *dir)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (join(path, dir, files[i], ""))
			unlink(path);
}

/* Open and lock: -EWOULDBLOCK when somebody alive holds it, -ESTALE when it was removed meanwhile. */
static int lock_file(const char *path, int flags)
{
	struct stat st;
	int fd, r = 0;

	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		r = -errno;
	else if (st.st_nlink == 0)
		r = -ESTALE;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* --- the base, and what lies in it -------------------------------------------------------------- */

/* Ours, and nobody else may write to it: others could put links where we look.  Nor open it: they could lock it, and we
 * would wait. */
static int open_base(const char *base, struct why *why)
{
	struct stat st;
	int fd;

	if (mkdir(base, 0700) < 0 && errno != EEXIST)
		return why_errno(why, -errno, "cannot make %s", base);
	fd = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return why_errno(why, -errno, "cannot open %s", base);
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
		close(fd);
		return why_say(why, -EPERM, "%s belongs to somebody else, or others may write to it", base);
	}
	if (((st.st_mode & 077) && fchmod(fd, 0700) < 0) || flock(fd, LOCK_EX) < 0) {
		int r = -errno;

		close(fd);
		return why_errno(why, r, "cannot lock %s", base);
	}
	return fd;
}

static void remove_own(const char *path, const char *lock)
{
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW); /* where it never was mounted this fails */
	remove_files(path);
	if (rmdir(path) < 0 && errno != ENOENT)
		log_warning("cannot remove %s: %s", path, strerror(errno));
	unlink(lock);
}

/* Called with the base locked. */
static void remove_stale(const char *base)
{
	char path[PATH_MAX], lock[PATH_MAX];
	struct dirent *entry;
	size_t len;
	DIR *dir;
	int fd;

	dir = opendir(base);
	while (dir && (entry = readdir(dir)) != NULL) {
		len = strlen(entry->d_name);
		if (len < sizeof(lock_suffix) ||
		    strcmp(entry->d_name + len - strlen(lock_suffix), lock_suffix) != 0)
			continue;
		if (!join(lock, base, entry->d_name, ""))
			continue;
		fd = lock_file(lock, 0);
		if (fd < 0)
			continue; /* in use */
		memcpy(path, lock, strlen(lock) + 1);
		path[strlen(lock) - strlen(lock_suffix)] = '\0';
		remove_own(path, lock);
		log_info("removed %s, which a dead daemon had left", path);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

/* "/mnt/a b" of process 7 -> "mnt-a_b-7" */
static void make_id(char *ret, size_t size, const char *mountpoint)
{
	size_t used = 0;

	for (const char *p = mountpoint + 1; *p && used < 100; p++)
		ret[used++] = isalnum((unsigned char)*p) || *p == '.' ? *p : *p == '/' ? '-' : '_';
	snprintf(ret + used, size - used, "-%ld", (long)getpid());
}

/* The limit is a half of the machine's memory, as of any tmpfs: what bounds names is nr_inodes, which may grow. */
static void mount_tmpfs(struct rundir *d)
{
	if (mount("ksmfs", d->path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  d->noswap ? "mode=0700,noswap" : "mode=0700") < 0) {
		if (geteuid() == 0)
			log_warning("the databases are in %s itself, not on a tmpfs of their own: %s",
				    d->path, strerror(errno));
		return;
	}
	d->mounted = true;
}

/* Called with the base locked. */
static int make_own(struct rundir *d, const char *base, const char *mountpoint, struct why *why)
{
	char id[160];
	int fd;

	make_id(id, sizeof(id), mountpoint);
	if (!join(d->path, base, id, "") || !join(d->lock, base, id, lock_suffix))
		return why_say(why, -ENAMETOOLONG, "the path of %s is too long", base);
	fd = lock_file(d->lock, O_CREAT);
	if (fd < 0)
		return why_errno(why, fd, "cannot lock %s", d->lock);
	if (mkdir(d->path, 0700) < 0) {
		int r = -errno;

		unlink(d->lock);
		close(fd);
		return why_errno(why, r, "cannot make %s", d->path);
	}
	d->lock_fd = fd;
	return 0;
}

static bool base_of_tmp(uid_t uid, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "/tmp/ksmfs-%u", (unsigned)uid) > 0;
}

/* False: our environment does not say. */
static bool base_of_session(char ret[PATH_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	return runtime && runtime[0] == '/' && join(ret, runtime, "ksmfs", "");
}

static void find_base(char ret[PATH_MAX], bool *ret_is_tmp)
{
	*ret_is_tmp = false;
	if (geteuid() == 0)
		(void)snprintf(ret, PATH_MAX, "/run/ksmfs");
	else if (!base_of_session(ret))
		*ret_is_tmp = base_of_tmp(geteuid(), ret);
}

int rundir_open_base(const char *name, char ret_path[PATH_MAX], struct why *why)
{
	char base[PATH_MAX];
	bool is_tmp;

	find_base(base, &is_tmp);
	if (!join(ret_path, base, name, ""))
		return why_say(why, -ENAMETOOLONG, "the path of %s is too long", base);
	return open_base(base, why);
}

bool rundir_base_of(uid_t owner, unsigned i, char ret[PATH_MAX])
{
	if (owner == 0)
		return i == 0 && snprintf(ret, PATH_MAX, "/run/ksmfs") > 0;
	if (i == 0 && base_of_session(ret)) /* root may say whose, too */
		return true;
	if (i <= 1)
		return snprintf(ret, PATH_MAX, "/run/user/%u/ksmfs", (unsigned)owner) > 0;
	return i == 2 && base_of_tmp(owner, ret);
}

/* --- a directory given by index= ----------------------------------------------------------------- */

/* With the lock file of a dead daemon in it, databases are its remains; without, they are not ours. */
static int make_given(struct rundir *d, const char *given, struct why *why)
{
	char path[PATH_MAX];
	bool was_ours;
	int fd;

	if (!realpath(given, d->path))
		return why_errno(why, -errno, "index=%s", given);
	if (!join(d->lock, d->path, given_lock, ""))
		return why_say(why, -ENAMETOOLONG, "index=%s: the path is too long", given);
	was_ours = access(d->lock, F_OK) == 0;
	for (unsigned i = 0; i < ARRAY_SIZE(files) && !was_ours; i++)
		if (join(path, d->path, files[i], "") && access(path, F_OK) == 0)
			return why_say(why, -EEXIST, "index=%s: %s is there already and of no ksmfs mount",
				       given, files[i]);
	fd = lock_file(d->lock, O_CREAT);
	if (fd == -EWOULDBLOCK)
		return why_say(why, fd, "index=%s: another ksmfs mount uses it", given);
	if (fd < 0)
		return why_errno(why, fd, "index=%s: cannot make files there", given);
	d->lock_fd = fd;
	remove_files(d->path);
	return 0;
}

/* --- both -------------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *mountpoint)
{
	size_t len = strlen(mountpoint);

	return strncmp(path, mountpoint, len) == 0 && (path[len] == '/' || path[len] == '\0' || len == 1);
}

/* R3 */
static int check_place(const struct rundir *d, const char *mountpoint, struct why *why)
{
	struct stat st;

	if (is_below(d->path, mountpoint))
		return why_say(why, -EINVAL, "the databases in %s would be hidden by the mount on %s",
			       d->path, mountpoint);
	if (stat(d->path, &st) < 0)
		return why_errno(why, -errno, "cannot use %s", d->path);
	if (mountinfo_is_type(st.st_dev, "fuse.ksmfs"))
		return why_say(why, -EINVAL, "the databases cannot be in %s: it is on a ksmfs mount", d->path);
	return 0;
}

static int make_in_base(struct rundir *d, const char *mountpoint, struct why *why)
{
	char base[PATH_MAX];
	bool is_tmp;
	int base_fd, r;

	find_base(base, &is_tmp);
	base_fd = open_base(base, why);
	if (base_fd < 0)
		return base_fd;
	remove_stale(base);
	r = make_own(d, base, mountpoint, why);
	if (r == 0)
		mount_tmpfs(d);
	close(base_fd);
	if (r == 0 && is_tmp)
		log_info("the databases are in %s: there is no XDG_RUNTIME_DIR", d->path);
	return r;
}

int rundir_make(struct rundir *d, const char *given, const char *mountpoint, struct why *why)
{
	int r;

	memset(d, 0, sizeof(*d));
	d->lock_fd = -1;
	d->given = *given != '\0';
	if (d->given)
		r = make_given(d, given, why);
	else
		r = make_in_base(d, mountpoint, why);
	if (r == 0)
		r = check_place(d, mountpoint, why);
	if (r < 0)
		rundir_remove(d);
	return r;
}

void rundir_remove(struct rundir *d)
{
	if (d->lock_fd < 0)
		return;
	if (d->given) {
		remove_files(d->path);
		unlink(d->lock);
	} else {
		if (d->mounted && umount2(d->path, UMOUNT_NOFOLLOW) < 0)
			log_debug("%s is still in use, detaching it", d->path);
		remove_own(d->path, d->lock);
	}
	close(d->lock_fd);
	d->lock_fd = -1;
}
