/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/names.c - creates, links, renames and removes; each answer must be what the shadow tree says it is.
 *
 * So a create that was done twice shows as EEXIST, a removal as ENOENT, and one that was lost the other way round.
 */
#include "kinds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "node.h"

enum { DIRECTORIES = 14, HELD = 6 };

static struct {
	int fd;
	struct node *node;
} held_open[HELD];

static char path_a[PATH], path_b[PATH];

/* --- making ----------------------------------------------------------------------------------- */

/* It is there now: which inode it is, it keeps. */
static void made(struct place p, struct node *n)
{
	struct stat st;

	shadow_put(p, n);
	note("lstat %s", path_a);
	answered(lstat(path_a, &st), 0);
	n->ino = st.st_ino;
	node_compare_stat(&st, n);
}

static void create(void)
{
	struct place p = shadow_draw();
	struct node *n = shadow_at(p);
	int fd;

	note("open O_CREAT|O_EXCL %s", shadow_path(p, path_a));
	fd = (int)answered(open(path_a, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640), n ? EEXIST : 0);
	if (n)
		return;
	n = shadow_new(S_IFREG, 0640);
	made(p, n);
	if (chance(70))
		node_write(fd, n);
	note("close");
	answered(close(fd), 0);
}

static void create_temporary(void)
{
	struct place p = shadow_draw();
	struct node *old = shadow_at(p), *n;
	char proc[64];
	int fd;

	note("open O_TMPFILE");
	fd = (int)answered(open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), 0);
	n = shadow_new(S_IFREG, 0600);
	node_write(fd, n);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	note("linkat of the temporary file to %s", shadow_path(p, path_a));
	answered(linkat(AT_FDCWD, proc, AT_FDCWD, path_a, AT_SYMLINK_FOLLOW), old ? EEXIST : 0);
	if (old)
		shadow_release(n);
	else
		made(p, n);
	note("close");
	answered(close(fd), 0);
}

static void make_directory(void)
{
	struct place p = shadow_draw();
	struct node *n = shadow_at(p);

	if (shadow_directories() >= DIRECTORIES)
		return;
	note("mkdir %s", shadow_path(p, path_a));
	answered(mkdir(path_a, 0755), n ? EEXIST : 0);
	if (!n)
		made(p, shadow_new(S_IFDIR, 0755));
}

static void make_fifo(void)
{
	struct place p = shadow_draw();
	struct node *n = shadow_at(p);

	note("mkfifo %s", shadow_path(p, path_a));
	answered(mkfifo(path_a, 0600), n ? EEXIST : 0);
	if (!n)
		made(p, shadow_new(S_IFIFO, 0600));
}

static void make_symlink(void)
{
	struct place p = shadow_draw();
	struct node *n = shadow_at(p);
	unsigned stamp = node_stamp();
	char target[32];

	snprintf(target, sizeof(target), "target/%u", stamp);
	note("symlink %s %s", target, shadow_path(p, path_a));
	answered(symlink(target, path_a), n ? EEXIST : 0);
	if (n)
		return;
	n = shadow_new(S_IFLNK, 0777);
	n->stamp = stamp;
	made(p, n);
}

static void make_link(void)
{
	struct place from = shadow_draw(), to = shadow_draw();
	struct node *n = shadow_at(from);
	int wanted = !n ? ENOENT : shadow_at(to) ? EEXIST : S_ISDIR(n->type) ? EPERM : 0;

	note("link %s %s", shadow_path(from, path_a), shadow_path(to, path_b));
	answered(link(path_a, path_b), wanted);
	if (!wanted)
		shadow_put(to, n);
}

/* --- taking away ------------------------------------------------------------------------------ */

static void remove_file(void)
{
	struct place p = shadow_draw();
	struct node *n = shadow_at(p);
	int wanted = !n ? ENOENT : S_ISDIR(n->type) ? EISDIR : 0;

	note("unlink %s", shadow_path(p, path_a));
	answered(unlink(path_a), wanted);
	if (!wanted)
		shadow_take(p);
}

static void remove_directory(void)
{
	struct place p = shadow_draw();
	struct node *n = shadow_at(p);
	int wanted = !n ? ENOENT : !S_ISDIR(n->type) ? ENOTDIR : !shadow_is_empty(n) ? ENOTEMPTY : 0;

	note("rmdir %s", shadow_path(p, path_a));
	answered(rmdir(path_a), wanted);
	if (!wanted)
		shadow_take(p);
}

/* --- renaming --------------------------------------------------------------------------------- */

static int rename_answer(const struct node *n, const struct node *old, unsigned flags)
{
	if (!n)
		return ENOENT;
	if (flags == RENAME_NOREPLACE)
		return old ? EEXIST : 0;
	if (flags == RENAME_EXCHANGE)
		return old ? 0 : ENOENT;
	if (!old || n == old)
		return 0;
	if (S_ISDIR(n->type) != S_ISDIR(old->type))
		return S_ISDIR(n->type) ? ENOTDIR : EISDIR;
	return S_ISDIR(old->type) && !shadow_is_empty(old) ? ENOTEMPTY : 0;
}

/* Directories into what lies below them are the kernel's business: no daemon hears of it. */
static bool is_tangled(const struct node *n, struct place to)
{
	return n && S_ISDIR(n->type) && shadow_is_within(to.dir, n);
}

static void move(void)
{
	static const unsigned likely[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
	struct place from = shadow_draw(), to = shadow_draw();
	struct node *n = shadow_at(from), *old = shadow_at(to);
	unsigned flags = likely[draw(sizeof(likely) / sizeof(*likely))];
	int wanted = rename_answer(n, old, flags);

	if (is_tangled(n, to) || is_tangled(old, from))
		return;
	note("rename %s %s flags %u", shadow_path(from, path_a), shadow_path(to, path_b), flags);
	answered(renameat2(AT_FDCWD, path_a, AT_FDCWD, path_b, flags), wanted);
	if (wanted || n == old)
		return;
	if (flags == RENAME_EXCHANGE) {
		shadow_swap(from, to);
		return;
	}
	if (old)
		shadow_take(to);
	shadow_put(to, n);
	shadow_take(from);
}

/* --- what a node says ------------------------------------------------------------------------- */

/* Something that is there, of types whose bits are in `wanted`. */
static struct node *draw_node(bool (*is_wanted)(const struct node *))
{
	for (unsigned tries = 0; tries < 20; tries++) {
		struct place p = shadow_draw();
		struct node *n = shadow_at(p);

		if (!n || (is_wanted && !is_wanted(n)))
			continue;
		shadow_path(p, path_a);
		return n;
	}
	return NULL;
}

static bool is_file(const struct node *n)
{
	return S_ISREG(n->type);
}

static bool is_no_link(const struct node *n)
{
	return !S_ISLNK(n->type);
}

static void look(void)
{
	struct node *n = draw_node(NULL);

	if (n)
		node_compare(path_a, n, chance(50));
}

static void miss(void)
{
	struct place p = shadow_draw();
	struct stat st;

	note("lstat %s", shadow_path(p, path_a));
	answered(lstat(path_a, &st), shadow_at(p) ? 0 : ENOENT);
}

static void change_mode(void)
{
	static const mode_t modes[] = {0600, 0644, 0666, 0700, 0711, 0755, 0777};
	struct node *n = draw_node(is_no_link);

	if (!n)
		return;
	n->mode = modes[draw(sizeof(modes) / sizeof(*modes))];
	note("chmod %s %o", path_a, n->mode);
	answered(chmod(path_a, n->mode), 0);
}

static void change_owner(void)
{
	struct node *n = draw_node(NULL);

	if (!n)
		return;
	n->uid = 1000 + draw(5);
	n->gid = 2000 + draw(5);
	note("chown %s %u:%u", path_a, n->uid, n->gid);
	answered(lchown(path_a, n->uid, n->gid), 0);
}

static void change_time(void)
{
	struct node *n = draw_node(is_file);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = draw(1000000)}};

	if (!n)
		return;
	n->mtime = times[1].tv_sec;
	note("utimensat %s %lld", path_a, n->mtime);
	answered(utimensat(AT_FDCWD, path_a, times, 0), 0);
}

static void cut(void)
{
	struct node *n = draw_node(is_file);
	size_t size = draw(NODE_MAX_SIZE);

	if (!n)
		return;
	note("truncate %s from %zu to %zu", path_a, n->size, size);
	answered(truncate(path_a, (off_t)size), 0);
	n->size = size;
	n->filled = n->filled < size ? n->filled : size;
	n->mtime = -1;
}

static void set_xattr(void)
{
	static const int likely[] = {0, XATTR_CREATE, XATTR_REPLACE};
	struct node *n = draw_node(node_has_xattrs);
	unsigned k = draw(XATTRS), number = 1 + draw(1000);
	int flags = likely[draw(3)], wanted;
	char value[NODE_VALUE];

	if (!n)
		return;
	wanted = flags == XATTR_CREATE && n->xattr[k] ? EEXIST : flags == XATTR_REPLACE && !n->xattr[k] ? ENODATA : 0;
	note("setxattr %s %s value %u flags %d", path_a, node_xattr(k), number, flags);
	answered(setxattr(path_a, node_xattr(k), value, node_value(number, value), flags), wanted);
	if (!wanted)
		n->xattr[k] = number;
}

static void remove_xattr(void)
{
	struct node *n = draw_node(node_has_xattrs);
	unsigned k = draw(XATTRS);

	if (!n)
		return;
	note("removexattr %s %s", path_a, node_xattr(k));
	answered(removexattr(path_a, node_xattr(k)), n->xattr[k] ? 0 : ENODATA);
	n->xattr[k] = 0;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static void let_go(unsigned i)
{
	struct node *n = held_open[i].node;
	struct stat st;

	note("fstat of what was kept open, inode %llu", (unsigned long long)n->ino);
	answered(fstat(held_open[i].fd, &st), 0);
	node_compare_stat(&st, n);
	node_compare_content(held_open[i].fd, n);
	note("close it");
	answered(close(held_open[i].fd), 0);
	held_open[i].node = NULL;
	n->opens--;
	shadow_release(n);
}

/* A file stays open, whatever becomes of its names. */
static void keep_open(void)
{
	unsigned i = draw(HELD);
	struct node *n;

	if (held_open[i].node) {
		let_go(i);
		return;
	}
	n = draw_node(is_file);
	if (!n)
		return;
	note("open %s to keep it", path_a);
	held_open[i].fd = (int)answered(open(path_a, O_RDWR | O_CLOEXEC), 0);
	held_open[i].node = n;
	n->opens++;
}

/* --- a job ------------------------------------------------------------------------------------ */

static void step(void)
{
	static void (*const likely[])(void) = {
		create, create, create, create, create_temporary, make_directory, make_directory, make_fifo,
		make_symlink, make_link, make_link, remove_file, remove_file, remove_file, remove_directory, move,
		move, move, look, look, miss, change_mode, change_owner, change_time, cut, set_xattr, set_xattr,
		remove_xattr, keep_open, keep_open};
	static void (*const removals[])(void) = {remove_file, remove_directory};

	if (shadow_is_full())
		removals[draw(2)]();
	else
		likely[draw(sizeof(likely) / sizeof(*likely))]();
}

/* Each name once, and none more; what the directory says of it. */
static void compare_directory(const char *path, const struct node *dir)
{
	bool seen[NAMES] = {false};
	const struct dirent *e;
	DIR *d;

	note("opendir %s", path);
	d = opendir(path);
	answered(d ? 0 : -1, 0);
	note("readdir %s", path);
	while ((e = readdir(d))) {
		unsigned name = NAMES;

		if (e->d_name[0] == '.')
			continue;
		if (sscanf(e->d_name, "n%u", &name) != 1 || name >= NAMES || !dir->entry[name])
			fail(LOST, "%s lists %s, which should not be there", path, e->d_name);
		if (seen[name])
			fail(DOUBLED, "%s lists %s twice", path, e->d_name);
		if (e->d_ino != dir->entry[name]->ino || e->d_type != IFTODT(dir->entry[name]->type))
			fail(LOST, "%s lists %s as inode %llu type %u, which is %llu", path, e->d_name,
			     (unsigned long long)e->d_ino, e->d_type, (unsigned long long)dir->entry[name]->ino);
		seen[name] = true;
	}
	answered(0, 0);
	for (unsigned i = 0; i < NAMES; i++)
		if (dir->entry[i] && !seen[i])
			fail(LOST, "%s does not list n%02u, inode %llu", path, i, (unsigned long long)dir->entry[i]->ino);
	closedir(d);
}

static void verify(void)
{
	char path[PATH];

	compare_directory(".", &nodes[0]);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned name = 0; S_ISDIR(nodes[i].type) && name < NAMES; name++) {
			struct place p = {&nodes[i], name};
			const struct node *n = shadow_at(p);

			if (!n)
				continue;
			node_compare(shadow_path(p, path), n, true);
			if (S_ISDIR(n->type))
				compare_directory(path, n);
		}
	for (unsigned i = 0; i < HELD; i++)
		if (held_open[i].node)
			let_go(i);
}

static void make(void)
{
	struct stat st;

	note("stat .");
	answered(stat(".", &st), 0);
	nodes[0].ino = st.st_ino;
}

static void remove_below(struct node *dir)
{
	for (unsigned name = 0; name < NAMES; name++) {
		struct place p = {dir, name};
		struct node *n = shadow_at(p);

		if (!n)
			continue;
		if (S_ISDIR(n->type))
			remove_below(n);
		note("remove %s", shadow_path(p, path_a));
		answered(S_ISDIR(n->type) ? rmdir(path_a) : unlink(path_a), 0);
		shadow_take(p);
	}
}

static void remove_all(void)
{
	for (unsigned i = 0; i < HELD; i++)
		if (held_open[i].node)
			let_go(i);
	remove_below(&nodes[0]);
}

const struct kind names = {"names", 3, make, step, verify, remove_all};
