/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/order.c - one packet there, with a file perhaps, and one back: "ok TEXT" or "no TEXT".
 *
 * The socket has a name in a directory that is ours alone, so that containers that share our network do not reach
 * it (they would, were it an abstract one).  Paths of sockets are short: it is reached through /proc/self/fd.
 */
#include "fs/order.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/log.h"
#include "fs/find.h"
#include "fs/rundir.h"

enum {
	PATIENCE_S = 1,  /* of the supervisor, with who has called and says nothing */
	WAITING_S = 60,  /* of the command: a program is tried, a worker finishes, another one starts */
	CALLERS = 8,
};

static struct sockaddr_un address(int dir_fd, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%.60s", dir_fd, name);
	return a;
}

static void device_name(const struct mountinfo *mount, char ret[32])
{
	snprintf(ret, 32, "%u:%u", mount->major, mount->minor);
}

static int new_socket(unsigned flags, int seconds)
{
	struct timeval t = {.tv_sec = seconds};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (int)flags, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	return fd;
}

static bool read_peer(int fd, struct ucred *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len) == 0;
}

static int connect_in(int dir_fd, const char *name, int fd)
{
	struct sockaddr_un a = address(dir_fd, name);

	return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

/* --- the supervisor's side ----------------------------------------------------------------------- */

static bool is_stale(int dir_fd, const char *name)
{
	int fd = new_socket(SOCK_NONBLOCK, PATIENCE_S), r;

	if (fd < 0)
		return false;
	r = connect_in(dir_fd, name, fd);
	close(fd);
	return r == -ECONNREFUSED;
}

/* Sockets of supervisors that were killed.  Called with the directory locked. */
static void remove_stale(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_type == DT_SOCK && is_stale(dir_fd, entry->d_name))
			unlinkat(dir_fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

/* The number of a device is somebody else's as soon as its file system is gone, and its supervisor may not be yet. */
static bool is_ours(int dir_fd, const char *name)
{
	int fd = new_socket(SOCK_NONBLOCK, PATIENCE_S);
	struct ucred listener;
	bool ours;

	if (fd < 0)
		return false;
	ours = connect_in(dir_fd, name, fd) == 0 && read_peer(fd, &listener) && listener.pid == getpid();
	close(fd);
	return ours;
}

static int listen_in(int dir_fd, const char *name, int fd)
{
	struct sockaddr_un a = address(dir_fd, name);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0600) < 0 || listen(fd, CALLERS) < 0)
		return -errno;
	return 0;
}

int order_open(const struct mountinfo *mount, int *ret_fd, char ret_path[PATH_MAX], struct why *why)
{
	char name[32];
	int dir_fd, fd, r;

	device_name(mount, name);
	dir_fd = rundir_open_base(name, ret_path, why);
	if (dir_fd < 0)
		return dir_fd;
	remove_stale(dir_fd);
	unlinkat(dir_fd, name, 0); /* whose it was, his mount is gone */
	fd = new_socket(SOCK_NONBLOCK, PATIENCE_S);
	r = fd < 0 ? fd : listen_in(dir_fd, name, fd);
	close(dir_fd);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return why_errno(why, r, "cannot make the socket %s", ret_path);
	}
	*ret_fd = fd;
	return 0;
}

static int open_directory_of(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	if (!slash)
		return -1;
	*ret_name = slash + 1;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void order_close(int *fd, const char *path)
{
	const char *name;
	int dir_fd;

	if (*fd < 0)
		return;
	dir_fd = open_directory_of(path, &name);
	if (dir_fd >= 0 && is_ours(dir_fd, name))
		unlinkat(dir_fd, name, 0);
	if (dir_fd >= 0)
		close(dir_fd);
	close(*fd);
	*fd = -1;
}

static int receive(int client_fd, struct order *ret)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {ret->word, sizeof(ret->word) - 1};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int)), /* padding would hold a second one, which nobody closes */
	};
	struct cmsghdr *part;
	ssize_t n;

	do {
		n = recvmsg(client_fd, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -EAGAIN;
	ret->word[n] = '\0';
	part = CMSG_FIRSTHDR(&message);
	if (part && part->cmsg_type == SCM_RIGHTS)
		memcpy(&ret->program_fd, CMSG_DATA(part), sizeof(ret->program_fd));
	return 0;
}

int order_take(int fd, struct order *ret)
{
	struct timeval t = {.tv_sec = PATIENCE_S};
	int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC), r = -EAGAIN;
	struct ucred caller;

	if (client_fd < 0)
		return -EAGAIN;
	*ret = (struct order){.client_fd = client_fd, .program_fd = -1};
	setsockopt(client_fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	if (read_peer(client_fd, &caller) && (caller.uid == 0 || caller.uid == geteuid()))
		r = receive(client_fd, ret);
	if (r < 0)
		close(client_fd);
	return r;
}

void order_answer(int *client_fd, const struct why *why)
{
	char text[sizeof(why->text) + 4];
	int n = snprintf(text, sizeof(text), "%s %s", why->error ? "no" : "ok", why->text);

	if (*client_fd < 0)
		return;
	if (send(*client_fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("nobody waits for the answer any more");
	close(*client_fd);
	*client_fd = -1;
}

/* --- the command's side -------------------------------------------------------------------------- */

static int send_order(int fd, const char *word, int program_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	char copy[ORDER_WORD_BYTES];
	struct iovec iov = {copy, strlen(word)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	ASSERT(iov.iov_len < sizeof(copy));
	memcpy(copy, word, iov.iov_len);
	if (program_fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		memcpy(CMSG_DATA(&control.header), &program_fd, sizeof(program_fd));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_answer(int fd, const char *path, struct why *why)
{
	char text[sizeof(why->text) + 4];
	ssize_t n;

	do { /* with a time to wait, to be stopped and to go on ends it, too */
		n = recv(fd, text, sizeof(text) - 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return why_say(why, -ETIMEDOUT, "the supervisor of %s does not answer; its log says more", path);
	if (n < 3)
		return why_say(why, -EPIPE, "the supervisor of %s has ended; its log says more", path);
	text[n] = '\0';
	return why_say(why, memcmp(text, "ok ", 3) == 0 ? 0 : -ECANCELED, "%s", text + 3);
}

/* A socket connected to the supervisor, in whichever directory of the mount's owner it is.  What is his may be a link
 * to the socket of somebody else, of root above all. */
static int reach_supervisor(const struct mountinfo *mount, int fd, struct ucred *ret)
{
	char base[PATH_MAX], name[32];
	int r = -ENOENT, dir_fd;

	device_name(mount, name);
	for (unsigned i = 0; (r == -ENOENT || r == -ECONNREFUSED) && rundir_base_of(mount->owner, i, base); i++) {
		dir_fd = open(base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir_fd < 0)
			continue;
		r = connect_in(dir_fd, name, fd);
		close(dir_fd);
	}
	if (r == 0 && (!read_peer(fd, ret) || ret->uid != mount->owner))
		r = -EPERM;
	return r;
}

int order_find(const struct mountinfo *mount, pid_t *ret)
{
	int fd = new_socket(SOCK_NONBLOCK, PATIENCE_S), r;
	struct ucred supervisor;

	if (fd < 0)
		return fd;
	r = reach_supervisor(mount, fd, &supervisor);
	close(fd);
	if (r == 0)
		*ret = supervisor.pid;
	return r;
}

static int find_mount(const char *path, struct mountinfo *ret, struct why *why)
{
	char mountpoint[PATH_MAX];
	int r;

	r = find_mountpoint(path, mountpoint, why);
	if (r < 0)
		return r;
	r = mountinfo_find(mountpoint, ret);
	if (r < 0 && r != -ENOENT)
		return why_errno(why, r, "cannot find %s among the mounts", path);
	return r < 0 || !ret->is_root ? why_say(why, -EINVAL, "%s is not a ksmfs mount", path) : 0;
}

int order_give(const char *path, const char *word, int program_fd, struct why *why)
{
	struct mountinfo mount;
	struct ucred supervisor;
	int fd, r;

	r = find_mount(path, &mount, why);
	if (r < 0)
		return r;
	fd = new_socket(0, WAITING_S);
	if (fd < 0)
		return why_errno(why, fd, "cannot make a socket");
	r = reach_supervisor(&mount, fd, &supervisor);
	if (r == -EACCES || r == -EPERM)
		why_say(why, r, "%s: only root and who mounted it may ask for that", path);
	else if (r < 0)
		why_say(why, r, "%s: its supervisor is not to be found here", path);
	else if ((r = send_order(fd, word, program_fd)) < 0)
		why_errno(why, r, "cannot ask the supervisor of %s", path);
	else
		r = receive_answer(fd, path, why);
	close(fd);
	return r;
}
