/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/ksmfsctl.c - choose what is merged, and see what it brings, file by file.
 *
 * Everything goes through what any program can use: extended attributes (ksmfs/xattr.h) and MOUNT/.ksmfs.
 * Going down a directory nothing is followed: fts(3) changes into each directory and makes sure that it is the one
 * it saw, and a name in it is never taken for what a symbolic link points to.  A directory comes before its
 * entries, so what is created in it meanwhile has the new advice from its directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <getopt.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <ksmfs/control.h>
#include <ksmfs/xattr.h>

#include "tools/figures.h"
#include "tools/tenants.h"

enum { EXIT_DONE = 0, EXIT_TROUBLE = 1, EXIT_USAGE = 2, ROOT_INO = 1 };

static const char usage[] =
	"Usage: ksmfsctl mergeable|unmergeable|keep [-R] PATH...\n"
	"       ksmfsctl stat [-R] [--raw | --json] PATH...\n"
	"       ksmfsctl run|stop|unmerge MOUNT\n"
	"       ksmfsctl limit size=SIZE,inodes=N DIRECTORY...\n"
	"       ksmfsctl tenants [--raw | --json] MOUNT\n"
	"\n"
	"Of files, and of directories for what will be created in them:\n"
	"  mergeable        their pages may be merged\n"
	"  unmergeable      they may not; what was merged is split before the command returns\n"
	"  keep             nothing more is merged; what is merged stays\n"
	"  stat             print what merging does for a file, or for all files below a directory\n"
	"Of a whole mount:\n"
	"  run              merge\n"
	"  stop             merge nothing more; what is merged stays\n"
	"  unmerge          stop, and split all that is merged\n"
	"Of directories in the root of a mount:\n"
	"  limit            they are tenants: what is below them is limited, and counted; \"none\" ends a limit\n"
	"  tenants          list them: limits, what is used of them, what it takes in memory, what merging saves\n"
	"\n"
	"  -R, --recursive  also everything below directories: no other file systems, no symbolic links\n"
	"  -r, --raw        one \"name value\" a line\n"
	"  -j, --json       an array of objects\n"
	"  -h, --help       print this and exit\n"
	"  -V, --version    print the version and exit\n"
	"\n"
	"Exit status: 0 done, 1 something could not be done (a line each tells what), 2 wrong command line.\n"
	"More in ksmfsctl(1) and ksmfs(8).\n";

struct command;

/* What happens to each file and directory: `access` is its path from where we are, `path` the one to print. */
struct target {
	const char *access, *path;
	bool named; /* on the command line: there a symbolic link is followed */
	bool is_dir;
};

typedef int visit(const struct command *c, const struct target *t);

static const struct command {
	const char *name;
	visit *visit;      /* NULL: for a mount */
	const char *value; /* that is set, or written to `run`; NULL: its tenants are listed */
} *command;

static struct {
	bool below;
	char form; /* 'r' raw, 'j' JSON, 0 for people */
	unsigned printed;
	bool in_table;
	struct limits limits;
	int status;
} state;

/* --- messages ------------------------------------------------------------------------------------- */

static void complain(const char *path, const char *what)
{
	fflush(stdout);
	fprintf(stderr, "ksmfsctl: %s: %s\n", path, what);
	state.status = EXIT_TROUBLE;
}

/* What failed and what to do, for errors that mean something of their own here. */
static const char *reason(int error)
{
	switch (error) {
	case ENODATA:
	case EOPNOTSUPP:
		return "not a file or directory of a ksmfs (df PATH tells what it is on)";
	case ENOTCONN:
		return "the daemon of this mount is gone: unmount it (umount), and mount it again";
	case EPERM:
		return "only its owner and root may change this";
	case EACCES:
		return "no permission: its owner needs read and write permission here, and root always has it";
	case ENOMEM:
		return "it is out of merging now, but there was no memory to split all of it: remove files, and say it again";
	case EINTR:
		return "interrupted: it is out of merging now, but not all of it is split; say it again";
	case EINVAL:
		return "the daemon of this mount does not know that: it is older than this program";
	default:
		return strerror(error);
	}
}

/* 0, or -ENODATA if `path` lies elsewhere: other file systems would keep our attribute and do nothing. */
static int check_ksmfs(const char *path)
{
	struct statfs fs;
	char value[16];

	if (statfs(path, &fs) < 0)
		return -errno;
	if (fs.f_type != FUSE_SUPER_MAGIC)
		return -ENODATA;
	return getxattr(path, KSMFS_XATTR_MERGEABLE, value, sizeof(value)) < 0 ? -errno : 0;
}

/* --- files ---------------------------------------------------------------------------------------- */

static int advise(const struct command *c, const struct target *t)
{
	int r = t->named ? setxattr(t->access, KSMFS_XATTR_MERGEABLE, c->value, strlen(c->value), 0) :
			   lsetxattr(t->access, KSMFS_XATTR_MERGEABLE, c->value, strlen(c->value), 0);

	return r < 0 ? -errno : 0;
}

static void print_for_people(const struct target *t, const struct figures *f)
{
	if (t->named) {
		if (state.printed)
			putchar('\n');
		figures_print(t->path, f);
		state.in_table = false;
		return;
	}
	if (!state.in_table)
		figures_print_head();
	state.in_table = true;
	figures_print_line(t->path, f);
}

static int show(const struct command *c, const struct target *t)
{
	struct figures f;
	int r;

	if (t->is_dir && !t->named)
		return 0; /* it is in the sums of the one that was named */
	r = figures_read(t->access, t->named, &f);
	if (r < 0)
		return r;
	if (state.form == 'r') {
		if (state.printed)
			putchar('\n');
		figures_print_raw(t->path, &f);
	} else if (state.form == 'j') {
		fputs(state.printed ? ",\n" : "\n", stdout);
		figures_print_json(t->path, &f);
	} else {
		print_for_people(t, &f);
	}
	state.printed++;
	return 0;
}

static int limit(const struct command *c, const struct target *t)
{
	return limits_set(t->access, &state.limits);
}

static const char *why_not_visited(int error)
{
	if (command->visit == limit)
		return limits_reason(&state.limits, error);
	if (error == EPERM && command->visit == show)
		return "on a mount with tenants, or several domains, figures of a directory are for its owner and root";
	return reason(error);
}

static void visit_target(const struct target *t)
{
	int r = command->visit(command, t);

	if (r == -ENOENT && !t->named)
		return; /* removed meanwhile */
	if (r < 0)
		complain(t->path, why_not_visited(-r));
}

/* The control directory, which has no pages; found by a walk with control=visible only. */
static bool is_control(const FTSENT *e)
{
	return e->fts_level == 1 && e->fts_parent->fts_statp->st_ino == ROOT_INO && !strcmp(e->fts_name, KSMFS_CONTROL);
}

static void visit_entry(FTS *walk, FTSENT *e, dev_t dev)
{
	struct target t = { .access = e->fts_accpath, .path = e->fts_path, .named = e->fts_level == 0 };

	switch (e->fts_info) {
	case FTS_D:
		if (is_control(e) || e->fts_statp->st_dev != dev) {
			fts_set(walk, e, FTS_SKIP);
			return;
		}
		t.is_dir = true;
		visit_target(&t);
		return;
	case FTS_F:
		visit_target(&t);
		return;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		if (e->fts_errno != ENOENT || t.named)
			complain(e->fts_path, strerror(e->fts_errno));
		return;
	default: /* the way back, symbolic links, devices */
		return;
	}
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void visit_below(char *path, dev_t dev)
{
	char *const paths[] = { path, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_XDEV, by_name);
	FTSENT *e;

	if (!walk) {
		complain(path, strerror(errno));
		return;
	}
	while ((e = fts_read(walk)))
		visit_entry(walk, e, dev);
	if (errno)
		complain(path, strerror(errno));
	fts_close(walk);
}

static void visit_path(char *path)
{
	struct target t = { .access = path, .path = path, .named = true };
	struct stat st;
	int r;

	if (stat(path, &st) < 0) {
		complain(path, errno == ENOTCONN ? reason(errno) : strerror(errno));
		return;
	}
	t.is_dir = S_ISDIR(st.st_mode);
	r = t.is_dir || S_ISREG(st.st_mode) ? check_ksmfs(path) : -ENODATA;
	if (r < 0)
		complain(path, reason(-r));
	else if (state.below && t.is_dir)
		visit_below(path, st.st_dev);
	else
		visit_target(&t);
}

/* --- a mount --------------------------------------------------------------------------------------- */

/* Why there is no .ksmfs/run in what is a directory of a ksmfs. */
static const char *why_no_control(const char *mount)
{
	struct stat st;

	if (stat(mount, &st) == 0 && st.st_ino != ROOT_INO)
		return "inside a ksmfs, and not its root: name the mount point (findmnt -T PATH tells it)";
	return "it was mounted with control=none, so it cannot be told: mount it without that option";
}

static const char *why_not_written(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "no permission: only root, or who mounted it, may do this";
	case ENOMEM:
		return "there was no memory to split everything: merging is stopped, what was split stays so; remove files, "
		       "and say it again";
	case EINTR:
		return "interrupted: merging is stopped, what was split stays so; say it again to split the rest";
	default:
		return reason(error);
	}
}

static int write_run(const char *mount, const char *value)
{
	char *file;
	ssize_t n;
	int fd;

	if (asprintf(&file, "%s/" KSMFS_CONTROL "/run", mount) < 0)
		return -ENOMEM;
	fd = open(file, O_WRONLY | O_CLOEXEC);
	free(file);
	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	if (n < 0) {
		n = -errno;
		close(fd);
		return (int)n;
	}
	close(fd);
	return 0;
}

static void control_mount(const char *mount)
{
	int r = check_ksmfs(mount);

	if (r < 0) {
		complain(mount, r == -ENODATA || r == -EOPNOTSUPP || r == -ENOTDIR ? "no ksmfs is mounted there" : reason(-r));
		return;
	}
	r = command->value ? write_run(mount, command->value) : tenants_print(mount, state.form);
	if (r == -ENOENT || r == -ENOTDIR)
		complain(mount, why_no_control(mount));
	else if (r < 0)
		complain(mount, why_not_written(-r));
}

/* --- the command line ------------------------------------------------------------------------------ */

static const struct command commands[] = {
	{ "mergeable", advise, "1" },
	{ "unmergeable", advise, "0" },
	{ "keep", advise, "keep" },
	{ "stat", show, NULL },
	{ "run", NULL, "1\n" },
	{ "stop", NULL, "0\n" },
	{ "unmerge", NULL, "2\n" },
	{ "limit", limit, NULL },
	{ "tenants", NULL, NULL },
};

static const struct command *find_command(const char *name)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int refuse(const char *what, const char *word)
{
	fprintf(stderr, "ksmfsctl: %s%s%s (see ksmfsctl --help)\n", what, *word ? " " : "", word);
	return EXIT_USAGE;
}

/* 0 and the command, with its operands from argv[optind] on. */
static int check_command_line(int argc, char **argv)
{
	if (optind == argc)
		return refuse("needs a command", "");
	command = find_command(argv[optind]);
	if (!command)
		return refuse("unknown command", argv[optind]);
	optind++;
	if (state.form && command->visit != show && (command->visit || command->value))
		return refuse("--raw and --json are for stat and tenants, not for", command->name);
	if (state.below && command->visit != advise && command->visit != show)
		return refuse("-R is not for", command->name);
	if (command->visit == limit && (optind == argc || !limits_read(argv[optind++], &state.limits)))
		return refuse("needs size=SIZE, inodes=N, or both with a comma:", command->name);
	if (optind == argc)
		return refuse(command->visit ? "needs a PATH:" : "needs a MOUNT:", command->name);
	if (!command->visit && argc - optind > 1)
		return refuse("takes one MOUNT:", command->name);
	return 0;
}

/* True when there is nothing more to do than to exit with *ret_status. */
static bool read_options(int argc, char **argv, int *ret_status)
{
	static const struct option options[] = {
		{ "recursive", no_argument, NULL, 'R' }, { "raw", no_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },	 { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	 { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "RrjhV", options, NULL)) != -1) {
		switch (c) {
		case 'R':
			state.below = true;
			break;
		case 'r':
		case 'j':
			state.form = (char)c;
			break;
		case 'h':
			fputs(usage, stdout);
			*ret_status = EXIT_DONE;
			return true;
		case 'V':
			puts("ksmfsctl " KSMFS_VERSION);
			*ret_status = EXIT_DONE;
			return true;
		default: /* getopt has said what */
			*ret_status = EXIT_USAGE;
			return true;
		}
	}
	*ret_status = check_command_line(argc, argv);
	return *ret_status != 0;
}

int main(int argc, char **argv)
{
	int status;

	if (read_options(argc, argv, &status))
		return status;
	if (state.form == 'j')
		putchar('[');
	for (char **path = argv + optind; *path; path++) {
		if (command->visit)
			visit_path(*path);
		else
			control_mount(*path);
	}
	if (state.form == 'j')
		puts("\n]");
	return ferror(stdout) || fflush(stdout) ? EXIT_TROUBLE : state.status;
}
