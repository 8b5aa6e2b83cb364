/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each operation, with its 1st, 2nd, 3rd ... allocation or SQL call failing, until it succeeds without: it
 * says an errno and has changed nothing, or it has happened whole. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"
#include "tests/unit/tempdir.h"

enum { A = 1, B = 2, TEXT_BYTES = 1 << 16, NTH_MAX = 500 };

struct world {
	struct fixture *f;
	uint64_t a, b, dir, full, empty;
};

static struct world build(struct fixture *f)
{
	const struct name target = name_of("elsewhere");
	const struct volume_new symlink = { .mode = S_IFLNK | 0777, .target = &target, .open_flags = -1 };
	struct world w = { .f = f };
	struct volume_entry e;

	w.a = make_file(f, "a");
	w.b = make_file(f, "b");
	w.dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	w.full = make(f, w.dir, "full", S_IFDIR | 0755);
	w.empty = make(f, w.dir, "empty", S_IFDIR | 0755);
	assert_int_equal(volume_create(f->v, w.full, name_of("symlink"), &symlink, &e), 0);
	assert_int_equal(volume_link(f->v, w.a, w.full, name_of("a too"), &e), 0);
	put_pages(f, w.a, 0, 4, A, 1);
	put_page(f, w.a, 4, 0);
	put_pages(f, w.b, 0, 4, A, 1);
	put_page(f, w.b, 20, B);
	return w;
}

/* --- what it looks like ----------------------------------------------------------------------- */

struct text {
	struct fixture *f;
	size_t len;
	char bytes[TEXT_BYTES];
};

static void add(struct text *t, const char *fmt, ...) printf_like(2, 3);

static void add(struct text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	t->len += (size_t)vsnprintf(t->bytes + t->len, sizeof(t->bytes) - t->len, fmt, args);
	va_end(args);
	assert_true(t->len < sizeof(t->bytes));
}

/* Far files are mostly holes: what is not is enough. */
static uint64_t content_hash(struct fixture *f, uint64_t ino, const struct stat *st)
{
	uint64_t hash = 1469598103934665603u, at = 0;
	uint64_t word[PAGE_BYTES / sizeof(uint64_t)];

	if (!S_ISREG(st->st_mode))
		return 0;
	while (volume_seek(f->v, ino, at, SEEK_DATA, &at) == 0) {
		memset(word, 0, sizeof(word));
		(void)get_bytes(f, ino, at, PAGE_BYTES - at % PAGE_BYTES, word);
		for (unsigned k = 0; k < ARRAY_SIZE(word); k++)
			hash = word[k] ? (hash ^ word[k] ^ (at + k)) * 1099511628211u : hash;
		at = (at / PAGE_BYTES + 1) * PAGE_BYTES;
	}
	return hash;
}

static int by_name(const void *a, const void *b)
{
	const struct names_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void describe_dir(struct text *t, const char *path, uint64_t dir)
{
	struct names_entry e[16];
	unsigned count;

	assert_int_equal(volume_list(t->f->v, dir, 0, e, ARRAY_SIZE(e), &count), 0);
	for (unsigned n = 0; n < count; n++)
		e[n].name[e[n].len] = '\0';
	qsort(e, count, sizeof(e[0]), by_name);
	for (unsigned n = 0; n < count; n++) {
		char text[SYMLINK_BYTES_MAX + 1] = "", below[128];
		struct stat st;

		assert_int_equal(volume_getattr(t->f->v, e[n].ino, &st), 0);
		if (S_ISLNK(st.st_mode))
			assert_int_equal(volume_readlink(t->f->v, e[n].ino, text), 0);
		add(t, "%s/%s: mode %o, %u links, %u bytes, %s %llx\n", path, e[n].name, st.st_mode,
		    (unsigned)st.st_nlink, (unsigned)st.st_size, text,
		    (unsigned long long)content_hash(t->f, e[n].ino, &st));
		(void)snprintf(below, sizeof(below), "%s/%.20s", path, e[n].name);
		if (S_ISDIR(st.st_mode))
			describe_dir(t, below, e[n].ino);
	}
}

static void describe(struct fixture *f, struct text *t)
{
	t->f = f;
	t->len = 0;
	t->bytes[0] = '\0';
	describe_dir(t, "", ROOT_INO);
	add(t, "%u pages reserved\n", (unsigned)figure(f, ATTR_store_reserved_pages));
}

/* --- operations ------------------------------------------------------------------------------- */

static int create(struct world *w, mode_t mode, const struct name *target)
{
	const struct volume_new new = { .mode = mode, .target = target, .open_flags = -1 };
	struct volume_entry e;

	return volume_create(w->f->v, w->dir, name_of("new"), &new, &e);
}

static int create_file(struct world *w)
{
	return create(w, S_IFREG | 0600, NULL);
}

static int mkdir_(struct world *w)
{
	return create(w, S_IFDIR | 0700, NULL);
}

static int symlink_(struct world *w)
{
	const struct name target = name_of("somewhere/else");

	return create(w, S_IFLNK | 0777, &target);
}

static int create_many(struct world *w) /* more records than have memory */
{
	int r = 0;

	for (unsigned n = 0; n < 300 && !r; n++) {
		const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = -1 };
		struct volume_entry e;

		r = volume_create(w->f->v, ROOT_INO, name_of("many"), &new, &e);
		if (r < 0)
			break;
		r = volume_unlink(w->f->v, ROOT_INO, name_of("many"));
	}
	return r;
}

static int lookup(struct world *w)
{
	struct volume_entry e;
	int r = volume_lookup(w->f->v, w->full, name_of("a too"), &e);

	if (!r)
		volume_forget(w->f->v, e.ino, 1);
	return r;
}

static int link_(struct world *w)
{
	struct volume_entry e;

	return volume_link(w->f->v, w->b, w->dir, name_of("new"), &e);
}

static int unlink_(struct world *w)
{
	volume_forget(w->f->v, w->b, 1);
	return volume_unlink(w->f->v, ROOT_INO, name_of("b"));
}

static int unlink_symlink(struct world *w)
{
	return volume_unlink(w->f->v, w->full, name_of("symlink"));
}

static int rmdir_(struct world *w)
{
	return volume_rmdir(w->f->v, w->dir, name_of("empty"));
}

static int rename_(struct world *w)
{
	return volume_rename(w->f->v, ROOT_INO, name_of("a"), w->dir, name_of("new"), 0, NULL);
}

static int rename_over(struct world *w)
{
	return volume_rename(w->f->v, ROOT_INO, name_of("a"), ROOT_INO, name_of("b"), 0, NULL);
}

static int rename_dir_over(struct world *w)
{
	return volume_rename(w->f->v, w->dir, name_of("full"), w->dir, name_of("empty"), 0, NULL);
}

static int exchange(struct world *w)
{
	return volume_rename(w->f->v, ROOT_INO, name_of("a"), w->dir, name_of("full"), RENAME_EXCHANGE, NULL);
}

static int rename_whiteout(struct world *w)
{
	const struct volume_new new = { .mode = S_IFCHR, .open_flags = -1 };

	return volume_rename(w->f->v, w->full, name_of("symlink"), ROOT_INO, name_of("b"), 0, &new);
}

static int write_result(ssize_t n, size_t len)
{
	return n < 0 ? (int)n : (size_t)n < len ? -ENOSPC : 0;
}

static int write_at(struct world *w, uint64_t ino, uint64_t offset, size_t len, unsigned flags)
{
	uint8_t data[2 * PAGE_BYTES];

	fill_page(data, 77);
	fill_page(data + PAGE_BYTES, 78);
	return write_result(volume_write(w->f->v, ino, offset, data, len, flags), len);
}

static int write_new(struct world *w)
{
	return write_at(w, w->a, 5 * PAGE_BYTES, PAGE_BYTES, 0);
}

static int write_far(struct world *w)
{
	return write_at(w, w->a, UINT64_C(100) << 20, PAGE_BYTES, 0);
}

static int write_over(struct world *w)
{
	return write_at(w, w->a, 0, PAGE_BYTES, 0);
}

static int write_part_of_shared(struct world *w)
{
	return write_at(w, w->a, PAGE_BYTES + 10, 100, 0);
}

static int write_parts_and_hole(struct world *w)
{
	return write_at(w, w->b, 10 * PAGE_BYTES + 10, 100, 0);
}

static int write_back(struct world *w)
{
	return write_at(w, w->b, 2 * PAGE_BYTES, 2 * PAGE_BYTES, VOLUME_WRITEBACK);
}

static int read_and_reserve(struct world *w)
{
	uint8_t page[PAGE_BYTES];
	struct volume_read r;
	int n;

	n = open_fresh(w->f->v, w->b);
	if (n < 0)
		return n;
	n = volume_read(w->f->v, w->b, 8 * PAGE_BYTES, sizeof(page), &r);
	if (!n)
		volume_read_done(&r);
	volume_file_release(w->f->v, w->b, O_RDWR);
	return n;
}

static int truncate_inside(struct world *w)
{
	struct stat st = { .st_size = PAGE_BYTES + 100 };

	return volume_setattr(w->f->v, w->a, &st, VOLUME_SET_SIZE, &st);
}

static int truncate_up(struct world *w)
{
	struct stat st = { .st_size = 100 * PAGE_BYTES };

	return volume_setattr(w->f->v, w->a, &st, VOLUME_SET_SIZE, &st);
}

static int allocate(struct world *w)
{
	return volume_fallocate(w->f->v, w->a, 0, 0, 2000 * PAGE_BYTES);
}

static int punch(struct world *w)
{
	return volume_fallocate(w->f->v, w->a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE_BYTES,
				2 * PAGE_BYTES);
}

static int punch_a_part(struct world *w)
{
	return volume_fallocate(w->f->v, w->a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 200);
}

static int scan_twice(struct world *w)
{
	scan(w->f, 2);
	return 0;
}

static int prepare_scan(struct world *w)
{
	set(w->f, ATTR_merge_on_write, 0);
	put_pages(w->f, w->b, 8, 4, A, 1);
	put_page(w->f, w->b, 12, 0);
	set(w->f, ATTR_merge_on_write, 1);
	return 0;
}

static int reclaim(struct world *w)
{
	(void)frames_reclaim(w->f->v->pool.frames);
	return 0;
}

static int prepare_reclaim(struct world *w)
{
	uint64_t ino = make_file(w->f, "big");

	for (unsigned n = 0; n < 8; n++)
		put_pages(w->f, ino, n * BATCH_PAGES, BATCH_PAGES, 1000 + n * BATCH_PAGES, 1);
	drop_file(w->f, "big", ino);
	return 0;
}

/* --- merging and splitting ------------------------------------------------------------------------ */

static int write_what_is_there(struct world *w)
{
	uint8_t data[2 * PAGE_BYTES];

	fill_page(data, A + 1);
	fill_page(data + PAGE_BYTES, B);
	return write_result(volume_write(w->f->v, w->a, 2 * PAGE_BYTES, data, sizeof(data), 0), sizeof(data));
}

/* Nobody looks for equal pages: each splits. */
static int write_over_shared(struct world *w)
{
	return write_at(w, w->a, 2 * PAGE_BYTES, 2 * PAGE_BYTES, 0);
}

static int prepare_no_merge_on_write(struct world *w)
{
	set(w->f, ATTR_merge_on_write, 0);
	return 0;
}

static int unmerge(struct world *w)
{
	int r = volume_set(w->f->v, ATTR_run, 2, NULL);

	assert_figure(w->f, run, r < 0 ? 0 : 2);
	assert_true(r < 0 || !figure(w->f, ATTR_pages_sharing));
	return r;
}

static int prepare_unmerged(struct world *w)
{
	set(w->f, ATTR_run, 2);
	set(w->f, ATTR_run, 1);
	return 0;
}

static int scan_unmerged(struct world *w)
{
	scan(w->f, 3);
	return 0;
}

static int advise_unmergeable(struct world *w)
{
	int r = volume_advise(w->f->v, w->a, VOLUME_UNMERGEABLE, NULL);
	struct volume_pages pages;

	assert_true(r < 0 || (!volume_pages(w->f->v, w->a, 0, UINT64_MAX, NULL, &pages) && !pages.merged));
	return r;
}

static int advise_keep(struct world *w)
{
	return volume_advise(w->f->v, w->a, VOLUME_KEEP, NULL);
}

static int prepare_unmergeable(struct world *w)
{
	return volume_advise(w->f->v, w->a, VOLUME_UNMERGEABLE, NULL);
}

static int advise_mergeable(struct world *w)
{
	int r = volume_advise(w->f->v, w->a, VOLUME_MERGEABLE, NULL);

	if (!r)
		scan(w->f, 2);
	return r;
}

static int advise_range(struct world *w)
{
	return volume_advise_range(w->f->v, w->a, PAGE_BYTES, 2 * PAGE_BYTES, VOLUME_UNMERGEABLE, NULL);
}

/* As many points as one frame holds. */
static int prepare_ranges(struct world *w)
{
	truncate_to_pages(w->f, w->a, 1000);
	for (uint64_t n = 10; n < 10 + 512; n += 2)
		assert_int_equal(volume_advise_range(w->f->v, w->a, n << PAGE_SHIFT, PAGE_BYTES, VOLUME_UNMERGEABLE,
						     NULL), 0);
	return 0;
}

static const struct operation {
	const char *name;
	int (*run)(struct world *w);
	int (*prepare)(struct world *w);
	bool only_memory; /* more SQL calls than are worth failing */
} operations[] = {
	{ "create", create_file },
	{ "mkdir", mkdir_ },
	{ "symlink", symlink_ },
	{ "create many", create_many, NULL, true },
	{ "lookup", lookup },
	{ "link", link_ },
	{ "unlink", unlink_ },
	{ "unlink a symbolic link", unlink_symlink },
	{ "rmdir", rmdir_ },
	{ "rename", rename_ },
	{ "rename over a file", rename_over },
	{ "rename over a directory", rename_dir_over },
	{ "exchange", exchange },
	{ "rename leaving a whiteout", rename_whiteout },
	{ "write a new page", write_new },
	{ "write far out", write_far },
	{ "write over a page", write_over },
	{ "write a part of a shared page", write_part_of_shared },
	{ "write a part of a hole", write_parts_and_hole },
	{ "write back", write_back },
	{ "read a hole that is reserved", read_and_reserve },
	{ "truncate inside a page", truncate_inside },
	{ "truncate up", truncate_up },
	{ "fallocate", allocate },
	{ "punch", punch },
	{ "punch a part of a page", punch_a_part },
	{ "scan", scan_twice, prepare_scan },
	{ "reclaim", reclaim, prepare_reclaim },
	{ "write what is there", write_what_is_there },
	{ "write over shared pages", write_over_shared, prepare_no_merge_on_write },
	{ "unmerge", unmerge },
	{ "scan what was unmerged", scan_unmerged, prepare_unmerged },
	{ "advise unmergeable", advise_unmergeable },
	{ "advise keep", advise_keep },
	{ "advise mergeable", advise_mergeable, prepare_unmergeable },
	{ "advise a range", advise_range },
	{ "advise a range more", advise_range, prepare_ranges },
};

/* --- the trial -------------------------------------------------------------------------------- */

/* Disarm; was the failpoint met? */
static bool disarm(enum failpoint kind, unsigned nth)
{
	bool met = true;

	while (nth--)
		met &= !failpoint_hit(kind);
	failpoint_arm(kind, 0);
	return met;
}

static struct text before, after, now;

static bool fails_well(struct fixture *f, const struct operation *o, enum failpoint kind, unsigned nth)
{
	struct world w = build(f);
	bool met;
	int r;

	if (o->prepare)
		o->prepare(&w);
	describe(f, &before);
	failpoint_arm(kind, nth);
	r = o->run(&w);
	met = disarm(kind, nth);
	fixture_check(f);
	describe(f, &now);
	if (r < 0) {
		assert_true(met);
		assert_true(r == -ENOMEM || r == -ENOSPC || r == -EIO || r == -EAGAIN);
		if (strcmp(now.bytes, before.bytes))
			fail_msg("%s, kind %d, %u: %s\nbefore\n%safter\n%s", o->name, kind, nth,
				 strerror(-r), before.bytes, now.bytes);
		assert_int_equal(o->run(&w), 0); /* and then it goes */
		describe(f, &now);
	}
	if (!after.len)
		after = now;
	else if (strcmp(now.bytes, after.bytes))
		fail_msg("%s, kind %d, %u: expected\n%sfound\n%s", o->name, kind, nth, after.bytes,
			 now.bytes);
	return met;
}

static void any_call__that_fails_changes_nothing(enum failpoint kind)
{
	for (unsigned n = 0; n < ARRAY_SIZE(operations); n++) {
		unsigned nth = 0;
		void *state;
		bool met;

		if (kind == FAIL_SQL && operations[n].only_memory)
			continue;
		after.len = 0;
		do {
			assert_int_equal(fixture_setup(&state), 0);
			met = fails_well(state, &operations[n], kind, nth); /* 0: none fails */
			assert_int_equal(fixture_teardown(&state), 0);
		} while ((!nth++ || met) && nth < NTH_MAX);
		assert_true(nth < NTH_MAX);
	}
}

static void any_call__failing_for_memory_changes_nothing(void **state)
{
	(void)state;
	any_call__that_fails_changes_nothing(FAIL_ALLOC);
}

static void any_call__failing_in_sql_changes_nothing(void **state)
{
	(void)state;
	any_call__that_fails_changes_nothing(FAIL_SQL);
}

static void open__failing_at_any_call_leaves_nothing(void **state)
{
	struct volume_config config = { .dir = *state, .size_pages = 100, .nr_inodes = 100, .mode = 0755 };

	for (int kind = 0; kind < FAILPOINTS; kind++) {
		unsigned nth = 0;
		struct volume *v;
		char text[256];
		int r;

		do {
			assert_int_equal(volume_memfds(&config.frames_fd, &config.inodes_fd), 0);
			failpoint_arm((enum failpoint)kind, ++nth);
			r = volume_open(&config, &v);
			failpoint_arm((enum failpoint)kind, 0);
			if (!r) {
				assert_int_equal(fixture_violations(v, text, sizeof(text)), 0);
				volume_close(v);
			}
			close(config.frames_fd);
			close(config.inodes_fd);
			tempdir_empty(*state);
		} while (r < 0);
		assert_true(nth > 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_call__failing_for_memory_changes_nothing),
		cmocka_unit_test(any_call__failing_in_sql_changes_nothing),
		cmocka_unit_test_setup_teardown(open__failing_at_any_call_leaves_nothing, tempdir_setup,
						tempdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
