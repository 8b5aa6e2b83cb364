/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What core/check.c is there for: each kind of violation, planted, is found and named. */
#include <stdio.h>

#include "core/failpoint.h"
#include "core/names_xattr.h"
#include "core/ptab.h"
#include "tests/unit/fixture.h"

enum { A = 1, B = 2 };

static void expect(struct fixture *f, const char *words)
{
	char text[256];

	assert_true(fixture_violations(f->v, text, sizeof(text)) > 0);
	if (!strstr(text, words))
		fail_msg("found '%s' instead of '%s'", text, words);
}

/* Two files, one page shared between them, one of each alone, a hole, a zero page. */
static struct inode *plant(struct fixture *f)
{
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");

	put_page(f, one, 0, A);
	put_page(f, one, 1, B);
	put_page(f, one, 3, 0);
	put_page(f, two, 0, A);
	fixture_check(f);
	return inode_of(f->v, one);
}

static void check__a_miscounted_inode(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f);

	i->record->slots++;
	expect(f, "slots and has 3");
	i->record->slots--;
}

static void check__a_miscounted_figure(void **state)
{
	static const enum attr gauges[] = {
		ATTR_pages_shared, ATTR_pages_sharing, ATTR_pages_unshared, ATTR_pages_volatile,
		ATTR_ksm_zero_pages, ATTR_store_reserved_pages, ATTR_store_data_pages,
	};
	struct fixture *f = *state;

	plant(f);
	for (unsigned n = 0; n < ARRAY_SIZE(gauges); n++) {
		counters_add(f->v->pool.counters, gauges[n], 1);
		expect(f, attr_rows[gauges[n]].name);
		counters_add(f->v->pool.counters, gauges[n], -1);
	}
}

static void check__a_wrong_charge(void **state)
{
	struct fixture *f = *state;

	plant(f);
	f->v->pool.charged++;
	expect(f, "are charged for");
	f->v->pool.charged -= 2;
	expect(f, "are charged for");
	f->v->pool.charged++;
}

static void check__a_lost_reference(void **state)
{
	struct fixture *f = *state;
	uint32_t frame = plant(f)->record->direct[0];

	assert_true(frames_ref(f->v->pool.frames, frame));
	expect(f, "counts 3 references and has 2");
	assert_int_equal(frames_unref(f->v->pool.frames, frame), FRAMES_OK);
}

static void check__a_reference_nobody_counted(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f);
	uint32_t was = atomic_exchange(&i->record->direct[1], i->record->direct[0]);

	expect(f, "references and has");
	i->record->direct[1] = was;
}

static void check__a_slot_that_says_nothing_known(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f);
	uint32_t was = atomic_exchange(&i->record->direct[3], FRAMES_FIRST - 1);

	expect(f, "slot 3 says 7");
	i->record->direct[3] = was;
}

static void check__a_slot_beyond_the_store(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f);
	uint32_t was = atomic_exchange(&i->record->direct[1], 1u << 30);

	expect(f, "beyond the store");
	i->record->direct[1] = was;
}

static void check__a_frame_of_another_domain(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f);

	i->record->domain = 1;
	expect(f, "of another domain");
	i->record->domain = 0;
}

static void check__a_file_of_another_domain_than_its_directory(void **state)
{
	struct fixture *f = *state;
	struct inode *i;

	f->v->pool.settings->value[ATTR_domain] = DOMAINS_DIR;
	fixture_reopen(f);
	i = inode_of(f->v, make(f, make(f, ROOT_INO, "dir", S_IFDIR | 0755), "file", S_IFREG | 0600));
	fixture_check(f);
	i->record->domain++;
	expect(f, "is in directory 2 of another");
	i->record->domain--;
	domains_enter(f->v->domains, i->record->domain);
	expect(f, "3 inodes are counted, there are 2");
	domains_leave(f->v->domains, i->record->domain);
}

static void check__a_node_that_is_no_frame(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f);

	i->record->root = UINT64_C(1) << 32 | 1u << 30;
	expect(f, "is no frame");
	i->record->root = 0;
}

static void check__a_node_of_two_tables(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_file(f, "one"), two = make_file(f, "two");
	struct inode *i = inode_of(f->v, one);
	uint64_t was;

	put_page(f, one, 100, A);
	put_page(f, two, 100, A);
	was = atomic_exchange(&i->record->root, (uint64_t)inode_of(f->v, two)->record->root);
	expect(f, "is not its page table's alone");
	i->record->root = was;
}

static void check__bytes_that_changed_in_the_index(void **state)
{
	struct fixture *f = *state;
	uint8_t *page = frames_data(f->v->pool.frames, plant(f)->record->direct[1]);
	uint8_t was[PAGE_BYTES];

	memcpy(was, page, PAGE_BYTES);
	for (uint64_t what = 100; page_equal(was, page); what++) { /* few bits: some are alike */
		char text[256];

		fill_page(page, what);
		if (!fixture_violations(f->v, text, sizeof(text)))
			memcpy(page, was, PAGE_BYTES);
	}
	expect(f, "has other bytes than it was indexed with");
	memcpy(page, was, PAGE_BYTES);
}

static void check__a_frame_that_is_not_in_the_index(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	uint32_t frame;
	uint32_t tag;

	plant(f);
	set(f, ATTR_merge_on_write, 0);
	put_page(f, ino, 0, B + 1);
	frame = slot_at(f, ino, 0);
	tag = digest_tag(digest_page(f->v->pool.key, 0, frames_data(f->v->pool.frames, frame)));
	frames_set_indexed(f->v->pool.frames, frame, tag);
	expect(f, "in the content index 0 times");
	assert_true(frames_clear_indexed(f->v->pool.frames, frame, FRAMES_UNINDEX_OWNED));
}

static void check__bytes_beyond_the_end(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f);
	uint64_t size = inode_size(i);

	inode_attr_begin(i)->size = PAGE_BYTES + 100;
	inode_attr_end(i);
	expect(f, "a byte beyond its end");
	inode_attr_begin(i)->size = size;
	inode_attr_end(i);
}

static void check__wrong_links(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f), *dir;
	uint64_t ino = make(f, ROOT_INO, "dir", S_IFDIR | 0755);

	inode_attr_begin(i)->nlink++;
	inode_attr_end(i);
	expect(f, "says 2 links and has 1");
	inode_attr_begin(i)->nlink--;
	inode_attr_end(i);
	dir = inode_of(f->v, ino);
	inode_attr_begin(dir)->nlink = 3;
	inode_attr_end(dir);
	expect(f, "says 3 links and has 2");
	inode_attr_begin(dir)->nlink = 2;
	inode_attr_end(dir);
	inode_attr_begin(dir)->parent = 77;
	inode_attr_end(dir);
	expect(f, "says 77");
	inode_attr_begin(dir)->parent = ROOT_INO;
	inode_attr_end(dir);
}

static void check__a_name_of_nothing(void **state)
{
	struct fixture *f = *state;

	plant(f);
	assert_int_equal(names_add(f->v->names, ROOT_INO, name_of("ghost"), 99, NULL), 0);
	expect(f, "which is not there");
	assert_int_equal(names_remove(f->v->names, ROOT_INO, name_of("ghost"), 99, true), 0);
}

static void check__an_inode_nobody_knows(void **state)
{
	const struct inode_attr attr = { .mode = S_IFREG | 0600 };
	struct fixture *f = *state;
	struct inode *i;

	i = make_record(f, &attr);
	expect(f, "nobody knows it");
	assert_true(inode_bury(i));
	itable_free(f->v->pool.itable, i);
}

static void check__an_attribute_of_nobody(void **state)
{
	struct fixture *f = *state;
	struct inode *i = plant(f);
	uint64_t freed;

	assert_int_equal(volume_setxattr(f->v, inode_ino(i), name_of("user.x"), name_of("1"), 0), 0);
	fixture_check(f);
	i->record->flags &= ~(uint32_t)INODE_XATTRS;
	expect(f, "has user.x and does not know it");
	i->record->flags |= INODE_XATTRS;
	assert_int_equal(names_xattr_set(f->v->names, 99, name_of("user.y"), name_of("1"), &freed), 0);
	expect(f, "has user.y and does not know it");
	assert_int_equal(names_xattr_remove(f->v->names, 99, name_of("user.y"), &freed), 0);
}

static void check__attributes_that_are_not_what_is_charged(void **state)
{
	struct fixture *f = *state;

	plant(f);
	assert_int_equal(itable_take_space(f->v->pool.itable, 1, true), 0);
	expect(f, "1 bytes of extended attributes are charged, and there are 0");
	itable_give_space(f->v->pool.itable, 1);
}

static void check__a_mode_that_is_not_what_its_list_says(void **state)
{
	static const char acl[] = "\2\0\0\0" "\1\0\6\0\0\0\0\0" "\4\0\6\0\0\0\0\0" "\x10\0\4\0\0\0\0\0" "\x20\0\0\0\0\0\0";
	struct fixture *f = *state;
	struct inode *i = plant(f);
	struct stat st = { .st_mode = 0640 };

	assert_int_equal(volume_setxattr(f->v, inode_ino(i), name_of("system.posix_acl_access"),
					 (struct name){ acl, sizeof(acl) }, 0), 0);
	fixture_check(f);
	inode_attr_begin(i)->mode ^= 0020;
	inode_attr_end(i);
	expect(f, "its access control list says mode 100640");
	assert_int_equal(volume_setattr(f->v, inode_ino(i), &st, VOLUME_SET_MODE, &st), 0);
}

static void check__says_when_it_could_not_look(void **state)
{
	struct fixture *f = *state;
	char text[256];

	plant(f);
	failpoint_arm(FAIL_ALLOC, 2);
	assert_int_equal(fixture_violations(f->v, text, sizeof(text)), -ENOMEM);
	failpoint_arm(FAIL_ALLOC, 0);
	failpoint_arm(FAIL_SQL, 1);
	assert_true(fixture_violations(f->v, text, sizeof(text)) < 0);
	failpoint_arm(FAIL_SQL, 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(check__a_miscounted_inode),
	FIXTURE_TEST(check__a_miscounted_figure),
	FIXTURE_TEST(check__a_wrong_charge),
	FIXTURE_TEST(check__a_lost_reference),
	FIXTURE_TEST(check__a_reference_nobody_counted),
	FIXTURE_TEST(check__a_slot_that_says_nothing_known),
	FIXTURE_TEST(check__a_slot_beyond_the_store),
	FIXTURE_TEST(check__a_frame_of_another_domain),
		FIXTURE_TEST(check__a_file_of_another_domain_than_its_directory),
	FIXTURE_TEST(check__a_node_that_is_no_frame),
	FIXTURE_TEST(check__a_node_of_two_tables),
	FIXTURE_TEST(check__bytes_that_changed_in_the_index),
	FIXTURE_TEST(check__a_frame_that_is_not_in_the_index),
	FIXTURE_TEST(check__bytes_beyond_the_end),
	FIXTURE_TEST(check__wrong_links),
	FIXTURE_TEST(check__a_name_of_nothing),
	FIXTURE_TEST(check__an_inode_nobody_knows),
	FIXTURE_TEST(check__an_attribute_of_nobody),
	FIXTURE_TEST(check__attributes_that_are_not_what_is_charged),
	FIXTURE_TEST(check__a_mode_that_is_not_what_its_list_says),
	FIXTURE_TEST(check__says_when_it_could_not_look),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
