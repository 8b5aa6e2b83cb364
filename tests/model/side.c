/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/side.c - who does an operation, and what he gets to see. */
#include "side.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

static const gid_t more_groups[] = {1000};

static const struct {
	uid_t uid;
	gid_t gid;
	unsigned groups;
} users[OP_USERS] = {{0, 0, 0}, {1000, 1000, 0}, {1001, 1001, 1}};

/* The system calls themselves: glibc's functions change all threads of a process. */
static void must(long r)
{
	if (r < 0)
		abort();
}

void side_become(unsigned who)
{
	must(syscall(SYS_setresuid, -1, 0, -1));
	must(syscall(SYS_setgroups, users[who].groups, more_groups));
	must(syscall(SYS_setresgid, -1, users[who].gid, -1));
	must(syscall(SYS_setresuid, -1, users[who].uid, -1));
}

/* --- SIGBUS ----------------------------------------------------------------------------------- */

static _Thread_local sigjmp_buf *volatile way_out; /* volatile: a signal reads it */

static void on_sigbus(int signal_number)
{
	if (!way_out)
		abort();
	siglongjmp(*way_out, 1);
}

bool side_copy(void *to, const void *from, size_t len)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 1)) {
		way_out = NULL;
		return false;
	}
	way_out = &here;
	memcpy(to, from, len);
	way_out = NULL;
	return true;
}

void side_begin_thread(void)
{
	struct sigaction action = {.sa_handler = on_sigbus};

	must(unshare(CLONE_FS));
	must(sigaction(SIGBUS, &action, NULL));
	must(signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0);
}

/* --- results ---------------------------------------------------------------------------------- */

void seen_result(struct seen *seen, int64_t result)
{
	seen->err = result < 0 ? errno : 0;
	seen->result = result;
}

void seen_bytes(struct seen *seen, const void *bytes, size_t len)
{
	seen->hash = XXH3_64bits_withSeed(bytes, len, seen->hash);
}

char *side_buffer(void)
{
	static _Thread_local char buffer[SIDE_BUFFER] __attribute__((aligned(4096)));

	return buffer;
}

/* Few pages, so that they are equal all the time: zeroes, a byte, and text that depends on the place in a page. */
void side_fill(char *to, unsigned data, int64_t off, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned in_page = (unsigned)(off + (int64_t)i) % 4096;

		to[i] = (char)(data == 0 ? 0 :
			       data == 1 ? 0x11 : (in_page * 7 + data * 31 + in_page / 256) ^ data >> 8);
	}
}

/* --- life ------------------------------------------------------------------------------------- */

void side_open(struct side *s, const struct world *w, int root, bool is_model)
{
	memset(s, 0, sizeof(*s));
	s->world = w;
	s->root = root;
	s->is_model = is_model;
	for (unsigned i = 0; i < OP_FDS; i++)
		s->fds[i] = -1;
}

void side_close(struct side *s)
{
	for (unsigned i = 0; i < OP_MAPS; i++)
		if (s->maps[i].at) {
			munmap(s->maps[i].at, s->maps[i].len);
			close(s->maps[i].file);
		}
	for (unsigned i = 0; i < OP_FDS; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	close(s->root);
}

void side_sync_maps(struct side *s)
{
	for (unsigned i = 0; i < OP_MAPS; i++)
		if (s->maps[i].at && s->maps[i].shared)
			msync(s->maps[i].at, s->maps[i].len, MS_SYNC);
}

bool side_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

uint8_t *side_taint(const struct side *s, const struct stat *st)
{
	return (uint8_t *)&s->taint[(st->st_ino + st->st_dev * 4099) % TAINTS];
}

/* How a mapped file is still open does not show: taken for both. */
static bool is_mapped(const struct side *s, const struct stat *st, bool to_store)
{
	struct stat mapped;

	for (unsigned i = 0; i < OP_MAPS; i++) {
		const struct map *m = &s->maps[i];

		if (m->at && (!to_store || (m->shared && m->writable)) && fstat(m->file, &mapped) == 0 &&
		    side_is_same(&mapped, st))
			return true;
	}
	return false;
}

bool side_lends(const struct side *s, const struct stat *st)
{
	struct stat open;

	for (unsigned i = 0; i < OP_FDS; i++)
		if (fstat(s->fds[i], &open) == 0 && side_is_same(&open, st) &&
		    (fcntl(s->fds[i], F_GETFL) & O_ACCMODE) == O_RDWR)
			return true;
	return is_mapped(s, st, false);
}

bool side_stores(const struct side *s, const struct stat *st)
{
	return is_mapped(s, st, true);
}

bool side_knows_holes(const struct side *s, const struct stat *st)
{
	return !side_lends(s, st) && !(*side_taint(s, st) & (TAINT_BLOCKS | TAINT_HOLES));
}

/* What finds no room has moved times on tmpfs before it fails, and not on ksmfs; a write has dropped set-user-ID on
 * tmpfs, and fallocate on ksmfs, whyever it is refused (README, Known differences). */
static void taint_refused(struct side *s, const struct op *op, const struct seen *seen)
{
	const unsigned fds[] = {op->fd, op->fd2};
	struct stat st;

	if (seen->err != ENOSPC && (seen->err != EPERM || op->kind != OP_fallocate))
		return;
	for (unsigned n = 0; n < 2; n++)
		if (fstat(s->fds[fds[n]], &st) == 0)
			*side_taint(s, &st) |= TAINT_PRIVILEGES | (seen->err == ENOSPC ? TAINT_TIMES : 0);
}

struct seen side_do(struct side *s, const struct op *op)
{
	static void (*const executors[OP_KINDS])(struct side *s, const struct op *op, struct seen *ret) = {
#define KIND(name, weight, fields) [OP_##name] = do_##name,
#include "kinds.def"
#undef KIND
	};
	struct seen ret = {0};

	umask(op->umask);
	side_become(op->who);
	executors[op->kind](s, op, &ret);
	side_become(0);
	taint_refused(s, op, &ret);
	return ret;
}
