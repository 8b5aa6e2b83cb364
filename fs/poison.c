/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/poison.c - the handler of a crash writes two words into shared memory, tells the supervisor to look (a core may
 * take long to be written), and lets happen what would have happened: the action there was before is put back, and
 * the fault comes again when the handler returns.
 */
#include "fs/poison.h"

#include <signal.h>
#include <unistd.h>

#include "core/log.h"
#include "fs/death.h"
#include "fs/newer.h"
#include "fs/takeover.h"

enum { STACK_BYTES = 16384 };

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

static struct poison *poison;
static struct sigaction before[NSIG];

static _Thread_local volatile uint64_t in_hand; /* without TAKEOVER_RESENT */
static _Thread_local bool has_stack;
static _Thread_local uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));

/* --- crashing ------------------------------------------------------------------------------------ */

static struct poison_entry *find(uint64_t request)
{
	for (unsigned n = 0; n < POISON_REQUESTS; n++)
		if (atomic_load(&poison->entry[n].request) == request)
			return &poison->entry[n];
	return NULL;
}

static void count(uint64_t request)
{
	struct poison_entry *e = find(request);

	if (!e) {
		e = &poison->entry[atomic_fetch_add(&poison->known, 1) % POISON_REQUESTS];
		atomic_store(&e->deaths, 0);
		atomic_store(&e->request, request);
	}
	atomic_fetch_add(&e->deaths, 1);
}

/* Not the signal that somebody sends: an instruction's, or abort(3)'s. */
static bool is_ours(const siginfo_t *info)
{
	return info->si_code > 0 || info->si_pid == getpid();
}

/* Of these the instruction is done once more when the handler returns. */
static bool comes_again(int signo, const siginfo_t *info)
{
	return info->si_code > 0 && (signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL);
}

static void crash(int signo, siginfo_t *info, void *context)
{
	if (in_hand && is_ours(info))
		count(in_hand);
	death_announce();
	sigaction(signo, &before[signo], NULL);
	if (!comes_again(signo, info))
		raise(signo);
}

int poison_catch(struct poison *p)
{
	struct sigaction action = {.sa_sigaction = crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	poison = p;
	sigemptyset(&action.sa_mask);
	for (unsigned i = 0; i < ARRAY_SIZE(crashes); i++)
		if (sigaction(crashes[i], &action, &before[crashes[i]]) < 0)
			return -errno;
	return 0;
}

/* A stack that overflows crashes, too.  Where a sanitizer has made one it stays. */
static void have_stack(void)
{
	stack_t now, own = {.ss_sp = stack, .ss_size = sizeof(stack)};

	if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE))
		(void)sigaltstack(&own, NULL);
	has_stack = true;
}

/* --- requests ------------------------------------------------------------------------------------ */

static const char *name_of(uint32_t opcode)
{
	static const char *const names[] = {
		[FUSE_LOOKUP] = "lookup", [FUSE_FORGET] = "forget", [FUSE_GETATTR] = "getattr",
		[FUSE_SETATTR] = "setattr", [FUSE_READLINK] = "readlink", [FUSE_SYMLINK] = "symlink",
		[FUSE_MKNOD] = "mknod", [FUSE_MKDIR] = "mkdir", [FUSE_UNLINK] = "unlink",
		[FUSE_RMDIR] = "rmdir", [FUSE_RENAME] = "rename", [FUSE_LINK] = "link", [FUSE_OPEN] = "open",
		[FUSE_READ] = "read", [FUSE_WRITE] = "write", [FUSE_STATFS] = "statfs",
		[FUSE_RELEASE] = "release", [FUSE_FSYNC] = "fsync", [FUSE_SETXATTR] = "setxattr",
		[FUSE_GETXATTR] = "getxattr", [FUSE_LISTXATTR] = "listxattr",
		[FUSE_REMOVEXATTR] = "removexattr", [FUSE_FLUSH] = "flush", [FUSE_OPENDIR] = "opendir",
		[FUSE_READDIR] = "readdir", [FUSE_RELEASEDIR] = "releasedir", [FUSE_FSYNCDIR] = "fsyncdir",
		[FUSE_ACCESS] = "access", [FUSE_CREATE] = "create", [FUSE_IOCTL] = "ioctl",
		[FUSE_BATCH_FORGET] = "forget", [FUSE_FALLOCATE] = "fallocate",
		[FUSE_READDIRPLUS] = "readdirplus", [FUSE_RENAME2] = "rename", [FUSE_LSEEK] = "lseek",
		[FUSE_COPY_FILE_RANGE] = "copy_file_range", [NEWER_TMPFILE] = "tmpfile", [NEWER_STATX] = "statx",
	};

	return opcode < ARRAY_SIZE(names) && names[opcode] ? names[opcode] : "request";
}

#ifdef KSMFS_HOOKS
struct poison *poison_table(void)
{
	return poison;
}

static void crash_for_test(bool wanted)
{
	if (wanted)
		__builtin_trap();
}
#endif

/* V2 */
static bool is_poison(const struct fuse_in_header *head)
{
	const struct poison_entry *e;

	if (!atomic_load_explicit(&poison->known, memory_order_relaxed))
		return false;
	e = find(in_hand);
	if (!e || atomic_load(&e->deaths) < POISON_DEATHS)
		return false;
	log_write(&(struct log_cause){0}, LOG_LEVEL_ERR,
		  "%s of inode %llu (request %llu, process %u) has crashed %u workers: it is answered EIO",
		  name_of(head->opcode), (unsigned long long)head->nodeid, (unsigned long long)in_hand, head->pid,
		  POISON_DEATHS);
	return true;
}

bool poison_enter(const struct fuse_in_header *head)
{
	if (!has_stack)
		have_stack();
	in_hand = head->unique & ~TAKEOVER_RESENT;
	if (is_poison(head))
		return true;
#ifdef KSMFS_HOOKS
	crash_for_test(head->opcode == FUSE_WRITE && poison->crash_ino &&
		       poison->crash_ino == (uint32_t)head->nodeid);
#endif
	return false;
}

void poison_leave(void)
{
	in_hand = 0;
}

uint64_t poison_request(void)
{
	return in_hand;
}

void poison_go_on(uint64_t request)
{
	if (!has_stack)
		have_stack();
	in_hand = request;
#ifdef KSMFS_HOOKS
	crash_for_test(poison->crash_aside);
#endif
}
