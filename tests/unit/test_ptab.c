/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ptab.h"

#include "core/fault.h"
#include "tests/unit/fixture.h"

static struct inode *file(struct fixture *f)
{
	return inode_of(f->v, make_file(f, "file"));
}

/* The slot, with the nodes it needs. */
static _Atomic uint32_t *reach(struct fixture *f, struct inode *i, uint64_t index)
{
	_Atomic uint32_t *slot;

	gate_enter(&f->v->gate);
	assert_int_equal(fault_add_nodes(&f->v->pool, i, index), 0);
	gate_leave(&f->v->gate);
	rwlock_take_shared(&i->map);
	assert_int_equal(ptab_missing(i, f->v->pool.frames, index), 0);
	slot = ptab_slot(i, f->v->pool.frames, index);
	rwlock_drop_shared(&i->map);
	assert_non_null(slot);
	return slot;
}

static uint64_t next(struct fixture *f, struct inode *i, uint64_t from, uint64_t end)
{
	uint64_t index = UINT64_MAX;

	rwlock_take_shared(&i->map);
	if (!ptab_next(i, f->v->pool.frames, from, end, &index))
		index = UINT64_MAX;
	rwlock_drop_shared(&i->map);
	return index;
}

/* All of [from, end), as range.c does; the slots that were there. */
static unsigned clear(struct fixture *f, struct inode *i, uint64_t from, uint64_t end, unsigned max)
{
	uint32_t slot[64], node[PTAB_SPARES];
	unsigned nodes, n, all = 0;

	do {
		rwlock_take(&i->map);
		n = ptab_clear(i, f->v->pool.frames, from, end, slot, max, node, &nodes);
		rwlock_drop(&i->map);
		assert_true(n <= max && nodes <= PTAB_SPARES);
		for (unsigned k = 0; k < nodes; k++)
			frames_put_table(f->v->pool.frames, node[k]);
		all += n;
	} while (n || nodes);
	return all;
}

static void leaf__each_once_and_in_order(void **state)
{
	static const uint64_t index[] = { 5, 3 * PTAB_FANOUT - 1, 3 * PTAB_FANOUT, FILE_PAGES_MAX - 1 };
	struct fixture *f = *state;
	struct inode *i = file(f);
	_Atomic uint32_t *slot;
	unsigned count;
	uint64_t at = 0;

	rwlock_take_shared(&i->map);
	slot = ptab_leaf(i, f->v->pool.frames, &at, &count); /* those in the record */
	assert_ptr_equal(slot, i->record->direct);
	assert_int_equal(count, INODE_DIRECT);
	at += count;
	assert_null(ptab_leaf(i, f->v->pool.frames, &at, &count));
	rwlock_drop_shared(&i->map);
	for (unsigned n = 0; n < ARRAY_SIZE(index); n++)
		*reach(f, i, index[n]) = SLOT_ZERO;
	at = 0;
	rwlock_take_shared(&i->map);
	for (unsigned n = 0; n < ARRAY_SIZE(index); n++, at += count) {
		slot = ptab_leaf(i, f->v->pool.frames, &at, &count);
		assert_int_equal(count, PTAB_FANOUT);
		assert_int_equal(at, index[n] / PTAB_FANOUT * PTAB_FANOUT);
		assert_ptr_equal(slot + index[n] % PTAB_FANOUT, ptab_slot(i, f->v->pool.frames, index[n]));
	}
	assert_null(ptab_leaf(i, f->v->pool.frames, &at, &count));
	rwlock_drop_shared(&i->map);
	assert_int_equal(clear(f, i, 0, FILE_PAGES_MAX, 64), ARRAY_SIZE(index));
}

static void slot__small_files_need_no_node(void **state)
{
	struct fixture *f = *state;
	struct inode *i = file(f);

	for (unsigned n = 0; n < INODE_DIRECT; n++)
		assert_ptr_equal(reach(f, i, n), &i->record->direct[n]);
	assert_figure(f, store_table_frames, 0);
	rwlock_take_shared(&i->map);
	assert_int_equal(ptab_missing(i, f->v->pool.frames, INODE_DIRECT), 1);
	assert_null(ptab_slot(i, f->v->pool.frames, INODE_DIRECT));
	rwlock_drop_shared(&i->map);
}

static void extend__keeps_what_was_there_at_every_height(void **state)
{
	static const uint64_t at[] = { 0, 7, 8, 1023, 1024, 1 << 20, UINT64_C(1) << 30, FILE_PAGES_MAX - 1 };
	static const int64_t tables[] = { 0, 0, 1, 1, 3, 6, 10, 13 };
	struct fixture *f = *state;
	struct inode *i = file(f);

	for (unsigned n = 0; n < ARRAY_SIZE(at); n++) {
		*reach(f, i, at[n]) = SLOT_ZERO;
		assert_figure(f, store_table_frames, tables[n]);
		for (unsigned k = 0; k <= n; k++)
			assert_int_equal(*reach(f, i, at[k]), SLOT_ZERO);
		assert_int_equal(next(f, i, 0, FILE_PAGES_MAX), 0);
	}
	for (unsigned n = 1; n < ARRAY_SIZE(at); n++)
		assert_int_equal(next(f, i, at[n - 1] + 1, FILE_PAGES_MAX), at[n]);
	assert_true(next(f, i, 1025, 1 << 20) == UINT64_MAX);
	assert_int_equal(clear(f, i, 0, FILE_PAGES_MAX, 64), ARRAY_SIZE(at));
	assert_figure(f, store_table_frames, 0);
	assert_int_equal(i->record->root, 0);
}

static void extend__makes_no_leaf_of_holes(void **state)
{
	static const uint64_t at[] = { 8, PTAB_FANOUT, 1 << 20, UINT64_C(1) << 30, FILE_PAGES_MAX - 1 };
	struct fixture *f = *state;
	struct inode *i = file(f);

	for (unsigned n = 0; n < ARRAY_SIZE(at); n++) {
		*reach(f, i, at[n]) = SLOT_ZERO;
		assert_figure(f, store_table_frames, MIN(n + 1, (unsigned)PTAB_LEVELS_MAX));
		assert_int_equal(next(f, i, 0, FILE_PAGES_MAX), at[n]);
		*reach(f, i, 1) = SLOT_ZERO;
		assert_int_equal(next(f, i, 0, FILE_PAGES_MAX), 1);
		assert_int_equal(clear(f, i, 0, FILE_PAGES_MAX, 64), 2);
		assert_figure(f, store_table_frames, 0);
	}
}

static void clear__a_part_leaves_the_rest(void **state)
{
	struct fixture *f = *state;
	struct inode *i = file(f);

	for (uint64_t n = 1000; n < 1100; n++)
		*reach(f, i, n) = SLOT_ZERO;
	assert_int_equal(clear(f, i, 1010, 1090, 7), 80);
	assert_int_equal(next(f, i, 1010, FILE_PAGES_MAX), 1090);
	assert_int_equal(*reach(f, i, 1009), SLOT_ZERO);
	assert_int_equal(clear(f, i, 1024, FILE_PAGES_MAX, 7), 10);
	assert_figure(f, store_table_frames, 2); /* the root and the first leaf */
	assert_int_equal(clear(f, i, 0, FILE_PAGES_MAX, 64), 10);
	assert_figure(f, store_table_frames, 0);
}

static void clear__more_nodes_than_can_be_told_at_once(void **state)
{
	struct fixture *f = *state;
	struct inode *i = file(f);

	for (uint64_t n = 1; n <= 40; n++)
		(void)reach(f, i, n * PTAB_FANOUT);
	assert_figure(f, store_table_frames, 41);
	assert_int_equal(clear(f, i, 0, FILE_PAGES_MAX, 1), 0);
	assert_figure(f, store_table_frames, 0);
}

/* As range.c does; how many nodes have gone. */
static unsigned prune(struct fixture *f, struct inode *i, uint64_t index)
{
	uint32_t node[PTAB_LEVELS_MAX];
	unsigned n;

	rwlock_take(&i->map);
	n = ptab_prune(i, f->v->pool.frames, index, node);
	rwlock_drop(&i->map);
	assert_true(n <= PTAB_LEVELS_MAX);
	for (unsigned k = 0; k < n; k++)
		frames_put_table(f->v->pool.frames, node[k]);
	return n;
}

static void prune__only_what_holds_nothing(void **state)
{
	const uint64_t far = UINT64_C(1) << 30;
	struct fixture *f = *state;
	struct inode *i = file(f);

	assert_int_equal(prune(f, i, 0), 0);
	*reach(f, i, PTAB_FANOUT - 1) = SLOT_RESERVED;
	*reach(f, i, far + PTAB_FANOUT - 1) = SLOT_ZERO;
	*reach(f, i, far) = SLOT_ZERO;
	assert_figure(f, store_table_frames, 7);
	assert_int_equal(prune(f, i, 0) + prune(f, i, far) + prune(f, i, far + PTAB_FANOUT) +
			 prune(f, i, FILE_PAGES_MAX - 1), 0);
	*reach(f, i, far) = SLOT_HOLE;
	assert_int_equal(prune(f, i, far), 0);
	*reach(f, i, far + PTAB_FANOUT - 1) = SLOT_HOLE;
	assert_int_equal(prune(f, i, far + 5 * PTAB_FANOUT), 0); /* another leaf, which is not there */
	assert_int_equal(prune(f, i, far + 5), 3); /* all below the root */
	assert_int_equal(*reach(f, i, PTAB_FANOUT - 1), SLOT_RESERVED);
	assert_figure(f, store_table_frames, 4);
	*reach(f, i, PTAB_FANOUT - 1) = SLOT_HOLE;
	assert_int_equal(prune(f, i, 0), 4);
	assert_true(i->record->root == 0);
	assert_figure(f, store_table_frames, 0);
}

/* The direct slots mean nothing while there is a tree, and are what counts when there is none. */
static void prune__of_the_root_leaves_holes(void **state)
{
	struct fixture *f = *state;
	struct inode *i = file(f);

	*reach(f, i, 3) = SLOT_ZERO;
	*reach(f, i, 2000) = SLOT_ZERO;
	*reach(f, i, 3) = SLOT_HOLE;
	assert_int_equal(prune(f, i, 3), 1);
	*reach(f, i, 2000) = SLOT_HOLE;
	assert_int_equal(prune(f, i, 2000), 2);
	assert_true(next(f, i, 0, FILE_PAGES_MAX) == UINT64_MAX);
}

static int count(void *arg, uint32_t node)
{
	assert_true(node >= FRAMES_FIRST);
	return ++*(int *)arg == 3 ? -EINTR : 0;
}

static void walk__meets_each_node_until_told_to_stop(void **state)
{
	struct fixture *f = *state;
	struct inode *i = file(f);
	int n = 0;

	assert_int_equal(ptab_walk_nodes(i, f->v->pool.frames, count, &n), 0);
	(void)reach(f, i, 1 << 20);
	assert_int_equal(ptab_walk_nodes(i, f->v->pool.frames, count, &n), -EINTR);
	assert_int_equal(n, 3);
	n = 5;
	assert_int_equal(ptab_walk_nodes(i, f->v->pool.frames, count, &n), 0);
	assert_int_equal(n, 8);
	assert_int_equal(clear(f, i, 0, FILE_PAGES_MAX, 1), 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(leaf__each_once_and_in_order),
	FIXTURE_TEST(slot__small_files_need_no_node),
	FIXTURE_TEST(extend__keeps_what_was_there_at_every_height),
	FIXTURE_TEST(extend__makes_no_leaf_of_holes),
	FIXTURE_TEST(clear__a_part_leaves_the_rest),
	FIXTURE_TEST(clear__more_nodes_than_can_be_told_at_once),
	FIXTURE_TEST(prune__only_what_holds_nothing),
	FIXTURE_TEST(prune__of_the_root_leaves_holes),
	FIXTURE_TEST(walk__meets_each_node_until_told_to_stop),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
