/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/held.c - what is held while workers die: locks of all three kinds, a deleted file that is open, a
 * poll of a FIFO.
 *
 * The holder is a child. It has the locks, and sleeps in poll(2) for commands, which come through a FIFO on the
 * mount; it answers through a pipe. The job tries to get the locks, and waits for them when it has told the holder to
 * let go.
 */
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DELETED = 16 * PAGE };

static const char hold_command = 'h', release_command = 'r', nothing_command = 'n', end_command = 'e';

static struct locks {
	int posix, ofd, flock;
} mine;

static pid_t holder;
static int commands, answers, deleted;
static unsigned char image[DELETED], there[DELETED];

static struct locks open_locked_files(void)
{
	struct locks l = {open("posix", O_RDWR | O_CREAT | O_CLOEXEC, 0644), open("ofd", O_RDWR | O_CREAT | O_CLOEXEC, 0644),
			  open("flock", O_RDWR | O_CREAT | O_CLOEXEC, 0644)};

	return l;
}

/* --- the holder ------------------------------------------------------------------------------- */

static int lock_all(const struct locks *l, short type)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = 100, .l_len = 100};

	if (fcntl(l->posix, F_SETLKW, &range) < 0)
		return -1;
	if (fcntl(l->ofd, F_OFD_SETLKW, &range) < 0)
		return -1;
	return flock(l->flock, type == F_UNLCK ? LOCK_UN : LOCK_EX);
}

/* The answer is errno. */
static void hold(int answer)
{
	struct locks l = open_locked_files();
	struct pollfd polled = {.fd = open("fifo", O_RDWR | O_CLOEXEC), .events = POLLIN};

	for (;;) {
		unsigned char err = 0;
		char command;

		if (poll(&polled, 1, -1) != 1 || read(polled.fd, &command, 1) != 1)
			err = (unsigned char)errno;
		else if (command == end_command)
			_exit(0);
		else if (command == hold_command && lock_all(&l, F_WRLCK) < 0)
			err = (unsigned char)errno;
		else if (command == release_command && lock_all(&l, F_UNLCK) < 0)
			err = (unsigned char)errno;
		if (write(answer, &err, 1) != 1)
			_exit(1);
	}
}

static void start_holder(void)
{
	int ends[2];

	note("mkfifo");
	answered(mkfifo("fifo", 0644), 0);
	note("open locked files");
	mine = open_locked_files();
	answered(mine.posix < 0 || mine.ofd < 0 || mine.flock < 0 ? -1 : 0, 0);
	if (pipe2(ends, O_CLOEXEC) < 0)
		fail(ERROR, "there is no pipe");
	holder = fork();
	if (holder == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		hold(ends[1]);
	}
	close(ends[1]);
	answers = ends[0];
	note("open the FIFO");
	commands = (int)answered(open("fifo", O_RDWR | O_CLOEXEC), 0);
}

/* --- the job ---------------------------------------------------------------------------------- */

static void send(char command)
{
	note("send '%c' through the FIFO", command);
	answered_with(write(commands, &command, 1), 1);
}

static void await_answer(void)
{
	unsigned char err = 0;

	note("wait for the holder");
	answered_with(read(answers, &err, 1), 1);
	if (err)
		fail(ERROR, "the holder got %s", strerror(err));
}

/* Each lock is refused, or granted. */
static void try_locks(bool refused)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 150, .l_len = 1};

	note("fcntl lock");
	answered(fcntl(mine.posix, F_SETLK, &range), refused ? EAGAIN : 0);
	note("OFD lock");
	answered(fcntl(mine.ofd, F_OFD_SETLK, &range), refused ? EAGAIN : 0);
	note("flock");
	answered(flock(mine.flock, LOCK_EX | LOCK_NB), refused ? EAGAIN : 0);
	if (!refused)
		return;
	note("who holds the lock");
	answered(fcntl(mine.posix, F_GETLK, &range), 0);
	if (range.l_type != F_WRLCK || range.l_pid != holder || range.l_start != 100)
		fail(LOST, "the lock is not the holder's, but process %d's", (int)range.l_pid);
}

static void take_locks(void)
{
	send(hold_command);
	await_answer();
}

static void unlock(void)
{
	note("unlock");
	answered(lock_all(&mine, F_UNLCK), 0);
}

/* The holder lets go, the job takes the locks, the holder waits for them and gets them. */
static void pass_locks(void)
{
	send(release_command);
	await_answer();
	try_locks(false);
	send(hold_command);
	nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
	unlock();
	await_answer();
}

static void look_at_deleted(void)
{
	struct stat st;

	note("fstat of the deleted file");
	answered(fstat(deleted, &st), 0);
	if (st.st_nlink != 0 || st.st_size != DELETED)
		fail(LOST, "the deleted file has %u links and %lld bytes", (unsigned)st.st_nlink, (long long)st.st_size);
	note("read the deleted file");
	answered_with(pread(deleted, there, DELETED, 0), DELETED);
	if (memcmp(there, image, DELETED) != 0)
		fail(LOST, "the deleted file has other bytes");
}

static void write_deleted(void)
{
	unsigned at = draw(DELETED - 100);

	memset(image + at, (int)draw(256), 100);
	note("write the deleted file at %u", at);
	answered_with(pwrite(deleted, image + at, 100, at), 100);
	if (!chance(20))
		return;
	note("drop the deleted file's cache");
	answered(fsync(deleted) < 0 || posix_fadvise(deleted, 0, 0, POSIX_FADV_DONTNEED) ? -1 : 0, 0);
}

static void make(void)
{
	start_holder();
	take_locks();
	note("create deleted");
	deleted = (int)answered(open("deleted", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600), 0);
	note("write deleted");
	answered_with(pwrite(deleted, image, DELETED, 0), DELETED);
	note("unlink deleted");
	answered(unlink("deleted"), 0);
}

static void step(void)
{
	try_locks(true);
	write_deleted();
	look_at_deleted();
	if (chance(20))
		pass_locks();
	send(nothing_command);
	await_answer();
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void verify(void)
{
	try_locks(true);
	look_at_deleted();
}

static void remove_all(void)
{
	static const char *const rest[] = {"posix", "ofd", "flock", "fifo"};

	send(end_command);
	waitpid(holder, NULL, 0);
	try_locks(false);
	for (unsigned i = 0; i < sizeof(rest) / sizeof(*rest); i++) {
		note("unlink %s", rest[i]);
		answered(unlink(rest[i]), 0);
	}
}

const struct kind held = {"held", 1, make, step, verify, remove_all};
