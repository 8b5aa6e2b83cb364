/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SYSTEMD "26 24 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID                                                                                \
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"                 \
	"34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"          \
	"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n" \
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"

static struct cgroup found;

static int find(const char *groups, const char *mounts, enum cgroup_kind kind)
{
	FILE *g = fmemopen((char *)groups, strlen(groups), "r"), *m = fmemopen((char *)mounts, strlen(mounts), "r");
	int r;

	assert_non_null(g);
	assert_non_null(m);
	r = cgroup_find_in(g, m, kind, &found);
	fclose(g);
	fclose(m);
	return r;
}

static void find__a_service_of_systemd_with_all_above_it(void **state)
{
	(void)state;
	assert_int_equal(find("0::/system.slice/shm.service\n", SYSTEMD, CGROUP_V2), 0);
	assert_string_equal(found.path, "/sys/fs/cgroup/system.slice/shm.service");
	assert_true(cgroup_up(&found));
	assert_string_equal(found.path, "/sys/fs/cgroup/system.slice");
	assert_true(cgroup_up(&found));
	assert_string_equal(found.path, "/sys/fs/cgroup");
	assert_false(cgroup_up(&found));
	assert_int_equal(find("0::/system.slice/shm.service\n", SYSTEMD, CGROUP_V1_MEMORY), -ENOENT);
}

static void find__each_hierarchy_where_it_is_when_there_are_both(void **state)
{
	static const char groups[] = "5:cpuset:/\n4:memory:/box\n1:name=systemd:/init.scope\n0::/init.scope\n";

	(void)state;
	assert_int_equal(find(groups, HYBRID, CGROUP_V1_MEMORY), 0);
	assert_string_equal(found.path, "/sys/fs/cgroup/memory/box");
	assert_int_equal(find(groups, HYBRID, CGROUP_V2), 0);
	assert_string_equal(found.path, "/sys/fs/cgroup/unified/init.scope");
}

static void find__the_root_is_one_group(void **state)
{
	(void)state;
	assert_int_equal(find("0::/\n", SYSTEMD, CGROUP_V2), 0);
	assert_string_equal(found.path, "/sys/fs/cgroup");
	assert_false(cgroup_up(&found));
}

static void find__controllers_are_whole_words(void **state)
{
	(void)state;
	assert_int_equal(find("4:cpu,memory,pids:/box\n", HYBRID, CGROUP_V1_MEMORY), 0);
	assert_int_equal(find("4:memory2:/box\n", HYBRID, CGROUP_V1_MEMORY), -ENOENT);
	assert_int_equal(find("4:name=memory:/box\n", HYBRID, CGROUP_V1_MEMORY), -ENOENT);
}

static void find__a_container_that_sees_its_part_alone(void **state)
{
	static const char mounts[] = "26 24 0:23 /docker/box /sys/fs/cgroup ro - cgroup2 cgroup rw\n";

	(void)state;
	assert_int_equal(find("0::/docker/box/a\n", mounts, CGROUP_V2), 0);
	assert_string_equal(found.path, "/sys/fs/cgroup/a");
	assert_int_equal(find("0::/docker/box\n", mounts, CGROUP_V2), 0);
	assert_string_equal(found.path, "/sys/fs/cgroup");
	assert_int_equal(find("0::/docker/boxer\n", mounts, CGROUP_V2), -ENOENT);
	assert_int_equal(find("0::/docker\n", mounts, CGROUP_V2), -ENOENT);
	assert_int_equal(find("0::/../boxer\n", SYSTEMD, CGROUP_V2), -ENOENT);
}

static void find__nothing_where_nothing_is_mounted(void **state)
{
	(void)state;
	assert_int_equal(find("0::/\n", "31 23 0:28 / /sys rw - sysfs sysfs rw\n", CGROUP_V2), -ENOENT);
	assert_int_equal(find("nonsense\n", SYSTEMD, CGROUP_V2), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find__a_service_of_systemd_with_all_above_it),
		cmocka_unit_test(find__each_hierarchy_where_it_is_when_there_are_both),
		cmocka_unit_test(find__the_root_is_one_group),
		cmocka_unit_test(find__controllers_are_whole_words),
		cmocka_unit_test(find__a_container_that_sees_its_part_alone),
		cmocka_unit_test(find__nothing_where_nothing_is_mounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
