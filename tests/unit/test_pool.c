/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/pool.h"

#include "core/ptab.h"
#include "tests/unit/fixture.h"

static void charge__stops_at_the_size(void **state)
{
	struct fixture *f = *state;
	struct pool *p = &f->v->pool;
	struct inode *i = inode_of(f->v, ROOT_INO);

	set_size(f, 10);
	assert_true(pool_charge(p, i, 7, false));
	assert_false(pool_charge(p, i, 4, false));
	assert_true(pool_charge(p, i, 3, false));
	assert_false(pool_charge(p, i, 1, false));
	assert_true(pool_charge(p, i, 0, false));
	assert_true(pool_charge(p, i, 5, true));
	assert_figure(f, store_free_pages, 0);
	pool_uncharge(p, i, 15);
	assert_int_equal(p->charged, 0);
}

static void slot_changed__counts_all_but_frames(void **state)
{
	struct fixture *f = *state;
	struct pool *p = &f->v->pool;
	struct inode *i = inode_of(f->v, make_file(f, "file"));

	pool_slot_changed(p, i, SLOT_HOLE, SLOT_LENT);
	assert_int_equal(i->record->slots, 0);
	assert_figure(f, store_reserved_pages, 1);
	pool_slot_changed(p, i, SLOT_LENT, SLOT_ZERO);
	assert_int_equal(i->record->slots, 1);
	assert_figure(f, store_reserved_pages, 0);
	assert_figure(f, ksm_zero_pages, 1);
	pool_slot_changed(p, i, SLOT_ZERO, FRAMES_FIRST);
	assert_figure(f, ksm_zero_pages, 0);
	assert_figure(f, store_data_pages, 0);
	pool_slot_changed(p, i, FRAMES_FIRST, SLOT_RESERVED);
	assert_figure(f, store_reserved_pages, 1);
	pool_slot_changed(p, i, SLOT_RESERVED, SLOT_HOLE);
	assert_int_equal(i->record->slots, 0);
	assert_figure(f, store_reserved_pages, 0);
}

static void step_out__lets_the_gate_be_closed(void **state)
{
	struct fixture *f = *state;
	struct pool *p = &f->v->pool;

	gate_enter(p->gate);
	pool_step_out(p);
	assert_int_equal(p->waiting, 1);
	gate_close(p->gate);
	gate_open(p->gate);
	pool_step_in(p);
	assert_int_equal(p->waiting, 0);
	gate_leave(p->gate);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(charge__stops_at_the_size),
	FIXTURE_TEST(slot_changed__counts_all_but_frames),
	FIXTURE_TEST(step_out__lets_the_gate_be_closed),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
