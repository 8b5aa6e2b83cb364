/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process that works on a volume is killed, again and again; whoever looks after it finds what was acknowledged.
 *
 * The child notes in shared memory what each file holds, and what it is about to hold.  The parent takes over, as the
 * next worker does, and compares.  Half of the deaths come at a named point, half at any time, among them during
 * the child's own takeover.  KILLED_SECONDS=N goes on for so long.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { WORKERS = 2, FILES_EACH = 3, FILES = WORKERS * FILES_EACH, SECONDS = 8, KILL_US = 6000 };

static const uint64_t place[] = { 0, 1, 2, 7, 8, 9, 1022, 1023, 1024, 1025, 5000, 1048575, 1048576, 3000000 };
enum { PLACES = ARRAY_SIZE(place), WORDS = PAGE_BYTES / sizeof(uint64_t) };
#define SIZE_MAX_BYTES ((place[PLACES - 1] + 1) << PAGE_SHIFT)

struct content {
	uint64_t size;
	uint64_t word[PLACES][WORDS];
};

struct file {
	uint64_t ino;
	struct content content[2]; /* what it holds, and what it holds while or after it is changed */
	_Atomic unsigned now;      /* which of them is the first */
	_Atomic bool changing;
	_Atomic unsigned last; /* what was done to it, for people */
};

struct model {
	struct file file[FILES];
	_Atomic uint64_t done;
	_Atomic bool working;
};

struct worker {
	struct volume *v;
	struct model *m;
	unsigned number;
	uint64_t random;
};

static uint64_t draw(uint64_t *random, uint64_t below)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*random >> 33) % below;
}

/* In the child, where cmocka has no say. */
static void must(bool done, int line)
{
	if (done)
		return;
	fprintf(stderr, "line %d: %s\n", line, strerror(errno));
	_exit(3);
}
#define MUST(done) must((done), __LINE__)

/* --- what is done to files ------------------------------------------------------------------------ */

static struct content *begin(struct file *f, unsigned what)
{
	struct content *next = &f->content[!f->now];

	*next = f->content[f->now];
	f->last = what;
	return next;
}

static void change_words(struct content *c, unsigned at, unsigned from, unsigned n, const uint64_t *word)
{
	for (unsigned k = 0; k < n; k++)
		c->word[at][from + k] = word ? word[k] : 0;
}

static void cut(struct content *c, uint64_t size)
{
	for (unsigned at = 0; at < PLACES; at++)
		for (unsigned k = 0; k < WORDS; k++)
			if ((place[at] << PAGE_SHIFT) + k * sizeof(uint64_t) >= size)
				c->word[at][k] = 0;
	c->size = size;
}

static uint64_t somewhere(struct worker *w)
{
	return (place[draw(&w->random, PLACES)] << PAGE_SHIFT) + draw(&w->random, WORDS) * sizeof(uint64_t);
}

static void do_write(struct worker *w, struct file *f)
{
	unsigned at = (unsigned)draw(&w->random, PLACES), from = 0, n = WORDS;
	struct content *next = begin(f, 1);
	uint64_t word[WORDS], offset;

	if (!draw(&w->random, 3)) {
		from = (unsigned)draw(&w->random, WORDS);
		n = 1 + (unsigned)draw(&w->random, WORDS - from);
	}
	fill_page(word, draw(&w->random, 6));
	offset = (place[at] << PAGE_SHIFT) + from * sizeof(uint64_t);
	change_words(next, at, from, n, word);
	next->size = MAX(next->size, offset + n * sizeof(uint64_t));
	f->changing = true;
	MUST(volume_write(w->v, f->ino, offset, word, n * sizeof(uint64_t), 0) == (ssize_t)(n * sizeof(uint64_t)));
}

static void do_truncate(struct worker *w, struct file *f)
{
	struct stat st = { .st_size = (off_t)somewhere(w) };

	cut(begin(f, 2), (uint64_t)st.st_size);
	f->changing = true;
	MUST(volume_setattr(w->v, f->ino, &st, VOLUME_SET_SIZE, &st) == 0);
}

static void do_punch(struct worker *w, struct file *f)
{
	uint64_t from = somewhere(w), end = from + (1 + draw(&w->random, 4 * WORDS)) * sizeof(uint64_t);
	struct content *next = begin(f, 3);

	for (unsigned at = 0; at < PLACES; at++)
		for (unsigned k = 0; k < WORDS; k++) {
			uint64_t offset = (place[at] << PAGE_SHIFT) + k * sizeof(uint64_t);

			if (offset >= from && offset < end)
				next->word[at][k] = 0;
		}
	f->changing = true;
	MUST(volume_fallocate(w->v, f->ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, end - from) == 0);
}

static void do_allocate(struct worker *w, struct file *f)
{
	uint64_t from = somewhere(w), len = 1 + draw(&w->random, 20 * PAGE_BYTES);

	(void)begin(f, 4);
	f->changing = true;
	MUST(volume_fallocate(w->v, f->ino, FALLOC_FL_KEEP_SIZE, from, len) == 0);
}

/* A page of another file of ours, by reference where that can be. */
static void do_copy(struct worker *w, struct file *f)
{
	struct file *from = &w->m->file[w->number * FILES_EACH + draw(&w->random, FILES_EACH)];
	unsigned source = (unsigned)draw(&w->random, PLACES), at = (unsigned)draw(&w->random, PLACES);
	struct volume_copy what = { .from = from->ino, .to = f->ino, .from_offset = place[source] << PAGE_SHIFT,
				    .to_offset = place[at] << PAGE_SHIFT, .len = PAGE_BYTES };
	struct content *next = begin(f, 5);

	if (from == f || what.from_offset + PAGE_BYTES > from->content[from->now].size)
		return;
	change_words(next, at, 0, WORDS, from->content[from->now].word[source]);
	next->size = MAX(next->size, what.to_offset + PAGE_BYTES);
	f->changing = true;
	MUST(volume_copy(w->v, &what, 0, NULL) == PAGE_BYTES);
}

/* Which lends out holes, and takes them back. */
static void do_open_and_read(struct worker *w, struct file *f)
{
	struct volume_read r;

	(void)begin(f, 6);
	MUST(open_fresh(w->v, f->ino) == 0);
	for (unsigned n = 0; n < 3; n++) {
		MUST(volume_read(w->v, f->ino, somewhere(w), 8 * PAGE_BYTES, &r) == 0);
		volume_read_done(&r);
	}
	volume_file_release(w->v, f->ino, O_RDWR);
}

static void do_advise(struct worker *w, struct file *f)
{
	uint64_t from = place[draw(&w->random, PLACES)] << PAGE_SHIFT;
	enum volume_advice advice = draw(&w->random, 2) ? VOLUME_MERGEABLE : VOLUME_UNMERGEABLE;

	(void)begin(f, 7);
	if (draw(&w->random, 2))
		MUST(volume_advise(w->v, f->ino, advice, NULL) == 0);
	else /* beyond the end there is nothing to be said of */
		(void)!volume_advise_range(w->v, f->ino, from, 4 * PAGE_BYTES, advice, NULL);
}

/* Others, which come and go, with pages, a second name, and attributes. */
static void do_names(struct worker *w, struct file *f)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = -1 };
	struct name value = { "value", 5 }, xattr = { "user.x", 6 };
	char one[16], two[16];
	struct volume_entry e;
	uint64_t page[WORDS];

	(void)begin(f, 8);
	(void)snprintf(one, sizeof(one), "%u-%llu", w->number, (unsigned long long)draw(&w->random, 3));
	(void)snprintf(two, sizeof(two), "%u-%llu", w->number, (unsigned long long)draw(&w->random, 3));
	fill_page(page, draw(&w->random, 6));
	if (volume_create(w->v, ROOT_INO, name_of(one), &new, &e) == 0) {
		MUST(volume_write(w->v, e.ino, 20 << PAGE_SHIFT, page, PAGE_BYTES, 0) == PAGE_BYTES);
		MUST(volume_setxattr(w->v, e.ino, xattr, value, 0) == 0);
		if (volume_link(w->v, e.ino, ROOT_INO, name_of(two), &e) == 0)
			volume_forget(w->v, e.ino, 1);
		volume_forget(w->v, e.ino, 1);
	}
	(void)!volume_rename(w->v, ROOT_INO, name_of(one), ROOT_INO, name_of(two), 0, NULL);
	(void)!volume_unlink(w->v, ROOT_INO, name_of(draw(&w->random, 2) ? one : two));
}

static void *work(void *arg)
{
	static void (*const how[])(struct worker *w, struct file *f) = {
		do_write, do_write, do_write, do_write, do_truncate, do_punch, do_allocate, do_copy, do_open_and_read,
		do_advise, do_names,
	};
	struct worker *w = arg;

	for (;;) {
		struct file *f = &w->m->file[w->number * FILES_EACH + draw(&w->random, FILES_EACH)];

		how[draw(&w->random, ARRAY_SIZE(how))](w, f);
		f->now = !f->now;
		f->changing = false;
		w->m->done++;
	}
	return NULL;
}

/* --- the child -------------------------------------------------------------------------------------- */

static _Noreturn void live(const struct volume_config *config, struct model *m, uint64_t random)
{
	struct worker worker[WORKERS];
	struct volume *v;
	pthread_t thread;

	if (draw(&random, 2))
		failpoint_kill_arm((enum kill_point)draw(&random, KILL_POINTS), 1 + (unsigned)draw(&random, 4));
	MUST(volume_open(config, &v) == 0);
	MUST(volume_set(v, ATTR_sleep_millisecs, 0, NULL) == 0);
	MUST(volume_start(v) == 0);
	for (unsigned n = 0; n < WORKERS; n++) {
		worker[n] = (struct worker){ .v = v, .m = m, .number = n, .random = random + n };
		MUST(pthread_create(&thread, NULL, work, &worker[n]) == 0);
	}
	m->working = true;
	while (draw(&random, 2)) { /* unmerge, meanwhile */
		rest_ms(1);
		MUST(volume_set(v, ATTR_run, 2, NULL) == 0);
		MUST(volume_set(v, ATTR_run, 1, NULL) == 0);
	}
	for (;;)
		pause();
}

static void rest_us(uint64_t us)
{
	const struct timespec t = { .tv_nsec = (long)us * 1000 };

	nanosleep(&t, NULL);
}

static void live_and_die(struct fixture *f, struct model *m, uint64_t *random)
{
	uint64_t seed = draw(random, UINT64_MAX >> 33);
	bool while_starting = !draw(random, 4);
	pid_t pid, died = 0;
	int status;

	m->working = false;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		live(&f->config, m, seed);
	while (!while_starting && !m->working && !died) {
		rest_us(100);
		died = waitpid(pid, &status, WNOHANG);
	}
	rest_us(draw(random, KILL_US));
	if (!died) {
		assert_int_equal(kill(pid, SIGKILL), 0);
		died = waitpid(pid, &status, 0);
	}
	assert_int_equal(died, pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* --- who comes after it ------------------------------------------------------------------------------- */

/* What the kernel would tell of a caller who has ended, too. */
static void let_go(struct volume *v)
{
	HOLDS_INODES(v->pool.itable);
	uint32_t number = 0;
	struct inode *i;

	while ((i = itable_next(v->pool.itable, &number))) {
		uint64_t ino = inode_ino(i);

		if (number > FILES + 2) /* the root and ours are remembered */
			volume_forget(v, ino, i->record->lookups);
		while (i->record->stores)
			volume_file_release(v, ino, O_RDWR);
		while (i->record->opens)
			volume_file_release(v, ino, O_RDONLY);
	}
}

/* A page that is written in place may hold both, byte by byte. */
static bool is_either(uint64_t is, uint64_t old, uint64_t new)
{
	for (unsigned shift = 0; shift < 64; shift += 8)
		if ((uint8_t)((is ^ old) >> shift) && (uint8_t)((is ^ new) >> shift))
			return false;
	return true;
}

static void compare(struct fixture *f, struct file *file)
{
	static struct content is;
	struct content *old = &file->content[file->now], *new = &file->content[file->changing ? !file->now : file->now];
	struct stat st;

	memset(&is, 0, sizeof(is));
	assert_int_equal(volume_getattr(f->v, file->ino, &st), 0);
	is.size = (uint64_t)st.st_size;
	if (is.size != old->size && is.size != new->size)
		fail_msg("inode %u, %u: %llu bytes, not %llu or %llu", (unsigned)file->ino, file->last,
			 (unsigned long long)is.size, (unsigned long long)old->size, (unsigned long long)new->size);
	for (unsigned at = 0; at < PLACES; at++) {
		(void)get_bytes(f, file->ino, place[at] << PAGE_SHIFT, PAGE_BYTES, is.word[at]);
		for (unsigned k = 0; k < WORDS; k++)
			if (!is_either(is.word[at][k], old->word[at][k], new->word[at][k]))
				fail_msg("inode %u, %u: word %u of page %llu is %llx, not %llx or %llx",
					 (unsigned)file->ino, file->last, k, (unsigned long long)place[at],
					 (unsigned long long)is.word[at][k], (unsigned long long)old->word[at][k],
					 (unsigned long long)new->word[at][k]);
	}
	file->content[0] = is; /* nobody sends again what was on its way: it stays as far as it came */
	file->now = 0;
	file->changing = false;
}

static void assert_no_memory_is_lost(struct fixture *f)
{
	struct stat st;

	while (frames_reclaim(f->v->pool.frames))
		;
	assert_int_equal(fstat(f->config.frames_fd, &st), 0);
	assert_in_range(st.st_blocks / 8, figure(f, ATTR_store_frames),
			figure(f, ATTR_store_frames) + figure(f, ATTR_store_warm_frames));
}

static void take_over(struct fixture *f, struct model *m)
{
	assert_int_equal(volume_open(&f->config, &f->v), 0);
	fixture_check(f);
	for (unsigned n = 0; n < FILES; n++)
		compare(f, &m->file[n]);
	assert_no_memory_is_lost(f);
	let_go(f->v);
	fixture_check(f);
	volume_close(f->v);
	f->v = NULL;
}

static time_t seconds_to_go_on(void)
{
	const char *text = getenv("KILLED_SECONDS");

	return text ? (time_t)strtol(text, NULL, 10) : SECONDS;
}

static void killed__at_any_time_loses_nothing(void **state)
{
	struct model *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	time_t end = time(NULL) + seconds_to_go_on();
	uint64_t random = (uint64_t)end;
	struct fixture *f = *state;
	unsigned rounds = 0;
	char name[16];

	assert_ptr_not_equal(m, MAP_FAILED);
	for (unsigned n = 0; n < FILES; n++) {
		(void)snprintf(name, sizeof(name), "file%u", n);
		m->file[n].ino = make_file(f, name);
	}
	volume_close(f->v);
	f->v = NULL;
	for (; time(NULL) < end; rounds++) {
		live_and_die(f, m, &random);
		take_over(f, m);
	}
	print_message("seed %llu: killed %u times in %llu changes\n", (unsigned long long)end, rounds,
		      (unsigned long long)m->done);
	assert_true(m->done > rounds);
	munmap(m, sizeof(*m));
}

/* --- the first moments ---------------------------------------------------------------------------------- */

static _Noreturn void begin_and_die(const struct volume_config *config, enum kill_point point)
{
	struct volume *v;

	failpoint_kill_arm(point, 1);
	MUST(volume_open(config, &v) == 0);
	_exit(4);
}

/* A volume that is there only in part is made by who comes next. */
static void killed__before_there_was_a_volume(void **state)
{
	static const enum kill_point point[] = { KILL_header_filled, KILL_names_before, KILL_names_committed,
						 KILL_attr_filled, KILL_inode_filled, KILL_inode_used };
	struct fixture *f = *state;
	int status;

	for (unsigned n = 0; n < ARRAY_SIZE(point); n++) {
		pid_t pid;

		volume_close(f->v);
		f->v = NULL;
		assert_int_equal(ftruncate(f->config.inodes_fd, 0), 0);
		assert_int_equal(ftruncate(f->config.frames_fd, 0), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			begin_and_die(&f->config, point[n]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_int_equal(volume_open(&f->config, &f->v), 0);
		assert_figure(f, store_inodes, 1);
		put_page(f, make_file(f, "file"), 0, 1);
		fixture_reopen(f);
		fixture_check(f);
	}
}

/* --- nodes that have become empty ----------------------------------------------------------------------- */

static const uint64_t stays = 1023, goes[] = { 3000, 1048576 };

static int punch_two(struct fixture *f, uint64_t ino)
{
	int r = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(goes) && !r; n++)
		r = volume_fallocate(f->v, ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, goes[n] << PAGE_SHIFT,
				     PAGE_BYTES);
	return r;
}

/* In a process that dies at `point`, if it comes there so often.  True: it has. */
static bool dies_punching(struct fixture *f, uint64_t ino, enum kill_point point, unsigned nth)
{
	int status;
	pid_t pid;

	volume_close(f->v);
	f->v = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		MUST(volume_open(&f->config, &f->v) == 0);
		failpoint_kill_arm(point, nth);
		MUST(punch_two(f, ino) == 0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	assert_int_equal(volume_open(&f->config, &f->v), 0);
	return WIFSIGNALED(status);
}

/* Who takes over finds what is sound, and when it is asked for again not one node too many. */
static void killed__while_nodes_go_loses_none(void **state)
{
	static const enum kill_point points[] = { KILL_node_empty, KILL_node_unlinked, KILL_nodes_cleared,
						  KILL_range_clearing };
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	unsigned kills = 0;

	put_page(f, ino, stays, 1);
	for (unsigned p = 0; p < ARRAY_SIZE(points); p++)
		for (unsigned nth = 1;; nth++) {
			bool killed;

			for (unsigned n = 0; n < ARRAY_SIZE(goes); n++)
				put_page(f, ino, goes[n], 2 + n);
			assert_figure(f, store_table_frames, 6);
			killed = dies_punching(f, ino, points[p], nth);
			kills += killed;
			assert_in_range(figure(f, ATTR_store_table_frames), 3, 6);
			fixture_check(f);
			assert_int_equal(punch_two(f, ino), 0);
			assert_figure(f, store_table_frames, 3); /* the way to what stays */
			assert_figure(f, store_frames, 4);
			assert_page(f, ino, stays, 1);
			assert_no_memory_is_lost(f);
			if (!killed)
				break;
		}
	assert_true(kills >= 3 + 3 + 2 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(killed__before_there_was_a_volume),
		FIXTURE_TEST(killed__while_nodes_go_loses_none),
		FIXTURE_TEST(killed__at_any_time_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
