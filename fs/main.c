/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/main.c - the command line, and the only place that prints.
 *
 *   ksmfs [-f] [-o options] SOURCE MOUNTPOINT
 *   ksmfs --recover MOUNTPOINT
 *   ksmfs --upgrade MOUNTPOINT
 *
 * Without -f the caller waits on a pipe until the daemon serves or has given up, and then exits with what
 * the daemon told; with -f the caller is the daemon.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "core/log.h"
#include "fs/again.h"
#include "fs/options.h"
#include "fs/order.h"
#include "fs/remount.h"
#include "fs/successor.h"
#include "fs/super.h"
#include "fs/title.h"
#include "fs/why.h"

/* As mount(8) has them. */
enum { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_SYSTEM = 2, EXIT_MOUNT = 32 };

struct command_line {
	bool foreground;
	char *options; /* all -o, joined by commas */
	const char *source;
	const char *mountpoint; /* absolute and resolved */
};

static int complain(int status, const char *fmt, ...) printf_like(2, 3);

static int complain(int status, const char *fmt, ...)
{
	va_list args;

	fputs("ksmfs: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

static int print_help(void)
{
	const char *name, *help;
	char text[64];

	puts("usage: ksmfs [-f] [-o OPTION[,OPTION...]] SOURCE MOUNTPOINT\n"
	     "       mount -t fuse.ksmfs [-o OPTION[,OPTION...]] SOURCE MOUNTPOINT\n"
	     "       ksmfs --recover MOUNTPOINT\n"
	     "       ksmfs --upgrade MOUNTPOINT\n"
	     "\n"
	     "Mounts a file system in memory whose files share equal pages.\n"
	     "\n"
	     "  --recover       have a mount served again whose daemon has given up\n"
	     "  --upgrade       let this program go on with a mount that is there\n"
	     "  -f              stay in the foreground, log to stderr\n"
	     "  -o OPTION,...   options, see below and mount(8)\n"
	     "  -h, --help      this text\n"
	     "  -V, --version   the version\n");
	for (unsigned i = 0; (help = options_help(i, &name)) != NULL; i++) {
		snprintf(text, sizeof(text), "%s", name);
		printf("  -o %-20s %s\n", text, help);
	}
	return EXIT_OK;
}

/* --- the log ------------------------------------------------------------------------------------- */

/* Not while that would wait: for who reads a pipe, or has stopped a terminal. */
static void log_to_stderr(enum log_level level, const char *line)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (level < LOG_LEVEL_DEBUG && poll(&room, 1, 0) > 0 && (room.revents & POLLOUT))
		fprintf(stderr, "ksmfs: %s\n", line);
}

static int syslog_fd = -1;
static char syslog_ident[256];

/* As syslog(3), but never waiting: when nobody reads the log, mounts are served all the same. */
static void log_to_syslog(enum log_level level, const char *line)
{
	static const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	char packet[2048];
	int n;

	if (level >= LOG_LEVEL_DEBUG)
		return;
	n = snprintf(packet, sizeof(packet), "<%d>%s[%ld]: %s", LOG_DAEMON | (int)level, syslog_ident, (long)getpid(),
		     line);
	(void)sendto(syslog_fd, packet, MIN((size_t)n, sizeof(packet) - 1), MSG_DONTWAIT | MSG_NOSIGNAL,
		     (const struct sockaddr *)&to, sizeof(to));
}

static void open_log(const struct command_line *c)
{
	if (c->foreground) {
		log_set_sink(log_to_stderr);
		return;
	}
	snprintf(syslog_ident, sizeof(syslog_ident), "ksmfs[%s]", c->mountpoint);
	syslog_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	log_set_sink(log_to_syslog);
}

/* --- the command line ---------------------------------------------------------------------------- */

static bool add_options(struct command_line *c, const char *more)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", c->options ? c->options : "", c->options ? "," : "", more) < 0)
		return false;
	free(c->options);
	c->options = joined;
	return true;
}

/* 0, or the exit status and 1 in *ret_done. */
static int read_command_line(int argc, char **argv, struct command_line *c, bool *ret_done)
{
	const char *words[2] = {NULL, NULL};
	unsigned count = 0;

	*ret_done = true;
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];

		if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)
			return print_help();
		if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0)
			return puts("ksmfs " KSMFS_VERSION) < 0 ? EXIT_SYSTEM : EXIT_OK;
		if (strcmp(arg, "-f") == 0) {
			c->foreground = true;
		} else if (strncmp(arg, "-o", 2) == 0) {
			const char *value = arg[2] ? arg + 2 : i + 1 < argc ? argv[++i] : NULL;

			if (!value)
				return complain(EXIT_USAGE, "-o needs options");
			if (!add_options(c, value))
				return complain(EXIT_SYSTEM, "out of memory");
		} else if (strcmp(arg, "--recover") == 0 || strcmp(arg, "--upgrade") == 0) {
			return complain(EXIT_USAGE, "%s needs a MOUNTPOINT, and nothing else (see ksmfs --help)", arg);
		} else if (arg[0] == '-' && arg[1]) {
			return complain(EXIT_USAGE, "unknown option '%s' (see ksmfs --help)", arg);
		} else if (count == 2) {
			return complain(EXIT_USAGE, "too many arguments (see ksmfs --help)");
		} else {
			words[count++] = arg;
		}
	}
	if (count < 2)
		return complain(EXIT_USAGE, "needs SOURCE and MOUNTPOINT (see ksmfs --help)");
	c->source = words[0];
	c->mountpoint = realpath(words[1], NULL);
	if (!c->mountpoint)
		return complain(EXIT_MOUNT, "mount point %s: %s", words[1], strerror(errno));
	*ret_done = false;
	return EXIT_OK;
}

static int read_options(const struct command_line *c, struct options *o)
{
	char err[OPTIONS_ERROR_BYTES], index[PATH_MAX];
	struct sysinfo info;

	if (options_parse(c->options ? c->options : "", o, err, sizeof(err)) < 0)
		return complain(EXIT_USAGE, "%s", err);
	if (sysinfo(&info) < 0)
		return complain(EXIT_SYSTEM, "cannot read the size of memory: %s", strerror(errno));
	if (*o->index) { /* the daemon leaves the working directory */
		if (!realpath(o->index, index))
			return complain(EXIT_MOUNT, "index=%s: %s", o->index, strerror(errno));
		memcpy(o->index, index, sizeof(o->index));
	}
	o->foreground = c->foreground;
	options_resolve(o, (uint64_t)info.totalram * info.mem_unit / PAGE_BYTES, getuid(), getgid());
	return EXIT_OK;
}

/* --- running ------------------------------------------------------------------------------------- */

/* 0, 1 and 2 are open, whatever the caller did: else /dev/fuse could become one of them. */
static bool open_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
	return fd >= 0;
}

/* Pipes and locks that the caller happened to have open: a daemon would hold them for ever. */
static void close_other_fds(void)
{
	close_range(3, UINT_MAX, 0);
}

/* Before anything is forked: nothing of ours may keep the caller's pipes or directory busy. */
static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int standard = 0; fd >= 0 && standard <= 2; standard++)
		dup2(fd, standard);
	if (fd > 2)
		close(fd);
	if (chdir("/") < 0)
		log_warning("cannot leave the working directory: %s", strerror(errno));
}

static int run_remount(const struct command_line *c, const struct options *o)
{
	struct why why = {0};

	return remount(o, c->mountpoint, &why) < 0 ? complain(EXIT_MOUNT, "%s", why.text) : EXIT_OK;
}

static int run_foreground(const struct command_line *c, const struct options *o)
{
	struct why why = {0};

	if (super_start(o, c->source, c->mountpoint, &why) < 0)
		return complain(EXIT_MOUNT, "%s", why.text);
	return super_serve();
}

/* In the new process: tell the caller how it went, then serve. */
static int run_daemon(const struct command_line *c, const struct options *o, int told_fd)
{
	struct why why = {0};
	int r;

	leave_terminal();
	r = super_start(o, c->source, c->mountpoint, &why);
	if (write(told_fd, &why, sizeof(why)) != (ssize_t)sizeof(why) && r == 0)
		log_debug("nobody waits for the mount any more");
	close(told_fd);
	return r < 0 ? EXIT_MOUNT : super_serve();
}

static int run_background(const struct command_line *c, const struct options *o)
{
	struct why why;
	int told[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(told, O_CLOEXEC) < 0)
		return complain(EXIT_SYSTEM, "cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return complain(EXIT_SYSTEM, "cannot fork: %s", strerror(errno));
	if (pid == 0) {
		close(told[0]);
		_exit(run_daemon(c, o, told[1]));
	}
	close(told[1]);
	do {
		n = read(told[0], &why, sizeof(why));
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(why) && why.error == 0)
		return EXIT_OK;
	waitpid(pid, NULL, 0); /* it has cleaned up when the caller goes on */
	if (n != (ssize_t)sizeof(why))
		return complain(EXIT_MOUNT, "the daemon died while starting");
	return complain(EXIT_MOUNT, "%s", why.text);
}

/* --- commands about a mount that is there -------------------------------------------------------- */

static int run_recover(const char *mountpoint)
{
	struct why why = {0};
	int r;

	r = again(mountpoint, &why);
	if (r < 0)
		return complain(EXIT_MOUNT, "%s", why.text);
	return printf("%s: %s\n", mountpoint, r > 0 ? "is being served" : "is served again") < 0 ? EXIT_SYSTEM : EXIT_OK;
}

static int run_upgrade(const char *mountpoint)
{
	struct why why;
	int fd, r;

	fd = successor_self(&why);
	r = fd < 0 ? fd : order_give(mountpoint, ORDER_UPGRADE, fd, &why);
	if (r < 0)
		return complain(EXIT_MOUNT, "not upgraded: %s", why.text);
	return puts(why.text) < 0 ? EXIT_SYSTEM : EXIT_OK;
}

/* The program that serves a mount asks whether we could. */
static int run_try(int handover_fd)
{
	struct command_line c = {0};
	struct why why;
	int r;

	r = super_receive(handover_fd, &c.foreground, &c.mountpoint, &why);
	if (r == 0)
		r = super_can_take_over(&why);
	return puts(r < 0 ? why.text : SUCCESSOR_YES) < 0 || r < 0 ? EXIT_SYSTEM : EXIT_OK;
}

static int run_take_over(int handover_fd)
{
	struct command_line c = {0};
	struct why why;

	if (super_receive(handover_fd, &c.foreground, &c.mountpoint, &why) < 0)
		return complain(EXIT_SYSTEM, "%s", why.text);
	open_log(&c);
	return super_take_over();
}

static bool is_command(int argc, char **argv, int *ret_status)
{
	bool is_successor = argc == 4;

	if (argc == 3 && strcmp(argv[1], "--recover") == 0)
		*ret_status = run_recover(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "--upgrade") == 0)
		*ret_status = run_upgrade(argv[2]);
	else if (is_successor && strcmp(argv[1], SUCCESSOR_TRY) == 0)
		*ret_status = run_try((int)strtol(argv[2], NULL, 10));
	else if (is_successor && strcmp(argv[1], SUCCESSOR_RUN) == 0)
		*ret_status = run_take_over((int)strtol(argv[2], NULL, 10));
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	struct command_line c = {0};
	static struct options o;
	bool done;
	int status;

	argv = title_init(argc, argv);
	if (!open_standard_fds())
		return EXIT_SYSTEM;
	if (is_command(argc, argv, &status))
		return status;
	status = read_command_line(argc, argv, &c, &done);
	if (done)
		return status;
	status = read_options(&c, &o);
	if (status != EXIT_OK)
		return status;
	if (!c.foreground)
		close_other_fds();
	open_log(&c);
	if (o.remount)
		return run_remount(&c, &o);
	return c.foreground ? run_foreground(&c, &o) : run_background(&c, &o);
}
