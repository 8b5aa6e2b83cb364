/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/transport.c - each thread reads into its own slot of the session and works until it has answered, or
 * until it leaves the request, slot and all, to whoever answers it later (park.c), and takes a free slot.
 *
 * libfuse decodes and packs; its own loop, its buffers and its splicing are not used: they hide which
 * request a thread is in, and lose requests when the process dies in the wrong moment.
 *
 * As few threads as possible wait for requests: the kernel wakes them in turn, and each one more is one
 * cold cache and one wake-up across CPUs more.  When the last who waited has taken a request, one that rests
 * takes his place, or a new one is made; who comes back and finds enough waiting rests, and who has rested for a
 * second ends: what he had, a MiB and more, is nobody's then.
 */
#include "fs/transport.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "fs/newer.h"
#include "fs/poison.h"
#include "fs/slots.h"
#include "fs/spares.h"
#include "fs/takeover.h"

enum { LARGE_REPLY_BYTES_MAX = WRITE_BYTES_MAX + PAGE_BYTES, SMALL_REPLY_BYTES_MAX = 2 * PAGE_BYTES };
/* As in session.h: they are first used when memory is short. */
_Static_assert(sizeof(struct session) + (size_t)SESSION_THREADS * LARGE_REPLY_BYTES_MAX <= 32 << 20,
	       "fits when there is no memory for pages any more");
enum { READERS = 2 /* threads that wait for requests, when all are idle */, REST_S = 1 };

/* Not known to libfuse 3.14, or known and not told to the kernel (PARALLEL_DIROPS). */
static const uint64_t added =
	FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | NEWER_ALLOW_IDMAP;

static struct {
	struct session *session;
	struct volume *volume;
	struct fuse_session *fuse;
	int fd;
	bool takes_over; /* from a worker before us, who has left memory in slots */
	bool replaying;
	int replay_result;
	pthread_key_t large; /* large_buffer() */
	bool no_large;

	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t over_cond /* nobody signals it */, drained_cond;
	unsigned threads, readers;
	struct spares spares;
	bool ended;
	bool draining;
	int result;
} transport = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.over_cond = PTHREAD_COND_INITIALIZER,
	.drained_cond = PTHREAD_COND_INITIALIZER,
};

static _Thread_local struct session_slot *own_slot;

/* --- slots --------------------------------------------------------------------------------------- */

static void enter(struct session_slot *slot)
{
	own_slot = slot;
	receipt_use(slot ? &slot->receipt : NULL);
}

/* The request in this slot has been answered. */
static void finish(struct session_slot *slot)
{
	struct fuse_in_header *head = (void *)slot->request;

	head->opcode = 0;
	atomic_signal_fence(memory_order_seq_cst); /* a FORGET that is not over is done again, with its receipt */
	receipt_end();
	atomic_store_explicit(&slot->unique, 0, memory_order_release);
}

struct session_slot *transport_leave(void)
{
	struct session_slot *left = own_slot, *slot;
	int r;

	r = slots_take(&slot);
	if (r < 0) {
		log_warning("no other receive buffer: %s", strerror(-r));
		return NULL;
	}
	enter(slot);
	return left;
}

bool transport_has_ended(void)
{
	struct pollfd fd = {.fd = transport.fd};

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR);
}

void transport_resume(struct session_slot *slot)
{
	ASSERT(!own_slot);
	enter(slot);
}

void transport_answered(void)
{
	struct session_slot *slot = own_slot;

	finish(slot);
	enter(NULL);
	slots_give_back(slot);
}

/* --- answers ------------------------------------------------------------------------------------- */

static size_t iov_bytes(const struct iovec *iov, int count)
{
	size_t bytes = 0;

	for (int i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

static void gather(uint8_t *to, const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len)
			memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
}

static void add_init_flags(const struct session *s, struct fuse_init_out *out)
{
	uint64_t flags = session_offered(s) & added;

	out->flags |= (uint32_t)flags;
	out->flags2 |= (uint32_t)(flags >> 32);
}

/* T2 */
static ssize_t answer_init(uint8_t *reply, size_t bytes)
{
	struct session *s = transport.session;
	struct fuse_out_header *out = (void *)reply;
	ssize_t n = (ssize_t)bytes;

	if (out->error || bytes != sizeof(*out) + sizeof(struct fuse_init_out) ||
	    bytes > sizeof(s->init_reply)) {
		transport.replay_result = -EPROTO;
		return n; /* nothing is sent: the supervisor ends the mount */
	}
	add_init_flags(s, (void *)(out + 1));
	transport.replay_result = 0;
	if (s->init_reply_bytes == 0) {
		memcpy(s->init_reply, reply, bytes);
		s->init_reply_bytes = (uint32_t)bytes;
		n = write(transport.fd, reply, bytes);
		if (n < 0)
			transport.replay_result = -errno;
	} else if (s->init_reply_bytes != bytes || memcmp(s->init_reply, reply, bytes) != 0) {
		transport.replay_result = -EPROTO;
	}
	return n;
}

static void look(const volatile uint8_t *from, size_t len)
{
	for (size_t at = 0; at < len; at += PAGE_BYTES)
		(void)from[at];
	if (len)
		(void)from[len - 1];
}

static bool memory_is_swapped(void)
{
	struct sysinfo machine;

	return sysinfo(&machine) == 0 && machine.freeswap != machine.totalswap;
}

static void drop_large_buffer(void *memory)
{
	munmap(memory, LARGE_REPLY_BYTES_MAX);
}

static void make_large_key(void)
{
	transport.no_large = pthread_key_create(&transport.large, drop_large_buffer) != 0;
}

/* This thread's as long as it lives, and locked if we may. */
static uint8_t *large_buffer(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	void *memory;

	pthread_once(&once, make_large_key);
	if (transport.no_large)
		return NULL;
	memory = pthread_getspecific(transport.large);
	if (memory)
		return memory;
	memory = mmap(NULL, LARGE_REPLY_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (pthread_setspecific(transport.large, memory) != 0) {
		drop_large_buffer(memory);
		return NULL;
	}
	(void)mlock(memory, LARGE_REPLY_BYTES_MAX);
	return memory;
}

/* T1, of pages of frames.  One look brings each into our page tables.  But where memory is swapped the first may have
 * gone again when the last is there: then they are copied. */
static ssize_t send_large(int fd, const struct iovec *iov, int count, size_t bytes)
{
	uint8_t *reply = NULL, small[SMALL_REPLY_BYTES_MAX];

	if (bytes <= sizeof(small)) { /* this thread has just stored into it */
		gather(small, iov, count);
		return write(fd, small, bytes);
	}
	if (bytes <= LARGE_REPLY_BYTES_MAX && memory_is_swapped())
		reply = large_buffer();
	if (reply) {
		gather(reply, iov, count);
		return write(fd, reply, bytes);
	}
	for (int i = 0; i < count; i++)
		look(iov[i].iov_base, iov[i].iov_len);
	return writev(fd, iov, count);
}

const struct fuse_in_header *transport_request(void)
{
	return (const void *)own_slot->request;
}

void *transport_scratch(void)
{
	return own_slot->request + HEAD_BYTES + PAGE_BYTES;
}

/* And not a notification, nor what libfuse has to say to an INTERRUPT before it comes to this request. */
static bool is_answer(const struct iovec *iov)
{
	const struct fuse_out_header *out = iov[0].iov_base;

	return own_slot && out->unique == transport_request()->unique;
}

static ssize_t send_reply(int fd, struct iovec *iov, int count, void *userdata)
{
	size_t bytes = iov_bytes(iov, count);
	uint8_t *reply;

	if (is_answer(iov))
		receipt_answer();
	if (!own_slot || bytes > sizeof(own_slot->reply))
		return send_large(fd, iov, count, bytes);
	reply = own_slot->reply;
	gather(reply, iov, count);
	if (transport.replaying)
		return answer_init(reply, bytes);
	return write(fd, reply, bytes);
}

/* libfuse asks for one, and never calls it: fuse_session_receive_buf() is not used. */
static ssize_t receive(int fd, void *buf, size_t len, void *userdata)
{
	return read(fd, buf, len);
}

/* --- requests ------------------------------------------------------------------------------------ */

/* Behind the end of everything (-1) there are no pages to be dropped, and so no locks to be had. */
void transport_attr_changed(fuse_ino_t ino)
{
	int r = fuse_lowlevel_notify_inval_inode(transport.fuse, ino, -1, 0);

	if (r < 0)
		log_debug("the kernel keeps its attributes of inode %llu: %s", (unsigned long long)ino, strerror(-r));
}

/* Poison. What has no answer has none now. */
static void refuse(const struct fuse_in_header *head)
{
	const struct fuse_out_header out = {.len = sizeof(out), .error = -EIO, .unique = head->unique};

	if (head->opcode == FUSE_FORGET || head->opcode == FUSE_BATCH_FORGET)
		return;
	if (write(transport.fd, &out, sizeof(out)) < 0)
		log_debug("nobody waits for a refused request any more: %s", strerror(errno));
}

static void process(size_t bytes)
{
	struct session_slot *slot = own_slot;
	struct fuse_in_header *head = (void *)slot->request;
	struct fuse_buf buf = {.size = bytes, .mem = slot->request};

	if (bytes < sizeof(*head)) {
		log_err("the kernel sent a request of %zu bytes", bytes);
		return;
	}
	atomic_store_explicit(&slot->unique, head->unique, memory_order_release);
	takeover_settle(transport.session, slot, transport.volume);
	takeover_match(transport.session, slot);
	if (poison_enter(head)) {
		volume_take_back(transport.volume);
		refuse(head);
		finish(slot);
		return;
	}
	receipt_begin(head->unique & ~TAKEOVER_RESENT);
	newer_disguise(head);
	fuse_session_process_buf(transport.fuse, &buf);
	if (own_slot == slot) /* else the request was left, and may be answered already */
		finish(slot);
	poison_leave();
}

void transport_again(const void *request, size_t bytes)
{
	struct session_slot *own = own_slot, *slot;

	while (slots_take(&slot) < 0) {
		if (transport_has_ended())
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	memcpy(slot->request, request, bytes);
	enter(slot);
	process(bytes);
	slot = own_slot;
	enter(own);
	slots_give_back(slot);
}

/* Bytes of the next request, or -errno when there will be none. */
static ssize_t next_request(struct session_slot *slot)
{
	ssize_t n;

	for (;;) {
		n = read(transport.fd, slot->request, sizeof(slot->request));
		if (n >= 0)
			return n;
		/* ENOENT: the caller was interrupted while the request was being read. */
		if (errno != EINTR && errno != EAGAIN && errno != ENOENT)
			return -errno;
	}
}

static void end(int result)
{
	pthread_mutex_lock(&transport.mutex);
	if (!transport.ended) {
		transport.ended = true;
		transport.result = result;
		kill(getpid(), TRANSPORT_DRAIN); /* whoever waits for that looks */
		pthread_cond_signal(&transport.drained_cond);
	}
	pthread_mutex_unlock(&transport.mutex);
}

static void start_thread(void);

/* False: nobody has wanted this thread for long. */
static bool rest_locked(void)
{
	struct timespec until;

	pthread_cond_signal(&transport.drained_cond);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += REST_S;
	return spares_rest(&transport.spares, &transport.mutex, transport.draining ? NULL : &until) ||
	       transport.readers < READERS || transport.draining;
}

/* False: there are enough without this thread. */
static bool become_reader(void)
{
	bool stay = true;

	pthread_mutex_lock(&transport.mutex);
	while (stay && (transport.readers >= READERS || transport.draining))
		stay = rest_locked();
	if (stay)
		transport.readers++;
	else
		transport.threads--;
	pthread_mutex_unlock(&transport.mutex);
	return stay;
}

/* Busy from here on: somebody else has to wait for requests.  Who has read one while we drain never comes back: it
 * is not begun. */
static void leave_readers(void)
{
	bool start = false;

	pthread_mutex_lock(&transport.mutex);
	while (transport.draining)
		pthread_cond_wait(&transport.over_cond, &transport.mutex);
	if (--transport.readers == 0 && !spares_call(&transport.spares)) {
		start = transport.threads < SESSION_THREADS;
		transport.threads += start;
	}
	pthread_mutex_unlock(&transport.mutex);
	if (start)
		start_thread();
}

static void rest(void)
{
	slots_give_back(own_slot);
	enter(NULL);
	slots_rest();
}

static void *serve(void *arg)
{
	ssize_t n = 0;

	enter(arg);
	while (become_reader()) {
		n = next_request(own_slot);
		if (n < 0)
			break;
		leave_readers();
		process((size_t)n);
	}
	if (n < 0)
		end(n == -ENODEV || n == -ECONNABORTED ? 0 : (int)n);
	else
		rest();
	return NULL;
}

static int try_start(void)
{
	struct session_slot *slot;
	pthread_t thread;
	int r;

	r = slots_take(&slot);
	if (r < 0)
		return r;
	r = -pthread_create(&thread, NULL, serve, slot);
	if (r < 0)
		slots_give_back(slot);
	else
		pthread_detach(thread);
	return r;
}

/* One more, while others work: if it cannot be had, they are enough. */
static void start_thread(void)
{
	int r = try_start();

	if (r == 0)
		return;
	log_warning("cannot start a request thread: %s", strerror(-r));
	pthread_mutex_lock(&transport.mutex);
	transport.threads--;
	pthread_cond_signal(&transport.drained_cond);
	pthread_mutex_unlock(&transport.mutex);
}

/* --- the life of a session ----------------------------------------------------------------------- */

static void log_libfuse(enum fuse_log_level level, const char *fmt, va_list args)
{
	char line[256];

	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	if (level <= FUSE_LOG_WARNING)
		log_warning("libfuse: %s", line);
	else
		log_debug("libfuse: %s", line);
}

int transport_open(struct session *s, int fuse_fd, const struct fuse_lowlevel_ops *ops, void *userdata)
{
	static const struct fuse_custom_io io = {.writev = send_reply, .read = receive};
	char name[] = "ksmfs", *argv[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	fuse_set_log_func(log_libfuse);
	transport.session = s;
	transport.fd = fuse_fd;
	transport.takes_over = s->init_reply_bytes;
	slots_open(s);
	transport.fuse = fuse_session_new(&args, ops, sizeof(*ops), userdata);
	fuse_opt_free_args(&args);
	if (!transport.fuse)
		return -ENOMEM;
	return fuse_session_custom_io(transport.fuse, &io, fuse_fd);
}

int transport_replay_init(void)
{
	struct session *s = transport.session;
	struct fuse_buf buf = {.size = s->init_bytes, .mem = s->init};
	int r;

	r = slots_take(&own_slot); /* for the answer */
	if (r < 0)
		return r;
	transport.replaying = true;
	transport.replay_result = -EPROTO;
	fuse_session_process_buf(transport.fuse, &buf);
	transport.replaying = false;
	slots_give_back(own_slot);
	own_slot = NULL;
	return transport.replay_result;
}

void transport_take_over(struct volume *v)
{
	transport.volume = v;
	takeover_keep(transport.session);
	for (unsigned n = 0; n < SESSION_SLOTS; n++) {
		struct session_slot *slot = &transport.session->slot[n];
		const struct fuse_in_header *head = (const void *)slot->request;

		enter(slot);
		if (head->opcode == FUSE_FORGET || head->opcode == FUSE_BATCH_FORGET)
			process(MIN((size_t)head->len, sizeof(slot->request)));
		finish(slot);
	}
	enter(&transport.session->slot[0]);
	takeover_settle(transport.session, own_slot, transport.volume);
	enter(NULL);
}

int transport_resend(void)
{
	const struct fuse_out_header resend = {.len = sizeof(resend), .error = NEWER_NOTIFY_RESEND};

	return write(transport.fd, &resend, sizeof(resend)) < 0 ? -errno : 0;
}

/* TRANSPORT_DRAINED, unless the mount has ended. */
static int stop_reading(void)
{
	int r;

	pthread_mutex_lock(&transport.mutex);
	transport.draining = !transport.ended;
	while (!transport.ended && transport.threads > transport.readers + transport.spares.count)
		pthread_cond_wait(&transport.drained_cond, &transport.mutex);
	r = transport.ended ? transport.result : TRANSPORT_DRAINED;
	pthread_mutex_unlock(&transport.mutex);
	return r;
}

int transport_run(void)
{
	unsigned threads = READERS + transport.takes_over; /* who finds enough soon ends, and clears up */
	sigset_t awaited;
	int signo, r = 0;

	transport.threads = threads; /* before the first of them looks */
	for (unsigned i = 0; i < threads && r == 0; i++)
		r = try_start();
	if (r < 0)
		return r;
	sigemptyset(&awaited);
	sigaddset(&awaited, TRANSPORT_DRAIN);
	while (sigwait(&awaited, &signo) != 0)
		;
	return stop_reading();
}
