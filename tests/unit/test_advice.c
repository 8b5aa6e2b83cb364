/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges against a plain model: a byte a page. */
#include "core/advice.h"

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { PAGES = 6000, PLAIN = 3, LEAF_POINTS = PAGE_BYTES / 8 };

struct model {
	struct fixture *f;
	struct inode *i;
	uint64_t base; /* page index of says[0] */
	enum advice whole;
	uint8_t says[PAGES]; /* an enum advice, or PLAIN: as the whole */
	uint64_t random;
};

static struct model m;

static void begin(struct fixture *f, uint64_t base)
{
	m = (struct model){ .f = f, .base = base, .random = 88172645463325252u };
	m.i = inode_of(f->v, make_file(f, "file"));
	m.whole = ADVICE_MERGEABLE;
	memset(m.says, PLAIN, sizeof(m.says));
}

static unsigned draw(unsigned below)
{
	m.random ^= m.random << 13;
	m.random ^= m.random >> 7;
	m.random ^= m.random << 17;
	return (unsigned)((m.random >> 11) % below);
}

static bool may_merge(unsigned k)
{
	return (m.says[k] == PLAIN ? m.whole : (enum advice)m.says[k]) == ADVICE_MERGEABLE;
}

static unsigned points(void)
{
	return (unsigned)(m.i->record->ranges >> 32);
}

/* No more of them than there are borders, and no more frames than they need. */
static void assert_points(void)
{
	unsigned borders = m.says[PAGES - 1] != PLAIN, leaves;

	for (unsigned k = 0; k < PAGES; k++)
		borders += m.says[k] != (k ? m.says[k - 1] : PLAIN);
	leaves = (borders + LEAF_POINTS - 1) / LEAF_POINTS;
	assert_int_equal(points(), borders);
	assert_int_equal(frames_tables(m.f->v->pool.frames), leaves + (leaves > 1));
	assert_int_equal(frames_used(m.f->v->pool.frames), leaves + (leaves > 1));
	assert_int_equal(advice_is_plain(m.i), !borders && m.whole == ADVICE_MERGEABLE);
}

static uint64_t left_out(unsigned from, unsigned end)
{
	uint64_t out = 0;

	while (from < end)
		out += !may_merge(from++);
	return out;
}

static void assert_model(void)
{
	struct frames *f = m.f->v->pool.frames;

	assert_points();
	assert_int_equal(advice_of_whole(m.i), m.whole);
	rwlock_take_shared(&m.i->map);
	for (unsigned k = 0; k < PAGES; k++)
		if (advice_may_merge(m.i, f, m.base + k) != may_merge(k))
			fail_msg("page %u: the model says %d", k, may_merge(k));
	if (m.base)
		assert_int_equal(advice_may_merge(m.i, f, m.base - 1), m.whole == ADVICE_MERGEABLE);
	assert_int_equal(advice_may_merge(m.i, f, m.base + PAGES), m.whole == ADVICE_MERGEABLE);
	assert_int_equal(advice_left_out(m.i, f, m.base, m.base + PAGES), left_out(0, PAGES));
	for (unsigned n = 0; n < 4; n++) {
		unsigned from = draw(PAGES), end = from + draw(PAGES - from + 1);

		assert_int_equal(advice_left_out(m.i, f, m.base + from, m.base + end), left_out(from, end));
	}
	rwlock_drop_shared(&m.i->map);
}

static int say(unsigned from, unsigned end, enum advice advice)
{
	int r;

	gate_close(&m.f->v->gate);
	r = advice_set_range(&m.f->v->pool, m.i, m.base + from, m.base + end, advice);
	gate_open(&m.f->v->gate);
	if (!r)
		memset(m.says + from, advice == m.whole ? PLAIN : (int)advice, end - from);
	return r;
}

static void say_of_whole(enum advice advice)
{
	gate_close(&m.f->v->gate);
	advice_set_whole(&m.f->v->pool, m.i, advice);
	gate_open(&m.f->v->gate);
	m.whole = advice;
	memset(m.says, PLAIN, sizeof(m.says));
}

static void cut(unsigned end)
{
	advice_cut(&m.f->v->pool, m.i, m.base + end);
	memset(m.says + end, PLAIN, PAGES - end);
}

/* Long ranges take away what short ones have made: `longest` decides how many points there come to be. */
static void random_steps(unsigned steps, unsigned longest)
{
	for (unsigned n = 0; n < steps; n++) {
		unsigned from = draw(PAGES), len = 1 + draw(draw(8) ? longest : 4 * longest);

		switch (draw(40)) {
		case 0:
			cut(PAGES - draw(draw(4) ? PAGES / 4 : PAGES));
			break;
		case 1:
			if (!draw(8))
				say_of_whole((enum advice)draw(3));
			break;
		default:
			assert_true(say(from, MIN(from + len, (unsigned)PAGES), (enum advice)draw(2)) >= 0);
		}
		if (n % 16 == 0)
			assert_model();
	}
	assert_model();
}

static void forget_all(void)
{
	cut(0);
	assert_model();
	assert_int_equal(m.i->record->ranges, 0);
}

static void ranges__are_what_a_plain_model_says(void **state)
{
	begin(*state, 0);
	random_steps(800, 600);
	random_steps(800, 20);
	random_steps(1500, 2);
	forget_all();
}

static void ranges__end_where_files_do(void **state)
{
	begin(*state, FILE_PAGES_MAX - PAGES);
	random_steps(400, 600);
	random_steps(800, 3);
	forget_all();
	assert_int_equal(say(PAGES - 1, PAGES, ADVICE_UNMERGEABLE), 0);
	assert_model();
	m.base = 0;
	forget_all();
	assert_int_equal(say(0, 1, ADVICE_UNMERGEABLE), 0);
	assert_model();
	forget_all();
	gate_close(&m.f->v->gate);
	assert_int_equal(advice_set_range(&m.f->v->pool, m.i, 0, FILE_PAGES_MAX, ADVICE_UNMERGEABLE), 0);
	gate_open(&m.f->v->gate);
	rwlock_take_shared(&m.i->map);
	assert_false(advice_may_merge(m.i, m.f->v->pool.frames, FILE_PAGES_MAX - 1));
	assert_int_equal(advice_left_out(m.i, m.f->v->pool.frames, 0, FILE_PAGES_MAX), FILE_PAGES_MAX);
	rwlock_drop_shared(&m.i->map);
	forget_all();
}

static void ranges__of_single_pages_fill_leaf_after_leaf(void **state)
{
	begin(*state, 0);
	for (unsigned k = 0; k < PAGES; k += 2) {
		assert_int_equal(say(k, k + 1, ADVICE_UNMERGEABLE), 0);
		if (k >= 2 * (LEAF_POINTS - 4) / 2 && k <= 2 * (LEAF_POINTS + 4) / 2)
			assert_model(); /* where the first leaf is full */
	}
	assert_int_equal(points(), PAGES);
	assert_model();
	for (unsigned end = PAGES; end; end -= MIN(end, end > 600 ? 97u : 1u)) {
		cut(end);
		assert_points();
		if (end >= LEAF_POINTS - 2 && end <= LEAF_POINTS + 3)
			assert_model(); /* where a leaf is its own root again */
	}
	forget_all();
	for (unsigned k = PAGES; k > 1; k -= 2) /* from behind */
		assert_int_equal(say(k - 1, k, ADVICE_UNMERGEABLE), 0);
	assert_model();
	for (unsigned k = 1; k < PAGES; k += 2) /* and back again: each makes two points fewer */
		assert_int_equal(say(k, k + 1, ADVICE_MERGEABLE), 0);
	assert_model();
	assert_int_equal(m.i->record->ranges, 0);
}

static void ranges__said_twice_are_said_once(void **state)
{
	begin(*state, 100);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(say(10, 20, ADVICE_UNMERGEABLE), n > 0); /* 1: nothing to do */
	assert_int_equal(points(), 2);
	assert_int_equal(say(20, 30, ADVICE_UNMERGEABLE), 0); /* a neighbour */
	assert_int_equal(say(5, 10, ADVICE_UNMERGEABLE), 0);
	assert_int_equal(points(), 2);
	assert_int_equal(say(12, 13, ADVICE_UNMERGEABLE), 1); /* inside */
	assert_int_equal(points(), 2);
	assert_int_equal(say(40, 50, ADVICE_UNMERGEABLE), 0);
	assert_int_equal(say(30, 40, ADVICE_UNMERGEABLE), 0); /* the gap */
	assert_int_equal(points(), 2);
	assert_int_equal(say(50, 60, ADVICE_MERGEABLE), 1); /* holds anyway */
	assert_int_equal(points(), 2);
	assert_model();
	assert_int_equal(say(5, 50, ADVICE_MERGEABLE), 0);
	assert_int_equal(m.i->record->ranges, 0);
	assert_model();
}

static void ranges__of_a_file_that_is_kept_are_one_or_the_other(void **state)
{
	begin(*state, 0);
	say_of_whole(ADVICE_KEEP);
	assert_int_equal(say(0, 10, ADVICE_MERGEABLE), 0);
	assert_int_equal(say(10, 20, ADVICE_UNMERGEABLE), 0);
	assert_int_equal(points(), 3);
	assert_model();
	say_of_whole(ADVICE_UNMERGEABLE); /* forgets them */
	assert_int_equal(say(7, 9, ADVICE_MERGEABLE), 0);
	assert_model();
	say_of_whole(ADVICE_MERGEABLE);
	assert_model();
}

static void whole__other_flags_are_left_alone(void **state)
{
	begin(*state, 0);
	m.i->record->flags |= INODE_HOLES_SERVED | INODE_LENT;
	for (int advice = ADVICE_UNMERGEABLE; advice <= ADVICE_KEEP; advice++) {
		say_of_whole((enum advice)advice);
		assert_int_equal(advice_of_whole(m.i), advice);
		assert_int_equal(m.i->record->flags & (INODE_HOLES_SERVED | INODE_LENT),
				 INODE_HOLES_SERVED | INODE_LENT);
	}
}

/* As many points as there may be, less `fewer`, two for every fourth page: by hand, as saying them takes minutes. */
static void lay_points(unsigned fewer)
{
	enum { COUNT = ADVICE_POINTS_MAX, LEAVES = COUNT / LEAF_POINTS };
	struct frames *f = m.f->v->pool.frames;
	uint32_t root, leaf[LEAVES];

	assert_int_equal(frames_take_table(f, 1, &root), FRAMES_OK);
	assert_int_equal(frames_take_table(f, LEAVES, leaf), FRAMES_OK);
	memcpy(frames_data(f, root), leaf, sizeof(leaf));
	for (uint64_t k = 0; k < COUNT; k++) {
		uint64_t *point = frames_data(f, leaf[k / LEAF_POINTS]);

		point[k % LEAF_POINTS] = (k / 2 * 4 + k % 2) << 2 | (k % 2 ? PLAIN : ADVICE_UNMERGEABLE);
	}
	m.i->record->ranges = (uint64_t)(COUNT - fewer) << 32 | root;
}

static void ranges__more_than_there_may_be_change_nothing(void **state)
{
	uint64_t word;

	begin(*state, 0);
	lay_points(2);
	assert_int_equal(say(2, 3, ADVICE_UNMERGEABLE), 0);
	word = m.i->record->ranges;
	assert_int_equal(points(), ADVICE_POINTS_MAX);
	assert_int_equal(say(6, 7, ADVICE_UNMERGEABLE), -ENOMEM);
	assert_int_equal(m.i->record->ranges, word);
	assert_int_equal(frames_tables(m.f->v->pool.frames), ADVICE_POINTS_MAX / LEAF_POINTS + 1);
	rwlock_take_shared(&m.i->map);
	for (unsigned k = 0; k < 1000; k++)
		assert_int_equal(advice_may_merge(m.i, m.f->v->pool.frames, k), k % 4 != 0 && k != 2);
	rwlock_drop_shared(&m.i->map);
	assert_int_equal(say(5, 8, ADVICE_UNMERGEABLE), 0); /* what makes no more of them can be said */
	assert_int_equal(say(20, 21, ADVICE_MERGEABLE), 0);
	assert_int_equal(say(22, 23, ADVICE_UNMERGEABLE), 0);
	fixture_check(m.f);
	forget_all();
}

/* With each allocation failing in turn; how often it took. */
static unsigned fail_each(unsigned from, unsigned end, enum advice advice)
{
	uint64_t word = m.i->record->ranges, used = frames_used(m.f->v->pool.frames);
	unsigned nth = 0;
	int r;

	do {
		failpoint_arm(FAIL_ALLOC, ++nth);
		r = say(from, end, advice);
		failpoint_arm(FAIL_ALLOC, 0);
		assert_true(!r || r == -ENOMEM);
		if (!r)
			break;
		assert_int_equal(m.i->record->ranges, word);
		assert_int_equal(frames_used(m.f->v->pool.frames), used);
		assert_model();
	} while (nth < 20);
	assert_int_equal(r, 0);
	assert_model();
	return nth;
}

static void ranges__without_memory_change_nothing(void **state)
{
	begin(*state, 0);
	assert_true(fail_each(10, 20, ADVICE_UNMERGEABLE) > 2);
	for (unsigned k = 100; k < 100 + 2 * (LEAF_POINTS / 2 - 1); k += 2)
		assert_int_equal(say(k, k + 1, ADVICE_UNMERGEABLE), 0);
	assert_int_equal(points(), LEAF_POINTS);
	assert_true(fail_each(5000, 5001, ADVICE_UNMERGEABLE) > 1); /* the second leaf, and a root */
	assert_true(fail_each(0, PAGES, ADVICE_UNMERGEABLE) > 1);
	assert_true(fail_each(0, PAGES, ADVICE_MERGEABLE) > 1); /* nothing is left to be stored */
	assert_int_equal(m.i->record->ranges, 0);
	assert_int_equal(frames_used(m.f->v->pool.frames), 0);
}

static void cut__needs_no_memory(void **state)
{
	begin(*state, 0);
	for (unsigned k = 0; k < 2000; k += 2)
		assert_int_equal(say(k, k + 1, ADVICE_UNMERGEABLE), 0);
	failpoint_arm(FAIL_ALLOC, 1);
	cut(1000);
	assert_model();
	cut(11);
	cut(0);
	failpoint_arm(FAIL_ALLOC, 0);
	forget_all();
}

static void inherit__is_what_the_directory_says(void **state)
{
	struct fixture *f = *state;
	uint64_t dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);

	for (int advice = ADVICE_UNMERGEABLE; advice <= ADVICE_KEEP; advice++) {
		const char name[] = { (char)('a' + advice), '\0' };
		struct inode *i;

		advice_set_whole(&f->v->pool, inode_of(f->v, dir), (enum advice)advice);
		i = inode_of(f->v, make(f, dir, name, S_IFREG | 0600));
		assert_int_equal(advice_of_whole(i), advice);
		assert_int_equal(i->record->ranges, 0);
	}
	assert_int_equal(advice_of_whole(inode_of(f->v, make_file(f, "outside"))), ADVICE_MERGEABLE);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(ranges__are_what_a_plain_model_says),
	FIXTURE_TEST(ranges__end_where_files_do),
	FIXTURE_TEST(ranges__of_single_pages_fill_leaf_after_leaf),
	FIXTURE_TEST(ranges__said_twice_are_said_once),
	FIXTURE_TEST(ranges__of_a_file_that_is_kept_are_one_or_the_other),
	FIXTURE_TEST(whole__other_flags_are_left_alone),
	FIXTURE_TEST(ranges__more_than_there_may_be_change_nothing),
	FIXTURE_TEST(ranges__without_memory_change_nothing),
	FIXTURE_TEST(cut__needs_no_memory),
	FIXTURE_TEST(inherit__is_what_the_directory_says),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
