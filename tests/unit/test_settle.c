/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each operation that must not be done twice dies at each point, the next process takes over and is asked for the same
 * again: then it has happened once, and the answer is the one there would have been.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ksmfs/xattr.h>

#include "core/failpoint.h"
#include "core/inode.h"
#include "core/receipt.h"
#include "tests/unit/fixture.h"

enum { REQUEST = 77, NTH_MAX = 8, RECEIPTS = 2 /* the other is of a thread that a test lets die, too */ };

/* A file with a name, one with two, a directory with an entry, and a file that is open and has no name; a directory
 * that could be a tenant, one that is, and another with a file that is open and has no name. */
struct stage {
	struct fixture *f;
	struct receipt *receipt; /* shared with the processes that die */
	uint64_t a, b, dir, open, cell, bare, box, in_box;
};

/* --- operations: each checks its answer ----------------------------------------------------------- */

static void answer_is(struct stage *s, int r, const struct volume_entry *e, uint64_t dir, const char *name)
{
	uint64_t ino;

	assert_int_equal(r, 0);
	assert_int_equal(names_lookup(s->f->v->names, dir, name_of(name), &ino), NAMES_OK);
	assert_int_equal(e->ino, ino);
}

static void do_create(struct stage *s)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	struct volume_entry e;

	answer_is(s, volume_create(s->f->v, ROOT_INO, name_of("new"), &new, &e), &e, ROOT_INO, "new");
}

static void do_mkdir(struct stage *s)
{
	const struct volume_new new = { .mode = S_IFDIR | 0700, .open_flags = -1 };
	struct volume_entry e;

	answer_is(s, volume_create(s->f->v, s->dir, name_of("new"), &new, &e), &e, s->dir, "new");
}

static void do_symlink(struct stage *s)
{
	const struct name target = name_of("where");
	const struct volume_new new = { .mode = S_IFLNK | 0777, .target = &target, .open_flags = -1 };
	struct volume_entry e;

	answer_is(s, volume_create(s->f->v, ROOT_INO, name_of("new"), &new, &e), &e, ROOT_INO, "new");
}

static void do_tmpfile(struct stage *s)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	struct volume_entry e;

	assert_int_equal(volume_tmpfile(s->f->v, ROOT_INO, &new, &e), 0);
	assert_int_equal(e.attr.st_nlink, 0);
}

static void do_link(struct stage *s)
{
	struct volume_entry e;

	answer_is(s, volume_link(s->f->v, s->a, s->dir, name_of("new"), &e), &e, s->dir, "new");
}

static void do_unlink(struct stage *s)
{
	assert_int_equal(volume_unlink(s->f->v, ROOT_INO, name_of("b2")), 0);
}

static void do_unlink_last(struct stage *s)
{
	assert_int_equal(volume_unlink(s->f->v, ROOT_INO, name_of("a")), 0);
}

static void do_rmdir(struct stage *s)
{
	assert_int_equal(volume_rmdir(s->f->v, s->dir, name_of("sub")), 0);
}

static void do_rename(struct stage *s)
{
	assert_int_equal(volume_rename(s->f->v, ROOT_INO, name_of("a"), s->dir, name_of("a"), 0, NULL), 0);
}

static void do_rename_over(struct stage *s)
{
	assert_int_equal(volume_rename(s->f->v, ROOT_INO, name_of("a"), ROOT_INO, name_of("b2"), 0, NULL), 0);
}

static void do_exchange(struct stage *s)
{
	assert_int_equal(volume_rename(s->f->v, ROOT_INO, name_of("a"), s->dir, name_of("sub"), RENAME_EXCHANGE, NULL),
			 0);
}

static void do_whiteout(struct stage *s)
{
	const struct volume_new whiteout = { .mode = S_IFCHR, .open_flags = -1 };

	assert_int_equal(volume_rename(s->f->v, ROOT_INO, name_of("a"), s->dir, name_of("a"), 0, &whiteout), 0);
}

static void do_lookup(struct stage *s)
{
	struct volume_entry e;

	volume_unlist(s->f->v);
	assert_int_equal(volume_lookup(s->f->v, ROOT_INO, name_of("b"), &e), 0);
	assert_int_equal(e.ino, s->b);
}

static void do_list(struct stage *s)
{
	struct volume_entry e;

	volume_unlist(s->f->v);
	assert_int_equal(volume_remember(s->f->v, s->a, &e), 0);
	assert_int_equal(volume_remember(s->f->v, s->b, &e), 0);
	assert_int_equal(volume_remember(s->f->v, s->dir, &e), 0);
}

static void do_forget(struct stage *s)
{
	volume_forget(s->f->v, s->b, 1);
	volume_forget(s->f->v, 12345, 1); /* nobody */
	volume_forget(s->f->v, s->a, 1);
	volume_forget(s->f->v, s->b, 1);
}

static void do_open(struct stage *s)
{
	assert_int_equal(open_fresh(s->f->v, s->b), VOLUME_OPENED);
}

static void do_release(struct stage *s)
{
	volume_file_release(s->f->v, s->open, O_RDWR);
}

static void do_set_xattr(struct stage *s)
{
	assert_int_equal(volume_setxattr(s->f->v, s->a, name_of("user.new"), name_of("value"), VOLUME_XATTR_CREATE),
			 0);
}

static void do_remove_xattr(struct stage *s)
{
	assert_int_equal(volume_removexattr(s->f->v, s->a, name_of("user.old")), 0);
}

static int limit(struct stage *s, uint64_t ino, const char *value, unsigned flags)
{
	return volume_setxattr(s->f->v, ino, name_of(KSMFS_XATTR_SIZE), name_of(value), flags);
}

static void do_first_limit(struct stage *s)
{
	assert_int_equal(limit(s, s->cell, "64k", VOLUME_XATTR_CREATE), 0);
}

static void do_lower_limit(struct stage *s)
{
	assert_int_equal(limit(s, s->box, "8k", VOLUME_XATTR_REPLACE), 0);
}

static void do_raise_limit(struct stage *s)
{
	assert_int_equal(limit(s, s->box, "128k", 0), 0);
}

static void do_remove_limit(struct stage *s)
{
	assert_int_equal(volume_removexattr(s->f->v, s->bare, name_of(KSMFS_XATTR_SIZE)), 0);
}

static void do_make_in_tenant(struct stage *s)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = O_RDWR };
	struct volume_entry e;

	answer_is(s, volume_create(s->f->v, s->box, name_of("new"), &new, &e), &e, s->box, "new");
}

static void do_end_tenant(struct stage *s)
{
	assert_int_equal(volume_rmdir(s->f->v, ROOT_INO, name_of("box")), 0);
}

#define ACT(name) { #name, do_##name }
static const struct act {
	const char *name;
	void (*run)(struct stage *s);
} acts[] = {
	ACT(create), ACT(mkdir), ACT(symlink), ACT(tmpfile), ACT(link), ACT(unlink), ACT(unlink_last), ACT(rmdir),
	ACT(rename), ACT(rename_over), ACT(exchange), ACT(whiteout), ACT(lookup), ACT(list), ACT(forget), ACT(open),
	ACT(release), ACT(set_xattr), ACT(remove_xattr), ACT(first_limit), ACT(lower_limit), ACT(raise_limit),
	ACT(remove_limit), ACT(make_in_tenant), ACT(end_tenant),
};

/* --- what has come of it --------------------------------------------------------------------------- */

struct text {
	struct volume *v;
	char bytes[8192];
	size_t used;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	t->used += (size_t)vsnprintf(t->bytes + t->used, sizeof(t->bytes) - t->used, fmt, args);
	va_end(args);
	assert_true(t->used < sizeof(t->bytes));
}

static int count(void *arg, uint32_t dir, const struct names_entry *e)
{
	++*(unsigned *)arg;
	return 0;
}

/* Of record numbers: how often one was used does not matter. */
static void describe_names(struct text *t, uint64_t dir)
{
	static const char *const names[] = { "a", "b", "b2", "bare", "box", "cell", "dir", "new", "open", "sub" };
	uint64_t ino;

	for (unsigned n = 0; n < ARRAY_SIZE(names); n++)
		if (names_lookup(t->v->names, dir, name_of(names[n]), &ino) == NAMES_OK)
			say(t, "%u/%s=%u\n", (unsigned)dir, names[n], (uint32_t)ino);
}

static void describe_tenants(struct text *t)
{
	HOLDS_INODES(t->v->pool.itable);
	uint32_t number = 0;
	struct inode *i;

	while ((i = itable_next(t->v->pool.itable, &number))) {
		const struct tenant *tenant = i->tenant;

		if (!tenant)
			continue;
		say(t, "%u: of tenant %u", i->number, (uint32_t)i->record->tenant);
		if (tenant->dir == i)
			say(t, ", %u of %u pages, %u inodes in %u bytes", (unsigned)tenant->pages,
			    (unsigned)tenant->size_pages, (unsigned)tenant->inodes, (unsigned)tenant->space);
		say(t, "\n");
	}
}

/* Everything but times. */
static void describe(struct volume *v, const struct stage *s, struct text *t)
{
	HOLDS_INODES(v->pool.itable);
	unsigned names = 0;
	uint32_t number = 0;
	struct inode *i;

	*t = (struct text){ .v = v };
	while ((i = itable_next(v->pool.itable, &number))) {
		struct inode_attr a = inode_attr_get(i);
		char list[256];
		size_t len = 0;

		assert_int_equal(volume_listxattr(v, inode_ino(i), true, list, sizeof(list), &len), 0);
		say(t, "%u: mode %o links %u size %u parent %u lookups %u opens %u stores %u xattrs %zu\n", i->number,
		    a.mode, a.nlink, (unsigned)a.size, (uint32_t)a.parent, (unsigned)i->record->lookups,
		    i->record->opens, i->record->stores, len);
	}
	describe_names(t, ROOT_INO);
	describe_names(t, s->dir);
	describe_names(t, s->box);
	describe_tenants(t);
	assert_int_equal(names_walk(v->names, count, &names), 0);
	say(t, "%u names, charged %u\n", names, (unsigned)itable_charged(v->pool.itable));
}

/* --- the theatre --------------------------------------------------------------------------------- */

static void set_stage(struct stage *s, void **state)
{
	struct volume_entry e;

	assert_int_equal(fixture_setup(state), 0);
	s->f = *state;
	s->receipt = mmap(NULL, RECEIPTS * sizeof(*s->receipt), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			  0);
	assert_ptr_not_equal(s->receipt, MAP_FAILED);
	s->f->config.receipts = (struct receipts){ s->receipt, sizeof(*s->receipt), RECEIPTS };
	s->a = make_file(s->f, "a");
	s->b = make_file(s->f, "b");
	s->dir = make(s->f, ROOT_INO, "dir", S_IFDIR | 0700);
	volume_forget(s->f->v, make(s->f, s->dir, "sub", S_IFDIR | 0700), 1);
	assert_int_equal(volume_link(s->f->v, s->b, ROOT_INO, name_of("b2"), &e), 0);
	s->open = make_file(s->f, "open");
	assert_int_equal(volume_file_open(s->f->v, s->open, O_RDWR), 0);
	drop_file(s->f, "open", s->open);
	assert_int_equal(volume_setxattr(s->f->v, s->a, name_of("user.old"), name_of("1"), 0), 0);
	s->cell = make(s->f, ROOT_INO, "cell", S_IFDIR | 0700);
	s->bare = make(s->f, ROOT_INO, "bare", S_IFDIR | 0700);
	assert_int_equal(limit(s, s->bare, "64k", 0), 0);
	s->box = make(s->f, ROOT_INO, "box", S_IFDIR | 0700);
	assert_int_equal(limit(s, s->box, "64k", 0), 0);
	s->in_box = make(s->f, s->box, "in", S_IFREG | 0600);
	assert_int_equal(volume_file_open(s->f->v, s->in_box, O_RDWR), 0);
	put_pages(s->f, s->in_box, 0, 2, 5, 1);
	assert_int_equal(volume_unlink(s->f->v, s->box, name_of("in")), 0);
	volume_forget(s->f->v, s->in_box, 1);
}

static void clear_stage(struct stage *s)
{
	munmap(s->receipt, RECEIPTS * sizeof(*s->receipt));
	assert_int_equal(fixture_teardown((void **)&s->f), 0);
}

static void begin(struct stage *s)
{
	receipt_use(s->receipt);
	receipt_begin(REQUEST);
}

/* In a process that dies at `place`, if it comes there.  True: it has. */
static bool dies(struct stage *s, const struct act *act, enum kill_point place, unsigned nth)
{
	int status;
	pid_t pid;

	volume_close(s->f->v);
	s->f->v = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (volume_open(&s->f->config, &s->f->v) < 0)
			_exit(2);
		begin(s);
		failpoint_kill_arm(place, nth);
		act->run(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(volume_open(&s->f->config, &s->f->v), 0);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/* What there is after `act`; killed: after it was killed, taken over, and asked for again. */
static bool perform(void **state, const struct act *act, enum kill_point place, unsigned nth, struct text *ret)
{
	struct stage s = { 0 };
	bool killed;

	set_stage(&s, state);
	killed = nth && dies(&s, act, place, nth);
	if (killed || !nth) {
		begin(&s); /* of the same number: goes on with what the receipt says */
		act->run(&s);
		receipt_end();
		receipt_use(NULL);
		describe(s.f->v, &s, ret);
		fixture_check(s.f);
	}
	clear_stage(&s);
	return killed;
}

static void killed__once_at_every_point_and_asked_again_it_has_happened_once(void **state)
{
	static const enum kill_point places[] = {
		KILL_receipt_counting, KILL_receipt_counted, KILL_receipt_doubt, KILL_names_before,
		KILL_names_committed, KILL_names_effects, KILL_attr_filled, KILL_attr_flipped, KILL_inode_filled,
		KILL_inode_used, KILL_inode_dying, KILL_inode_cleared, KILL_inode_renumbered,
	};
	static struct text expected, is;
	unsigned kills = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(acts); n++) {
		unsigned kills_before = kills;

		perform(state, &acts[n], 0, 0, &expected);
		for (unsigned p = 0; p < ARRAY_SIZE(places); p++)
			for (unsigned nth = 1; nth <= NTH_MAX; nth++) {
				if (!perform(state, &acts[n], places[p], nth, &is))
					break;
				kills++;
				if (strcmp(is.bytes, expected.bytes) != 0)
					fail_msg("%s, killed at %s (%u): it is\n%sand should be\n%s", acts[n].name,
						 kill_point_names[places[p]], nth, is.bytes, expected.bytes);
			}
		assert_true(kills >= kills_before + 2);
	}
	assert_true(kills > 100);
}

/* Whoever takes over may die, too. */
static void killed__while_taking_over_it_has_still_happened_once(void **state)
{
	static const enum kill_point takeover[] = { KILL_settle_stamped, KILL_receipt_counting, KILL_receipt_counted,
						    KILL_recover_adopted, KILL_recover_linked };
	static struct text expected, is;

	for (unsigned p = 0; p < ARRAY_SIZE(takeover); p++) {
		struct stage s = { 0 };
		int status;
		pid_t pid;

		perform(state, &acts[0], 0, 0, &expected);
		set_stage(&s, state);
		volume_close(s.f->v);
		for (unsigned life = 0; life < 2; life++) {
			pid = fork();
			if (pid == 0) {
				failpoint_kill_arm(life ? takeover[p] : KILL_names_committed, 1);
				if (volume_open(&s.f->config, &s.f->v) < 0)
					_exit(2);
				begin(&s);
				acts[0].run(&s);
				_exit(0);
			}
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_true(WIFSIGNALED(status));
		}
		assert_int_equal(volume_open(&s.f->config, &s.f->v), 0);
		begin(&s);
		acts[0].run(&s);
		receipt_end();
		receipt_use(NULL);
		describe(s.f->v, &s, &is);
		assert_string_equal(is.bytes, expected.bytes);
		clear_stage(&s);
	}
}

/* Another thread has been killed at receipt_counting: he had looked up `a`. */
static void link_while_somebody_counts(struct stage *s)
{
	const struct inode_record *record = inode_of(s->f->v, s->a)->record;
	struct receipt *other = s->receipt + 1;

	other->listed[0] = s->a;
	other->counts = (struct receipt_counts){ record->lookups + 1, record->opens, record->stores };
	other->then = RECEIPT_LISTED;
	other->then_steps = 1;
	other->counting = s->a;
	other->request = REQUEST + 1;
	do_link(s);
}

/* What a count is to become was said before the name was known to have been made. */
static void killed__in_a_new_name_and_in_a_count_of_the_same_file_both_count(void **state)
{
	const struct act act = { "link_while_somebody_counts", link_while_somebody_counts };
	struct stage s = { 0 };
	uint64_t lookups;

	set_stage(&s, state);
	lookups = inode_of(s.f->v, s.a)->record->lookups;
	assert_true(dies(&s, &act, KILL_names_committed, 1));
	assert_int_equal(s.receipt[0].state, RECEIPT_MADE);
	assert_int_equal(s.receipt[1].state, RECEIPT_LISTED);
	assert_int_equal(inode_of(s.f->v, s.a)->record->lookups, lookups + 2);
	clear_stage(&s);
}

/* Who opens a file to store into it does more than to be counted (volume_file.c). */
static void killed__in_an_open_what_follows_from_it_is_done_all_the_same(void **state)
{
	const struct act act = { "open", do_open };
	struct stat st = { .st_size = PAGE_BYTES, .st_mtim.tv_sec = 1 };
	struct volume_read bytes;
	struct stage s = { 0 };
	struct inode_record *record;

	set_stage(&s, state);
	assert_int_equal(volume_setattr(s.f->v, s.b, &st, VOLUME_SET_SIZE, &st), 0);
	assert_int_equal(volume_read(s.f->v, s.b, 0, PAGE_BYTES, &bytes), 0); /* a hole is served */
	volume_read_done(&bytes);
	assert_int_equal(volume_setattr(s.f->v, s.b, &st, VOLUME_SET_MTIME, &st), 0);
	assert_true(dies(&s, &act, KILL_receipt_counted, 1));
	begin(&s);
	do_open(&s);
	receipt_end();
	receipt_use(NULL);
	record = inode_of(s.f->v, s.b)->record;
	assert_int_equal(record->mtime_set, 0);
	assert_int_equal(record->flags & INODE_HOLES_SERVED, 0);
	clear_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed__once_at_every_point_and_asked_again_it_has_happened_once),
		cmocka_unit_test(killed__while_taking_over_it_has_still_happened_once),
		cmocka_unit_test(killed__in_a_new_name_and_in_a_count_of_the_same_file_both_count),
		cmocka_unit_test(killed__in_an_open_what_follows_from_it_is_done_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
