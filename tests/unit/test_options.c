/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_options.c - mount options: tmpfs's meanings, and a name for everything refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <cmocka.h>

#include "fs/options.h"

static struct options o;
static char err[OPTIONS_ERROR_BYTES];

static void accept(const char *text)
{
	err[0] = '\0';
	if (options_parse(text, &o, err, sizeof(err)) < 0)
		fail_msg("'%s' is refused: %s", text, err);
}

/* Refused, with `name` in the reason, alone and among others. */
static void refuse(const char *text, const char *name)
{
	static const char *const around[][2] = {{"", ""}, {"ro,", ""}, {"", ",mode=700"}};
	char line[8192];

	for (unsigned i = 0; i < ARRAY_SIZE(around); i++) {
		snprintf(line, sizeof(line), "%s%s%s", around[i][0], text, around[i][1]);
		err[0] = '\0';
		if (options_parse(line, &o, err, sizeof(err)) != -EINVAL)
			fail_msg("'%s' is accepted", line);
		if (!strstr(err, name))
			fail_msg("'%s': no '%s' in '%s'", line, name, err);
		if (strchr(err, '\n'))
			fail_msg("'%s': more than a line", line);
	}
}

static uint64_t resolved_size(const char *text, uint64_t ram_pages)
{
	accept(text);
	options_resolve(&o, ram_pages, 1, 2);
	return o.size_pages;
}

static uint64_t resolved_inodes(const char *text, uint64_t ram_pages)
{
	accept(text);
	options_resolve(&o, ram_pages, 1, 2);
	return o.nr_inodes;
}

static void parse__presets_are_those_of_tmpfs(void **state)
{
	assert_int_equal(resolved_size("", 1000), 500);
	assert_int_equal(o.nr_inodes, 500);
	assert_int_equal(o.mode, 01777);
	assert_int_equal(o.uid, 1);
	assert_int_equal(o.gid, 2);
	assert_int_equal(o.mount_flags, 0);
	assert_int_equal(o.control, CONTROL_HIDDEN);
	assert_true(o.merge_on_write);
	assert_false(o.merge_optin);
	assert_string_equal(o.subtype, "ksmfs");
	assert_string_equal(o.index, "");
}

static void size__has_units_and_rounds_up(void **state)
{
	assert_int_equal(resolved_size("size=1", 1000), 1);
	assert_int_equal(resolved_size("size=4097", 1000), 2);
	assert_int_equal(resolved_size("size=64k", 1000), 16);
	assert_int_equal(resolved_size("size=3M", 1000), 768);
	assert_int_equal(resolved_size("size=8g", 1000), 2097152);
	assert_int_equal(resolved_size("size=16t", 1000), FILE_PAGES_MAX);
	assert_int_equal(resolved_size("nr_blocks=1k", 1000), 1024);
}

static void size__percent_is_of_ram(void **state)
{
	assert_int_equal(resolved_size("size=10%", 1000), 100);
	assert_int_equal(resolved_size("size=150%", 1000), 1500);
	assert_int_equal(resolved_size("size=1%", 10), 1);
	assert_int_equal(resolved_size("size=50%", 1001), 501);
	assert_int_equal(resolved_size("", 1001), 500);
}

static void size__zero_is_no_limit(void **state)
{
	assert_int_equal(resolved_size("size=0", 1000), FILE_PAGES_MAX);
	assert_int_equal(resolved_size("nr_blocks=0", 1000), FILE_PAGES_MAX);
	assert_int_equal(resolved_inodes("nr_inodes=0", 1000), UINT32_MAX - 1);
}

static void size__the_last_one_wins(void **state)
{
	assert_int_equal(resolved_size("size=50%,nr_blocks=7", 1000), 7);
	assert_int_equal(resolved_size("nr_blocks=7,size=20%", 1000), 200);
	assert_int_equal(resolved_inodes("nr_inodes=5,nr_inodes=1k", 1000), 1024);
}

static void store_limit__is_written_as_the_size_and_zero_is_none(void **state)
{
	static const struct {
		const char *text;
		uint64_t pages;
	} sample[] = {
		{"", 0}, {"store_limit=0", 0}, {"store_limit=64k", 16}, {"store_limit=1", 1}, {"store_limit=10%", 100},
		{"store_limit=3m,store_limit=0", 0}, {"store_limit=2g,size=1m", 524288},
	};

	for (unsigned n = 0; n < ARRAY_SIZE(sample); n++) {
		(void)resolved_size(sample[n].text, 1000);
		assert_int_equal(o.store_limit_pages, sample[n].pages);
		assert_int_equal(!!(o.given & OPTION_STORE_LIMIT), !!sample[n].text[0]);
	}
	assert_int_equal(resolved_size("size=1m,store_limit=64k", 1000), 256);
	refuse("store_limit", "store_limit");
	refuse("store_limit=x", "store_limit");
	refuse("store_limit=17t", "store_limit");
}

static void noswap__is_a_word(void **state)
{
	accept("");
	assert_false(o.noswap);
	accept("noswap");
	assert_true(o.noswap);
	refuse("noswap=1", "noswap");
}

static void size__bad_values_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "x", "-1", "+1", " 1", "1 ", "0x10", "1kk", "1z", "%", "101x%", "1.5g", "17t", "1e",
		"99999999999999999999", "18446744073709551615k", "9999999999%", "50%%", "\xff",
	};
	char text[64];

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "size=%s", bad[i]);
		refuse(text, "size");
		if (strcmp(bad[i], "1e") == 0)
			continue;
		snprintf(text, sizeof(text), "nr_inodes=%s", bad[i]);
		refuse(text, "nr_inodes");
	}
	refuse("size", "size");
	refuse("nr_blocks=50%", "nr_blocks");
	refuse("nr_blocks=4294967297", "nr_blocks");
	refuse("nr_inodes=4294967296", "nr_inodes");
}

static void root__mode_and_owner(void **state)
{
	accept("mode=0750,uid=12,gid=34");
	options_resolve(&o, 1000, 1, 2);
	assert_int_equal(o.mode, 0750);
	assert_int_equal(o.uid, 12);
	assert_int_equal(o.gid, 34);
	refuse("mode=9", "mode");
	refuse("mode=rwx", "mode");
	refuse("mode=10000", "mode");
	refuse("mode=", "mode");
	refuse("uid=-1", "uid");
	refuse("uid=4294967295", "uid");
	refuse("uid=root", "uid");
	refuse("gid=1x", "gid");
	refuse("gid", "gid");
}

static void own__options_take_their_values(void **state)
{
	accept("index=/some/where,control=visible,merge_on_write=0,read_ahead_kb=512,max_ratio=7");
	assert_string_equal(o.index, "/some/where");
	assert_int_equal(o.control, CONTROL_VISIBLE);
	assert_false(o.merge_on_write);
	assert_int_equal(o.read_ahead_kb, 512);
	assert_int_equal(o.max_ratio, 7);
	accept("control=none,merge_on_write=1,index=/a\\,b\\\\c");
	assert_int_equal(o.control, CONTROL_NONE);
	assert_true(o.merge_on_write);
	assert_string_equal(o.index, "/a,b\\c");
	refuse("control=perhaps", "control");
	refuse("control=", "control");
	accept("merge=optin");
	assert_true(o.merge_optin);
	assert_true(o.merge_on_write);
	accept("merge=optin,merge=all");
	assert_false(o.merge_optin);
	refuse("merge", "merge");
	refuse("merge=", "merge");
	refuse("merge=none", "merge");
	refuse("merge=1", "merge");
	refuse("merge=allx", "merge");
	refuse("merge=opt", "merge");
	refuse("merge_on_write=2", "merge_on_write");
	refuse("merge_on_write=yes", "merge_on_write");
	refuse("merge_on_write=", "merge_on_write");
	refuse("index=", "index");
	refuse("max_ratio=101", "max_ratio");
	refuse("read_ahead_kb=-1", "read_ahead_kb");
}

static void vfs__words_become_flags(void **state)
{
	accept("rw,nosuid,nodev,noexec,noatime,sync,dirsync");
	assert_int_equal(o.mount_flags,
			 MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_SYNCHRONOUS | MS_DIRSYNC);
	accept("ro,nosuid,nodev,noatime,rw,suid,dev,relatime");
	assert_int_equal(o.mount_flags, MS_RELATIME);
	accept("defaults");
	assert_int_equal(o.mount_flags, 0);
	refuse("ro=1", "ro");
	refuse("nosuid=", "nosuid");
}

static void others__words_are_passed_over(void **state)
{
	accept("auto,noauto,user,user=me,users,nouser,nofail,_netdev,x-systemd.automount,comment=a b,"
	       "defaults,,default_permissions,x-gvfs-show");
	assert_int_equal(o.mount_flags, 0);
	assert_false(o.allow_other);
	accept("allow_other,fsname=shm,subtype=other,context=a:b:c");
	assert_true(o.allow_other);
	assert_string_equal(o.fsname, "shm");
	assert_string_equal(o.subtype, "other");
	assert_string_equal(o.kernel, ",context=a:b:c");
}

static void unknown__options_are_refused_by_name(void **state)
{
	refuse("frobnicate", "frobnicate");
	refuse("frobnicate=1", "frobnicate");
	refuse("Size=1", "Size");
	refuse("siz=1", "siz");
	refuse("sizes=1", "sizes");
	refuse("=", "unknown");
	refuse("=1", "unknown");
	refuse("huge", "huge");
	refuse("huge=always", "huge");
	refuse("huge=within_size", "huge");
	refuse("mpol", "mpol");
	refuse("mpol=bind:0", "mpol");
	refuse("inode32", "64 bits");
	refuse("quota", "limits");
	refuse("usrquota", "limits");
	refuse("grpquota", "limits");
	refuse("user_id=0", "user_id");
	refuse("rw,group_id=0", "group_id");
	refuse("x-", "x-");
}

static void refused__options_are_taken_where_they_say_what_is_so(void **state)
{
	accept("huge=never,mpol=default,inode64");
}

static void numbers__are_refused_with_what_they_may_be(void **state)
{
	refuse("max_ratio=101", "0 to 100");
	refuse("uid=-1", "0 to 4294967294");
	refuse("read_ahead_kb=x", "0 to 1048576");
}

/* What mount(8) makes of `-o remount,size=...` and the mount table. */
static void remount__knows_what_was_said_and_what_the_kernel_tells(void **state)
{
	static const char said[] = "rw,nosuid,relatime,remount,user_id=0,group_id=0,default_permissions,allow_other";

	(void)state;
	assert_int_equal(options_parse(said, &o, err, sizeof(err)), 0);
	assert_true(o.remount);
	assert_int_equal(o.given, OPTION_OF_KERNEL | OPTION_FLAG);
	assert_int_equal(o.mount_flags, MS_NOSUID | MS_RELATIME);
	assert_int_equal(options_parse("user_id=0,remount,size=5m,nr_inodes=7", &o, err, sizeof(err)), 0);
	assert_int_equal(o.given, OPTION_OF_KERNEL | OPTION_SIZE | OPTION_INODES);
	assert_int_equal(options_parse("remount,index=/x,control=none", &o, err, sizeof(err)), 0);
	assert_int_equal(o.given, OPTION_INDEX | OPTION_CONTROL);
	refuse("remount=1", "remount");
}

static void long__texts_are_refused_whole(void **state)
{
	static char text[3 * PATH_MAX];

	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(options_parse(text, &o, err, sizeof(err)), -EINVAL);
	assert_true(strlen(err) < sizeof(err));
	memcpy(text, "index=/", 7);
	text[7 + PATH_MAX] = '\0';
	assert_int_equal(options_parse(text, &o, err, sizeof(err)), -EINVAL);
	text[PATH_MAX - 1 + 6] = '\0';
	assert_int_equal(options_parse(text, &o, err, sizeof(err)), 0);
	memcpy(text, "fsname=", 7);
	assert_int_equal(options_parse(text, &o, err, sizeof(err)), -EINVAL);
}

static void help__names_every_option_of_our_own(void **state)
{
	static const char *const names[] = {"size=", "nr_blocks=", "nr_inodes=", "store_limit=", "noswap", "mode=", "uid=", "gid=",
					    "index=", "control=", "domain=", "merge=", "merge_on_write=", "read_ahead_kb=",
					    "max_ratio=", "remount"};
	const char *name;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		assert_non_null(options_help(i, &name));
		assert_string_equal(name, names[i]);
	}
	assert_null(options_help(i, &name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__presets_are_those_of_tmpfs),
		cmocka_unit_test(size__has_units_and_rounds_up),
		cmocka_unit_test(size__percent_is_of_ram),
		cmocka_unit_test(size__zero_is_no_limit),
		cmocka_unit_test(size__the_last_one_wins),
		cmocka_unit_test(store_limit__is_written_as_the_size_and_zero_is_none),
		cmocka_unit_test(noswap__is_a_word),
		cmocka_unit_test(size__bad_values_are_refused),
		cmocka_unit_test(root__mode_and_owner),
		cmocka_unit_test(own__options_take_their_values),
		cmocka_unit_test(vfs__words_become_flags),
		cmocka_unit_test(others__words_are_passed_over),
		cmocka_unit_test(unknown__options_are_refused_by_name),
		cmocka_unit_test(refused__options_are_taken_where_they_say_what_is_so),
		cmocka_unit_test(numbers__are_refused_with_what_they_may_be),
		cmocka_unit_test(remount__knows_what_was_said_and_what_the_kernel_tells),
		cmocka_unit_test(long__texts_are_refused_whole),
		cmocka_unit_test(help__names_every_option_of_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
