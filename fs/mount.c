/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/mount.c - mount(2) where we may, else fusermount3.
 *
 * fusermount3 must be run once more to unmount, when our processes have long given up gaining privileges.
 * So an ordinary user's mount has a third process, ksmfs-umount: it holds nothing, waits until supervisor
 * and worker are gone, whatever became of them, and then is replaced by fusermount3.  (fusermount3's own
 * auto_unmount does this only for mounts that root may look into, which needs allow_other.)
 */
#include "fs/mount.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/log.h"
#include "fs/privileges.h"
#include "fs/title.h"

enum { HELPER_OPTIONS_BYTES = 1024 };

/* --- as root ------------------------------------------------------------------------------------ */

static int open_device(struct why *why)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return why_say(why, -errno, "there is no /dev/fuse: the kernel's fuse module is missing");
	return why_errno(why, -errno, "cannot open /dev/fuse");
}

static int mount_directly(struct mount *m, const struct options *o, const char *source, struct why *why)
{
	char data[sizeof(o->kernel) + 160], type[sizeof(o->subtype) + 8];
	int r;

	m->fuse_fd = open_device(why);
	if (m->fuse_fd < 0)
		return m->fuse_fd;
	snprintf(type, sizeof(type), "fuse.%s", o->subtype);
	snprintf(data, sizeof(data),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions,allow_other%s",
		 m->fuse_fd, (unsigned)getuid(), (unsigned)getgid(), o->kernel);
	if (mount(source, m->path, type, o->mount_flags, data) == 0)
		return 0;
	r = -errno;
	close(m->fuse_fd);
	m->fuse_fd = -1;
	return why_errno(why, r, "cannot mount on %s", m->path);
}

/* --- through fusermount3 ------------------------------------------------------------------------ */

struct helper_flag {
	unsigned long flag;
	const char *word;
};
static const struct helper_flag helper_flags[] = {
	{MS_RDONLY, "ro"},   {MS_NOEXEC, "noexec"},   {MS_SYNCHRONOUS, "sync"},
	{MS_NOATIME, "noatime"}, {MS_DIRSYNC, "dirsync"},
};

static size_t append(char *text, size_t used, const char *word)
{
	int n = snprintf(text + used, HELPER_OPTIONS_BYTES - used, ",%s", word);

	return used + (size_t)n;
}

static void helper_options(char *text, const struct options *o, const char *source)
{
	size_t used = (size_t)snprintf(text, HELPER_OPTIONS_BYTES,
				       "nosuid,nodev,default_permissions");

	if (o->allow_other)
		used = append(text, used, "allow_other");
	for (unsigned i = 0; i < ARRAY_SIZE(helper_flags); i++)
		if (o->mount_flags & helper_flags[i].flag)
			used = append(text, used, helper_flags[i].word);
	used = append(text, used, "subtype=");
	used += (size_t)snprintf(text + used, HELPER_OPTIONS_BYTES - used, "%s", o->subtype);
	used = append(text, used, "fsname=");
	for (const char *p = source; *p && used + 3 < HELPER_OPTIONS_BYTES; p++) {
		if (*p == ',' || *p == '\\')
			text[used++] = '\\';
		text[used++] = *p;
	}
	text[used] = '\0';
}

static void set_standard_fds(int errors_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 ||
	    dup2(errors_fd < 0 ? null_fd : errors_fd, 2) < 0)
		_exit(127);
}

/* In the child: nothing of ours stays open in it but the socket and the file for its complaints. */
static _Noreturn void run_helper(int socket_fd, int errors_fd, const char *options, const char *path)
{
	char number[16];

	set_standard_fds(errors_fd);
	fcntl(socket_fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", socket_fd);
	setenv("_FUSE_COMMFD", number, 1);
	execlp("fusermount3", "fusermount3", "-o", options, "--", path, (char *)NULL);
	execl("/usr/bin/fusermount3", "fusermount3", "-o", options, "--", path, (char *)NULL);
	dprintf(2, "fusermount3, which mounts for ordinary users, cannot be run: %s\n", strerror(errno));
	_exit(127);
}

static int receive_fd(int socket_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *part;
	ssize_t n;
	int fd;

	do {
		n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	part = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!part || part->cmsg_type != SCM_RIGHTS)
		return -EPERM;
	memcpy(&fd, CMSG_DATA(part), sizeof(fd));
	return fd;
}

/* The helper's own words are the best reason there is. */
static int helper_refused(int errors_fd, struct why *why, const char *path)
{
	char line[300];
	ssize_t n;

	n = pread(errors_fd, line, sizeof(line) - 1, 0);
	if (n <= 0)
		return why_say(why, -EPERM, "fusermount3 does not mount on %s", path);
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return why_say(why, -EPERM, "%s", line);
}

static int mount_by_helper(struct mount *m, const struct options *o, const char *source, struct why *why)
{
	char options[HELPER_OPTIONS_BYTES];
	int pair[2], errors_fd, r;
	pid_t helper;

	helper_options(options, o, source);
	errors_fd = memfd_create("ksmfs-helper", MFD_CLOEXEC);
	if (errors_fd < 0)
		return why_errno(why, -errno, "cannot start fusermount3");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		r = why_errno(why, -errno, "cannot start fusermount3");
		close(errors_fd);
		return r;
	}
	helper = fork();
	if (helper == 0)
		run_helper(pair[1], errors_fd, options, m->path);
	close(pair[1]);
	r = helper < 0 ? -errno : receive_fd(pair[0]);
	close(pair[0]);
	if (helper > 0)
		waitpid(helper, NULL, 0);
	if (r >= 0) {
		m->fuse_fd = r;
		r = 0;
	} else {
		r = helper_refused(errors_fd, why, m->path);
	}
	close(errors_fd);
	return r;
}

/* M2.  -ENOENT: it has gone; -EBUSY: another one is met there.  When it cannot be seen where it is: better too much
 * than a dead mount. */
static int find_own(const struct mount *m, char ret[PATH_MAX])
{
	int r = mountinfo_where(&m->info, m->path, ret);

	if (r == -ENOENT)
		return r;
	if (r < 0)
		snprintf(ret, PATH_MAX, "%s", m->path);
	return mountinfo_is_hidden(&m->info, ret) ? -EBUSY : 0;
}

/* In the child: let go of everything, wait for the end of the others, unmount what is still there. */
static _Noreturn void run_unmounter(const struct mount *m, int pipe_fd)
{
	char byte, at[PATH_MAX];
	int fd;

	title_set("ksmfs-umount", m->path);
	set_standard_fds(-1);
	fd = dup2(pipe_fd, 3);
	close_range(4, UINT_MAX, 0);
	if (fd < 0 || chdir("/") < 0)
		_exit(127);
	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
	if (find_own(m, at) < 0)
		_exit(0);
	execlp("fusermount3", "fusermount3", "-u", "-q", "-z", "--", at, (char *)NULL);
	execl("/usr/bin/fusermount3", "fusermount3", "-u", "-q", "-z", "--", at, (char *)NULL);
	_exit(127);
}

static int start_unmounter(struct mount *m, struct why *why)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return why_errno(why, -errno, "cannot make a pipe");
	m->unmounter_fd = pipe_fds[1];
	m->unmounter = fork();
	if (m->unmounter == 0)
		run_unmounter(m, pipe_fds[0]);
	close(pipe_fds[0]);
	return m->unmounter < 0 ? why_errno(why, -errno, "cannot start a process") : 0;
}

/* --- both ---------------------------------------------------------------------------------------- */

static int check_mountpoint(const char *path, struct why *why)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return why_errno(why, -errno, "mount point %s", path);
	if (!S_ISDIR(st.st_mode))
		return why_errno(why, -ENOTDIR, "mount point %s", path);
	return 0;
}

int mount_make(struct mount *m, const struct options *o, const char *source, const char *mountpoint,
	       struct why *why)
{
	bool directly = privileges_can_mount();
	int r;

	memset(m, 0, sizeof(*m));
	m->fuse_fd = m->unmounter_fd = -1;
	snprintf(m->path, sizeof(m->path), "%s", mountpoint);
	r = check_mountpoint(m->path, why);
	if (r < 0)
		return r;
	if (*o->fsname)
		source = o->fsname;
	r = directly ? mount_directly(m, o, source, why) : mount_by_helper(m, o, source, why);
	if (r < 0)
		return r;
	r = mountinfo_find(m->path, &m->info);
	mountinfo_identify(&m->info, m->path);
	if (r < 0) {
		umount2(m->path, MNT_DETACH | UMOUNT_NOFOLLOW);
		return why_errno(why, r, "cannot find the new mount in /proc/self/mountinfo");
	}
	if (directly)
		return 0;
	log_info("mounted by an ordinary user: nosuid and nodev always%s; read-ahead and dirty ratio are "
		 "the system's", o->allow_other ? "" : ", for this user alone (allow_other not asked for)");
	return start_unmounter(m, why);
}

static void set_backing_device(const struct mountinfo *info, const char *what, uint64_t value)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/%s", info->major, info->minor, what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dprintf(fd, "%llu", (unsigned long long)value) < 0)
		log_write(&(struct log_cause){0}, LOG_LEVEL_INFO, "%s cannot be set to %llu: %s", what,
			  (unsigned long long)value, strerror(errno));
	else
		log_write(&(struct log_cause){0}, LOG_LEVEL_INFO, "%s is %llu", what, (unsigned long long)value);
	if (fd >= 0)
		close(fd);
}

void mount_bound_dirty(const struct mountinfo *info, uint64_t bytes, unsigned max_ratio)
{
	if (bytes == UINT64_MAX)
		set_backing_device(info, "max_ratio", max_ratio);
	else
		set_backing_device(info, "max_bytes", bytes); /* Linux 6.2 */
}

/* A limit on the time a request may take ends the whole mount when one takes longer. */
static void warn_of_timeout(const char *path)
{
	char text[16] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0 && strtoul(text, NULL, 10) != 0)
		log_warning("%s is not 0: the kernel ends the mount when a request takes longer", path);
	close(fd);
}

void mount_tune(const struct mount *m, const struct options *o)
{
	if (!o->remount) {
		warn_of_timeout("/proc/sys/fs/fuse/default_request_timeout");
		warn_of_timeout("/proc/sys/fs/fuse/max_request_timeout");
	}
	if (m->unmounter_fd >= 0)
		return; /* mount_make() has said so */
	if (!o->remount || (o->given & OPTION_READ_AHEAD))
		set_backing_device(&m->info, "read_ahead_kb", o->read_ahead_kb);
	if (!o->remount || (o->given & OPTION_MAX_RATIO))
		set_backing_device(&m->info, "max_ratio", o->max_ratio);
}

static int detach(const struct mount *m)
{
	char at[PATH_MAX];
	int r;

	r = find_own(m, at);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

int mount_detach(const struct mount *m, pid_t *ret_pid)
{
	pid_t pid;

	if (m->unmounter_fd >= 0)
		return -EPERM;
	pid = fork();
	if (pid == 0) {
		title_set("ksmfs-umount", m->path);
		close_range(3, UINT_MAX, 0); /* it must not keep the connection from ending */
		_exit(detach(m) < 0);
	}
	if (pid < 0)
		return -errno;
	*ret_pid = pid;
	return 0;
}

void mount_end(struct mount *m)
{
	int r;

	if (m->fuse_fd >= 0)
		close(m->fuse_fd);
	m->fuse_fd = -1;
	if (m->unmounter_fd >= 0) {
		close(m->unmounter_fd);
		m->unmounter_fd = -1;
		if (m->unmounter > 0)
			waitpid(m->unmounter, NULL, 0);
	} else if (m->info.id && (r = detach(m)) < 0) {
		log_err("cannot unmount %s: %s", m->path,
			r == -EBUSY ? "something else is mounted over it" : strerror(-r));
	}
}
