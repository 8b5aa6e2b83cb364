/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies in the memfds is damaged: told in words, refused, or gone on with, but never followed out of the store. */
#include "core/inspect.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ptab.h"
#include "tests/unit/fixture.h"
#include "tests/unit/tempdir.h"

enum { A = 1, ROUNDS = 30, WORDS_MAX = 3, FOUND = 42 };

struct told {
	unsigned lines;
	char first[256];
};

static void tell(void *arg, const char *what)
{
	struct told *t = arg;

	if (!t->lines++)
		snprintf(t->first, sizeof(t->first), "%s", what);
}

/* Of everything something: direct slots, trees, ranges, shared pages, directories, links, attributes. */
static uint64_t build(struct fixture *f)
{
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755), file = make_file(f, "file");
	uint64_t tree = make(f, dir, "tree", S_IFREG | 0644), far = make(f, dir, "far", S_IFREG | 0644);
	const struct name target = name_of("../file");
	const struct volume_new symlink = { .mode = S_IFLNK | 0777, .target = &target, .open_flags = -1 };
	struct volume_entry e;

	assert_int_equal(volume_create(f->v, dir, name_of("link"), &symlink, &e), 0);
	assert_int_equal(volume_link(f->v, file, dir, name_of("again"), &e), 0);
	assert_int_equal(volume_setxattr(f->v, tree, name_of("user.x"), name_of("1"), 0), 0);
	put_pages(f, file, 0, 5, A, 1);
	put_pages(f, tree, 0, 40, A, 1);
	put_pages(f, tree, 1500, 5, A, 0);
	put_page(f, far, 3000000, A + 99);
	assert_int_equal(put_bytes(f, far, 100, 50, 'x'), 50);
	assert_int_equal(volume_advise_range(f->v, tree, 8 * PAGE_BYTES, 8 * PAGE_BYTES, VOLUME_UNMERGEABLE, NULL), 0);
	fixture_check(f);
	return tree;
}

static void expect(struct fixture *f, const char *words)
{
	struct told told = { 0 };

	assert_true(inspect(f->v, tell, &told) > 0);
	if (!strstr(told.first, words))
		fail_msg("found '%s' instead of '%s'", told.first, words);
}

static void inspect__what_is_as_it_should_be(void **state)
{
	struct fixture *f = *state;
	struct told told = { 0 };

	build(f);
	assert_int_equal(inspect(f->v, tell, &told), 0);
	assert_int_equal(told.lines, 0);
}

#define DAMAGED(place, value, words)                                \
	do {                                                        \
		__typeof__(place) was_ = (place);                   \
		(place) = (value);                                  \
		expect(f, words);                                   \
		(place) = was_;                                     \
	} while (0)

static void inspect__says_what_is_wrong(void **state)
{
	struct fixture *f = *state;
	struct inode_record *tree = inode_of(f->v, build(f))->record;
	struct inode_record *root = inode_of(f->v, ROOT_INO)->record;
	_Atomic uint32_t *node = frames_data(f->v->pool.frames, (uint32_t)tree->root);

	DAMAGED(tree->used, 3, "neither free nor used nor dying");
	DAMAGED(tree->live, 2, "does not say which of its attributes count");
	DAMAGED(tree->attr[tree->live].size, UINT64_MAX, "its size, or one of its times");
	DAMAGED(tree->root, UINT64_C(9) << 32 | 9, "higher than any");
	DAMAGED(tree->ranges, UINT64_C(1) << 60 | 9, "more ranges");
	DAMAGED(tree->root, UINT64_C(2) << 32 | 1u << 31, "is no frame");
	DAMAGED(node[1], node[0], "is one already");
	DAMAGED(node[2], UINT32_MAX, "is no frame");
	DAMAGED(tree->tenant, (uint32_t)ROOT_INO, "belongs to tenant 1, which does not exist"); /* it does not say so */
	DAMAGED(tree->tenant, 1000, "belongs to tenant 1000");
	DAMAGED(root->used, INODE_FREE, "should be the root directory");
	DAMAGED(root->attr[root->live].mode, S_IFREG, "should be the root directory");
	DAMAGED(tree->attr[tree->live].mode, S_IFDIR, "has pages, and is no file");
	node = frames_data(f->v->pool.frames, node[0]);
	DAMAGED(node[3], 5, "slot 3 says 5");
	DAMAGED(node[4], UINT32_MAX, "slot 4 says 4294967295");
	DAMAGED(node[5], (uint32_t)tree->root, "slot 5 refers to frame");
}

static void open__is_refused_in_words(void **state)
{
	struct fixture *f = *state;
	struct told told = { 0 };
	struct inode_record *tree = inode_of(f->v, build(f))->record;

	f->config.report = tell;
	f->config.report_arg = &told;
	tree->root = UINT64_C(2) << 32 | 1u << 31;
	volume_close(f->v);
	f->v = NULL;
	assert_int_equal(volume_open(&f->config, &f->v), -EUCLEAN);
	assert_int_equal(told.lines, 1);
	f->config.report = NULL;
	assert_int_equal(volume_open(&f->config, &f->v), -EUCLEAN); /* nor does a worker follow it */
	f->v = NULL;
}

/* --- any words: INSPECT_ROUNDS= for more of them --------------------------------------------------- */

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state * UINT64_C(0x2545f4914f6cdd1d) >> 11) % below;
}

static uint64_t any_word(uint64_t was)
{
	switch (draw(6)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return draw(64);
	case 3:
		return was ^ UINT64_C(1) << draw(64);
	case 4:
		return was + draw(16) - 8;
	default:
		return draw(UINT64_MAX);
	}
}

struct damage {
	int fd;
	off_t at;
	uint64_t was;
};

static void put_word(const struct damage *d, uint64_t word)
{
	assert_int_equal(pwrite(d->fd, &word, sizeof(word), d->at), sizeof(word));
}

/* In records more often than in frames, most of which are pages, which may hold anything; seldom in the header. */
static struct damage damage(const struct fixture *f, uint64_t records, uint32_t frames)
{
	const uint64_t first = (sizeof(struct inode_header) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	struct damage d = { .fd = f->config.inodes_fd };

	if (!draw(20)) {
		d.at = (off_t)(draw(64) * 8);
	} else if (draw(3)) {
		d.at = (off_t)(first + draw(records * sizeof(struct inode_record) / 8) * 8);
	} else {
		d.fd = f->config.frames_fd;
		d.at = (off_t)((draw(frames) << PAGE_SHIFT) + draw(64) * 8);
	}
	assert_int_equal(pread(d.fd, &d.was, sizeof(d.was), d.at), sizeof(d.was));
	put_word(&d, any_word(d.was));
	return d;
}

static void copy_names(const char *from_dir, const char *to_dir)
{
	char path[PATH_MAX];
	int in, out;

	snprintf(path, sizeof(path), "%s/names.db", from_dir);
	in = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/names.db", to_dir);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	close(in);
	close(out);
}

/* 0: it could be gone on with, and nothing was found. FOUND: refused, or something was. */
static int look(const struct fixture *f, const char *dir, bool inspected)
{
	struct volume_config config = f->config;
	struct told told = { 0 };
	struct volume *v;
	int r;

	config.copy = true;
	config.dir = dir;
	config.report = inspected ? tell : NULL;
	config.report_arg = &told;
	r = volume_open(&config, &v);
	if (r < 0)
		return FOUND;
	r = volume_check(v, tell, &told);
	volume_close(v);
	return r ? FOUND : 0;
}

/* In a process of its own, which may crash; a sanitizer ends it with 1. */
static int look_apart(const struct fixture *f, const char *dir, bool inspected)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(30);
		_exit(look(f, dir, inspected));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void open__survives_any_words(void **state)
{
	struct fixture *f = *state;
	const char *more = getenv("INSPECT_ROUNDS");
	unsigned rounds = more ? (unsigned)strtoul(more, NULL, 10) : ROUNDS;
	uint64_t records;
	uint32_t frames;
	void *dir = NULL;
	unsigned found = 0;

	build(f);
	records = itable_header(f->v->pool.itable)->records;
	frames = frames_end(f->v->pool.frames);
	volume_close(f->v);
	f->v = NULL;
	assert_int_equal(tempdir_setup(&dir), 0);
	copy_names(f->dir, dir);
	assert_int_equal(look_apart(f, dir, true), 0);
	for (unsigned round = 1; round <= rounds; round++) {
		struct damage d[WORDS_MAX];
		unsigned n, words;
		int r;

		random_state = round * UINT64_C(0x9e3779b97f4a7c15);
		words = 1 + (unsigned)draw(WORDS_MAX);
		for (n = 0; n < words; n++)
			d[n] = damage(f, records, frames);
		copy_names(f->dir, dir);
		r = look_apart(f, dir, round % 2);
		if (r != 0 && r != FOUND)
			fail_msg("round %u: %d", round, r);
		found += r == FOUND;
		while (n--)
			put_word(&d[n], d[n].was);
	}
	assert_true(found > rounds / 10);
	tempdir_teardown(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(inspect__what_is_as_it_should_be),
		FIXTURE_TEST(inspect__says_what_is_wrong),
		FIXTURE_TEST(open__is_refused_in_words),
		FIXTURE_TEST(open__survives_any_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
