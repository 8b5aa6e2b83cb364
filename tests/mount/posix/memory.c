/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/mount/posix/memory.c - mappings: shared and private, their ends, advice, forks, programs that run. */
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "posix.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

enum { N = 16, RW = PROT_READ | PROT_WRITE };

static char *map(int fd, unsigned pages, int flags)
{
	char *m = mmap(NULL, (size_t)pages * PAGE, RW, flags, fd, 0);

	if (m == MAP_FAILED)
		say("WRONG: mmap: %s", name_of_errno(errno));
	return m;
}

static int new_file(const char *path, unsigned pages, int byte)
{
	int fd = open_new(path);

	fill(fd, byte, 0, (size_t)pages * PAGE);
	return fd;
}

static unsigned resident(char *m, unsigned pages)
{
	unsigned char in[N];
	unsigned count = 0;

	if (mincore(m, (size_t)pages * PAGE, in) < 0)
		return 1000;
	for (unsigned n = 0; n < pages; n++)
		count += in[n] & 1;
	return count;
}

static void refused(void)
{
	int fd = new_file("refused", 2, 'r'), ro = open("refused", O_RDONLY), wo = open("refused", O_WRONLY);
	int dir = open(".", O_RDONLY);
	char *nothing = MAP_FAILED;

	IS(true, nothing == mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0));
	NO(EINVAL, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 100));
	NO(EACCES, (long)mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0));
	NO(EACCES, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0));
	NO(EACCES, (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0));
	NO(ENODEV, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0));
	NO(EINVAL, (long)mmap(NULL, PAGE, PROT_READ, 0, fd, 0));
	NO(EOPNOTSUPP, (long)mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
	char *m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	NO(EACCES, mprotect(m, PAGE, RW));
	DIES(SIGSEGV)
	{
		m[0] = 1;
	}
	munmap(m, PAGE);
	m = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 0);
	OK(mprotect(m, PAGE, RW));
	m[0] = 'p';
	IS('r', byte_at(fd, 0, PAGE));
	munmap(m, PAGE);
	NO(EINVAL, msync((void *)1, PAGE, MS_SYNC));
	NO(ENOMEM, msync(m, PAGE, MS_SYNC));
	m = map(fd, 2, MAP_SHARED);
	NO(EINVAL, msync(m, PAGE, MS_SYNC | MS_ASYNC));
	OK(msync(m, PAGE, MS_ASYNC));
	OK(msync(m, PAGE, MS_INVALIDATE));
	OK(mlock(m, PAGE));
	NO(EBUSY, msync(m, PAGE, MS_INVALIDATE));
	OK(munlock(m, PAGE));
	munmap(m, 2 * PAGE);
	close(fd), close(ro), close(wo), close(dir);
}

/* Beyond the last page is SIGBUS, on it zeroes that do not stay. */
static void ends(void)
{
	int fd = new_file("ends", 2, 'e');
	char *m = map(fd, 4, MAP_SHARED), *p = map(fd, 4, MAP_PRIVATE);

	DIES(SIGBUS)
	{
		m[2 * PAGE] = 1;
	}
	DIES(SIGBUS)
	{
		SAY(m[3 * PAGE]);
	}
	DIES(SIGBUS)
	{
		p[2 * PAGE] = 1;
	}
	OK(ftruncate(fd, PAGE + 100));
	IS(true, all_are(m + PAGE + 100, 0, PAGE - 100));
	m[PAGE + 200] = 'x'; /* beyond the end, on the last page */
	OK(ftruncate(fd, 3 * PAGE));
	SAY(m[PAGE + 200]);
	IS(0, m[2 * PAGE + 5]);
	m[2 * PAGE + 5] = 'y';
	IS('y', byte_at(fd, 2 * PAGE + 5, 1));
	OK(ftruncate(fd, 100));
	DIES(SIGBUS)
	{
		SAY(m[PAGE]);
	}
	OK(ftruncate(fd, 2 * PAGE));
	IS(0, m[PAGE]);
	IS('e', m[99]);
	IS(0, m[100]);
	p[0] = 'q'; /* a private copy outlives its page of the file */
	OK(ftruncate(fd, 0));
	DIES(SIGBUS)
	{
		SAY(p[0]);
	}
	munmap(m, 4 * PAGE);
	munmap(p, 4 * PAGE);
	close(fd);
}

static void private_copies(void)
{
	int fd = new_file("private", 4, 'a');
	char *s = map(fd, 4, MAP_SHARED), *p = map(fd, 4, MAP_PRIVATE);

	IS('a', p[0]);
	s[0] = 'b';
	IS('b', p[0]); /* not copied yet */
	p[0] = 'c';
	IS('b', s[0]);
	s[0] = 'd';
	IS('c', p[0]);
	IS('d', byte_at(fd, 0, 1));
	fill(fd, 'w', PAGE, PAGE);
	IS('w', p[PAGE]);
	OK(madvise(p, PAGE, MADV_DONTNEED));
	IS('d', p[0]); /* the copy is gone */
	CHILD
	{
		p[2 * PAGE] = 'k';
		s[2 * PAGE] = 'l';
		IS('k', p[2 * PAGE]);
	}
	IS('l', p[2 * PAGE]);
	munmap(s, 4 * PAGE), munmap(p, 4 * PAGE);
	close(fd);
}

static void advised(void)
{
	static const int advices[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
				      MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
				      MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_FREE, 99};
	int fd = new_file("advised", N, 'a');
	char *m = map(fd, N, MAP_SHARED);

	for (unsigned n = 0; n < sizeof(advices) / sizeof(advices[0]); n++) {
		memset(m + PAGE, 'b', PAGE);
		say("advice %d", advices[n]);
		SAY(madvise(m, (size_t)N * PAGE, advices[n]));
		IS('a', m[0]);
		IS('b', m[PAGE]);
		IS(true, all_are(m + 2 * PAGE, 'a', (N - 2) * PAGE));
	}
	OK(madvise(m + 3 * PAGE, 4 * PAGE, MADV_REMOVE)); /* a hole in the file */
	IS(true, all_are(m + 2 * PAGE, 'a', PAGE));
	munmap(m, (size_t)N * PAGE);
	close(fd);
	show("advised");
	fd = open("advised", O_RDONLY);
	IS(0, byte_at(fd, 3 * PAGE, 4 * PAGE));
	IS('a', byte_at(fd, 7 * PAGE, 9 * PAGE));
	IS(3 * PAGE, lseek(fd, 0, SEEK_HOLE));
	close(fd);
}

static void locked(void)
{
	int fd = new_file("locked", N, 'l');
	char *m = map(fd, N, MAP_SHARED);

	OK(mlock(m, 4 * PAGE));
	IS(true, resident(m, 4) == 4);
	OK(munlock(m, 4 * PAGE));
	OK(syscall(SYS_mlock2, m, 4 * PAGE, 1 /* MLOCK_ONFAULT */));
	OK(munlock(m, 4 * PAGE));
	NO(ENOMEM, mlock(m + N * PAGE, (size_t)PAGE << 24));
	munmap(m, (size_t)N * PAGE);
	m = map(fd, N, MAP_SHARED | MAP_POPULATE);
	IS(N, resident(m, N));
	munmap(m, (size_t)N * PAGE);
	m = map(fd, N, MAP_SHARED | MAP_LOCKED);
	IS(N, resident(m, N));
	m[0] = 'm';
	OK(ftruncate(fd, 0)); /* locked or not */
	OK(ftruncate(fd, (off_t)N * PAGE));
	IS(0, m[0]);
	munmap(m, (size_t)N * PAGE);
	close(fd);
}

static void moved(void)
{
	int fd = new_file("moved", 4, 'm');
	char *m = map(fd, 2, MAP_SHARED), *n;

	m[0] = '0';
	m = mremap(m, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	IS('0', m[0]);
	IS('m', m[3 * PAGE]);
	m[3 * PAGE] = '3';
	n = mremap(m, 0, 4 * PAGE, MREMAP_MAYMOVE); /* a second mapping of the same */
	IS('3', n[3 * PAGE]);
	n[PAGE] = '1';
	IS('1', m[PAGE]);
	munmap(n, 4 * PAGE);
	m = mremap(m, 4 * PAGE, PAGE, 0);
	IS('3', byte_at(fd, 3 * PAGE, 1));
	munmap(m, PAGE);
	m = map(fd, 4, MAP_SHARED);
	OK(remap_file_pages(m, PAGE, 0, 2, 0));
	IS('m', m[0]);
	m[0] = '2';
	IS('2', byte_at(fd, 2 * PAGE, 1));
	munmap(m, 4 * PAGE);
	close(fd);
}

/* Parent and child share what is mapped shared, after a fork, after the file is closed, and after it is removed. */
static void forked(void)
{
	int fd = new_file("forked", 4, 0);
	char *m = map(fd, 4, MAP_SHARED);

	close(fd);
	OK(unlink("forked"));
	CHILD
	{
		m[0] = 'c';
		m[3 * PAGE] = 'd';
		OK(msync(m, 4 * PAGE, MS_SYNC));
	}
	IS('c', m[0]);
	IS('d', m[3 * PAGE]);
	m[0] = 'p';
	CHILD
	{
		IS('p', m[0]);
	}
	munmap(m, 4 * PAGE);
}

/* A program in the file system: it runs, cannot be written meanwhile, and its mapping outlives it. */
static int copy_program(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0755);
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			break;
	close(in);
	return n == 0 ? close(out) : -1;
}

static int run(const char *path, char *arg)
{
	pid_t pid = beside();

	if (pid == 0) {
		execl(path, path, arg, (char *)NULL);
		_exit(errno);
	}
	return end_of(pid);
}

/* Whether it has become the program yet, or does so soon. */
static bool runs(pid_t pid, const char *end)
{
	char path[64], program[PAGE] = "";
	size_t len = strlen(end);

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	for (unsigned n = 0; n < 3000; n++) {
		ssize_t got = readlink(path, program, sizeof(program) - 1);

		if (got > (ssize_t)len && strncmp(program + got - len, end, len) == 0)
			return true;
		pause_ms(10);
	}
	return false;
}

static void programs(void)
{
	pid_t pid;
	int fd;

	OK(copy_program("/bin/sleep", "sleep"));
	IS(0, run("./sleep", "0"));
	pid = beside();
	if (pid == 0) {
		execl("./sleep", "sleep", "60", (char *)NULL);
		_exit(1);
	}
	IS(true, runs(pid, "/sleep"));
	NO(ETXTBSY, open("sleep", O_WRONLY));
	NO(ETXTBSY, open("sleep", O_RDWR));
	NO(ETXTBSY, truncate("sleep", 0));
	OK(open("sleep", O_RDONLY));
	OK(chmod("sleep", 0700));
	OK(rename("sleep", "sleep2"));
	OK(unlink("sleep2"));
	kill(pid, SIGKILL);
	IS(1000 + SIGKILL, end_of(pid));
	OK(copy_program("/bin/true", "true"));
	fd = open("true", O_WRONLY);
	IS(ETXTBSY, run("./true", NULL));
	close(fd);
	IS(0, run("./true", NULL));
	OK(chmod("true", 0644));
	IS(EACCES, run("./true", NULL));
	IS(EACCES, run(".", NULL));
	IS(ENOENT, run("./none", NULL));
	fd = open_new("script");
	static const char script[] = "#!/bin/sh\nexit 7\n";
	IS(sizeof(script) - 1, write(fd, script, sizeof(script) - 1));
	OK(fchmod(fd, 0755));
	close(fd);
	IS(7, run("./script", NULL));
	fd = open_new("junk");
	fill(fd, 'j', 0, 10);
	OK(fchmod(fd, 0755));
	close(fd);
	IS(ENOEXEC, run("./junk", NULL));
	/* A program that is suid runs as its owner, a copy of whose bits were cleared does not. */
	OK(copy_program("/usr/bin/id", "id"));
	OK(chown("id", BOB, BOB));
	OK(chmod("id", 06755));
	CHILD
	{
		int out = open("id.out", O_CREAT | O_WRONLY | O_TRUNC, 0666);

		dup2(out, 1);
		execl("./id", "id", "-u", (char *)NULL);
	}
	fd = open("id.out", O_RDONLY);
	char who[16] = "";
	IS(6, read(fd, who, sizeof(who)));
	say("suid runs as %.5s", who);
	close(fd);
	/* Code in a mapping. */
	fd = open("true", O_RDONLY);
	SAY(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED ? 0 : -1);
	close(fd);
}

/* Bytes moved between a mapping and the file it is a mapping of. */
static void into_oneself(void)
{
	int fd = new_file("self", 4, 's');
	char *m = map(fd, 8, MAP_SHARED);

	m[0] = 'a';
	IS(2 * PAGE, pwrite(fd, m, 2 * PAGE, 2 * PAGE));
	IS('a', m[2 * PAGE]);
	IS(PAGE, pread(fd, m + PAGE, PAGE, 0));
	IS('a', m[PAGE]);
	IS(PAGE, pwrite(fd, m, PAGE, 0));
	IS(100, pwrite(fd, m + 10, 100, 4 * PAGE - 50));
	IS('s', m[4 * PAGE + 49]);
	IS(0, m[4 * PAGE + 50]);
	show("self");
	munmap(m, 8 * PAGE);
	close(fd);
}

/* The same, with pages that must be read first while the file is being read or written, past the cache or not. */
static void faults_inside_calls(int flags)
{
	int fd = new_file("inside", N, 'i'), io = open("inside", O_RDWR | flags), other = new_file("elsewhere", N, 'o');
	char *m, *o;

	close(fd), close(other);
	fd = open("inside", O_RDWR);
	other = open("elsewhere", O_RDWR);
	m = map(fd, N, MAP_SHARED);
	o = map(other, N, MAP_SHARED);
	for (unsigned n = 0; n < 6; n++) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		posix_fadvise(other, 0, 0, POSIX_FADV_DONTNEED);
		switch (n) {
		case 0:
			IS(2 * PAGE, pwrite(io, m, 2 * PAGE, 0)); /* onto itself */
			break;
		case 1:
			IS(2 * PAGE, pwrite(io, m + 4 * PAGE, 2 * PAGE, 2 * PAGE));
			break;
		case 2:
			IS(2 * PAGE, pread(io, m, 2 * PAGE, 0));
			break;
		case 3:
			IS(2 * PAGE, pread(io, m + 6 * PAGE, 2 * PAGE, 8 * PAGE));
			break;
		case 4:
			IS(2 * PAGE, pwrite(io, o, 2 * PAGE, 10 * PAGE));
			break;
		default:
			IS(2 * PAGE, pread(io, o + 4 * PAGE, 2 * PAGE, 10 * PAGE));
			break;
		}
		for (unsigned p = 0; p < N; p++)
			if (!all_are(m + p * PAGE, n >= 4 && p / 2 == 5 ? 'o' : 'i', PAGE))
				say("WRONG: page %u after step %u", p, n), wrong++;
	}
	munmap(m, (size_t)N * PAGE), munmap(o, (size_t)N * PAGE);
	close(fd), close(io), close(other);
}

static void semaphores(void)
{
	int fd = new_file("sem", 1, 0);
	sem_t *sem = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	OK(sem_init(sem, 1, 0));
	pid_t pid = beside();
	if (pid == 0) {
		int mine = open("sem", O_RDWR);
		sem_t *s = mmap(NULL, PAGE, RW, MAP_SHARED, mine, 0);

		sem_wait(s); /* a futex on a page of the file, found by another mapping */
		_exit(0);
	}
	pause_ms(50);
	OK(sem_post(sem));
	IS(0, end_of(pid));
	munmap(sem, PAGE);
	close(fd);
}

void theme_memory(void)
{
	refused();
	ends();
	private_copies();
	advised();
	locked();
	moved();
	forked();
	programs();
	into_oneself();
	faults_inside_calls(0);
	faults_inside_calls(O_DIRECT);
	semaphores();
}
