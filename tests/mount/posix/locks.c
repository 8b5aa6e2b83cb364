/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/locks.c - flock, POSIX locks, locks of open files, leases: between processes, and with signals. */
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "posix.h"

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &l);
}

/* Type and range of what is in the way. */
static void in_the_way(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	OK(fcntl(fd, cmd, &l));
	if (l.l_type == F_UNLCK)
		say("nothing is in the way");
	else
		say("a lock of type %d from %ld for %ld, by %s", l.l_type, (long)l.l_start, (long)l.l_len,
		    l.l_pid == getppid() ? "the parent" : l.l_pid == -1 ? "an open file" : "somebody");
}

static void by_processes(void)
{
	int fd = open_new("posix");

	fill(fd, 'l', 0, 1000);
	OK(lock(fd, F_SETLK, F_WRLCK, 100, 100));
	OK(lock(fd, F_SETLK, F_RDLCK, 120, 10)); /* splits it */
	CHILD
	{
		in_the_way(fd, F_GETLK, F_WRLCK, 0, 50);
		in_the_way(fd, F_GETLK, F_WRLCK, 0, 0);
		in_the_way(fd, F_GETLK, F_RDLCK, 120, 10);
		in_the_way(fd, F_GETLK, F_WRLCK, 120, 10);
		NO(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 120, 1));
		OK(lock(fd, F_SETLK, F_RDLCK, 120, 1));
		NO(EAGAIN, lock(fd, F_SETLK, F_RDLCK, 130, 1));
		OK(lock(fd, F_SETLK, F_WRLCK, 200, 0));
		NO(EAGAIN, flock(fd, LOCK_EX) + lock(fd, F_SETLK, F_WRLCK, 0, 0)); /* two kinds that do not meet */
	}
	OK(lock(fd, F_SETLK, F_WRLCK, 0, 0)); /* the child is gone, and so are its locks */
	int other = open("posix", O_RDONLY);
	NO(EBADF, lock(other, F_SETLK, F_WRLCK, 0, 1));
	NO(EINVAL, lock(other, F_SETLK, F_RDLCK, -1, 1));
	NO(EINVAL, lock(other, F_SETLK, 99, 0, 1));
	close(other); /* takes all locks of this process on the file with it */
	CHILD
	{
		OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	}
	OK(lockf(fd, F_TLOCK, 10));
	OK(lockf(fd, F_ULOCK, 10));
	close(fd);
}

static void by_open_files(void)
{
	int one = open_new("ofd"), two = open("ofd", O_RDWR);

	OK(lock(one, F_OFD_SETLK, F_WRLCK, 0, 10));
	NO(EAGAIN, lock(two, F_OFD_SETLK, F_WRLCK, 5, 10));
	NO(EAGAIN, lock(two, F_SETLK, F_RDLCK, 5, 10));
	OK(lock(two, F_OFD_SETLK, F_RDLCK, 10, 10));
	in_the_way(two, F_OFD_GETLK, F_WRLCK, 0, 0);
	CHILD
	{
		OK(lock(one, F_OFD_SETLK, F_WRLCK, 0, 10)); /* inherited */
	}
	NO(EAGAIN, lock(two, F_OFD_SETLK, F_RDLCK, 0, 1));
	close(one);
	OK(lock(two, F_OFD_SETLK, F_WRLCK, 0, 0));
	close(two);
}

static void flocks(void)
{
	int one = open_new("flock"), two = open("flock", O_RDONLY);

	OK(flock(one, LOCK_SH));
	OK(flock(two, LOCK_SH));
	NO(EWOULDBLOCK, flock(two, LOCK_EX | LOCK_NB));
	OK(flock(one, LOCK_UN));
	OK(flock(two, LOCK_EX | LOCK_NB));
	NO(EWOULDBLOCK, flock(one, LOCK_SH | LOCK_NB));
	CHILD
	{
		OK(flock(two, LOCK_EX | LOCK_NB)); /* the same open file */
	}
	close(two);
	OK(flock(one, LOCK_SH | LOCK_NB));
	NO(EINVAL, flock(one, 0));
	close(one);
}

static volatile int signals;

static void on_signal(int signal)
{
	(void)signal;
	signals++;
}

static void catch(int signal, bool restart)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0};

	sigaction(signal, &action, NULL);
}

/* Who waits for a lock gets it when it is free; a signal ends the wait, with the lock not taken. */
static void waiting(int setlkw, const char *what)
{
	int fd = open_new("wait");
	pid_t child;
	int told[2];
	char c;

	say("%s", what);
	OK(pipe2(told, O_NONBLOCK));
	if (setlkw)
		OK(lock(fd, setlkw == F_SETLKW ? F_SETLK : F_OFD_SETLK, F_WRLCK, 0, 10));
	else
		OK(flock(fd, LOCK_EX));
	catch(SIGUSR1, false);
	signals = 0;
	child = beside();
	if (child == 0) {
		int mine = open("wait", O_RDWR);

		close(fd); /* else the lock would stay with it */
		NO(EINTR, setlkw ? lock(mine, setlkw, F_WRLCK, 5, 10) : flock(mine, LOCK_EX));
		IS(true, signals > 0);
		catch(SIGUSR1, true);
		IS(1, write(told[1], "e", 1));
		OK(setlkw ? lock(mine, setlkw, F_WRLCK, 5, 10) : flock(mine, LOCK_EX)); /* starts again */
		child_end();
	}
	for (unsigned n = 0; n < 1000 && read(told[0], &c, 1) != 1; n++) { /* until it has been woken by one */
		pause_ms(20);
		kill(child, SIGUSR1);
	}
	pause_ms(50);
	kill(child, SIGUSR1);
	pause_ms(30);
	close(fd);
	close(told[0]), close(told[1]);
	IS(0, end_of(child));
	/* Killed while it waits: it goes, and holds nothing. */
	fd = open("wait", O_RDWR);
	OK(flock(fd, LOCK_EX) | lock(fd, F_SETLK, F_WRLCK, 0, 0));
	child = beside();
	if (child == 0) {
		int mine = open("wait", O_RDWR);

		_exit(setlkw ? lock(mine, F_SETLKW, F_WRLCK, 0, 0) : flock(mine, LOCK_EX));
	}
	pause_ms(50);
	kill(child, SIGKILL);
	IS(1000 + SIGKILL, end_of(child));
	close(fd);
}

/* For a lock, as /proc says. */
static void wait_until_waiting(pid_t pid)
{
	char line[256], number[32];

	snprintf(number, sizeof(number), " %d ", pid);
	for (unsigned n = 0; n < 1000; n++) {
		FILE *f = fopen("/proc/locks", "re");
		bool waits = false;

		while (f && fgets(line, sizeof(line), f))
			waits |= strstr(line, "->") && strstr(line, number);
		if (f)
			fclose(f);
		if (waits)
			return;
		pause_ms(10);
	}
	say("WRONG: nobody waits for a lock"), wrong++;
}

/* Two that wait for each other: one of them is told. */
static void deadlock(void)
{
	int fd = open_new("dead"), there[2], back[2];
	pid_t child;
	char c;

	OK(pipe(there));
	OK(pipe(back));
	OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	child = beside();
	if (child == 0) {
		lock(fd, F_SETLK, F_WRLCK, 1, 1);
		if (write(back[1], "r", 1) != 1 || read(there[0], &c, 1) != 1)
			_exit(1);
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0 ? 0 : 2);
	}
	IS(1, read(back[0], &c, 1));
	IS(1, write(there[1], "g", 1));
	wait_until_waiting(child);
	NO(EDEADLK, lock(fd, F_SETLKW, F_WRLCK, 1, 1));
	OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
	IS(0, end_of(child));
	close(fd);
	close(there[0]), close(there[1]), close(back[0]), close(back[1]);
}

/* Many processes add to one number under a lock. */
static void counting(void)
{
	enum { PROCESSES = 4 };
	unsigned times = is_small ? 50 : 300, number = 0;
	pid_t pids[PROCESSES];
	int fd = open_new("number");

	fill(fd, 0, 0, 2 * sizeof(number));
	for (unsigned p = 0; p < PROCESSES; p++) {
		pids[p] = beside();
		if (pids[p])
			continue;
		int mine = open("number", O_RDWR);
		unsigned *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);

		for (unsigned n = 0; n < times; n++) {
			if (lock(mine, F_SETLKW, F_WRLCK, 0, 0) ||
			    pread(mine, &number, sizeof(number), 0) != sizeof(number))
				_exit(1);
			number++;
			if (pwrite(mine, &number, sizeof(number), 0) != sizeof(number) ||
			    lock(mine, F_SETLK, F_UNLCK, 0, 0))
				_exit(2);
			if (flock(mine, LOCK_EX))
				_exit(3);
			m[1]++;
			flock(mine, LOCK_UN);
		}
		_exit(0);
	}
	for (unsigned p = 0; p < PROCESSES; p++)
		IS(0, end_of(pids[p]));
	IS(sizeof(number), pread(fd, &number, sizeof(number), 0));
	IS(0, number - PROCESSES * times);
	IS(sizeof(number), pread(fd, &number, sizeof(number), sizeof(number)));
	IS(0, number - PROCESSES * times);
	close(fd);
}

static void leases(void)
{
	int fd = open_new("lease");
	pid_t child;

	NO(EAGAIN, fcntl(fd, F_SETLEASE, F_RDLCK)); /* it is open for writing */
	OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	IS(F_WRLCK, fcntl(fd, F_GETLEASE));
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(fd);
	fd = open("lease", O_RDONLY);
	OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	signals = 0;
	catch(SIGIO, true);
	child = beside();
	if (child == 0) {
		NO(EWOULDBLOCK, open("lease", O_WRONLY | O_NONBLOCK));
		OK(open("lease", O_RDONLY));
		OK(open("lease", O_WRONLY)); /* waits until the lease is given back */
		child_end();
	}
	for (unsigned n = 0; n < 1000 && !signals; n++)
		pause_ms(10);
	IS(true, signals > 0);
	pause_ms(50);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	IS(0, end_of(child));
	/* A truncation breaks one, too. */
	OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	signals = 0;
	child = beside();
	if (child == 0) {
		OK(truncate("lease", 10));
		child_end();
	}
	for (unsigned n = 0; n < 1000 && !signals; n++)
		pause_ms(10);
	IS(true, signals > 0);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	IS(0, end_of(child));
	signal(SIGIO, SIG_DFL);
	close(fd);
}

void theme_locks(void)
{
	by_processes();
	by_open_files();
	flocks();
	waiting(F_SETLKW, "F_SETLKW");
	waiting(F_OFD_SETLKW, "F_OFD_SETLKW");
	waiting(0, "flock");
	deadlock();
	counting();
	leases();
}
