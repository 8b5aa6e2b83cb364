/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/watch.c - who is told of what happens: inotify, dnotify, fanotify; handles; statx. */
#include <poll.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>

#include "posix.h"

/* All events that are there by now, one line each: mask, name, and whether it belongs to another. */
static void events(int fd, const char *what)
{
	static char buf[16384] __attribute__((aligned(8)));
	uint32_t cookie = 0;
	ssize_t n;

	say("%s", what);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(buf + at);

			say("  %d: %x %s%s", e->wd, e->mask, e->len ? e->name : "-",
			    e->cookie && e->cookie == cookie ? " (the same)" : "");
			cookie = e->cookie;
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
}

static void inotify(void)
{
	int in = inotify_init1(IN_NONBLOCK), fd;
	char byte;

	OK(mkdir("in", 0755));
	make_file("in/old", 0644);
	IS(1, inotify_add_watch(in, "in", IN_ALL_EVENTS));
	IS(2, inotify_add_watch(in, "in/old", IN_ALL_EVENTS));
	NO(ENOENT, inotify_add_watch(in, "in/none", IN_ALL_EVENTS));
	NO(ENOTDIR, inotify_add_watch(in, "in/old", IN_ALL_EVENTS | IN_ONLYDIR));
	fd = open("in/new", O_CREAT | O_RDWR, 0644);
	events(in, "create");
	IS(1, write(fd, "x", 1));
	events(in, "write");
	IS(1, pread(fd, &byte, 1, 0));
	events(in, "read");
	OK(ftruncate(fd, 10));
	events(in, "ftruncate");
	OK(fallocate(fd, 0, 0, PAGE));
	events(in, "fallocate");
	OK(fchmod(fd, 0600));
	events(in, "fchmod");
	OK(futimens(fd, NULL));
	events(in, "futimens");
	OK(close(fd));
	events(in, "close");
	OK(close(open("in/new", O_RDONLY)));
	events(in, "open and close");
	OK(close(open("in/new", O_WRONLY | O_TRUNC)));
	events(in, "O_TRUNC");
	OK(mkdir("in/d", 0755));
	OK(symlink("x", "in/s"));
	OK(mkfifo("in/p", 0644));
	OK(link("in/old", "in/linked"));
	events(in, "mkdir, symlink, mkfifo, link");
	OK(rename("in/new", "in/newer"));
	events(in, "rename");
	OK(rename("in/newer", "in/old"));
	events(in, "rename onto one that is watched");
	OK(unlink("in/linked"));
	events(in, "the last name of it");
	OK(rename("in/old", "outside"));
	OK(rename("outside", "in/back"));
	events(in, "out and in");
	OK(rmdir("in/d"));
	OK(unlink("in/s") | unlink("in/p") | unlink("in/back"));
	events(in, "removals");
	OK(rename("in", "in2"));
	events(in, "the directory moves");
	OK(rmdir("in2"));
	events(in, "and goes");
	close(in);
}

static volatile int signals;

static void on_signal(int signal)
{
	(void)signal;
	signals++;
}

static void dnotify(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	int dir;

	OK(mkdir("dn", 0755));
	dir = open("dn", O_RDONLY);
	sigaction(SIGUSR2, &action, NULL);
	OK(fcntl(dir, F_SETSIG, SIGUSR2));
	OK(fcntl(dir, F_NOTIFY, DN_CREATE | DN_DELETE | DN_RENAME | DN_MODIFY | DN_ATTRIB | DN_MULTISHOT));
	make_file("dn/f", 0644);
	IS(true, signals > 0);
	signals = 0;
	OK(truncate("dn/f", 10));
	IS(true, signals > 0);
	signals = 0;
	OK(rename("dn/f", "dn/g"));
	IS(true, signals > 0);
	signals = 0;
	OK(unlink("dn/g"));
	IS(true, signals > 0);
	close(dir);
}

static void fanotify(void)
{
	static char buf[8192] __attribute__((aligned(8)));
	int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY), fd;
	uint64_t mask = 0;
	ssize_t n;

	OK(fan);
	make_file("fan", 0644);
	OK(fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN | FAN_MODIFY | FAN_CLOSE, AT_FDCWD, "fan"));
	fd = open("fan", O_RDWR);
	IS(1, write(fd, "x", 1));
	close(fd);
	while ((n = read(fan, buf, sizeof(buf))) > 0) {
		struct fanotify_event_metadata *e = (void *)buf;

		for (; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
			mask |= e->mask;
			IS('x', byte_at(e->fd, 0, 1));
			close(e->fd);
		}
	}
	say("events %llx", (unsigned long long)mask);
	close(fan);
	/* By handle, with names: needs a file system id that is not nothing. */
	fan = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_REPORT_DFID_NAME, O_RDONLY);
	SAY(fan < 0 ? -1 : 0);
	OK(mkdir("fandir", 0755));
	SAY(fanotify_mark(fan, FAN_MARK_ADD, FAN_CREATE | FAN_DELETE | FAN_ONDIR, AT_FDCWD, "fandir"));
	make_file("fandir/x", 0644);
	n = read(fan, buf, sizeof(buf));
	SAY(n > 0 ? (long)((struct fanotify_event_metadata *)(void *)buf)->mask : -1L);
	close(fan);
	/* Somebody decides about each open. */
	fan = fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK, O_RDONLY);
	SAY(fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "fan"));
	pid_t pid = beside();
	if (pid == 0)
		_exit(open("fan", O_RDONLY) < 0 ? errno : 0);
	struct pollfd p = {.fd = fan, .events = POLLIN};
	if (poll(&p, 1, 5000) == 1 && read(fan, buf, sizeof(buf)) > 0) {
		struct fanotify_event_metadata *e = (void *)buf;
		struct fanotify_response response = {.fd = e->fd, .response = FAN_DENY};

		IS(sizeof(response), write(fan, &response, sizeof(response)));
		close(e->fd);
	}
	IS(EPERM, end_of(pid));
	close(fan);
}

static void handles(void)
{
	char space[sizeof(struct file_handle) + MAX_HANDLE_SZ] __attribute__((aligned(8)));
	struct file_handle *h = (void *)space;
	int mount_id, here = open(".", O_RDONLY), fd, removed;

	fd = open_new("handled");
	fill(fd, 'h', 0, 10);
	close(fd);
	h->handle_bytes = 0;
	NO(EOVERFLOW, name_to_handle_at(AT_FDCWD, "handled", h, &mount_id, 0));
	h->handle_bytes = MAX_HANDLE_SZ;
	OK(name_to_handle_at(AT_FDCWD, "handled", h, &mount_id, 0));
	fd = open_by_handle_at(here, h, O_RDWR);
	IS('h', byte_at(fd, 0, 10));
	OK(rename("handled", "renamed"));
	removed = open_by_handle_at(here, h, O_RDONLY);
	IS('h', byte_at(removed, 0, 10));
	close(removed);
	OK(unlink("renamed"));
	removed = open_by_handle_at(here, h, O_RDONLY); /* somebody still has it open */
	SAY(byte_at(removed, 0, 10));
	close(removed);
	close(fd);
	for (unsigned n = 0; n < 100; n++) { /* it is forgotten a moment later */
		fd = open_by_handle_at(here, h, O_RDONLY);
		if (fd < 0)
			break;
		close(fd);
		pause_ms(10);
	}
	NO(ESTALE, open_by_handle_at(here, h, O_RDONLY));
	h->handle_bytes = MAX_HANDLE_SZ;
	OK(mkdir("dir", 0755));
	make_file("dir/inside", 0644);
	OK(name_to_handle_at(AT_FDCWD, "dir", h, &mount_id, 0));
	fd = open_by_handle_at(here, h, O_RDONLY | O_DIRECTORY);
	OK(faccessat(fd, "inside", F_OK, 0));
	close(fd);
	as(ALICE, ALICE);
	NO(EPERM, open_by_handle_at(here, h, O_RDONLY));
	as_root();
	close(here);
}

static void statxes(void)
{
	static const unsigned masks[] = {0, STATX_SIZE, STATX_TYPE | STATX_MODE, STATX_BASIC_STATS};
	struct statx st;
	int fd = open_new("statx");

	fill(fd, 's', 0, 5000);
	OK(symlink("statx", "link"));
	for (unsigned m = 0; m < 4; m++) {
		memset(&st, 0, sizeof(st));
		OK(statx(AT_FDCWD, "statx", AT_STATX_SYNC_AS_STAT, masks[m], &st));
		IS(masks[m], st.stx_mask & masks[m]);
	}
	say("size %llu blocks %llu mode %o links %u", (unsigned long long)st.stx_size, (unsigned long long)st.stx_blocks,
	    st.stx_mode, st.stx_nlink);
	OK(statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st));
	IS(5000, st.stx_size);
	OK(statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st));
	IS(5, st.stx_size);
	IS(S_IFLNK | 0777, st.stx_mode);
	NO(EINVAL, statx(AT_FDCWD, "statx", 0x40000, STATX_BASIC_STATS, &st));
	NO(EINVAL, statx(AT_FDCWD, "statx", 0, 0x80000000, &st));
	NO(ENOENT, statx(AT_FDCWD, "", 0, STATX_BASIC_STATS, &st));
	close(fd);
}

void theme_watch(void)
{
	inotify();
	dnotify();
	fanotify();
	handles();
	statxes();
}
