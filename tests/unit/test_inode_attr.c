/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/inode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/lock.h"

struct one {
	struct inode_record record;
	struct inode inode;
};

static int setup(void **state)
{
	static struct one one;

	one = (struct one){ .inode = { .record = &one.record, .number = 7 } };
	one.record.generation = 3;
	one.record.attr[0] = (struct inode_attr){ .mode = S_IFREG | 0640, .uid = 5, .nlink = 2, .size = 4097 };
	one.record.slots = 2;
	lock_init(&one.inode.attr, RANK_ATTR);
	*state = &one;
	return 0;
}

static int teardown(void **state)
{
	lock_fini(&((struct one *)*state)->inode.attr);
	return 0;
}

/* T2: until the last store all is as it was. */
static void attr__a_change_counts_when_it_is_complete(void **state)
{
	struct one *one = *state;
	struct inode_attr *attr = inode_attr_begin(&one->inode);

	attr->size = 9;
	attr->uid = 6;
	assert_int_equal(one->record.attr[one->record.live].size, 4097);
	inode_attr_end(&one->inode);
	assert_int_equal(inode_size(&one->inode), 9);
	assert_int_equal(inode_attr_get(&one->inode).uid, 6);
	assert_int_equal(inode_attr_get(&one->inode).mode, S_IFREG | 0640);
}

static void stat__tells_what_the_record_says(void **state)
{
	struct one *one = *state;
	struct stat st;

	inode_stat(&one->inode, &st);
	assert_int_equal(st.st_ino, UINT64_C(3) << 32 | 7);
	assert_int_equal(st.st_size, 4097);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(st.st_blocks, 16);
}

static void stamp__only_the_times_that_are_asked_for(void **state)
{
	struct inode_attr attr = { .mtime = { 1, 2 }, .btime = { 3, 4 } };

	(void)state;
	inode_stamp(&attr, INODE_ATIME | INODE_CTIME);
	assert_true(attr.atime.sec > 1000000000 && attr.ctime.sec == attr.atime.sec);
	assert_true(attr.mtime.sec == 1 && attr.mtime.nsec == 2 && attr.btime.sec == 3);
	inode_stamp(&attr, INODE_MTIME | INODE_BTIME);
	assert_true(attr.mtime.sec > 1000000000 && attr.btime.sec > 1000000000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attr__a_change_counts_when_it_is_complete),
		TEST(stat__tells_what_the_record_says),
		TEST(stamp__only_the_times_that_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
