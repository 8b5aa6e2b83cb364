/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/tenants.h"

#include <pthread.h>

#include "core/failpoint.h"
#include "tests/unit/fixture.h"

enum { THREADS = 4, TRIES = 20000, LIMIT = 30000 };

static struct tenant *volatile nobody; /* whom compilers do not know to be none */

static struct tenant *make_tenant(struct fixture *f, const char *name, struct inode **ret_dir)
	__attribute__((returns_nonnull));

static struct tenant *make_tenant(struct fixture *f, const char *name, struct inode **ret_dir)
{
	struct tenant *t;

	*ret_dir = inode_of(f->v, make(f, ROOT_INO, name, S_IFDIR | 0755));
	assert_int_equal(tenants_make(f->v->tenants, *ret_dir, &t), 0);
	return t;
}

static void end_tenant(struct fixture *f, struct inode *dir)
{
	tenants_end(f->v->tenants, dir);
}

static void make__its_directory_is_its_first_inode(void **state)
{
	struct fixture *f = *state;
	struct inode *dir;
	struct tenant *t = make_tenant(f, "box", &dir);

	assert_int_equal(dir->record->tenant, dir->number);
	assert_true(tenant_is_dir(dir));
	assert_false(tenant_is_dir(inode_of(f->v, ROOT_INO)));
	assert_false(tenant_keeps(dir));
	assert_int_equal(t->inodes, 1);
	assert_int_equal(t->space, INODE_SPACE);
	assert_int_equal(t->size_pages, TENANT_NO_LIMIT);
	assert_int_equal(t->nr_inodes, TENANT_NO_LIMIT);
	end_tenant(f, dir);
	assert_int_equal(dir->record->tenant, 0);
	assert_null(dir->tenant);
}

static void make__those_that_ended_are_used_again_and_say_nothing_of_before(void **state)
{
	struct fixture *f = *state;
	struct inode *a, *b, *c;
	struct tenant *first = make_tenant(f, "a", &a), *again;

	(void)make_tenant(f, "b", &b);
	assert_int_equal(tenants_count(f->v->tenants), 2);
	first->size_pages = 1;
	assert_true(tenant_charge(first, 1, false));
	end_tenant(f, a);
	assert_int_equal(tenants_count(f->v->tenants), 1);
	again = make_tenant(f, "c", &c);
	assert_ptr_equal(again, first);
	assert_ptr_equal(again->dir, c);
	assert_int_equal(again->pages, 0);
	assert_int_equal(again->size_pages, TENANT_NO_LIMIT);
	end_tenant(f, b);
	end_tenant(f, c);
	assert_null(tenants_next(f->v->tenants, NULL));
}

static void make__without_memory_nothing_has_changed(void **state)
{
	struct fixture *f = *state;
	struct inode *dir = inode_of(f->v, make(f, ROOT_INO, "box", S_IFDIR | 0755));
	struct tenant *t;

	failpoint_arm(FAIL_ALLOC, 1);
	assert_int_equal(tenants_make(f->v->tenants, dir, &t), -ENOMEM);
	assert_int_equal(tenants_count(f->v->tenants), 0);
	assert_int_equal(dir->record->tenant, 0);
}

static void charge__stops_at_the_limit_unless_forced(void **state)
{
	struct fixture *f = *state;
	struct inode *dir;
	struct tenant *t = make_tenant(f, "box", &dir);

	t->size_pages = 10;
	assert_true(tenant_charge(t, 7, false));
	assert_false(tenant_charge(t, 4, false));
	assert_true(tenant_charge(t, 3, false));
	assert_false(tenant_charge(t, 1, false));
	assert_true(tenant_charge(t, 0, false));
	assert_true(tenant_charge(t, 5, true));
	assert_false(tenant_charge(t, 1, false)); /* beyond it */
	tenant_uncharge(t, 15);
	assert_int_equal(t->pages, 0);
	assert_true(tenant_charge(nobody, UINT64_MAX, false));
	tenant_uncharge(nobody, 1);
	end_tenant(f, dir);
}

static void take__an_inode_has_its_space_and_what_is_begun_counts(void **state)
{
	struct fixture *f = *state;
	struct inode *dir;
	struct tenant *t = make_tenant(f, "box", &dir);

	assert_int_equal(tenant_take(t, UINT64_C(1) << 40, false), 0); /* no limit */
	tenant_give(t, UINT64_C(1) << 40);
	t->nr_inodes = 3;
	assert_int_equal(tenant_take(t, INODE_SPACE, false), 0);
	assert_int_equal(tenant_take(t, 1, false), 0);
	assert_int_equal(tenant_inodes(t->space), 3);
	assert_int_equal(tenant_take(t, INODE_SPACE, false), -ENOSPC);
	assert_int_equal(tenant_take(t, INODE_SPACE - 1, false), 0);
	assert_int_equal(tenant_take(t, 1, false), -ENOSPC);
	assert_int_equal(tenant_take(t, 1, true), 0);
	tenant_give(t, 2 * INODE_SPACE + 1);
	assert_int_equal(tenant_take(nobody, 1, false), 0);
	tenant_give(nobody, 1);
	end_tenant(f, dir);
}

static void keeps__its_directory_until_the_others_have_gone(void **state)
{
	struct fixture *f = *state;
	struct inode *dir, *i = inode_of(f->v, make_file(f, "file"));
	struct tenant *t = make_tenant(f, "box", &dir);

	assert_int_equal(tenant_take(t, INODE_SPACE, false), 0);
	tenant_enter(t, i);
	assert_true(tenant_keeps(dir));
	assert_false(tenant_keeps(i));
	assert_int_equal(i->record->tenant, dir->number);
	i->record->tenant = 0;
	i->tenant = NULL;
	tenant_leave(t);
	assert_false(tenant_keeps(dir));
	assert_int_equal(t->space, INODE_SPACE);
	end_tenant(f, dir);
}

static void *charge_and_give_back(void *arg)
{
	struct tenant *t = arg;
	uint64_t kept = 0;

	for (unsigned n = 0; n < TRIES; n++) {
		if (tenant_charge(t, 1, false))
			kept++;
		if (n % 7 == 0 && kept) {
			tenant_uncharge(t, 1);
			kept--;
		}
		if (t->pages > LIMIT)
			return NULL;
	}
	return (void *)(uintptr_t)(kept + 1);
}

static void charge__many_at_once_never_go_beyond_it(void **state)
{
	struct fixture *f = *state;
	struct inode *dir;
	struct tenant *t = make_tenant(f, "box", &dir);
	pthread_t thread[THREADS];
	uint64_t kept = 0;

	t->size_pages = LIMIT;
	for (unsigned n = 0; n < THREADS; n++)
		assert_int_equal(pthread_create(&thread[n], NULL, charge_and_give_back, t), 0);
	for (unsigned n = 0; n < THREADS; n++) {
		void *ret;

		pthread_join(thread[n], &ret);
		assert_non_null(ret);
		kept += (uintptr_t)ret - 1;
	}
	assert_int_equal(t->pages, kept);
	assert_in_range(kept, LIMIT - THREADS, LIMIT); /* each may have given back the last thing that it did */
	end_tenant(f, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(make__its_directory_is_its_first_inode),
		FIXTURE_TEST(make__those_that_ended_are_used_again_and_say_nothing_of_before),
		FIXTURE_TEST(make__without_memory_nothing_has_changed),
		FIXTURE_TEST(charge__stops_at_the_limit_unless_forced),
		FIXTURE_TEST(take__an_inode_has_its_space_and_what_is_begun_counts),
		FIXTURE_TEST(keeps__its_directory_until_the_others_have_gone),
		FIXTURE_TEST(charge__many_at_once_never_go_beyond_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
